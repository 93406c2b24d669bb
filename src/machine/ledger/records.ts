/**
 * The records of the ledger, as objects: what a surface gets when it looks. In the rings they lie as plain numbers (ring.ts); writing one allocates
 * nothing. Numbers (`e#4711`, `i#12`) start at 1, never repeat and never change.
 */
import type { ExitCode } from './exitcode.ts';
import type { Reason, Verdict } from './verdict.ts';

/** Where and when something happened. */
export interface Moment {
  vcpu: number;
  /** Virtual time in ns. */
  timeNs: number;
  /** Instructions retired by all vCPUs before it: with `vcpu`, the coordinate that "travel here" goes to. */
  icount: number;
  /** Instruction pointer (offset in CS) and CS base of the instruction, u32. */
  eip: number;
  csBase: number;
}

/** Where an access was answered, and how that went: the steps between an exit and its outcome. */
export const Answer = { none: 0, kernel: 1, userspace: 2, nobody: 3 } as const;
export type Answer = (typeof Answer)[keyof typeof Answer];

/** `enum vie_req`, plus the fallback flag of 13253: the state in which the request was left. */
export const RequestState = { NONE: 0, PENDING: 1, DONE: 2, USER_FALLBACK: 3 } as const;
export type RequestState = (typeof RequestState)[keyof typeof RequestState];

/** How an exit ended. */
export const Outcome = {
  /** Still being handled. */ open: 0,
  /** The guest was re-entered; the instruction completed. */ resumed: 1,
  /** A fault was injected into the guest instead. */ injected: 2,
  /** The vCPU waits (HLT, run state). */ waits: 3,
  /** The VM ended in order: reset, power-off, halt, triple fault. */ suspended: 4,
  /** Userspace gave up: bhyve's abort(). */ aborted: 5,
  /** VM_RUN failed with an errno; the process exits. */ runFailed: 6,
  /** The host of the guest machine panicked. */ hostPanic: 7,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

export interface ExitRecord extends Moment {
  number: number;
  /** The code of the hardware exit. */
  code: ExitCode;
  /** The code that reached userspace, where that is another (MMIO_EMUL → MMIO or INST_EMUL); else `code`. */
  finalCode: ExitCode;
  /** Instruction bytes, 0 to 15 of them. */
  bytes: Uint8Array;
  /** INOUT: the port. MMIO*, PAGING: the guest-physical address. RDMSR, WRMSR: the MSR. SUSPENDED: vm_suspend_how. RUN_STATE: the state bits before. IOAPIC_EOI: the vector. */
  address: number;
  /** Bytes moved: 1, 2, 4; 8 for an MSR. 0: nothing was. */
  size: number;
  write: boolean;
  /** The value written or read, low and high halves, u32. */
  value: number;
  valueHigh: number;
  /** Name of the device that answered, or '' (device names are interned). */
  device: string;
  answer: Answer;
  /** What the device's handler returned: an Access code or, for a read, 0. */
  returned: number;
  request: RequestState;
  outcome: Outcome;
  /** The IPI this exit sent, or 0. */
  ipi: number;
  /** What the machine's host or VMM said about it, '' mostly: `bad pending MMIO state`, `EINVAL`, `opcode 87 is not emulated on MMIO`. */
  note: string;
}

export interface IpiRecord extends Moment {
  number: number;
  /** The exit whose store sent it, or 0. */
  exit: number;
  icrLow: number;
  icrHigh: number;
  /** One for each configured vCPU, by id. */
  targets: IpiTarget[];
}

export interface IpiTarget {
  vcpu: number;
  verdict: Verdict;
  reason: Reason;
  /** The register value behind the reason (SVR, LDR, run-state bits…), u32. */
  detail: number;
  /** When the target took it up (interrupt delivered, NMI taken, INIT processed, started): time in ns and global icount; -1 while it has not. */
  takenNs: number;
  takenIcount: number;
}

/** Interrupts as they are delivered, run-state changes, errors that a local APIC notes. */
export const EventKind = {
  interrupt: 0,
  nmi: 1,
  extInt: 2,
  exception: 3,
  runState: 4,
  suspended: 5,
  hostPanic: 6,
  stuck: 7,
  apicError: 8,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

export interface EventRecord extends Moment {
  number: number;
  kind: EventKind;
  /** interrupt, nmi, extInt, exception: the vector. runState: the new VRS_* bits. suspended: vm_suspend_how. apicError: the ESR bits of this error. */
  value: number;
  /** exception: the error code. runState: the bits before. apicError: all ESR bits latched since the last write to ESR. */
  detail: number;
}

/** What the machine writes into. Nothing here allocates once the rings stand; `moment` is read, not kept. */
export interface LedgerWriter {
  /** Opens the record of an exit; gives its number. The most recently opened exit of a vCPU is the one the setters below change. */
  exit(moment: Readonly<Moment>, code: ExitCode, address: number, size: number, write: boolean): number;
  /** The instruction's bytes: `length` of them from `bytes[offset]`. */
  exitBytes(exit: number, bytes: Uint8Array, offset: number, length: number): void;
  exitValue(exit: number, value: number, valueHigh: number): void;
  /** Which device answered, where it lives and what its handler returned. */
  exitAnswer(exit: number, answer: Answer, device: string, returned: number): void;
  exitOutcome(exit: number, finalCode: ExitCode, request: RequestState, outcome: Outcome, note: string): void;
  /** Opens the record of an IPI sent by exit `exit` (0: by none); gives its number. Every configured vCPU starts as notAddressed. */
  ipi(moment: Readonly<Moment>, exit: number, icrLow: number, icrHigh: number): number;
  ipiTarget(ipi: number, vcpu: number, verdict: Verdict, reason: Reason, detail: number): void;
  /** The target took up what this IPI brought. */
  ipiTaken(ipi: number, vcpu: number, timeNs: number, icount: number): void;
  event(moment: Readonly<Moment>, kind: EventKind, value: number, detail: number): number;
}

/** What surfaces read. A number whose record has been overwritten by newer ones gives undefined. */
export interface LedgerReader {
  readonly exitCount: number;
  readonly ipiCount: number;
  readonly eventCount: number;
  /** The oldest number still held; records before it were dropped. */
  readonly firstExit: number;
  readonly firstIpi: number;
  readonly firstEvent: number;
  /** The newest exit of a vCPU, or 0. */
  newestExit(vcpu: number): number;
  exitAt(number: number): ExitRecord | undefined;
  ipiAt(number: number): IpiRecord | undefined;
  eventAt(number: number): EventRecord | undefined;
  /** Exits by code (hardware code), over the whole run, dropped ones included. */
  exitsByCode(): ReadonlyMap<ExitCode, number>;
  /** IPI targets by verdict, over the whole run, dropped ones included. */
  targetsByVerdict(): ReadonlyMap<Verdict, number>;
}
