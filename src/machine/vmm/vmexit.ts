/** `struct vm_exit` and `struct vm_entry` of illumos's `sys/vmm.h`: what VM_RUN hands to userspace and takes from it. One of each per vCPU, reused. */
import { ExitCode } from '../ledger/exitcode.ts';

/** errno values that VM_RUN fails with. */
export const Errno = { EIO: 5, EFAULT: 14, EBUSY: 16, EINVAL: 22 } as const;

/** The name of an errno that VM_RUN fails with, and its number for any other. */
export const errnoName = (errno: number): string => Object.entries(Errno).find(([, n]) => n === errno)?.[0] ?? `errno ${errno}`;

/** Entry commands (`VEC_*`). */
export const VEC = {
  DEFAULT: 0,
  DISCARD_INSTR: 1,
  FULFILL_MMIO: 2,
  FULFILL_INOUT: 3,
  /** Flag: come back with BOGUS as soon as the vCPU is consistent, that is not amid an emulated instruction. */
  FLAG_EXIT_CONSISTENT: 0x80000000,
} as const;

/** Bits of `vm_inout.flags`. */
export const INOUT = { IN: 1, STR: 2, REP: 4 } as const;

/** The exit's code and payload. Fields that the code does not use keep what they had. */
export class VmExit {
  code: ExitCode = ExitCode.BOGUS;
  eip = 0;
  csBase = 0;
  /** INOUT. */
  port = 0;
  bytes = 0;
  flags = 0;
  eax = 0;
  /** MMIO and PAGING. */
  gpa = 0;
  read = false;
  data = 0;
  dataHigh = 0;
  /** RDMSR, WRMSR. */
  msr = 0;
  value = 0;
  valueHigh = 0;
  /** INST_EMUL. */
  readonly instruction = new Uint8Array(15);
  valid = 0;
  /** Why the emulation was given up; '' mostly. */
  note = '';
  /** SUSPENDED: vm_suspend_how, and the vCPU that caused it or -1. */
  how = 0;
  source = -1;
  /** SPINUP_AP. */
  spinupVcpu = 0;
  spinupRip = 0;
  /** Is exit code 10 SPINUP_AP (before illumos 13275) here, and not RUN_STATE? */
  spinup = false;
}

/** What userspace enters VM_RUN with. */
export class VmEntry {
  /** A VEC_* command, with the flag or without. */
  command: number = VEC.DEFAULT;
  /** FULFILL_MMIO and FULFILL_INOUT. */
  bytes = 0;
  /** FULFILL_MMIO. */
  read = false;
  gpa = 0;
  data = 0;
  dataHigh = 0;
  /** FULFILL_INOUT. */
  port = 0;
  flags = 0;
  eax = 0;
}
