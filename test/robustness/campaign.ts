/** Runs many ROMs, each on a machine of its own, and checks what must hold whatever a guest does. Runs in a worker, watched from outside. */
import type { EncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { Machine, type RunEnd } from '../../src/machine/machine.ts';
import { bhyve } from '../../src/machine/models/bhyve.ts';
import { pc } from '../../src/machine/models/pc.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { DEFAULT_PROFILE, PROFILES } from '../../src/machine/profiles/index.ts';
import { Random } from '../silicon/random.ts';
import { type Prologue, prologue, randomBytes, ROM_RAM_BYTES, scrambled, validRom } from './rom.ts';
import { SCENARIOS, scenarioRom } from './scenarios.ts';

export type Kind = 'bytes' | 'valid' | 'scenario';

export interface Job {
  readonly kind: Kind;
  /** Seeds first, first + 1…; of scenarios, their numbers. */
  readonly first: number;
  readonly count: number;
  /** Instructions a ROM may run. */
  readonly instructions: number;
  /** One in so many is run a second time in pieces, which must come to the same. */
  readonly repeatEvery: number;
}

export interface Result {
  ran: number;
  instructions: number;
  /** How often a run ended how. */
  readonly ends: Record<string, number>;
  readonly failures: { readonly seed: number; readonly message: string }[];
  slowest: { seed: number; ms: number };
}

/** Small rings: they are filled and wrap. */
const LEDGER = { exits: 1024, ipis: 256, events: 1024 };
const END_KINDS = new Set(['hostPanic', 'aborted', 'runFailed', 'suspended', 'stuck', 'guestExit']);
const MAX_FAILURES = 20;

/** What a seed stands for, in one line. */
export interface Described {
  readonly machine: Machine;
  readonly text: string;
}

export class Campaign {
  private readonly factory: ReturnType<typeof processorFactory>;
  private readonly prologue: Prologue;

  constructor(
    interpreter: Uint8Array,
    private readonly index: EncodingIndex,
  ) {
    this.factory = processorFactory(interpreter);
    this.prologue = prologue(index);
  }

  /** The machine that a seed stands for. */
  build(kind: Kind, seed: number): Described {
    if (kind === 'scenario') return this.scenario(seed);
    const random = new Random(scrambled(seed) ^ 0x5bd1e995);
    const profile = random.pick(PROFILES);
    const model = random.pick([bhyve, pc]);
    const cpus = random.pick([1, 1, 2, 3, 4]);
    const slice = random.pick([1, 7, 100, 1000, 1000, 10_000, 10_000, 10_000]);
    const mayWake = profile.name === 'illumos' || random.chance(0.02);
    const rom = kind === 'bytes' ? { bytes: randomBytes(seed), mode: 'bytes' } : validRom(this.prologue, seed, mayWake, model === bhyve);
    const machine = new Machine(
      { model, profile, cpus, memoryBytes: ROM_RAM_BYTES, rom: rom.bytes, seed: random.u32(), slice, ledger: LEDGER },
      this.factory,
    );
    return { machine, text: `${kind} seed ${seed}: ${model.name}, ${profile.name}, ${cpus} CPUs, slice ${slice}, ${rom.mode}` };
  }

  private scenario(number: number): Described {
    const scenario = SCENARIOS[number];
    if (!scenario) throw new Error(`there is no scenario ${number}, only 0 to ${SCENARIOS.length - 1}`);
    const { name, model = 'bhyve', memoryBytes = ROM_RAM_BYTES, cpus = 1 } = scenario;
    const options = {
      model: model === 'pc' ? pc : bhyve,
      profile: DEFAULT_PROFILE,
      cpus,
      memoryBytes,
      rom: scenarioRom(scenario, this.index),
      slice: 1000,
      ledger: LEDGER,
    };
    return { machine: new Machine(options, this.factory), text: `scenario ${number}: ${name}` };
  }

  /** Runs one seed. @throws Error that says which property does not hold */
  one(kind: Kind, seed: number, instructions: number, repeat: boolean): { instructions: number; end: string; text: string } {
    const { machine, text } = this.build(kind, seed);
    try {
      const end = machine.run({ instructions });
      const name = check(machine, end, instructions);
      const expected = kind === 'scenario' ? (SCENARIOS[seed]?.end ?? 'limit') : name;
      if (name !== expected) throw new Error(`it ends as ${name}, not as ${expected}: ${JSON.stringify(end)}`);
      if (repeat) this.again(kind, seed, machine, instructions);
      return { instructions: machine.clock.instructions, end: name, text };
    } catch (error) {
      throw new Error(`${text}, at instruction ${machine.clock.instructions}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }

  /** Once more, in pieces of random length: where a run is cut leaves no trace. */
  private again(kind: Kind, seed: number, first: Machine, instructions: number): void {
    const { machine } = this.build(kind, seed);
    const random = new Random(scrambled(seed));
    while (machine.end === undefined && machine.clock.instructions < instructions) {
      const before = machine.clock.instructions;
      const piece = random.chance(0.5) ? 1 + random.below(5) : 1 + random.below(20_000);
      machine.run({ instructions: Math.min(piece, instructions - before) });
      if (machine.clock.instructions === before && machine.end === undefined)
        throw new Error(`run() of ${piece} instructions came back at once`);
    }
    same(JSON.stringify(machine.end), JSON.stringify(first.end), 'end');
    same(machine.ledger.digestText, first.ledger.digestText, 'ledger digest');
    const [a, b] = [machine.save(), first.save()];
    a.forEach((part, i) => {
      if (part.name !== 'ledger') compare(part.state, b[i]?.state, part.name);
    });
    // Saving and loading is the identity.
    machine.load(b);
    machine.save().forEach((part, i) => {
      compare(part.state, b[i]?.state, `${part.name} after load`);
    });
  }
}

function check(machine: Machine, end: RunEnd, limit: number): string {
  const { clock, ledger } = machine;
  if (clock.instructions > limit) throw new Error(`${clock.instructions} instructions were run, not ${limit}`);
  if (
    ledger.exitCount - ledger.firstExit + 1 > LEDGER.exits ||
    ledger.ipiCount - ledger.firstIpi + 1 > LEDGER.ipis ||
    ledger.eventCount - ledger.firstEvent + 1 > LEDGER.events
  )
    throw new Error('a ring of the ledger holds more than it was made for');
  if (typeof end === 'string') {
    if (end !== 'limit') throw new Error(`run() came back with ${end}, for which nobody asked`);
    if (clock.instructions !== limit) throw new Error(`run() came back after ${clock.instructions} of ${limit} instructions`);
    return end;
  }
  if (!END_KINDS.has(end.kind) || end.sentence === '' || machine.runState(end.vcpu) === undefined || end.icount !== clock.instructions)
    throw new Error(`no proper end: ${JSON.stringify(end)}`);
  if (machine.run({ instructions: 1000 }) !== end || clock.instructions !== end.icount) throw new Error('a machine that has ended went on');
  if (end.exit !== 0 && end.exit >= ledger.firstExit && ledger.exitAt(end.exit) === undefined)
    throw new Error(`exit ${end.exit}, with which it ended, has no record`);
  return end.kind;
}

const same = (now: unknown, then: unknown, what: string): void => {
  if (now !== then) throw new Error(`run in pieces, ${what} is ${String(now)}, not ${String(then)}`);
};
/** Compares two saved states deeply; names the first difference. */
function compare(a: unknown, b: unknown, path: string): void {
  if (a === b) return;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return same(a, b, path);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    const x = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
    const y = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
    same(x.length, y.length, `${path}.length`);
    const at = x.findIndex((byte, i) => byte !== y[i]);
    if (at >= 0) same(x[at], y[at], `${path}, byte ${at.toString(16)}h`);
    return;
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) compare((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`);
}

/** Runs a job. `starting` hears which seed comes next, for whoever watches. */
export function runJob(campaign: Campaign, job: Job, starting: (seed: number, done: number) => void, nowMs: () => number): Result {
  const result: Result = { ran: 0, instructions: 0, ends: {}, failures: [], slowest: { seed: job.first, ms: 0 } };
  for (let seed = job.first; seed < job.first + job.count; seed++) {
    starting(seed, result.ran);
    const start = nowMs();
    try {
      const { instructions, end } = campaign.one(job.kind, seed, job.instructions, seed % job.repeatEvery === 0);
      result.instructions += instructions;
      result.ends[end] = (result.ends[end] ?? 0) + 1;
    } catch (error) {
      result.failures.push({ seed, message: error instanceof Error ? error.message : String(error) });
      if (result.failures.length >= MAX_FAILURES) break;
    }
    const ms = nowMs() - start;
    if (ms > result.slowest.ms) result.slowest = { seed, ms };
    result.ran++;
  }
  return result;
}
