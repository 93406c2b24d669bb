/**
 * The processor as the VMM sees it: hardware with a VM entry and a VM exit.
 *
 * `run` executes guest instructions of the selected vCPU until an exit, like VMRESUME. An instruction that exits has not happened: nothing of it is
 * visible yet. The VMM answers what it asked for by filling in `requests` and then `complete`s it: the instruction is executed again, for good,
 * through the same semantics, and finds its answers there. So a device is never read twice for one instruction.
 */

/** Why `run` or `complete` came back. */
export const Stop = {
  /** All instructions asked for are retired. */
  budget: 0,
  /** A port access: exit.port, exit.size, exit.write, exit.value (OUT), exit.string, exit.rep. */
  inout: 1,
  /** An access to guest-physical memory that is neither RAM nor readable ROM: exit.gpa, exit.gla, exit.size, exit.write, exit.value, exit.valueHigh. */
  mmio: 2,
  /** HLT: already retired, EIP is behind it. */
  hlt: 3,
  /** RDMSR, WRMSR: exit.msr; WRMSR: exit.value, exit.valueHigh. */
  rdmsr: 4,
  wrmsr: 5,
  /** The processor shut down (triple fault). */
  tripleFault: 6,
  /** PAUSE, only when it was asked for by `pauseStops`. Already retired. */
  pause: 7,
  /** The guest became able to take interrupts (STI, POPF, IRET, CR8, end of a shadow) and `interruptWindow` was set. */
  interruptWindow: 8,
  /** An instruction breakpoint (`breakpoints`) is at EIP; nothing of it was executed. */
  breakpoint: 9,
  /** Instruction fetch from guest-physical memory that nobody backs: exit.gpa. */
  paging: 10,
} as const;
export type Stop = (typeof Stop)[keyof typeof Stop];

/** The exit's payload: one object, overwritten by each exit. */
export interface ExitInfo {
  port: number;
  gpa: number;
  gla: number;
  msr: number;
  size: number;
  write: boolean;
  value: number;
  valueHigh: number;
  string: boolean;
  rep: boolean;
}

/** `enum vie_req`. */
export const Request = { NONE: 0, PENDING: 1, DONE: 2 } as const;

/** The answers an instruction finds when it is completed. All NONE between instructions; `complete` leaves them as they are when it exits again. */
export interface Requests {
  read: { state: number; gpa: number; size: number; value: number; valueHigh: number };
  write: { state: number; gpa: number; size: number };
  inout: { state: number; value: number };
  /** RDMSR's answer; DONE for a WRMSR that was taken. */
  msr: { state: number; value: number; valueHigh: number };
  clear(): void;
}

/** Event types of VM entry (VMX "interruption type"). */
export const EventType = { external: 0, nmi: 2, exception: 3 } as const;

/** Answers of onAccess: exit as usual; done, go on; done, and stop after this instruction; exit as usual, but account was taken of `retired`. */
export const Offer = { declined: 0, done: 1, stopAfter: 2, exit: 3 } as const;

/** What the VMM decides and the processor obeys. */
export interface Processor {
  readonly vcpuCount: number;
  /** The vCPU that `run` runs and all accessors below speak of. */
  readonly selected: number;
  select(vcpu: number): void;

  /** Runs at most `instructions` (1 or more); `retired` tells how many were. */
  run(instructions: number): Stop;
  /** Executes the instruction that exited once more, with `requests`: Stop.budget when it has completed (1 retired), or the next exit it needs. A REP string instruction completes one iteration. */
  complete(): Stop;
  /** Instructions retired by the last run or complete, less those that onAccess took account of. */
  readonly retired: number;
  /**
   * Offered an access to a device from within `run`, before it becomes Stop.mmio: `exit` describes it, `retired` counts up to it, EIP is that of the
   * instruction. Answers Offer.declined or Offer.exit to get the exit; else the access has been done (a read's value in `exit`), and the instruction
   * completes.
   */
  onAccess: (() => number) | undefined;
  /**
   * Told of every exception of the guest's own before it is delivered (not of those the VMM injects): EIP and `retired` are those of the instruction,
   * and account is taken of `retired`. Answers whether to stop as soon as it has been delivered. `errorCode` -1: it has none.
   */
  onException: ((vector: number, errorCode: number) => boolean) | undefined;
  readonly exit: ExitInfo;
  readonly requests: Requests;

  /** Delivers an event now, through the IDT. Exceptions met on the way are delivered by the processor itself (double fault, triple fault: then Stop.tripleFault, else Stop.budget). Clears HLT. */
  inject(vector: number, type: number, errorCode?: number): Stop;
  /** May an external interrupt be taken now: IF=1 and no shadow? */
  readonly interruptible: boolean;
  /** May an NMI be taken now: no NMI in service (until IRET), no MOV SS / STI shadow? */
  readonly nmiAllowed: boolean;
  /** Ask for Stop.interruptWindow as soon as `interruptible` becomes true. */
  interruptWindow: boolean;
  /** Ask for Stop.pause at each PAUSE. */
  pauseStops: boolean;
  /** Linear addresses (u32) before whose instructions `run` stops (Stop.breakpoint); not before the one at which it stopped last. Setting drops decoded code. */
  breakpoints: ReadonlySet<number>;
  /**
   * Asked before code is decoded where none is known: guest-physical address of its page. Answers whether `run` is to stop there (Stop.breakpoint) with
   * nothing of it executed; then it is asked again by the next run. Called in the middle of a run: it may look at memory, but change nothing. Not asked
   * for the instruction at which `run` stopped last, nor by `complete`. Setting drops decoded code, so that all code that is executed from then on is told.
   */
  onCode: ((page: number) => boolean) | undefined;

  /** RESET or INIT values of illumos's vcpu_arch_reset (`variant` 0) or of libvmmapi's vcpu_reset (`variant` 1: CR0 20h, EDX F00h, TR limit 0); does not touch the vLAPIC. */
  reset(kind: 'RESET' | 'INIT', variant: number): void;
  /** CS = vector << 8, base = vector << 12, limit FFFF, access 93h; EIP 0. */
  startAt(vector: number): void;

  /** Offset in CS of the next instruction, and CS's base. */
  readonly eip: number;
  readonly csBase: number;
  /** Up to 15 instruction bytes at EIP, read without side effects; gives how many could be read. */
  fetchBytes(into: Uint8Array): number;
  /** General register by number (0 EAX … 7 EDI), u32; base of a segment register by number (ES CS SS DS FS GS), u32; is code 32 bits (CS.D)? For what is too frequent for names. */
  general(n: number): number;
  segmentBase(k: number): number;
  readonly code32: boolean;
  /** Identifies the decoded instruction at EIP, for what is derived from its bytes: equal ids, equal bytes and mode. 0: none is known. */
  readonly instructionId: number;
  /** Register of the selected vCPU by name (eax…edi, ax…, al…, eip, eflags, cs…gs selectors, cs.base…, cs.limit…, cr0 cr2 cr3 cr4, gdtr.base…, dr0…dr7), u32; undefined for a name that is none. */
  register(name: string): number | undefined;
  setRegister(name: string, value: number): boolean;
}
