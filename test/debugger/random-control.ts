/**
 * Random sequences of what a user may do to a debugger, each checked against runs that nobody has disturbed: the machine by itself, and a second
 * debugger that only ever runs on.
 */
import { expect } from 'vitest';
import type { Debugger, StepRequest } from '../../src/debugger/debugger.ts';
import { DebuggerError } from '../../src/debugger/error.ts';
import type { Stop } from '../../src/debugger/stop.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { notAfter, type Position, samePosition } from '../../src/machine/timeline/checkpoint.ts';
import { stateHash } from '../../src/machine/timeline/state-hash.ts';
import { Random } from '../machine/devices/random.ts';
import { type Rig, rig } from './rig.ts';

export interface Guest {
  readonly name: string;
  readonly rig: Partial<Rig>;
  /** For breakpoints. */
  readonly labels: readonly string[];
  /** Lines of its source; 0: it has none. */
  readonly lines: number;
  /** For one that never ends: so many instructions are looked at. */
  readonly until?: number;
}

const before = (a: Position, b: Position): boolean => notAfter(a, b) && !samePosition(a, b);
const ended = (machine: Machine): boolean => machine.end !== undefined;

/** The machine by itself. */
class Undisturbed {
  /** Bytes of all consoles, in order. */
  text = '';
  private readonly scout: Machine;
  private readonly walker: Machine;
  private readonly fork: Machine;
  /** Which vCPU retired instruction n, from 1 on. */
  private readonly who: number[] = [-1];
  private readonly saved: { readonly icount: number; readonly state: ReturnType<Machine['save']> }[] = [];
  private readonly states = new Map<number, string>();

  constructor(make: () => Debugger) {
    [this.scout, this.walker, this.fork] = [make().machine, make().machine, make().machine] as [Machine, Machine, Machine];
    this.scout.onConsole = (_, byte) => (this.text += String.fromCharCode(byte));
  }

  /** How many of the instructions from `from`, exclusive, to `to`, inclusive, were this vCPU's. */
  retired(vcpu: number, from: number, to: number): number {
    this.scoutTo(to);
    let count = 0;
    for (let n = from + 1; n <= to; n++) if (this.who[n] === vcpu) count++;
    return count;
  }
  scoutTo(icount: number): void {
    const { scout, who } = this;
    while (scout.clock.instructions < icount && !ended(scout)) {
      scout.run({ instructions: 1 });
      const now = scout.clock.instructions;
      for (let v = 0; v < scout.cpus; v++) if (scout.schedule.ranAt(v) === now && who.length === now) who.push(v);
    }
  }

  /** What becomes of a machine's state within an instruction: whose turn it is may have been settled or not. Leaves it as it is. */
  future(machine: Machine): string {
    this.fork.load(machine.save());
    this.fork.run({ instructions: 1 });
    return stateOf(this.fork);
  }
  /** The state at the first moment with so many instructions, or at the end before that. */
  stateAt(icount: number): string {
    const { walker, saved, states } = this;
    const known = states.get(icount);
    if (known !== undefined) return known;
    if (walker.clock.instructions > icount || (walker.clock.instructions === icount && ended(walker))) {
      const near = saved
        .filter((one) => one.icount <= icount)
        .sort((a, b) => a.icount - b.icount)
        .at(-1);
      if (near !== undefined) walker.load(near.state);
    }
    for (;;) {
      const now = walker.clock.instructions;
      if (now % SAVE_EVERY === 0 && !saved.some((one) => one.icount === now)) saved.push({ icount: now, state: walker.save() });
      if (now >= icount || ended(walker)) break;
      walker.run({ instructions: Math.min(icount, now - (now % SAVE_EVERY) + SAVE_EVERY) - now });
    }
    const state = stateOf(walker);
    states.set(icount, state);
    return state;
  }
}
const SAVE_EVERY = 20_000;
const stateOf = (machine: Machine): string => {
  const { clock, ledger, end } = machine;
  return `${clock.instructions} ${stateHash(machine as never)} ${ledger.digestText} ${end?.kind ?? ''}`;
};

/** A stop of a run that only goes on. */
interface Milestone {
  readonly known: string;
  readonly position: Position;
  readonly end: boolean;
  /** The vCPU it is about. */
  readonly shown: number;
  /** The vCPU that stands before an instruction with a breakpoint, and its ranAt; -1: it is a stop at something that has happened. */
  readonly vcpu: number;
  readonly ran: number;
}

/** Everything that a stop is known by. */
const known = (dbg: Debugger, { reason, vcpu, headline, sentence, breakpoints }: Stop): string =>
  JSON.stringify([reason, vcpu, headline, sentence, breakpoints, dbg.position(vcpu), dbg.timeline.position]);

const stoppedByBreakpoint = ({ breakpoints, reason }: Stop): boolean => breakpoints.length > 0 && reason !== 'end';

/** All stops of a run that only goes on, until an instruction or the end. */
async function milestones(make: (like?: Debugger) => Debugger, like: Debugger, until: number): Promise<Milestone[]> {
  const dbg = make(like);
  const list: Milestone[] = [];
  dbg.entry();
  while (dbg.stop?.reason !== 'end' && dbg.machine.clock.instructions < until && list.length < MOST_MILESTONES) {
    const stop = await dbg.continue();
    if (stop.reason === 'pause') continue;
    const kinds = dbg.breakpoints.engine;
    const instruction = stop.at === undefined && stop.exit === undefined && stop.ipi === undefined && stop.event === undefined;
    const { eip, csBase } = dbg.position(stop.vcpu);
    const at = instruction && kinds.instructionAddresses().has((csBase + eip) >>> 0);
    list.push({
      known: known(dbg, stop),
      position: dbg.timeline.position,
      end: stop.reason === 'end',
      shown: stop.vcpu,
      vcpu: at ? stop.vcpu : -1,
      ran: dbg.view.ranAt(stop.vcpu),
    });
  }
  dbg.dispose();
  return list;
}
const MOST_MILESTONES = 400;

/** Chooses breakpoints of all kinds. */
function choose(random: Random, guest: Guest, dbg: Debugger, withHits: boolean): string {
  const conditions = ['', '', '', 'icount > 2000', 'vcpu != 0', 'eax & 1', 'ecx % 3 == 0', 'time > 100us'];
  const hits = ['', '', '3', '>5', '%4', '>=2'];
  const extra = (): { condition?: string; hitCondition?: string; logMessage?: string } => {
    const condition = random.pick(conditions);
    const hitCondition = withHits ? random.pick(hits) : '';
    return {
      ...(condition === '' ? {} : { condition }),
      ...(hitCondition === '' ? {} : { hitCondition }),
      ...(random.below(8) === 0 ? { logMessage: 'at {icount}' } : {}),
    };
  };
  const some = <T>(list: readonly T[], most: number): T[] => {
    const chosen = new Set<T>();
    for (let i = list.length > 0 ? random.below(most + 1) : 0; i > 0; i--) chosen.add(random.pick(list));
    return [...chosen];
  };
  const { breakpoints } = dbg;
  const source = some(
    Array.from({ length: guest.lines }, (_, i) => i + 1),
    3,
  ).map((line) => ({ line, ...extra() }));
  const functions = some(
    [
      ...guest.labels,
      'exit:*',
      'exit:mmio',
      'exit:HLT',
      'ipi:*',
      'ipi:SIPI',
      'ipi:FIXED',
      'vector:30h',
      'vector:20h',
      'vector:40h',
      'lapic.icr_lo:w',
      'lapic.eoi:w',
      'io:0x80:w',
      'io:0x3F8+8',
    ],
    3,
  ).map((text) => ({ text, ...extra() }));
  const data = some(['lapic.svr', 'lapic.icr_lo', 'lapic.ticr', 'io:0x3f8', 'lapic@0.eoi'], 2).map((dataId) => ({
    dataId,
    access: 'write' as const,
    ...extra(),
  }));
  const filters = some(
    breakpoints.filters.map(({ filter }) => filter),
    3,
  ).map((filter) => ({ filter }));
  const exits =
    random.below(4) === 0 ? { [random.pick(['INOUT', 'HLT', 'RUN_STATE', 'msr'])]: random.pick(['break', 'both', 'log'] as const) } : {};
  const apEntry = random.below(4) === 0;
  breakpoints.setSource(guest.rig.file ?? 'icrlo.asm', source);
  breakpoints.setFunctions(functions);
  breakpoints.setData(data);
  breakpoints.setFilters(filters);
  breakpoints.setExits({ '*': 'off', ...exits });
  breakpoints.stopOnApEntry = apEntry;
  return JSON.stringify({ source, functions, data, filters, exits, apEntry });
}

export interface Wanted {
  readonly seed: number;
  readonly actions: number;
  /** The machine's schedule. */
  readonly slice?: number;
}

/** One session of random actions; fails with everything that was done so far. */
export async function session(guest: Guest, { seed, actions, slice = 10_000 }: Wanted): Promise<void> {
  const random = new Random(seed);
  const { until = Number.POSITIVE_INFINITY } = guest;
  let ms = 0;
  const paces = new Random(seed + 1);
  /** Whoever wants the run to end at one of the next breaths; -1: nobody. */
  let breaths = -1;
  let machine: Machine | undefined;
  let icount = 0;
  const host = {
    /** As fast as a slow host: the same each time. */
    now: () => {
      const instructions = machine?.clock.instructions ?? 0;
      ms += paces.below(3) + Math.abs(instructions - icount) / 4000;
      icount = instructions;
      return ms;
    },
    yield: () => {
      if (breaths >= 0 && breaths-- === 0) dbg.pause(0);
      return Promise.resolve();
    },
  };
  const make = (like?: Debugger): Debugger => {
    let calm = 0;
    const straight = rig({
      ...guest.rig,
      seed: seed & 3,
      slice,
      host: {
        now: () => (calm += 6),
        yield: () => {
          if (straight.machine.clock.instructions > until) straight.pause();
          return Promise.resolve();
        },
      },
      ...(like === undefined ? {} : { options: { breakpoints: like.breakpoints } }),
    });
    return straight;
  };
  const alone = new Undisturbed(make);
  const dbg = rig({ ...guest.rig, seed: seed & 3, slice, host });
  machine = dbg.machine;
  const vcpus = dbg.machine.cpus;
  let text = '';
  dbg.listeners = { onConsole: (_, bytes) => (text += new TextDecoder('latin1').decode(bytes)) };
  const withHits = random.below(2) === 0;
  const done: string[] = [`${guest.name}, seed ${seed}, slice ${slice}: ${choose(random, guest, dbg, withHits)}`];
  let stops = await milestones(make, dbg, until);
  let told = 0;
  /** After a step of this vCPU that retired an instruction: what the state was, and that of the step before. */
  let steps: { readonly vcpu: number; readonly state: string; readonly count: number } | undefined;

  const fail = (why: string): never => {
    throw new Error(`${why}\n${done.join('\n')}`);
  };
  const horizon = (): Position | undefined => stops.at(-1)?.position;
  /** Where a run has stopped for a vCPU, it does not stop for it again because of a breakpoint at its next instruction; others do. */
  const isKnown = (stop: Stop): boolean =>
    stops.some(
      (m) =>
        m.known === known(dbg, stop) || (m.shown === stop.vcpu && stop.at === undefined && samePosition(m.position, dbg.timeline.position)),
    );
  /** A run from a moment forward must not have passed by any stop, and has stopped at one if it says so. */
  const checkForward = (from: Position, left: { readonly vcpu: number; readonly ran: number }, stop: Stop): void => {
    const now = dbg.timeline.position;
    const end = horizon();
    if (end === undefined || before(end, now)) return;
    const passed = stops.find(
      (m) => !m.end && before(from, m.position) && before(m.position, now) && !(m.vcpu >= 0 && m.vcpu === left.vcpu && m.ran === left.ran),
    );
    if (passed !== undefined) fail(`it passed by ${passed.known}, and came to ${known(dbg, stop)}`);
    if (stoppedByBreakpoint(stop) && !isKnown(stop))
      fail(
        `it stopped where the run forward did not: ${known(dbg, stop)}; there: ${stops.filter((m) => m.position.icount === now.icount).map((m) => m.known)}`,
      );
  };

  dbg.entry();
  for (let i = 0; i < actions; i++) {
    const { lastMoment, from, at, atVcpu } = {
      lastMoment: stateOf(dbg.machine),
      from: dbg.timeline.position,
      at: dbg.stop?.at !== undefined,
      atVcpu: dbg.stop?.vcpu ?? 0,
    };
    const vcpu = steps !== undefined && random.below(3) > 0 ? steps.vcpu : random.below(vcpus);
    const by = random.pick(['line', 'instruction'] as const);
    const action = random.below(20);
    breaths = guest.until !== undefined || random.below(6) === 0 ? random.below(12) : -1;
    const pausing = breaths;
    const wasSteps = steps;
    steps = undefined;
    const ran = Array.from({ length: vcpus }, (_, v) => dbg.view.ranAt(v));
    const left = (of: number): { vcpu: number; ran: number } =>
      !at && atVcpu === of ? { vcpu: of, ran: ran[of] as number } : { vcpu: -1, ran: 0 };
    try {
      if (action < 9) {
        const request: StepRequest = { vcpu, kind: random.pick(['in', 'in', 'in', 'over', 'out'] as const), by };
        done.push(`${i}: step ${JSON.stringify(request)} pausing ${pausing}`);
        const stop = await dbg.step(request);
        checkForward(from, left(vcpu), stop);
        const now = dbg.timeline.position;
        if (request.kind === 'in' && by === 'instruction') {
          const own = alone.retired(vcpu, from.icount, now.icount);
          if (own > 1) fail(`a step of vCPU${vcpu} has executed ${own} of its instructions`);
          if (at && atVcpu === vcpu && !samePosition(from, now)) fail('a step away from an exit has executed something');
          if (own === 1 && stop.reason === 'step') {
            if (dbg.view.ranAt(vcpu) !== now.icount) fail(`a step of vCPU${vcpu} has gone on after its instruction`);
            const follows = wasSteps?.vcpu === vcpu;
            steps = { vcpu, state: lastMoment, count: follows ? (wasSteps?.count ?? 0) + 1 : 1 };
          }
        }
      } else if (action < 12) {
        done.push(`${i}: continue pausing ${pausing}`);
        const stop = await dbg.continue();
        checkForward(from, left(atVcpu), stop);
      } else if (action < 16) {
        const undo = wasSteps !== undefined && wasSteps.count > 1 && vcpu === wasSteps.vcpu;
        const how = undo ? 'instruction' : by;
        done.push(`${i}: step back vCPU${vcpu} ${how} pausing ${pausing}`);
        await dbg.stepBack({ vcpu, by: how });
        const now = dbg.timeline.position;
        if (before(from, now)) fail('a step back has gone on');
        if (undo && stateOf(dbg.machine) !== wasSteps.state) fail('a step back after a step is not where the step began');
        if (how === 'instruction' && alone.retired(vcpu, now.icount, from.icount) > 1)
          fail(`a step back of vCPU${vcpu} has undone several of its instructions`);
      } else if (action < 18) {
        done.push(`${i}: reverse pausing ${pausing}`);
        const stop = await dbg.reverseContinue();
        const now = dbg.timeline.position;
        if (before(from, now)) fail('running back has gone on');
        const end = horizon();
        if (stop.reason === 'pause') {
          if (!samePosition(from, now)) fail('running back, cancelled, is not where it began');
        } else if (end !== undefined && !before(end, from)) {
          const missed = stops.find((m) => !m.end && before(now, m.position) && before(m.position, from));
          if (missed !== undefined) fail(`running back missed ${missed.known}, and came to ${known(dbg, stop)}`);
          if (stoppedByBreakpoint(stop) && !isKnown(stop)) fail(`running back stopped where the run forward did not: ${known(dbg, stop)}`);
          if (!stoppedByBreakpoint(stop) && now.icount !== 0) fail(`running back ended without a stop: ${known(dbg, stop)}`);
        }
      } else if (withHits) continue;
      else {
        done.push(`${i}: set ${choose(random, guest, dbg, false)}`);
        stops = await milestones(make, dbg, until);
      }
    } catch (error) {
      if (!(error instanceof DebuggerError)) {
        if (error instanceof Error && !error.message.includes(guest.name)) error.message += `\n${done.join('\n')}`;
        throw error;
      }
      if (!error.message.includes('has ended')) throw error;
      done.push(`   ${error.message}`);
    }
    done.push(`   ${known(dbg, dbg.stop as Stop)}`);
    const now = machine.clock.instructions;
    told = Math.max(told, machine.consoleCount.total);
    alone.scoutTo(now + 1);
    if (ended(machine)) expect(stateOf(machine), done.join('\n')).toBe(alone.stateAt(now + 1));
    else expect(alone.future(machine), done.join('\n')).toBe(alone.stateAt(now + 1));
    // Of what is written at an end, a moment more may have been seen.
    if (text !== alone.text.slice(0, told))
      fail(`the console told "${text.slice(-40)}" in place of "${alone.text.slice(0, told).slice(-40)}"`);
  }
  dbg.dispose();
}
