/** How a machine ends: what it says, where it was, and in whose words. */
import type { SuspendHow } from './runstate.ts';

/** Where the machine ended. */
type EndPlace = {
  readonly vcpu: number;
  /** Offset in CS, and CS's base, u32, of the instruction that it came to. */
  readonly eip: number;
  readonly csBase: number;
  /** Instructions retired by all vCPUs. */
  readonly icount: number;
  readonly timeNs: number;
  /** The number of the exit that led to it, or 0. */
  readonly exit: number;
  /** What happened, in one sentence. */
  readonly sentence: string;
};

/** The host of the guest machine panicked: `message` as in panic(9F), `chain` from the innermost function out. */
export type HostPanic = EndPlace & {
  readonly kind: 'hostPanic';
  readonly message: string;
  readonly chain: readonly string[];
};
/** bhyve called abort(); `printed` is what it says on stderr before that. */
export type Aborted = EndPlace & {
  readonly kind: 'aborted';
  readonly printed: string;
};
/** VM_RUN failed; bhyve exits with status 1. */
export type RunFailed = EndPlace & {
  readonly kind: 'runFailed';
  readonly errno: number;
  readonly printed: string;
};
/** The VM ended in order. `status` is the exit status of bhyve's process. */
export type Suspended = EndPlace & {
  readonly kind: 'suspended';
  readonly how: 'reset' | 'poweroff' | 'halt' | 'tripleFault';
  readonly status: number;
};
/** Nothing can happen any more. `vcpus`: why not, one sentence for each vCPU. */
export type Stuck = EndPlace & {
  readonly kind: 'stuck';
  readonly vcpus: readonly string[];
};
/** The guest ended the machine itself, through a debug-exit port. */
export type GuestExit = EndPlace & {
  readonly kind: 'guestExit';
  readonly status: number;
};

export type End = HostPanic | Aborted | RunFailed | Suspended | Stuck | GuestExit;

/** vm_suspend_how as End spells it, and the exit status of bhyve's process; undefined for NONE. */
export const suspendOutcome = (how: SuspendHow): { how: Suspended['how']; status: number; sentence: string } | undefined =>
  (
    [
      undefined,
      { how: 'reset', status: 0, sentence: 'the guest reset the machine' },
      { how: 'poweroff', status: 1, sentence: 'the guest powered the machine off' },
      { how: 'halt', status: 2, sentence: 'every active vCPU halted with interrupts disabled' },
      { how: 'tripleFault', status: 3, sentence: 'triple fault' },
    ] as const
  )[how];
