/** What the VMM knows of one vCPU (illumos `struct vcpu`): not its registers, which are the processor's. */
import { checkState, type Stateful } from '../base/state.ts';
import type { ExitCode } from '../ledger/exitcode.ts';
import { MsrFile, type MsrFileState } from './msr.ts';
import { VRS } from './runstate.ts';
import { Vie } from './vie.ts';
import { VEC, VmEntry, VmExit } from './vmexit.ts';

/** What a vCPU that is inside VM_RUN, but not in the guest, sleeps in. */
export const Waiting = { none: 0, hlt: 1, runState: 2 } as const;
export type Waiting = (typeof Waiting)[keyof typeof Waiting];

export type VcpuState = {
  kind: 'vcpu';
  version: 1;
  active: boolean;
  runState: number;
  sipiVector: number;
  pendingNmi: boolean;
  pendingExtInt: boolean;
  halted: boolean;
  waiting: number;
  interruptsEnabled: boolean;
  poked: boolean;
  exit: number;
  exitCode: number;
  repeating: boolean;
  repeatEip: number;
  nmiIpi: number;
  initIpi: number;
  sipiIpi: number;
  msrs: MsrFileState;
};

/** One vCPU of the VM. Between two instructions, no request is under way: the emulation context is empty then, and not saved; of the exit, its code is. */
export class Vcpu implements Stateful<VcpuState> {
  readonly vie = new Vie();
  readonly vmexit = new VmExit();
  readonly entry = new VmEntry();
  readonly msrs = new MsrFile();

  /** In the set of active vCPUs: bhyve has called VM_ACTIVATE_CPU. */
  active = false;
  /** VRS_* bits. */
  runState: number = VRS.HALT;
  sipiVector = 0;
  pendingNmi = false;
  pendingExtInt = false;
  /** In the set `halted_cpus`: sleeps in HLT with IF=0. */
  halted = false;
  waiting: Waiting = Waiting.none;
  /** IF when it went to sleep in HLT. */
  interruptsEnabled = false;
  /** Something happened that may end its sleep. */
  poked = false;
  /** The exit that is being handled, or that it sleeps in; 0: none. */
  exit = 0;
  /** Amid a string I/O or MOVS/STOS with REP, one iteration of which was emulated: at that EIP. */
  repeating = false;
  repeatEip = 0;
  /** The IPIs that brought the pending NMI, INIT and SIPI; 0: none did. */
  nmiIpi = 0;
  initIpi = 0;
  sipiIpi = 0;

  constructor(readonly id: number) {}

  save(): VcpuState {
    const {
      active,
      runState,
      sipiVector,
      pendingNmi,
      pendingExtInt,
      halted,
      waiting,
      interruptsEnabled,
      poked,
      exit,
      repeating,
      repeatEip,
    } = this;
    const { code: exitCode } = this.vmexit;
    const { nmiIpi, initIpi, sipiIpi } = this;
    return {
      kind: 'vcpu',
      version: 1,
      active,
      runState,
      sipiVector,
      pendingNmi,
      pendingExtInt,
      halted,
      waiting,
      interruptsEnabled,
      poked,
      exit,
      exitCode,
      repeating,
      repeatEip,
      nmiIpi,
      initIpi,
      sipiIpi,
      msrs: this.msrs.save(),
    };
  }
  load(state: VcpuState): void {
    checkVcpu(state, `vcpu ${this.id}`);
    const { kind: _kind, version: _version, msrs, waiting, exitCode, ...plain } = state;
    this.msrs.load(msrs);
    Object.assign(this, plain);
    this.waiting = waiting as Waiting;
    this.vmexit.code = exitCode as ExitCode;
    this.vie.reset();
    this.entry.command = VEC.DEFAULT;
  }
}

/** Throws a StateError unless `state` is one a vCPU can have. */
export const checkVcpu = (state: VcpuState, what: string): void => {
  checkState(state.kind === 'vcpu' && state.version === 1, what, `${state.kind} ${state.version}`, 'vcpu 1');
  const bits = VRS.INIT | VRS.RUN | VRS.PEND_INIT | VRS.PEND_SIPI;
  checkState(Number.isInteger(state.runState) && (state.runState & ~bits) === 0, `${what}.runState`, state.runState, 'a set of VRS bits');
  checkState(state.sipiVector >= 0 && state.sipiVector <= 0xff, `${what}.sipiVector`, state.sipiVector, '0 to 255');
  checkState(state.waiting >= 0 && state.waiting <= 2, `${what}.waiting`, state.waiting, '0 to 2');
  for (const flag of ['active', 'pendingNmi', 'pendingExtInt', 'halted', 'interruptsEnabled', 'poked', 'repeating'] as const)
    checkState(typeof state[flag] === 'boolean', `${what}.${flag}`, state[flag], 'true or false');
  for (const number of ['exit', 'exitCode', 'repeatEip', 'nmiIpi', 'initIpi', 'sipiIpi'] as const)
    checkState(Number.isSafeInteger(state[number]) && state[number] >= 0, `${what}.${number}`, state[number], 'a whole number from 0');
};
