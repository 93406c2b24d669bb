/** The command line: commands, options, and their limits. Everything wrong with it is one line and status 2. */
import { parseArgs } from 'node:util';
import { parseNumber } from '../debugger/lexer.ts';
import { memoryBytesOf, POSSIBLE, SEED_MAX, SLICE_MAX, USUAL } from '../debugger/machine-options.ts';
import { didYouMean } from '../debugger/nearest.ts';
import { UsageError } from './errors.ts';

/** What a machine is made of, besides its ROM. */
export interface MachineOptions {
  readonly cpus: number;
  /** Bytes of RAM, a multiple of 1 MiB. */
  readonly memory: number;
  readonly model: string;
  readonly seed: number;
  /** Instructions a vCPU runs before it is the next one's turn; undefined: the machine's own choice. */
  readonly slice: number | undefined;
  readonly breaks: readonly string[];
  /** Virtual ns, or Infinity. */
  readonly timeoutNs: number;
}

/** What may still change the number of vCPUs once the source has been read. */
export interface CpusAsked {
  /** Was --cpus given? If not, the source may say how many it is written for. */
  readonly cpusGiven: boolean;
  /** The limit of the profile, or of the stricter of two. */
  readonly cpusLimit: number;
}

export interface RunOptions extends MachineOptions, CpusAsked {
  readonly file: string;
  readonly profile: string;
  readonly expect: readonly string[];
  readonly failText: readonly string[];
  readonly trace: ReadonlySet<'exits' | 'ipis'>;
  readonly json: boolean;
}

export interface DiffOptions extends MachineOptions, CpusAsked {
  readonly file: string;
  readonly profiles: readonly [string, string];
  readonly json: boolean;
}

export interface DemoOptions {
  readonly breaks: readonly string[];
}

export interface DapOptions {
  /** TCP port on 127.0.0.1, 0 for any; undefined: the standard streams. */
  readonly port: number | undefined;
}

export type Command =
  | { readonly kind: 'run'; readonly options: RunOptions }
  | { readonly kind: 'diff'; readonly options: DiffOptions }
  | { readonly kind: 'demo'; readonly options: DemoOptions }
  | { readonly kind: 'dap'; readonly options: DapOptions }
  | { readonly kind: 'help'; readonly topic: string | undefined }
  | { readonly kind: 'version' };

/** The names that may be asked for; they come from the machine's own tables. */
export interface Names {
  readonly profiles: readonly { readonly name: string; readonly maxVcpus: number }[];
  readonly defaultProfile: string;
  readonly models: readonly string[];
  readonly defaultModel: string;
}

export const COMMANDS = ['run', 'diff', 'demo', 'dap', 'help'] as const;
/** What `help` explains besides the commands. */
export const TOPICS = ['run', 'diff', 'demo', 'dap', 'conditions', 'json'] as const;

const MACHINE = ['cpus', 'memory', 'model', 'profile', 'seed', 'slice', 'break', 'timeout'];
type WithOptions = Exclude<(typeof COMMANDS)[number], 'help'>;
/** Options of each command. */
const OPTIONS: Readonly<Record<WithOptions, readonly string[]>> = {
  run: [...MACHINE, 'expect', 'fail-text', 'trace', 'json', 'help', 'version'],
  diff: [...MACHINE, 'json', 'help', 'version'],
  demo: ['break', 'help', 'version'],
  dap: ['port', 'help', 'version'],
};
const FLAGS = ['json', 'help', 'version'];
const REPEATED = ['break', 'expect', 'fail-text', 'trace', 'profile'];

/** What each option that takes a value wants, as it is asked for when the value is missing. */
const WANTED: Readonly<Record<string, string>> = {
  cpus: '--cpus N, a number of vCPUs',
  memory: '--memory SIZE, for example 128M',
  model: '--model NAME',
  profile: '--profile NAME',
  seed: '--seed N, a number from 0 to 4294967295',
  slice: '--slice N, a number of instructions from 1 to 1000000',
  break: "--break EXPR, for example 'ipi:*=refused'",
  timeout: '--timeout TIME, for example 500us, 10ms or 2s',
  expect: '--expect TEXT, what the console must show',
  'fail-text': '--fail-text TEXT, what the console must not show',
  trace: '--trace exits, ipis or exits,ipis',
  port: '--port N, a TCP port, 0 for any that is free',
};

interface Parsed {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

/** Takes the words after the command apart and checks every option's name, its number and that it has a value. */
function parseOptions(argv: readonly string[], command: WithOptions): Parsed {
  const allowed = OPTIONS[command];
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries([...allowed.map((name) => [name, { type: FLAGS.includes(name) ? 'boolean' : 'string' } as const])]),
  });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.rawName === '-h' ? 'help' : token.name;
    if (!allowed.includes(name) || (token.rawName.length === 2 && name !== 'help')) {
      const all = allowed.map((n) => `--${n}`);
      const near = didYouMean(token.rawName, all);
      throw new UsageError(`${command} has no option ${token.rawName}.${near === '' ? ` Options are: ${all.join(', ')}.` : near}`);
    }
    const seen = values.get(name) ?? [];
    if (FLAGS.includes(name)) {
      if (token.value !== undefined) throw new UsageError(`--${name} takes no value, but got "${token.value}".`);
    } else if (token.value === undefined || (token.inlineValue === false && token.value.startsWith('--'))) {
      throw new UsageError(`--${name} needs a value: ${WANTED[name]}.`);
    } else if (seen.length > 0 && (!REPEATED.includes(name) || (name === 'profile' && command !== 'diff'))) {
      throw new UsageError(`--${name} is given twice: ${seen[0]} and ${token.value}.`);
    }
    if (token.value === '') throw new UsageError(`--${name} "" is empty: give ${WANTED[name]}.`);
    values.set(name, [...seen, token.value ?? '']);
  }
  return { values, positionals };
}

const one = ({ values }: Parsed, name: string): string | undefined => values.get(name)?.[0];

function integer(text: string | undefined, option: string, usual: number, low: number, high: number, what: string): number {
  if (text === undefined) return usual;
  const value = parseNumber(text);
  if (value === undefined || value < low || value > high) throw new UsageError(`--${option} ${text}: ${what}`);
  return value;
}

function memory(text: string | undefined): number {
  const bytes = text === undefined ? USUAL.memoryBytes : memoryBytesOf(text);
  if (bytes === undefined) throw new UsageError(`--memory ${text}: ${POSSIBLE.memory}.`);
  return bytes;
}

/** The longest time that is counted in whole ns, in s: some 104 days. */
const LONGEST_S = Math.floor(Number.MAX_SAFE_INTEGER / 1e9);

/** A span of virtual time with its unit, in ns. */
export function virtualTime(text: string, option: string): number {
  if (!/^[0-9][0-9_]*(?:\.[0-9]+)?(?:ns|us|ms|s)$/i.test(text))
    throw new UsageError(`--${option} ${text}: give a time in ns, us, ms or s, for example 500us, 10ms or 2s.`);
  const value = parseNumber(text);
  if (value === undefined || value < 1 || value > LONGEST_S * 1e9)
    throw new UsageError(`--${option} ${text}: a time from 1ns to ${LONGEST_S}s is possible.`);
  return value;
}

function profileOf(name: string, names: Names): Names['profiles'][number] {
  const found = names.profiles.find((p) => p.name === name);
  const all = names.profiles.map((p) => p.name);
  if (found === undefined) throw new UsageError(`There is no profile "${name}".${didYouMean(name, all)} Profiles are: ${all.join(', ')}.`);
  return found;
}

function machineOptions(parsed: Parsed, names: Names, profiles: readonly string[]): MachineOptions & CpusAsked {
  const limit = Math.min(...profiles.map((p) => profileOf(p, names).maxVcpus));
  const limiting = profiles.find((p) => profileOf(p, names).maxVcpus === limit);
  const model = one(parsed, 'model') ?? names.defaultModel;
  if (!names.models.includes(model))
    throw new UsageError(`There is no model "${model}".${didYouMean(model, names.models)} Models are: ${names.models.join(', ')}.`);
  const timeout = one(parsed, 'timeout');
  return {
    cpusGiven: parsed.values.has('cpus'),
    cpusLimit: limit,
    cpus: integer(
      one(parsed, 'cpus'),
      'cpus',
      USUAL.cpus,
      1,
      limit,
      `give a number of vCPUs from 1 to ${limit}, the limit of profile ${limiting}.`,
    ),
    memory: memory(one(parsed, 'memory')),
    model,
    seed: integer(one(parsed, 'seed'), 'seed', USUAL.seed, 0, SEED_MAX, `${POSSIBLE.seed}.`),
    slice: parsed.values.has('slice') ? integer(one(parsed, 'slice'), 'slice', 0, 1, SLICE_MAX, `${POSSIBLE.slice}.`) : undefined,
    breaks: parsed.values.get('break') ?? [],
    timeoutNs: timeout === undefined ? Number.POSITIVE_INFINITY : virtualTime(timeout, 'timeout'),
  };
}

function traceOf(parsed: Parsed): ReadonlySet<'exits' | 'ipis'> {
  const words = (parsed.values.get('trace') ?? []).flatMap((t) => t.split(',')).map((w) => w.trim());
  const kinds = ['exits', 'ipis'] as const;
  for (const word of words)
    if (!kinds.some((k) => k === word)) throw new UsageError(`--trace ${word}: give exits, ipis or exits,ipis.${didYouMean(word, kinds)}`);
  return new Set(words as ('exits' | 'ipis')[]);
}

function fileOf(parsed: Parsed, command: string): string {
  const [file, second] = parsed.positionals;
  if (file === undefined)
    throw new UsageError(`${command} needs a file: exitpoint ${command} FILE, a bootrom (.rom, .bin, .fd) or its source (.asm).`);
  if (file === '')
    throw new UsageError(`${command} "": the name of the file is empty; give a bootrom (.rom, .bin, .fd) or its source (.asm).`);
  if (second !== undefined) throw new UsageError(`${command} takes one file, but got ${file} and ${second}.`);
  return file;
}

/** Understands a command line (without node and script). Throws a UsageError. */
export function parseCommand(argv: readonly string[], names: Names): Command {
  const [command, ...rest] = argv;
  if (command === undefined || command === '--help' || command === '-h') return { kind: 'help', topic: undefined };
  if (command === '--version' || command === '-V') return { kind: 'version' };
  if (command === 'help') {
    const topic = rest[0];
    if (topic === undefined || topic === 'help') return { kind: 'help', topic: undefined };
    if (!(TOPICS as readonly string[]).includes(topic))
      throw new UsageError(`There is no help on "${topic}".${didYouMean(topic, TOPICS)} There is on: ${TOPICS.join(', ')}.`);
    return { kind: 'help', topic };
  }
  if (command !== 'run' && command !== 'diff' && command !== 'demo' && command !== 'dap') {
    if (command.startsWith('-')) throw new UsageError(`A command comes first: ${COMMANDS.join(', ')}; found ${command}.`);
    const file = /\.(rom|bin|fd|asm)$/i.test(command) ? ` To run a file: exitpoint run ${command}.` : '';
    throw new UsageError(`There is no command "${command}".${didYouMean(command, COMMANDS)}${file} Commands are: ${COMMANDS.join(', ')}.`);
  }
  // So that `npm start -- run FILE` works as well: npm start is `exitpoint demo`.
  if (command === 'demo' && (COMMANDS as readonly (string | undefined)[]).includes(rest[0])) return parseCommand(rest, names);
  const parsed = parseOptions(rest, command);
  if (parsed.values.has('help')) return { kind: 'help', topic: command };
  if (parsed.values.has('version')) return { kind: 'version' };
  if (command === 'demo') {
    if (parsed.positionals.length > 0)
      throw new UsageError(`demo takes no file, but got ${parsed.positionals[0]}. To run a file: exitpoint run ${parsed.positionals[0]}`);
    return { kind: 'demo', options: { breaks: parsed.values.get('break') ?? [] } };
  }
  if (command === 'dap') {
    if (parsed.positionals.length > 0)
      throw new UsageError(`dap takes no file, but got ${parsed.positionals[0]}: what is debugged is said by the launch request.`);
    const port = one(parsed, 'port');
    return {
      kind: 'dap',
      options: {
        port: port === undefined ? undefined : integer(port, 'port', 0, 0, 65535, 'give a TCP port from 1 to 65535, or 0 for any.'),
      },
    };
  }
  if (command === 'diff') {
    const profiles = parsed.values.get('profile') ?? [];
    for (const p of profiles) profileOf(p, names);
    const [a, b, more] = profiles;
    if (a === undefined || b === undefined || more !== undefined)
      throw new UsageError(`diff needs two profiles, but got ${profiles.length}: --profile A --profile B.`);
    return {
      kind: 'diff',
      options: {
        file: fileOf(parsed, 'diff'),
        profiles: [a, b],
        json: parsed.values.has('json'),
        ...machineOptions(parsed, names, [a, b]),
      },
    };
  }
  const profile = one(parsed, 'profile') ?? names.defaultProfile;
  profileOf(profile, names);
  return {
    kind: 'run',
    options: {
      file: fileOf(parsed, 'run'),
      profile,
      expect: parsed.values.get('expect') ?? [],
      failText: parsed.values.get('fail-text') ?? [],
      trace: traceOf(parsed),
      json: parsed.values.has('json'),
      ...machineOptions(parsed, names, [profile]),
    },
  };
}
