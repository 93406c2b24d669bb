/** Why the machine stands still, in the debugger's own words. */
import type { EventRecord, ExitRecord, IpiRecord } from '../machine/ledger/records.ts';
import type { End } from '../machine/vmm/end.ts';

/** As DAP spells them; `end`: the machine has ended, and only going back is possible. */
export type StopReason =
  | 'entry'
  | 'step'
  | 'pause'
  | 'breakpoint'
  | 'function breakpoint'
  | 'instruction breakpoint'
  | 'data breakpoint'
  | 'exception'
  | 'goto'
  | 'end';

/** What the exception widget shows. */
export interface Exception {
  /** Short and stable: `lost-ipi`, `INST_EMUL`, `guest-exception`, `stuck`. */
  readonly id: string;
  /** One decoded sentence. */
  readonly sentence: string;
  /** Rows of aligned columns: Record, Store, ICR_LO, Targets, Cause, Exit… */
  readonly details: string;
}

/** Where in the code: offset in CS and CS's base, u32. */
export interface CodePosition {
  readonly eip: number;
  readonly csBase: number;
}

export interface Stop {
  readonly reason: StopReason;
  /** The vCPU it is about. */
  readonly vcpu: number;
  /** A few words for the call stack, the numbers decoded: `ICR_LO ← 000C4500h: INIT to all excluding self`. */
  readonly headline: string;
  /** One decoded sentence. */
  readonly sentence: string;
  /** Breakpoints that stopped it, by id. */
  readonly breakpoints: readonly number[];
  /** Present only for reason `exception`. */
  readonly exception?: Exception;
  /** What it was stopped by, where that has a record. */
  readonly exit?: ExitRecord;
  readonly ipi?: IpiRecord;
  readonly event?: EventRecord;
  readonly end?: End;
  /**
   * The instruction that exited, for a stop at an exit or IPI: it has completed, yet it is what the user is shown as current, until the first step
   * leaves it (which executes nothing).
   */
  readonly at?: CodePosition;
}
