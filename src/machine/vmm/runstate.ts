/**
 * Run states of a vCPU (`VRS_*` of illumos's `sys/vmm.h`) and what INIT and SIPI do to them (`vm_inject_init`, `vm_inject_sipi`,
 * `vm_handle_run_state` of `vmm.c`). Plain functions on plain numbers: who owns the state is `vcpu.ts`.
 */

/** `enum vcpu_run_state`: a set of bits. */
export const VRS = {
  /** No bit: as created. Only INIT leads out of it. */
  HALT: 0x0000,
  /** Has been through INIT. */
  INIT: 0x0001,
  /** Runs guest code. */
  RUN: 0x0002,
  /** An INIT waits to be taken. */
  PEND_INIT: 0x4000,
  /** A SIPI waits to be taken (or lingers, when the vCPU does not wait for one). */
  PEND_SIPI: 0x8000,
} as const;

/** Must the vCPU leave the guest to have its run state handled? (`vcpu_run_state_pending`) */
export const runStatePending = (state: number): boolean => (state & (VRS.RUN | VRS.PEND_INIT)) !== VRS.RUN;

/** The state after an INIT was injected: a SIPI that waited is forgotten (illumos 13645). */
export const afterInjectedInit = (state: number): number => (state | VRS.PEND_INIT) & ~VRS.PEND_SIPI;

/** The state after a SIPI was injected; it lingers in any state. */
export const afterInjectedSipi = (state: number): number => state | VRS.PEND_SIPI;

/** Will an injected SIPI start this vCPU: has it been through INIT (or is about to be), and does it not run? */
export const sipiStarts = (state: number): boolean => (state & VRS.PEND_INIT) !== 0 || (state & (VRS.INIT | VRS.RUN)) === VRS.INIT;

/** What `vm_handle_run_state` has to do next for a state. */
export const RunStep = { enter: 0, takeInit: 1, takeSipi: 2, sleep: 3 } as const;
export type RunStep = (typeof RunStep)[keyof typeof RunStep];

/** The next step of `vm_handle_run_state`: INIT before SIPI, SIPI only while waiting for it, else run or sleep. */
export const nextStep = (state: number): RunStep => {
  if (state & VRS.PEND_INIT) return RunStep.takeInit;
  if ((state & (VRS.INIT | VRS.RUN | VRS.PEND_SIPI)) === (VRS.INIT | VRS.PEND_SIPI)) return RunStep.takeSipi;
  return state & VRS.RUN ? RunStep.enter : RunStep.sleep;
};

/** The state once the INIT has been taken. */
export const afterInit = (state: number): number => (state & ~(VRS.RUN | VRS.PEND_INIT)) | VRS.INIT;

/** The state once the SIPI has been taken. */
export const afterSipi = (state: number): number => (state & ~VRS.PEND_SIPI) | VRS.RUN;

/** A run state in illumos's words: `HALT`, `INIT`, `INIT|RUN`, `RUN|PEND_SIPI`. */
export const runStateName = (state: number): string => {
  const names: string[] = [];
  if (state & VRS.INIT) names.push('INIT');
  if (state & VRS.RUN) names.push('RUN');
  if (state & VRS.PEND_INIT) names.push('PEND_INIT');
  if (state & VRS.PEND_SIPI) names.push('PEND_SIPI');
  return names.length === 0 ? 'HALT' : names.join('|');
};

/** `enum vm_suspend_how`. */
export const SuspendHow = { NONE: 0, RESET: 1, POWEROFF: 2, HALT: 3, TRIPLEFAULT: 4 } as const;
export type SuspendHow = (typeof SuspendHow)[keyof typeof SuspendHow];
