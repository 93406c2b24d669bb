/** The attributes of a launch, as an editor shows them: types, ranges, defaults, documentation. What they mean is in configuration.ts. */
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { DEFAULT_MODEL, MODELS } from '../machine/models/index.ts';
import { DEFAULT_PROFILE, PROFILES } from '../machine/profiles/index.ts';
import { DEFAULT_SLICE } from '../machine/vmm/schedule.ts';
import { EXIT_GROUPS } from './constants.ts';
import { SEED_MAX, SLICE_MAX, USUAL } from './machine-options.ts';

/** The JSON schema of one attribute, with what an editor shows of it. */
export interface Attribute {
  readonly type: string | readonly string[];
  readonly markdownDescription: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly enumDescriptions?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: { readonly type: 'string'; readonly enum?: readonly string[] };
  readonly properties?: Readonly<Record<string, Attribute>>;
  readonly additionalProperties?: false;
}

const CPUS_MAX = Math.max(...PROFILES.map(({ maxVcpus }) => maxVcpus));
const CODES = Object.keys(ExitCode);
const GROUPS = [...EXIT_GROUPS.keys()];
const exitNames = { type: 'array', items: { type: 'string', enum: [...GROUPS, ...CODES] }, default: [] } as const;

/** Every attribute of a launch. */
export const ATTRIBUTES = {
  program: {
    type: 'string',
    markdownDescription: 'The boot ROM to run (`.rom`, `.bin`, `.fd`), or its assembly source (`.asm`), which is assembled in memory.',
    default: '${file}',
  },
  cpus: {
    type: 'integer',
    markdownDescription:
      'Number of vCPUs, up to the limit of the profile. Default: what the source says in a line `; EXPECT: cpus 4`, else ' +
      `${USUAL.cpus}.`,
    minimum: 1,
    maximum: CPUS_MAX,
  },
  memory: {
    type: ['string', 'integer'],
    markdownDescription: 'RAM, from `1M` to `3G` in whole megabytes: `128M`, `1G`, or a number of MiB.',
    default: `${USUAL.memoryBytes / 2 ** 20}M`,
  },
  model: {
    type: 'string',
    markdownDescription: 'The machine: which chips there are, and where.',
    enum: MODELS.map(({ name }) => name),
    enumDescriptions: MODELS.map(({ about }) => about),
    default: DEFAULT_MODEL.name,
  },
  profile: {
    type: 'string',
    markdownDescription: 'The hypervisor whose rules apply.',
    enum: PROFILES.map(({ name }) => name),
    enumDescriptions: PROFILES.map(({ about }) => about),
    default: DEFAULT_PROFILE.name,
  },
  seed: {
    type: 'integer',
    markdownDescription: 'What varies the turns of the vCPUs: the same seed, the same run.',
    minimum: 0,
    maximum: SEED_MAX,
    default: USUAL.seed,
  },
  slice: {
    type: 'integer',
    markdownDescription: `Instructions in the turn of a vCPU. Default: ${DEFAULT_SLICE}.`,
    minimum: 1,
    maximum: SLICE_MAX,
  },
  stopOnEntry: {
    type: 'boolean',
    markdownDescription: 'Stop at the reset vector, before the first instruction.',
    default: true,
  },
  stopOnApEntry: {
    type: 'boolean',
    markdownDescription: 'Stop before the first instruction of an application processor, each time one is started.',
    default: false,
  },
  exits: {
    type: 'object',
    markdownDescription:
      `VM exits to stop at and to log, by code (\`INST_EMUL\`) or group (${GROUPS.map((g) => `\`${g}\``).join(', ')}). ` +
      'The view *VM Exits* changes them while the machine is there.',
    properties: {
      break: { ...exitNames, markdownDescription: 'Exits to stop at.' },
      log: { ...exitNames, markdownDescription: 'Exits that write a line to the debug console.' },
    },
    additionalProperties: false,
    default: { break: [], log: [] },
  },
  ipis: {
    type: 'object',
    markdownDescription: 'Interprocessor interrupts to stop at and to log.',
    properties: {
      break: {
        type: 'array',
        items: { type: 'string' },
        markdownDescription:
          'IPIs to stop at: `MODE`, `MODE->vCPU`, `MODE=verdict` or both, for example `SIPI->1=refused`, `*=notSent`, `FIXED if ipi.vector == 30h`.',
        default: [],
      },
      log: { type: 'boolean', markdownDescription: 'Each IPI writes a line to the debug console.', default: false },
    },
    additionalProperties: false,
    default: { break: [], log: false },
  },
  console: {
    type: 'string',
    markdownDescription: 'Where the consoles of the guest appear.',
    enum: ['terminal', 'debugConsole'],
    enumDescriptions: ['In a terminal of their own.', 'In the debug console, line by line.'],
    default: 'terminal',
  },
} as const satisfies Readonly<Record<string, Attribute>>;

/** The JSON schema of a launch: what `contributes.debuggers[0].configurationAttributes.launch` of package.json says. */
export function attributesSchema(): { readonly required: readonly string[]; readonly properties: Readonly<Record<string, Attribute>> } {
  return { required: ['program'], properties: ATTRIBUTES };
}
