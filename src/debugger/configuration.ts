/** What a debug session is asked for: the attributes of a launch, with their documentation, and their meaning. */
import type { Diagnostic } from '../assembly/diagnostic.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { exitCodeName, exitCodeNamed } from '../machine/ledger/words.ts';
import { MODELS } from '../machine/models/index.ts';
import { PROFILES } from '../machine/profiles/index.ts';
import type { Profile } from '../machine/profiles/profile.ts';
import { ATTRIBUTES } from './attributes.ts';
import { BreakpointError, parseBreakpoint } from './breakpoint.ts';
import type { ExitAction } from './breakpoints.ts';
import type { Program } from './code/program.ts';
import { EXIT_GROUPS } from './constants.ts';
import type { Debugger } from './debugger.ts';
import { DebuggerError } from './error.ts';
import { memoryBytesOf, memoryPossible, POSSIBLE, SEED_MAX, SLICE_MAX, USUAL } from './machine-options.ts';
import { didYouMean, suggest } from './nearest.ts';

/** Every attribute, understood and within its range. */
export interface Configuration {
  /** Path or URI: a ROM (.rom, .bin, .fd), or source (.asm) that is assembled in memory. */
  readonly program: string;
  /** undefined: as the source says, else the usual number. */
  readonly cpus: number | undefined;
  readonly memoryBytes: number;
  readonly model: string;
  readonly profile: string;
  /** u32. */
  readonly seed: number;
  /** Instructions; undefined: the machine's own. */
  readonly slice: number | undefined;
  readonly stopOnEntry: boolean;
  readonly stopOnApEntry: boolean;
  /** Exit codes by name, or groups as the breakpoint grammar knows them. */
  readonly exits: { readonly break: readonly string[]; readonly log: readonly string[] };
  /** IPIs to break on, in the grammar without `ipi:`; and whether each is logged. */
  readonly ipis: { readonly break: readonly string[]; readonly log: boolean };
  /** Where the guest's consoles appear. */
  readonly console: 'terminal' | 'debugConsole';
  /** Run without debugging. */
  readonly noDebug: boolean;
}

/** A machine that stands at its first instruction, and what the assembler warned of. */
export interface Launched {
  readonly debugger: Debugger;
  readonly program: Program;
  readonly warnings: readonly Diagnostic[];
}

/** Reads the program and builds the machine. Rejects with a DebuggerError; for source with errors, with an AssemblyFailure. */
export type Launch = (configuration: Configuration) => Promise<Launched>;

/** What VS Code itself puts into a configuration; a key that begins with __ is its own as well. */
const OF_THE_EDITOR: ReadonlySet<string> = new Set([
  'type',
  'request',
  'name',
  'noDebug',
  'preLaunchTask',
  'postDebugTask',
  'internalConsoleOptions',
  'suppressMultipleSessionWarning',
  'debugServer',
  'presentation',
  'serverReadyAction',
  'env',
  'envFile',
  'windows',
  'osx',
  'linux',
]);

type Values = Readonly<Record<string, unknown>>;
const isValues = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as it stood in the configuration, shortened. */
function shown(value: unknown): string {
  const text = Array.isArray(value)
    ? 'a list'
    : isValues(value)
      ? 'an object'
      : typeof value === 'string'
        ? JSON.stringify(value)
        : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

const refuse = (attribute: string, value: unknown, right: string): never => {
  throw new DebuggerError(`Launch attribute ${attribute}: ${shown(value)} is not possible; ${right}.`);
};

/** Refuses a key that is none of `known`. `within`: the attribute whose value they stand in, '' for the configuration itself. */
function checkKeys(values: Values, known: readonly string[], within: string): void {
  for (const key of Object.keys(values)) {
    if (known.includes(key) || (within === '' && (OF_THE_EDITOR.has(key) || key.startsWith('__')))) continue;
    const what = within === '' ? `There is no launch attribute ${shown(key)}.` : `Launch attribute ${within} has no part ${shown(key)}.`;
    throw new DebuggerError(`${what}${suggest(key, known, { [within === '' ? 'Attributes' : 'Parts']: known })}`);
  }
}

function boolean(value: unknown, attribute: string, usual: boolean): boolean {
  if (value === undefined) return usual;
  return typeof value === 'boolean' ? value : refuse(attribute, value, 'give true or false');
}

/** A whole number from `low` to `high`; `right`: what is possible, as the end of a sentence. */
function integer(value: unknown, attribute: string, low: number, high: number, right: string): number {
  const possible = typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
  return possible ? value : refuse(attribute, value, right);
}

/** One of `names`. */
function named(value: unknown, attribute: string, names: readonly string[], usual: string): string {
  if (value === undefined) return usual;
  if (typeof value === 'string' && names.includes(value)) return value;
  const near = typeof value === 'string' ? didYouMean(value, names) : '';
  throw new DebuggerError(
    `Launch attribute ${attribute}: ${shown(value)} is not possible.${near === '' ? ` Possible are: ${names.join(', ')}.` : near}`,
  );
}

function strings(value: unknown, attribute: string, example: string): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return refuse(attribute, value, `give a list of texts, for example ["${example}"]`);
  return value.map((item, i) =>
    typeof item === 'string' ? item : refuse(`${attribute}[${i}]`, item, `give a text, for example "${example}"`),
  );
}

/** The parts of an attribute that is an object. */
function parts(value: unknown, attribute: 'exits' | 'ipis', example: string): Values {
  if (value === undefined) return {};
  if (!isValues(value)) return refuse(attribute, value, `give an object, for example ${example}`);
  checkKeys(value, Object.keys(ATTRIBUTES[attribute].properties), attribute);
  return value;
}

function program(value: unknown): string {
  const right = 'give the path of a bootrom (.rom, .bin, .fd) or its source (.asm)';
  if (value === undefined) throw new DebuggerError(`Launch attribute program is missing; ${right}.`);
  return typeof value === 'string' && value.trim() !== '' ? value : refuse('program', value, right);
}

/** RAM in bytes. A number counts MiB; a text is what --memory takes. */
function memory(value: unknown): number {
  if (value === undefined) return USUAL.memoryBytes;
  const bytes = typeof value === 'number' ? value * 2 ** 20 : typeof value === 'string' ? memoryBytesOf(value.trim()) : undefined;
  if (bytes === undefined || !memoryPossible(bytes)) return refuse('memory', value, `${POSSIBLE.memory}, or a number of MiB`);
  return bytes;
}

/** Exit codes and groups in their usual spelling. */
function exitList(value: unknown, attribute: string): readonly string[] {
  return strings(value, attribute, 'INST_EMUL').map((name) => {
    const code = exitCodeNamed(name);
    if (code !== undefined) return exitCodeName(code);
    const group = name.toLowerCase();
    if (EXIT_GROUPS.has(group)) return group;
    const [codes, groups] = [Object.keys(ExitCode), [...EXIT_GROUPS.keys()]];
    throw new DebuggerError(
      `Launch attribute ${attribute}: ${shown(name)} is no exit code or group.${suggest(name, [...codes, ...groups], { Groups: groups, Codes: codes })}`,
    );
  });
}

/** IPIs in the grammar of breakpoint.ts, without its `ipi:`. */
function ipiList(value: unknown, vcpuCount: number): readonly string[] {
  const list = strings(value, 'ipis.break', 'SIPI->1=refused');
  for (const text of list) {
    try {
      // A second ipi: in front would be read as part of the mode, and refused as that.
      parseBreakpoint(`ipi:${text}`, { vcpuCount, symbol: () => undefined });
    } catch (error) {
      if (error instanceof BreakpointError) throw new DebuggerError(`Launch attribute ipis.break: ${error.message}`);
      throw error;
    }
  }
  return list;
}

/**
 * Understands the arguments of a launch request.
 * @throws DebuggerError for an attribute that there is not, or a value that is not possible: the first that is found
 */
export function parseConfiguration(args: unknown): Configuration {
  if (!isValues(args)) throw new DebuggerError(`A launch wants its attributes as an object, but got ${shown(args)}.`);
  checkKeys(args, Object.keys(ATTRIBUTES), '');
  const profileName = named(
    args.profile,
    'profile',
    PROFILES.map((p) => p.name),
    ATTRIBUTES.profile.default,
  );
  const { maxVcpus } = PROFILES.find((p) => p.name === profileName) as Profile;
  const cpusRight = `give a number of vCPUs from 1 to ${maxVcpus}, the limit of profile ${profileName}`;
  const cpus = args.cpus === undefined ? undefined : integer(args.cpus, 'cpus', 1, maxVcpus, cpusRight);
  const exits = parts(args.exits, 'exits', '{ "break": ["INST_EMUL"] }');
  const ipis = parts(args.ipis, 'ipis', '{ "break": ["*=refused"] }');
  return {
    program: program(args.program),
    cpus,
    memoryBytes: memory(args.memory),
    model: named(
      args.model,
      'model',
      MODELS.map((m) => m.name),
      ATTRIBUTES.model.default,
    ),
    profile: profileName,
    seed: args.seed === undefined ? USUAL.seed : integer(args.seed, 'seed', 0, SEED_MAX, POSSIBLE.seed),
    slice: args.slice === undefined ? undefined : integer(args.slice, 'slice', 1, SLICE_MAX, POSSIBLE.slice),
    stopOnEntry: boolean(args.stopOnEntry, 'stopOnEntry', ATTRIBUTES.stopOnEntry.default),
    stopOnApEntry: boolean(args.stopOnApEntry, 'stopOnApEntry', ATTRIBUTES.stopOnApEntry.default),
    exits: { break: exitList(exits.break, 'exits.break'), log: exitList(exits.log, 'exits.log') },
    ipis: { break: ipiList(ipis.break, cpus ?? maxVcpus), log: boolean(ipis.log, 'ipis.log', false) },
    console: named(args.console, 'console', ATTRIBUTES.console.enum, ATTRIBUTES.console.default) as Configuration['console'],
    noDebug: boolean(args.noDebug, 'noDebug', false),
  };
}

/** What a configuration chooses for each exit code it names, groups taken apart: for Breakpoints.setExits. */
export function exitActions({ exits }: Configuration): Readonly<Record<string, ExitAction>> {
  const actions: Record<string, ExitAction> = {};
  const codes = (name: string): readonly string[] => EXIT_GROUPS.get(name)?.map(exitCodeName) ?? [name];
  for (const code of exits.log.flatMap(codes)) actions[code] = 'log';
  for (const code of exits.break.flatMap(codes))
    actions[code] = actions[code] === undefined || actions[code] === 'break' ? 'break' : 'both';
  return actions;
}
