/** Exit codes of illumos's bhyve (`enum vm_exitcode` of `sys/vmm.h`), by their own names without the VM_EXITCODE_ prefix. */
export const ExitCode = {
  INOUT: 0, VMX: 1, BOGUS: 2, RDMSR: 3, WRMSR: 4, HLT: 5, MTRAP: 6, PAUSE: 7, PAGING: 8, INST_EMUL: 9, RUN_STATE: 10, MMIO_EMUL: 11, DEPRECATED: 12,
  IOAPIC_EOI: 13, SUSPENDED: 14, MMIO: 15, TASK_SWITCH: 16, MONITOR: 17, MWAIT: 18, SVM: 19, DEPRECATED2: 20, DEBUG: 21, VMINSN: 22, BPT: 23, HT: 24,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
