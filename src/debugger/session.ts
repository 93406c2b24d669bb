/**
 * Runs a machine until something is worth stopping for: a breakpoint, the machine's end, or a limit. Observers can be told of every exit and IPI as
 * it is finished.
 */
import type { ExitRecord, IpiRecord, LedgerReader } from '../machine/ledger/records.ts';
import type { End } from '../machine/vmm/end.ts';
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
  /** Runs until `instructions` more have retired, virtual time has reached `untilNs`, somebody asked for a stop, or the end. */
  run(instructions: number, untilNs: number): RunStop;
  /** Asks for a stop after the current instruction. */
  requestStop(): void;
  /** Linear addresses before whose instructions to stop, though not before the one at which it stopped last; replaces all earlier ones. */
  setInstructionBreakpoints(linear: ReadonlySet<number>): void;
  /** Where a vCPU is: offset in CS of its next instruction, and CS's base. */
  position(vcpu: number): { readonly eip: number; readonly csBase: number };
}

/** Why `run` came back; undefined: the instructions it was given are used up. */
export type SessionStop =
  | { readonly kind: 'end'; readonly end: End }
  | { readonly kind: 'breakpoint'; readonly hits: readonly Hit[] }
  /** Virtual time has reached the limit. */
  | { readonly kind: 'time' }
  /** `stop` was called. */
  | { readonly kind: 'asked' };

export interface Watchers {
  /** An exit, once: also one that the vCPU now waits in. */
  onExit?(exit: ExitRecord, ipi: IpiRecord | undefined): void;
  /** An exit has an outcome: told again of one that a vCPU waited in, when it goes on. */
  onOutcome?(exit: ExitRecord, ipi: IpiRecord | undefined): void;
  onIpi?(ipi: IpiRecord): void;
}

export class Session {
  private readonly engine: BreakpointEngine;
  private hits: Hit[] = [];
  private asked = false;
  /** The newest exit of each vCPU that was looked at. */
  private readonly seen: number[] = [];

  constructor(
    readonly machine: Debuggee,
    private readonly symbols: (name: string) => number | undefined = () => undefined,
    private readonly watchers: Watchers = {},
  ) {
    this.engine = new BreakpointEngine(machine, symbols);
  }

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
    if (breakpoint.trigger.kind === 'instruction') this.machine.setInstructionBreakpoints(this.engine.instructionAddresses());
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

  /** Runs at most `instructions` more, up to virtual time `untilNs`; both may be Infinity. */
  run(instructions: number, untilNs: number): SessionStop | undefined {
    const { machine } = this;
    const goal = machine.instructions + instructions;
    this.observe();
    for (;;) {
      const stop = machine.run(goal - machine.instructions, untilNs);
      if (this.hits.length > 0) {
        const { hits } = this;
        this.hits = [];
        return { kind: 'breakpoint', hits };
      }
      if (machine.end !== undefined) return { kind: 'end', end: machine.end };
      if (this.asked) {
        this.asked = false;
        return { kind: 'asked' };
      }
      if (stop === RunStop.breakpoint) {
        const vcpu = machine.currentVcpu;
        const { eip, csBase } = machine.position(vcpu);
        const hits = this.engine.instruction(vcpu, (csBase + eip) >>> 0);
        if (hits.length > 0) return { kind: 'breakpoint', hits };
        continue;
      }
      if (machine.nowNs >= untilNs) return { kind: 'time' };
      if (machine.instructions >= goal) return undefined;
    }
  }

  /** Sets the machine's observers: only those that somebody needs, for each costs a record. */
  private observe(): void {
    const { engine, machine, watchers } = this;
    const { ledger, observers } = machine;
    const found = (hits: Hit[]): void => {
      if (hits.length === 0) return;
      this.hits.push(...hits);
      machine.requestStop();
    };
    const exits =
      watchers.onExit !== undefined ||
      watchers.onOutcome !== undefined ||
      engine.waitsFor('exit') ||
      engine.waitsFor('io') ||
      engine.waitsFor('msr') ||
      engine.waitsFor('lapic');
    observers.onExit = !exits
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
      watchers.onIpi === undefined && !engine.waitsFor('ipi')
        ? undefined
        : (number) => {
            const ipi = ledger.ipiAt(number);
            if (ipi === undefined) return;
            watchers.onIpi?.(ipi);
            if (engine.waitsFor('ipi')) found(engine.ipi(ipi, ledger.exitAt(ipi.exit)));
          };
    observers.onEvent = !engine.waitsFor('vector')
      ? undefined
      : (number) => {
          const event = ledger.eventAt(number);
          if (event !== undefined) found(engine.event(event));
        };
  }
}
