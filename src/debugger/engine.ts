/** The one breakpoint engine: which breakpoints an exit, an IPI, an event, an instruction or the machine's end fulfils. */
import { field } from '../machine/base/bits.ts';
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { EventKind, type EventRecord, type ExitRecord, type IpiRecord, type IpiTarget, Outcome } from '../machine/ledger/records.ts';
import { Reason, Verdict } from '../machine/ledger/verdict.ts';
import type { End } from '../machine/vmm/end.ts';
import { VRS } from '../machine/vmm/runstate.ts';
import { DeliveryMode } from '../machine/x86/apic.ts';
import { icrAssert, icrLevelTriggered, icrMode, icrShorthand, Shorthand } from '../machine/x86/icr.ts';
import { IOAPIC_BASE_ADDRESS, IOAPIC_PAGE_SIZE } from '../machine/x86/ioapic.ts';
import type { Access, Breakpoint, Hits, Trigger } from './breakpoint.ts';
import { evaluate, isTrue } from './evaluate.ts';
import { explainExit, ipiSentence, isFatal, isTripleFault, lapicAccess } from './explain.ts';
import { ExpressionError } from './lexer.ts';
import { type LogMessage, renderLogMessage } from './logmessage.ts';
import { type Focus, MachineScope, type MachineView } from './scope.ts';

/** In which way a breakpoint was set. */
export type HitKind = 'source' | 'instruction' | 'function' | 'data' | 'filter' | 'exits' | 'ipis' | 'apEntry' | 'cli';

/** Which vCPUs a breakpoint is for. */
export type Mode = 'any' | 'bsp' | 'aps';

/** What the engine has to know of a breakpoint besides what it waits for. */
export interface Arming {
  readonly id: number;
  readonly kind: HitKind;
  /** kind `filter`: its id. */
  readonly filter?: string;
  readonly mode?: Mode;
  /** What is logged: a message, or the sentence that explains the exit or IPI. A breakpoint that logs does not stop, unless `stops` says so. */
  readonly log?: LogMessage | 'sentence';
  readonly stops?: boolean;
}

/** A breakpoint that was fulfilled, and by what. */
export interface Hit {
  readonly id: number;
  readonly kind: HitKind;
  /** kind `filter`: its id. */
  readonly filter?: string;
  readonly breakpoint: Breakpoint;
  /** How often it has been fulfilled, its condition included, this time counted. */
  readonly count: number;
  readonly focus: Focus;
  /** What is to be logged. */
  readonly log?: string;
  /** Is the run to stop? Of a breakpoint that only logs, it is not. */
  readonly stops: boolean;
  /** Why its condition could not be evaluated; then it counts as fulfilled, so that nothing is missed in silence. */
  readonly problem?: string;
}

/** A breakpoint that has not stopped the run yet. */
export interface Unmet {
  readonly breakpoint: Breakpoint;
  /** How often it was fulfilled: 0, unless its hit count asks for more. */
  readonly count: number;
}

interface Armed {
  breakpoint: Breakpoint;
  how: Arming;
  count: number;
  stopped: boolean;
}

const counts = (hits: Hits | undefined, n: number): boolean => {
  if (hits === undefined) return true;
  switch (hits.operator) {
    case '==':
      return n === hits.count;
    case '>':
      return n > hits.count;
    case '>=':
      return n >= hits.count;
    case '<':
      return n < hits.count;
    case '<=':
      return n <= hits.count;
    case '%':
      return n % hits.count === 0;
  }
};

const allows = (access: Access, write: boolean): boolean => (write ? access.write : access.read);

const FATAL: readonly Outcome[] = [Outcome.aborted, Outcome.runFailed, Outcome.hostPanic];

const VECTOR_EVENTS: readonly EventKind[] = [EventKind.interrupt, EventKind.nmi, EventKind.extInt, EventKind.exception];

const NONE: readonly Hit[] = [];

const mask = (...codes: readonly number[]): number => codes.reduce((bits, code) => bits | (1 << code), 0);
const EVERY_EXIT = -1;
const MSR_EXITS = mask(ExitCode.RDMSR, ExitCode.WRMSR);

/** Codes that an exit of another hardware code may have in the end, and those hardware codes. */
const BECOMES: readonly (readonly [ExitCode, number])[] = [
  [ExitCode.MMIO, mask(ExitCode.MMIO_EMUL)],
  [ExitCode.INST_EMUL, mask(ExitCode.MMIO_EMUL, ExitCode.INOUT)],
  [ExitCode.SUSPENDED, EVERY_EXIT],
];

/** Hardware codes of the exits that may fulfil a trigger, as bits. */
function exitsOf(t: Trigger): number {
  switch (t.kind) {
    case 'exit': {
      let bits = t.fatal ? EVERY_EXIT : mask(...t.codes);
      for (const [final, from] of BECOMES) if (t.codes.has(final)) bits |= from;
      return bits;
    }
    case 'io':
      return mask(ExitCode.INOUT);
    case 'msr':
      return MSR_EXITS;
    case 'lapic':
      return MSR_EXITS | mask(ExitCode.MMIO_EMUL, ExitCode.MMIO);
    case 'ioapic':
      return mask(ExitCode.MMIO_EMUL, ExitCode.MMIO);
    default:
      return 0;
  }
}

/**
 * Did this vCPU, which the IPI addresses, not get it? An INIT level de-assert has no effect by itself, and of the two SIPIs that the MP specification
 * asks for the second finds the vCPU running: these are not lost.
 */
const isLost = ({ verdict, reason }: IpiTarget): boolean =>
  (verdict === Verdict.refused && reason !== Reason.alreadyRunning) || (verdict === Verdict.notSent && reason !== Reason.levelDeassert);

/** Does it name a destination, and is that nobody's? */
const isForNobody = ({ icrLow, targets }: IpiRecord): boolean => {
  const deassert = icrMode(icrLow) === DeliveryMode.INIT && icrLevelTriggered(icrLow) && !icrAssert(icrLow);
  return icrShorthand(icrLow) === Shorthand.NONE && !deassert && targets.every(({ verdict }) => verdict === Verdict.notAddressed);
};

export class BreakpointEngine {
  private readonly armed: Armed[] = [];
  private readonly kinds = new Set<Trigger['kind']>();
  private exits = 0;
  private addresses: ReadonlySet<number> = new Set();
  private changes = 0;

  constructor(
    private readonly machine: MachineView,
    private readonly symbols: (name: string) => number | undefined = () => undefined,
  ) {}

  /** @param how its id must be new; absent: a breakpoint of the command line, with the next number */
  add(breakpoint: Breakpoint, how: Arming = { id: this.armed.length + 1, kind: 'cli' }): void {
    this.armed.push({ breakpoint, how, count: 0, stopped: false });
    this.changed();
  }
  /** Replaces all breakpoints. Those whose id is kept in `counted` keep their counts. */
  replaceAll(all: readonly { readonly breakpoint: Breakpoint; readonly how: Arming }[], counted: ReadonlySet<number>): void {
    const before = new Map(this.armed.filter(({ how }) => counted.has(how.id)).map((a) => [a.how.id, a]));
    this.armed.length = 0;
    for (const { breakpoint, how } of all) {
      const { count = 0, stopped = false } = before.get(how.id) ?? {};
      this.armed.push({ breakpoint, how, count, stopped });
    }
    this.changed();
  }

  get breakpoints(): readonly Breakpoint[] {
    return this.armed.map((a) => a.breakpoint);
  }
  /** Changes with every change of the breakpoints: observers are to be set anew then. */
  get revision(): number {
    return this.changes;
  }
  /** Breakpoints that have never stopped the run. */
  unmet(): readonly Unmet[] {
    return this.armed.filter((a) => !a.stopped).map(({ breakpoint, count }) => ({ breakpoint, count }));
  }

  /**
   * How often each breakpoint has been fulfilled so far, by id. For going back: taken at a checkpoint, and set again when the machine goes back to it,
   * what then runs forward again is counted as it was the first time. Breakpoints that were not there yet start from 0.
   */
  counts(): ReadonlyMap<number, number> {
    return new Map(this.armed.map(({ how, count }) => [how.id, count]));
  }
  setCounts(counts: ReadonlyMap<number, number>): void {
    for (const armed of this.armed) armed.count = counts.get(armed.how.id) ?? 0;
  }

  /** Does any breakpoint wait for such a thing? Lets the caller spare itself the record. */
  waitsFor(kind: Trigger['kind']): boolean {
    return this.kinds.has(kind);
  }
  /** Does any breakpoint wait for an exit of any kind? */
  get waitsForExits(): boolean {
    return this.exits !== 0;
  }
  get waitsForIpis(): boolean {
    return this.kinds.has('ipi') || this.kinds.has('lostIpi');
  }
  get waitsForEvents(): boolean {
    return this.kinds.has('vector') || this.kinds.has('event') || this.kinds.has('apEntry');
  }
  /** May an exit of this hardware code fulfil any breakpoint? */
  waitsForExit(code: number): boolean {
    return ((this.exits >>> code) & 1) === 1;
  }
  /** Linear addresses of all instruction breakpoints: the same set until it changes. */
  instructionAddresses(): ReadonlySet<number> {
    return this.addresses;
  }

  /** Breakpoints that a finished exit fulfils. */
  exit(exit: ExitRecord, ipi?: IpiRecord): readonly Hit[] {
    return this.waitsForExit(exit.code) ? this.check((t) => this.byExit(t, exit, ipi)) : NONE;
  }

  /** Breakpoints that an IPI fulfils at any of its targets. A vCPU that it does not address counts only when `notAddressed` is asked for. */
  ipi(ipi: IpiRecord, exit?: ExitRecord): readonly Hit[] {
    return this.waitsForIpis ? this.check((t) => byIpi(t, ipi, exit)) : NONE;
  }

  /** Breakpoints that an event fulfils. */
  event(event: EventRecord): readonly Hit[] {
    return this.waitsForEvents ? this.check((t) => byEvent(t, event)) : NONE;
  }

  /** Breakpoints at the instruction that a vCPU is about to execute. */
  instruction(vcpu: number, linear: number): readonly Hit[] {
    return this.check((t) => (t.kind === 'instruction' && t.linear.includes(linear) ? { vcpu } : undefined));
  }

  /** Breakpoints that the machine's end fulfils. `exit`, `ipi`: what led to it, where that has a record. */
  end(end: End, exit?: ExitRecord, ipi?: IpiRecord): readonly Hit[] {
    if (!this.kinds.has('end')) return NONE;
    const which = end.kind === 'stuck' ? 'stuck' : isFatal(end) ? 'fatal' : undefined;
    return this.check((t) => (t.kind === 'end' && t.which === which ? { vcpu: end.vcpu, exit, ipi } : undefined));
  }

  private changed(): void {
    this.changes++;
    this.kinds.clear();
    this.exits = 0;
    const addresses = new Set<number>();
    for (const { trigger } of this.breakpoints) {
      this.kinds.add(trigger.kind);
      this.exits |= exitsOf(trigger);
      if (trigger.kind === 'instruction') for (const linear of trigger.linear) addresses.add(linear);
    }
    const before = this.addresses;
    if (addresses.size !== before.size || [...addresses].some((a) => !before.has(a))) this.addresses = addresses;
  }

  private byExit(t: Trigger, exit: ExitRecord, ipi: IpiRecord | undefined): Focus | undefined {
    switch (t.kind) {
      case 'exit':
        return t.codes.has(exit.code) || t.codes.has(exit.finalCode) || (t.fatal && (FATAL.includes(exit.outcome) || isTripleFault(exit)))
          ? { vcpu: exit.vcpu, exit, ipi }
          : undefined;
      case 'io': {
        const overlaps = exit.code === ExitCode.INOUT && exit.address < t.port + t.length && t.port < exit.address + Math.max(exit.size, 1);
        return overlaps && allows(t.access, exit.write) ? { vcpu: exit.vcpu, exit } : undefined;
      }
      case 'msr': {
        const write = exit.code === ExitCode.WRMSR;
        return (write || exit.code === ExitCode.RDMSR) && exit.address === t.msr && allows(t.access, write)
          ? { vcpu: exit.vcpu, exit }
          : undefined;
      }
      case 'lapic': {
        const accessed = lapicAccess(exit);
        const write = exit.code === ExitCode.WRMSR || (exit.code !== ExitCode.RDMSR && exit.write);
        if (accessed?.offset !== t.register.offset || (t.vcpu !== undefined && t.vcpu !== exit.vcpu) || !allows(t.access, write))
          return undefined;
        const value = t.field === undefined ? exit.value : field(exit.value, t.field.high, t.field.low) >>> 0;
        return { vcpu: exit.vcpu, exit, ipi, value };
      }
      case 'ioapic':
        return this.byIoapic(t, exit);
      default:
        return undefined;
    }
  }

  /** Data accesses touch the register that the index register names, which they do not change. */
  private byIoapic({ register, entry, field: part, access }: Extract<Trigger, { kind: 'ioapic' }>, exit: ExitRecord): Focus | undefined {
    const offset = exit.address - IOAPIC_BASE_ADDRESS;
    const mmio = exit.code === ExitCode.MMIO_EMUL || exit.code === ExitCode.MMIO;
    if (!mmio || offset < 0 || offset >= IOAPIC_PAGE_SIZE || (offset & ~0xf) !== register.offset || !allows(access, exit.write))
      return undefined;
    let half: 'low' | 'high' = 'low';
    if (register.index !== undefined) {
      const touched = (this.machine.ioapic?.selected ?? -1) - register.index;
      if (register.highFields === undefined) {
        if (touched !== 0) return undefined;
      } else {
        if (touched < 0 || (entry !== undefined && touched >>> 1 !== entry)) return undefined;
        half = touched & 1 ? 'high' : 'low';
      }
    }
    if (part !== undefined && part.half !== half) return undefined;
    const value = part === undefined ? exit.value : field(exit.value, part.field.high, part.field.low) >>> 0;
    return { vcpu: exit.vcpu, exit, value };
  }

  /** @param fulfilled what of the moment fulfils a trigger: nothing, one thing, or several, of which the first counts that meets the condition */
  private check(fulfilled: (trigger: Trigger) => Focus | readonly Focus[] | undefined): readonly Hit[] {
    let hits: Hit[] | undefined;
    for (const armed of this.armed) {
      const found = fulfilled(armed.breakpoint.trigger);
      if (found === undefined) continue;
      const hit = this.hit(armed, Array.isArray(found) ? (found as readonly Focus[]) : [found as Focus]);
      if (hit !== undefined) {
        hits ??= [];
        hits.push(hit);
      }
    }
    return hits ?? NONE;
  }

  private hit(armed: Armed, among: readonly Focus[]): Hit | undefined {
    const { breakpoint, how } = armed;
    const { mode = 'any' } = how;
    let focus: Focus | undefined;
    let problem: string | undefined;
    for (const one of among) {
      if (mode !== 'any' && (mode === 'bsp') !== (one.vcpu === 0)) continue;
      const met = this.meets(breakpoint, one);
      if (met === false) continue;
      focus = one;
      problem = met === true ? undefined : met;
      if (problem === undefined) break;
    }
    if (focus === undefined) return undefined;
    armed.count++;
    if (problem === undefined && !counts(breakpoint.hits, armed.count)) return undefined;
    const stops = how.stops ?? how.log === undefined;
    if (stops) armed.stopped = true;
    let log = how.log === undefined ? undefined : this.logged(how.log, breakpoint.trigger.kind, focus);
    if (log !== undefined && problem !== undefined) log += ` (The condition could not be evaluated: ${problem})`;
    return {
      id: how.id,
      kind: how.kind,
      ...(how.filter === undefined ? {} : { filter: how.filter }),
      breakpoint,
      count: armed.count,
      focus,
      ...(log === undefined ? {} : { log }),
      stops,
      ...(problem === undefined ? {} : { problem }),
    };
  }

  /** Is the condition met? A text: why that cannot be told. */
  private meets({ condition }: Breakpoint, focus: Focus): boolean | string {
    if (condition === undefined) return true;
    try {
      return isTrue(evaluate(condition, this.scope(focus)));
    } catch (error) {
      if (error instanceof ExpressionError) return error.message;
      throw error;
    }
  }

  private logged(log: LogMessage | 'sentence', kind: Trigger['kind'], focus: Focus): string {
    if (log !== 'sentence') return renderLogMessage(log, this.scope(focus));
    const { exit, ipi } = focus;
    if (ipi && kind === 'ipi') return ipiSentence(ipi);
    return exit ? explainExit(exit, ipi) : '';
  }

  private scope(focus: Focus): MachineScope {
    return new MachineScope(this.machine, focus, this.symbols);
  }
}

function byIpi(t: Trigger, ipi: IpiRecord, exit: ExitRecord | undefined): Focus | readonly Focus[] | undefined {
  const at = (target?: IpiTarget): Focus => ({ vcpu: ipi.vcpu, ipi, exit, target, value: ipi.icrLow });
  if (t.kind === 'lostIpi') {
    const lost = ipi.targets.filter(isLost);
    if (lost.length > 0) return lost.map(at);
    return isForNobody(ipi) ? at(ipi.targets.find(({ vcpu }) => vcpu !== ipi.vcpu) ?? ipi.targets[0]) : undefined;
  }
  if (t.kind !== 'ipi' || (t.mode !== undefined && t.mode !== icrMode(ipi.icrLow))) return undefined;
  if (t.nobody === true) return ipi.targets.every(({ verdict }) => verdict === Verdict.notAddressed) ? at() : undefined;
  const wanted = ({ vcpu, verdict, reason }: IpiTarget): boolean =>
    (t.target === undefined || t.target === vcpu) &&
    (t.reason !== undefined ? reason === t.reason : t.verdict !== undefined ? verdict === t.verdict : verdict !== Verdict.notAddressed);
  const targets = ipi.targets.filter(wanted);
  if (targets.length > 0) return targets.map(at);
  return t.target === undefined && t.verdict === undefined && t.reason === undefined ? at() : undefined;
}

/** What an expression sees of an event: `vector`, and as `value` its error code; of what delivers nothing its value alone. */
export function eventFocus(event: EventRecord): Focus {
  const { kind, vcpu, value, detail } = event;
  if (!VECTOR_EVENTS.includes(kind)) return { vcpu, value, event };
  return { vcpu, vector: kind === EventKind.nmi ? 2 : value, value: detail, event };
}

function byEvent(t: Trigger, event: EventRecord): Focus | undefined {
  const { kind, vcpu, value, detail } = event;
  if (t.kind === 'apEntry') {
    const started = kind === EventKind.runState && vcpu !== 0 && (value & VRS.RUN) !== 0 && (detail & VRS.RUN) === 0;
    return started ? { vcpu } : undefined;
  }
  const focus = eventFocus(event);
  if (t.kind === 'vector') return focus.vector === t.vector ? focus : undefined;
  return t.kind === 'event' && t.kinds.includes(kind) ? focus : undefined;
}
