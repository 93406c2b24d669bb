/**
 * Runs a machine until something is worth stopping for: a breakpoint, the machine's end, or a limit. Observers can be told of every exit and IPI as
 * it is finished.
 */
import { EventKind, type EventRecord, type ExitRecord, type IpiRecord, type LedgerReader, Outcome } from '../machine/ledger/records.ts';
import type { End } from '../machine/vmm/end.ts';
import { VRS } from '../machine/vmm/runstate.ts';
import { RunStop } from '../machine/vmm/schedule.ts';
import type { Observers } from '../machine/vmm/vm.ts';
import { type Breakpoint, BreakpointError } from './breakpoint.ts';
import { BreakpointEngine, type Hit, type Unmet } from './engine.ts';
import { checkNames } from './evaluate.ts';
import { ExpressionError } from './lexer.ts';
import { MachineScope, type MachineView } from './scope.ts';

/** What the debugger drives. */
export interface Debuggee extends MachineView {
  readonly ledger: LedgerReader;
  readonly end: End | undefined;
  readonly observers: Observers;
  /** The vCPU whose turn it is. */
  readonly currentVcpu: number;
  /** Runs until `instructions` more have retired, virtual time has reached `untilNs`, somebody asked for a stop, vCPU `turnOf` is about to run, or the end. */
  run(instructions: number, untilNs: number, turnOf?: number): RunStop;
  /** Instructions retired by all vCPUs just after this one had retired its latest; 0: it has retired none. */
  ranAt(vcpu: number): number;
  /** Asks for a stop after the current instruction. */
  requestStop(): void;
  /** Linear addresses before whose instructions to stop, though not before the one at which it stopped last; replaces all earlier ones. */
  setInstructionBreakpoints(linear: ReadonlySet<number>): void;
  /** Where a vCPU is: offset in CS of its next instruction, and CS's base. */
  position(vcpu: number): { readonly eip: number; readonly csBase: number };
}

/** Why `run` came back; undefined: the instructions it was given are used up. */
export type SessionStop =
  | { readonly kind: 'end'; readonly end: End; readonly hits: readonly Hit[] }
  | { readonly kind: 'breakpoint'; readonly hits: readonly Hit[] }
  /** Virtual time has reached the limit. */
  | { readonly kind: 'time' }
  /** `stop` was called. */
  | { readonly kind: 'asked' }
  /** The vCPU that was asked for is about to run. */
  | { readonly kind: 'turn' }
  /** The only vCPU that may run waits, and nothing that is armed can wake it. */
  | { readonly kind: 'alone' }
  /** A vCPU is about to execute an instruction of `halts`. */
  | { readonly kind: 'halt'; readonly vcpu: number; readonly linear: number }
  /** Something was delivered to the vCPU of `deliveriesTo`, or it was started. */
  | { readonly kind: 'delivery'; readonly event: EventRecord };

export interface Watchers {
  /** An exit, once: also one that the vCPU now waits in. */
  onExit?(exit: ExitRecord, ipi: IpiRecord | undefined): void;
  /** An exit has an outcome: told again of one that a vCPU waited in, when it goes on. */
  onOutcome?(exit: ExitRecord, ipi: IpiRecord | undefined): void;
  onIpi?(ipi: IpiRecord): void;
  /** A breakpoint that logs was fulfilled. */
  onLog?(hit: Hit): void;
}

const NO_ADDRESSES: ReadonlySet<number> = new Set();

/** Does a vCPU go on elsewhere because of this event? */
export const isDelivery = ({ kind, value, detail }: EventRecord): boolean =>
  kind <= EventKind.exception || (kind === EventKind.runState && (value & VRS.RUN) !== 0 && (detail & VRS.RUN) === 0);

export class Session {
  /** Instructions before which a run halts for the debugger's own sake, by linear address; every vCPU does. */
  halts: ReadonlySet<number> = NO_ADDRESSES;
  /** A run ends when something is delivered to this vCPU, or it is started; -1: none. */
  deliveriesTo = -1;
  /**
   * An instruction at which this vCPU is known to stand: breakpoints there do not stop it before it has executed that. `counted`: they have been
   * counted, and have logged, when it came; `ran`: its ranAt then.
   */
  left: { readonly vcpu: number; readonly linear: number; readonly ran: number; readonly counted: boolean } | undefined;
  /** Breakpoints that log keep silent: the run is a search. */
  quiet = false;
  /** Called where the processor stops without a breakpoint being there: new code was found. Finds the addresses of breakpoints anew. */
  onNewCode: (() => boolean) | undefined;

  private hits: Hit[] = [];
  private delivery: EventRecord | undefined;
  private asked = false;
  /** The newest exit of each vCPU that was looked at. */
  private readonly seen: number[] = [];
  /** What was set up for: revision of the breakpoints, halts, and the vCPU whose deliveries are waited for. */
  private prepared = { revision: -1, halts: NO_ADDRESSES, deliveriesTo: -1 };

  /** @param engine breakpoints that somebody else sets, in place of those of `add` */
  constructor(
    readonly machine: Debuggee,
    private readonly symbols: (name: string) => number | undefined = () => undefined,
    private readonly watchers: Watchers = {},
    private readonly engine: BreakpointEngine = new BreakpointEngine(machine, symbols),
  ) {}

  /** Throws a BreakpointError when its condition names something that does not exist. */
  add(breakpoint: Breakpoint): void {
    const { condition, text } = breakpoint;
    if (condition !== undefined) {
      try {
        checkNames(condition, new MachineScope(this.machine, { vcpu: 0 }, this.symbols));
      } catch (error) {
        if (error instanceof ExpressionError) throw new BreakpointError(`In the condition of "${text}": ${error.message}`);
        throw error;
      }
    }
    this.engine.add(breakpoint);
  }

  /** Breakpoints that have not stopped the run, and how often each was fulfilled none the less (its hit count asked for more). */
  unmet(): readonly Unmet[] {
    return this.engine.unmet();
  }

  /** Asks a run under way to come back after the current instruction. */
  stop(): void {
    this.asked = true;
    this.machine.requestStop();
  }
  /** Takes back what `stop` asked for, where no run has come back for it. */
  unstop(): void {
    this.asked = false;
  }
  /** The machine has gone back: exits have the same numbers when they happen again. */
  wentBack(): void {
    this.catchUp();
    this.hits = [];
    this.delivery = undefined;
  }
  /** Exits that have happened are not looked at again, whether anybody has looked at them or not; those still being handled are yet to come. */
  private catchUp(): void {
    const { ledger, vcpuCount } = this.machine;
    for (let vcpu = 0; vcpu < vcpuCount; vcpu++) {
      const newest = ledger.newestExit(vcpu);
      this.seen[vcpu] = ledger.exitAt(newest)?.outcome === Outcome.open ? newest - 1 : newest;
    }
  }

  /**
   * Runs at most `instructions` more, up to virtual time `untilNs`; both may be Infinity.
   * @param turnOf come back as well where this vCPU is about to run
   */
  run(instructions: number, untilNs: number, turnOf = -1): SessionStop | undefined {
    const { machine } = this;
    const goal = machine.instructions + instructions;
    this.prepare();
    for (;;) {
      const stop = machine.run(goal - machine.instructions, untilNs, turnOf);
      if (this.hits.length > 0) {
        const { hits } = this;
        this.hits = [];
        this.delivery = undefined;
        return { kind: 'breakpoint', hits };
      }
      if (machine.end !== undefined) return { kind: 'end', end: machine.end, hits: this.atEnd(machine.end) };
      if (this.asked) {
        this.asked = false;
        this.delivery = undefined;
        return { kind: 'asked' };
      }
      if (this.delivery !== undefined) {
        const { delivery: event } = this;
        this.delivery = undefined;
        return { kind: 'delivery', event };
      }
      if (stop === RunStop.turn) return { kind: 'turn' };
      if (stop === RunStop.alone) return { kind: 'alone' };
      if (stop === RunStop.breakpoint) {
        const found = this.atInstruction();
        if (found !== undefined) return found;
        continue;
      }
      if (machine.nowNs >= untilNs) return { kind: 'time' };
      if (machine.instructions >= goal) return undefined;
    }
  }

  private atInstruction(): SessionStop | undefined {
    const { machine, left } = this;
    if (this.onNewCode?.() === true) {
      this.prepare();
      return undefined;
    }
    const vcpu = machine.currentVcpu;
    const { eip, csBase } = machine.position(vcpu);
    const linear = (csBase + eip) >>> 0;
    const known = left?.vcpu === vcpu && left.linear === linear && left.ran === machine.ranAt(vcpu);
    if (left?.vcpu === vcpu) this.left = undefined;
    if (known && left.counted) return undefined;
    const hits = this.sorted(this.engine.instruction(vcpu, linear));
    if (known) return undefined;
    if (hits.length > 0) return { kind: 'breakpoint', hits };
    return this.halts.has(linear) ? { kind: 'halt', vcpu, linear } : undefined;
  }

  private atEnd(end: End): readonly Hit[] {
    const { ledger } = this.machine;
    const exit = end.exit === 0 ? undefined : ledger.exitAt(end.exit);
    return this.sorted(this.engine.end(end, exit, exit === undefined || exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi)));
  }

  /** Logs what is to be logged; gives those that stop. */
  private sorted(hits: readonly Hit[]): readonly Hit[] {
    if (hits.length === 0) return hits;
    if (!this.quiet) for (const hit of hits) if (hit.log !== undefined) this.watchers.onLog?.(hit);
    return hits.filter(({ stops }) => stops);
  }

  /** Sets the machine's observers and its breakpoints, when they have changed. */
  private prepare(): void {
    const { engine, halts, deliveriesTo, prepared } = this;
    const { revision } = engine;
    if (prepared.revision === revision && prepared.halts === halts && prepared.deliveriesTo === deliveriesTo) return;
    this.prepared = { revision, halts, deliveriesTo };
    this.observe();
    const wanted = engine.instructionAddresses();
    const all = halts.size === 0 ? wanted : new Set([...wanted, ...halts]);
    if (all === this.set || (all.size === this.set.size && [...all].every((linear) => this.set.has(linear)))) return;
    this.set = all;
    this.machine.setInstructionBreakpoints(all);
  }
  /** The addresses that the processor stops at. */
  private set: ReadonlySet<number> = NO_ADDRESSES;

  /** Only those observers that somebody needs, for each costs a record. */
  private observe(): void {
    this.catchUp();
    const { engine, machine, watchers, deliveriesTo } = this;
    const { ledger, observers } = machine;
    const found = (all: readonly Hit[]): void => {
      const hits = this.sorted(all);
      if (hits.length === 0) return;
      this.hits.push(...hits);
      machine.requestStop();
    };
    observers.onExit =
      watchers.onExit === undefined && watchers.onOutcome === undefined && !engine.waitsForExits
        ? undefined
        : (number) => {
            const exit = ledger.exitAt(number);
            if (exit === undefined) return;
            const ipi = exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi);
            watchers.onOutcome?.(exit, ipi);
            // An exit that a vCPU waits in (HLT, run state) is told of twice: when it begins to wait, and when it goes on.
            if (number <= (this.seen[exit.vcpu] ?? 0)) return;
            this.seen[exit.vcpu] = number;
            watchers.onExit?.(exit, ipi);
            if (engine.waitsForExit(exit.code)) found(engine.exit(exit, ipi));
          };
    observers.onIpi =
      watchers.onIpi === undefined && !engine.waitsForIpis
        ? undefined
        : (number) => {
            const ipi = ledger.ipiAt(number);
            if (ipi === undefined) return;
            watchers.onIpi?.(ipi);
            if (engine.waitsForIpis) found(engine.ipi(ipi, ledger.exitAt(ipi.exit)));
          };
    observers.onEvent =
      !engine.waitsForEvents && deliveriesTo < 0
        ? undefined
        : (number) => {
            const event = ledger.eventAt(number);
            if (event === undefined) return;
            if (engine.waitsForEvents) found(engine.event(event));
            if (event.vcpu !== deliveriesTo || !isDelivery(event)) return;
            this.delivery = event;
            machine.requestStop();
          };
  }
}
