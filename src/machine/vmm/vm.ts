/**
 * The VM as the kernel sees it (illumos `struct vm`): its vCPUs, buses, interrupt sources, who asked it to suspend. It is what every vLAPIC is wired
 * to, and the one place where run states change.
 */
import { checkState, type Stateful } from '../base/state.ts';
import type { Processor } from '../cpu/processor.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import type { InjectResult, VlapicWiring } from '../devices/vlapic-wiring.ts';
import { EventKind, type LedgerWriter, type Moment } from '../ledger/records.ts';
import { Reason, Verdict } from '../ledger/verdict.ts';
import type { Profile } from '../profiles/profile.ts';
import type { VirtualClock } from '../time/clock.ts';
import { MmioBus, PortBus } from './bus.ts';
import type { End } from './end.ts';
import { afterInjectedInit, afterInjectedSipi, runStatePending, SuspendHow, sipiStarts, VRS } from './runstate.ts';
import type { TimeStamp } from './tsc.ts';
import { checkVcpu, Vcpu, type VcpuState } from './vcpu.ts';

/** The pair of 8259s, as far as a vCPU that takes an ExtINT needs it. */
export interface InterruptController {
  readonly hasPending: boolean;
  /** INTA: the vector. */
  acknowledge(): number;
}

/** Who is told, as it happens. A call costs nothing while nobody is set. */
export interface Observers {
  /** An exit has its outcome. */
  onExit?: ((exit: number) => void) | undefined;
  /** An IPI was sent, and every target has its verdict. */
  onIpi?: ((ipi: number) => void) | undefined;
  onEvent?: ((event: number) => void) | undefined;
}

export type VmState = {
  kind: 'vm';
  version: 1;
  suspendHow: number;
  suspendSource: number;
  spinupVcpu: number;
  spinupRip: number;
  spinupIpi: number;
  paused: boolean;
  guestExit: number;
  currentExit: number;
  end: End | null;
  vcpus: VcpuState[];
};

/** Registers, the interrupt flag among them, are the processor's; this is what the hypervisor adds. */
export class Vm implements VlapicWiring, Stateful<VmState> {
  // static configuration
  readonly vcpuCount: number;
  readonly vcpus: readonly Vcpu[];
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();

  /** VM_CAP_PAUSE_EXIT: PAUSE exits to userspace. Off by default. Otherwise PAUSE only ends the vCPU's turn, since it spins for another. */
  readonly pauseExits: boolean = false;

  // wiring, set once by the machine model
  lapics: readonly Vlapic[] = [];
  pic: InterruptController | undefined;
  /** EOI of a level-triggered vector: to the I/O APICs. */
  broadcastEoi: (vector: number) => void = () => {};
  readonly observers: Observers = {};

  // state
  /** Why the VM is to stop, and the vCPU that caused it (-1: a device). */
  suspendHow: SuspendHow = SuspendHow.NONE;
  suspendSource = -1;
  /** The one slot for a spin-up request of the profiles without run states: vCPU, or -1. */
  spinupVcpu = -1;
  spinupRip = 0;
  spinupIpi = 0;
  /** VM_PAUSE is in force: VM_RUN fails with EBUSY. */
  paused = false;
  end: End | undefined;
  /** A guest's own exit status, from a debug-exit port; -1 while there is none. */
  guestExit = -1;

  /** An observer or the debugger wants the machine to stop after the current instruction. Not part of the machine's state. */
  stopRequested = false;
  readonly moment: Moment = { vcpu: 0, timeNs: 0, icount: 0, eip: 0, csBase: 0 };
  currentExit = 0;
  readonly inject: InjectResult = { verdict: Verdict.reached, reason: Reason.none, detail: 0 };
  private readonly eventMoment: Moment = { vcpu: 0, timeNs: 0, icount: 0, eip: 0, csBase: 0 };
  private lastIpi = 0;

  constructor(
    readonly profile: Profile,
    vcpuCount: number,
    readonly tsc: TimeStamp,
    readonly processor: Processor,
    readonly clock: VirtualClock,
    readonly ledger: LedgerWriter,
  ) {
    this.vcpuCount = vcpuCount;
    processor.pauseStops = vcpuCount > 1 || this.pauseExits;
    this.vcpus = Array.from({ length: vcpuCount }, (_, id) => new Vcpu(id));
  }

  vcpu(id: number): Vcpu {
    return this.vcpus[id] as Vcpu;
  }
  lapic(id: number): Vlapic {
    return this.lapics[id] as Vlapic;
  }

  /** `vm_suspend`: the first one counts. */
  suspend(how: SuspendHow, source: number): void {
    if (this.suspendHow !== SuspendHow.NONE) return;
    this.suspendHow = how;
    this.suspendSource = source;
    for (const v of this.vcpus) v.poked = true;
  }

  /** Sets `moment` to the selected vCPU, now; `back` is how many bytes and instructions ago it was (an instruction that has retired already). */
  mark(v: Vcpu, back = 0): void {
    const { moment, clock, processor } = this;
    moment.vcpu = v.id;
    moment.timeNs = clock.nowNs;
    moment.icount = clock.instructions - back;
    moment.eip = (processor.eip - back) >>> 0;
    moment.csBase = processor.csBase;
  }

  /** Enters an event of vCPU `v` in the ledger. */
  event(v: Vcpu, kind: EventKind, value: number, detail: number): void {
    const { eventMoment, processor, clock } = this;
    const selected = processor.selected;
    if (selected !== v.id) processor.select(v.id);
    eventMoment.vcpu = v.id;
    eventMoment.timeNs = clock.nowNs;
    eventMoment.icount = clock.instructions;
    eventMoment.eip = processor.eip;
    eventMoment.csBase = processor.csBase;
    if (selected !== v.id) processor.select(selected);
    const number = this.ledger.event(eventMoment, kind, value, detail);
    this.observers.onEvent?.(number);
  }

  setRunState(v: Vcpu, state: number): void {
    const before = v.runState;
    if (state === before) return;
    v.runState = state;
    v.poked = true;
    this.event(v, EventKind.runState, state, before);
  }

  /** Tells the ledger that `v` took up what IPI `ipi` brought. */
  taken(v: Vcpu, ipi: number): void {
    if (ipi !== 0) this.ledger.ipiTaken(ipi, v.id, this.clock.nowNs, this.clock.instructions);
  }

  /** Tells the observer of the IPI that the handler just called has sent. */
  reportIpi(): void {
    const ipi = this.lastIpi;
    if (ipi === 0) return;
    this.lastIpi = 0;
    this.observers.onIpi?.(ipi);
  }

  /** May vCPU `v` leave the sleep it is in, other than by the VM's suspension? */
  mayWake(v: Vcpu): boolean {
    if (runStatePending(v.runState))
      return (v.runState & VRS.PEND_INIT) !== 0 || (v.runState & (VRS.INIT | VRS.PEND_SIPI)) === (VRS.INIT | VRS.PEND_SIPI);
    if (v.pendingNmi) return true;
    return v.interruptsEnabled && (v.pendingExtInt || this.lapic(v.id).pendingInterrupt() >= 0);
  }

  // VlapicWiring

  sentIpi(ipi: number): void {
    this.lastIpi = ipi;
  }
  isActive(vcpu: number): boolean {
    return this.vcpus[vcpu]?.active === true;
  }
  injectNmi(vcpu: number, ipi: number): void {
    const v = this.vcpu(vcpu);
    this.answer(v.pendingNmi ? Verdict.merged : Verdict.reached, Reason.none, v.runState);
    if (!v.pendingNmi) v.nmiIpi = ipi;
    v.pendingNmi = true;
    v.poked = true;
  }
  injectInit(vcpu: number, ipi: number): void {
    const v = this.vcpu(vcpu);
    this.answer(v.runState & VRS.PEND_INIT ? Verdict.merged : Verdict.reached, Reason.none, v.runState);
    if ((v.runState & VRS.PEND_INIT) === 0) v.initIpi = ipi;
    this.setRunState(v, afterInjectedInit(v.runState));
  }
  injectSipi(vcpu: number, vector: number, ipi: number): void {
    const v = this.vcpu(vcpu);
    const before = v.runState;
    if (sipiStarts(before)) this.answer(before & VRS.PEND_SIPI ? Verdict.merged : Verdict.reached, Reason.none, before);
    else this.answer(Verdict.refused, before & VRS.RUN ? Reason.alreadyRunning : Reason.notWaitingForSipi, before);
    v.sipiVector = vector;
    v.sipiIpi = ipi;
    this.setRunState(v, afterInjectedSipi(before));
  }
  injectExtInt(vcpu: number): void {
    const v = this.vcpu(vcpu);
    v.pendingExtInt = true;
    v.poked = true;
  }
  requestSpinup(vcpu: number, rip: number, ipi: number): void {
    this.spinupVcpu = vcpu;
    this.spinupRip = rip;
    this.spinupIpi = ipi;
  }
  notify(vcpu: number): void {
    this.vcpu(vcpu).poked = true;
  }
  apicError(vcpu: number, bits: number, latched: number): void {
    this.event(this.vcpu(vcpu), EventKind.apicError, bits, latched);
  }
  eoi(vector: number): void {
    this.broadcastEoi(vector);
  }

  save(): VmState {
    const { suspendHow, suspendSource, spinupVcpu, spinupRip, spinupIpi, paused, guestExit, currentExit, end, vcpus } = this;
    return {
      kind: 'vm',
      version: 1,
      suspendHow,
      suspendSource,
      spinupVcpu,
      spinupRip,
      spinupIpi,
      paused,
      guestExit,
      currentExit,
      end: end ?? null,
      vcpus: vcpus.map((v) => v.save()),
    };
  }
  load(state: VmState): void {
    checkState(state.kind === 'vm' && state.version === 1, 'vm', `${state.kind} ${state.version}`, 'vm 1');
    checkState(state.vcpus?.length === this.vcpuCount, 'vm.vcpus.length', state.vcpus?.length, String(this.vcpuCount));
    state.vcpus.forEach((v, id) => checkVcpu(v, `vm.vcpus[${id}]`));
    checkState(Object.values(SuspendHow).includes(state.suspendHow as SuspendHow), 'vm.suspendHow', state.suspendHow, '0 to 4');
    for (const key of ['suspendSource', 'spinupVcpu', 'spinupRip', 'spinupIpi', 'guestExit', 'currentExit'] as const)
      checkState(Number.isSafeInteger(state[key]) && state[key] >= -1, `vm.${key}`, state[key], 'a whole number from -1');
    this.suspendHow = state.suspendHow as SuspendHow;
    this.suspendSource = state.suspendSource;
    this.spinupVcpu = state.spinupVcpu;
    this.spinupRip = state.spinupRip;
    this.spinupIpi = state.spinupIpi;
    this.paused = state.paused;
    this.guestExit = state.guestExit;
    this.end = state.end ?? undefined;
    this.vcpus.forEach((v, id) => v.load(state.vcpus[id] as VcpuState));
    this.currentExit = state.currentExit;
    this.lastIpi = 0;
    this.stopRequested = false;
  }

  private answer(verdict: Verdict, reason: Reason, detail: number): void {
    const { inject } = this;
    inject.verdict = verdict;
    inject.reason = reason;
    inject.detail = detail;
  }
}
