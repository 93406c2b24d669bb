/**
 * Runs a machine until something is worth stopping for: a breakpoint, the machine's end, or a limit. Observers can be told of every exit and IPI as
 * it is finished.
 */
import type { ExitRecord, IpiRecord, LedgerReader } from '../machine/ledger/records.ts';
import type { End } from '../machine/vmm/end.ts';
import { RunStop } from '../machine/vmm/schedule.ts';
import type { Observers } from '../machine/vmm/vm.ts';
import { type Breakpoint, BreakpointError } from './breakpoint.ts';
import { BreakpointEngine, type Hit } from './engine.ts';
import type { MachineView } from './scope.ts';

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
  /** Can the processor stop before an instruction? */
  readonly hasInstructionBreakpoints: boolean;
  /** Linear addresses before whose instructions to stop; replaces all earlier ones. */
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
  onExit?(exit: ExitRecord, ipi: IpiRecord | undefined): void;
  onIpi?(ipi: IpiRecord): void;
}

export class Session {
  private readonly engine: BreakpointEngine;
  private hits: Hit[] = [];
  private asked = false;
  /** The last stop was before an instruction with a breakpoint, which has yet to be executed. */
  private standing = false;

  constructor(
    readonly machine: Debuggee,
    symbols: (name: string) => number | undefined = () => undefined,
    private readonly watchers: Watchers = {},
  ) {
    this.engine = new BreakpointEngine(machine, symbols);
  }

  /** Throws a BreakpointError when the machine cannot stop there. */
  add(breakpoint: Breakpoint): void {
    if (breakpoint.trigger.kind === 'instruction' && !this.machine.hasInstructionBreakpoints)
      throw new BreakpointError(`"${breakpoint.text}": this machine's processor cannot stop at an instruction; stop at an exit, an IPI or a register instead.`);
    this.engine.add(breakpoint);
    if (breakpoint.trigger.kind === 'instruction') this.machine.setInstructionBreakpoints(this.engine.instructionAddresses());
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
      const stop = this.standing ? this.passBreakpoint(untilNs) : machine.run(goal - machine.instructions, untilNs);
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
        this.standing = true;
        const hits = this.engine.instruction(vcpu, (csBase + eip) >>> 0);
        if (hits.length > 0) return { kind: 'breakpoint', hits };
        continue;
      }
      if (machine.nowNs >= untilNs) return { kind: 'time' };
      if (machine.instructions >= goal) return undefined;
    }
  }

  /** Executes the instruction that a breakpoint stands at. */
  private passBreakpoint(untilNs: number): RunStop {
    const { machine } = this;
    this.standing = false;
    machine.setInstructionBreakpoints(new Set());
    const stop = machine.run(1, untilNs);
    machine.setInstructionBreakpoints(this.engine.instructionAddresses());
    return stop;
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
    const exits = watchers.onExit !== undefined || engine.waitsFor('exit') || engine.waitsFor('io') || engine.waitsFor('msr') || engine.waitsFor('lapic');
    observers.onExit = !exits
      ? undefined
      : (number) => {
          const exit = ledger.exitAt(number);
          if (exit === undefined) return;
          const ipi = exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi);
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
