/**
 * VM_RUN: the kernel's loop for one vCPU (illumos `vmm.c` vm_run, vm_entry_actions, vm_loop_checks, vm_handle_*; `vmx.c` vmx_run).
 *
 * Order: vCPU active? (EINVAL) · VM paused? (EBUSY) · entry command · loop checks (a request that still waits, a spin-up request) · run state ·
 * bail-outs (suspended, consistent) · events (NMI, ExtINT, local APIC) · the guest · the exit. Events of real hardware are queued in the VMCS before the
 * run state is looked at; an INIT throws them away again, so looking first comes to the same.
 *
 * Every hardware exit opens one ledger record, which is completed with its outcome; a REP instruction is one exit, as long as the vCPU keeps its turn.
 */
import { allOnes } from '../base/bits.ts';
import { EventType, Offer, Request, Stop } from '../cpu/processor.ts';
import { Access } from '../devices/device.ts';
import { ExitCode } from '../ledger/exitcode.ts';
import { Answer, EventKind, Outcome, RequestState } from '../ledger/records.ts';
import { MmioEmulation } from './mmio.ts';
import { handleRdmsr, handleWrmsr } from './msr-exit.ts';
import { afterInit, afterSipi, nextStep, RunStep, runStatePending, SuspendHow } from './runstate.ts';
import { type Vcpu, Waiting } from './vcpu.ts';
import type { VieTable } from './vie-decode.ts';
import type { Vm } from './vm.ts';
import { Errno, errnoName, INOUT, VEC } from './vmexit.ts';

/** Why `run` came back. */
export const RunResult = {
  /** All instructions asked for are retired, or an observer wants to stop: the vCPU is between two instructions. */
  yielded: 0,
  /** The vCPU sleeps inside VM_RUN. */
  waits: 1,
  /** VM_RUN returned: the exit is in `vmexit`. */
  exit: 2,
  /** VM_RUN failed: see `errno`. */
  failed: 3,
  /** The host panicked: see `panicMessage`. */
  panicked: 4,
  /** An instruction breakpoint is at EIP. */
  breakpoint: 5,
  /** The guest executed PAUSE: whoever it spins for should have a turn. */
  paused: 6,
} as const;
export type RunResult = (typeof RunResult)[keyof typeof RunResult];

/** What a handler tells the loop: go on, or a RunResult to come back with. */
export const GO_ON = -1;
export type Handled = RunResult | typeof GO_ON;

const NMI_VECTOR = 2;
const GP_VECTOR = 13;

/** VM_RUN for all vCPUs of a VM. */
export class VmRun {
  /** errno of the last failed VM_RUN. */
  errno = 0;
  /** What panic(9F) said, and whence. */
  panicMessage = '';
  panicFunction = '';
  private readonly mmio: MmioEmulation;
  /** The vCPU in the guest, and the next alarm when it was entered. */
  private running: Vcpu | undefined;
  private dueAtEntry = 0;

  constructor(
    readonly vm: Vm,
    table: VieTable,
  ) {
    this.mmio = new MmioEmulation(this, table);
    vm.processor.onAccess = this.onAccess;
    vm.processor.onException = this.onException;
  }

  /**
   * Enters VM_RUN with the command in `v.entry`, and runs at most `budget` instructions. The entry command is consumed.
   * Rings alarms that become due on the way, between the instructions where they are due.
   */
  run(v: Vcpu, budget: number): RunResult {
    const { vm } = this;
    const { processor, clock } = vm;
    const { entry } = v;
    const command = entry.command;
    entry.command = VEC.DEFAULT;
    if (!v.active) return this.fail(v, Errno.EINVAL, 'vCPU is not active');
    if (vm.paused) return this.fail(v, Errno.EBUSY, 'VM is paused');
    const end = clock.instructions + budget;
    processor.select(v.id);
    const entered = this.enter(v, command & 0xff);
    if (entered !== GO_ON) return entered;
    const consistent = (command & VEC.FLAG_EXIT_CONSISTENT) !== 0;

    for (;;) {
      if (v.vie.pending) return this.exitPending(v);
      if (vm.spinupVcpu >= 0 && v.id === 0) return this.exitSpinup(v);
      if (runStatePending(v.runState)) {
        if (vm.suspendHow !== SuspendHow.NONE) return this.exitSuspended(v);
        if (!this.handleRunState(v)) return RunResult.waits;
      } else if (v.waiting === Waiting.hlt && !this.wakeFromHlt(v)) {
        if (vm.suspendHow !== SuspendHow.NONE) return this.exitSuspended(v);
        return RunResult.waits;
      }
      if (vm.suspendHow !== SuspendHow.NONE) return this.exitSuspended(v);
      if (consistent) {
        v.vmexit.code = ExitCode.BOGUS;
        return RunResult.exit;
      }
      if (vm.stopRequested || clock.instructions >= end) return RunResult.yielded;
      let instructions = Math.min(end - clock.instructions, clock.instructionsToNext());
      if (instructions === 0) {
        clock.ring();
        continue;
      }
      if (!v.repeating) {
        if (this.injectEvents(v)) continue; // and look whether there is another
        if (v.pendingNmi) instructions = 1; // there is no NMI window to ask for: look again after each instruction
      }
      this.running = v;
      this.dueAtEntry = clock.nextDueNs;
      const stop = processor.run(instructions);
      clock.retire(processor.retired);
      const handled = this.handle(v, stop);
      if (handled !== GO_ON) return handled;
    }
  }

  /**
   * An access to a device, offered from within the guest: the exit, its handling and the re-entry in one, when the device is the kernel's and all
   * goes well. Anything else takes the long way round, as an exit.
   */
  private readonly onAccess = (): number => {
    const { running: v, vm } = this;
    if (v === undefined || v.repeating || !this.mmio.isSimple()) return Offer.declined;
    vm.clock.retire(vm.processor.retired);
    if (!this.mmio.handleWithin(v)) return Offer.exit;
    return this.wantsAttention(v) ? Offer.stopAfter : Offer.done;
  };
  /** An exception of the guest's own: no exit, but an event. */
  private readonly onException = (vector: number, errorCode: number): boolean => {
    const { running: v, vm } = this;
    if (v === undefined) return false;
    vm.clock.retire(vm.processor.retired);
    vm.event(v, EventKind.exception, vector, Math.max(errorCode, 0));
    return vm.stopRequested;
  };
  /** Must the guest be left, because something has changed that is looked at between entries? */
  private wantsAttention(v: Vcpu): boolean {
    const { vm } = this;
    return (
      vm.stopRequested ||
      v.pendingNmi ||
      v.pendingExtInt ||
      vm.suspendHow !== SuspendHow.NONE ||
      vm.spinupVcpu >= 0 ||
      runStatePending(v.runState) ||
      vm.clock.nextDueNs < this.dueAtEntry ||
      vm.lapic(v.id).pendingInterrupt() >= 0
    );
  }
  /** The vCPU's turn is over (`vcpu_should_yield`): a REP instruction in progress becomes another exit next time. */
  yieldTurn(v: Vcpu): void {
    if (v.repeating) {
      v.repeating = false;
      this.vm.processor.select(v.id);
      this.finish(v, ExitCode.BOGUS, RequestState.DONE, Outcome.resumed, '');
    }
  }

  // Exit records

  /** Opens the record of an exit of the selected vCPU. `back`: 1 for an instruction of one byte that has retired already (HLT, PAUSE). */
  open(v: Vcpu, code: ExitCode, address: number, size: number, write: boolean, back = 0): void {
    const { vm } = this;
    vm.mark(v, back);
    v.exit = vm.ledger.exit(vm.moment, code, address, size, write);
    vm.currentExit = v.exit;
    v.vmexit.code = code;
    v.vmexit.eip = vm.moment.eip;
    v.vmexit.csBase = vm.moment.csBase;
    v.vmexit.spinup = false;
    v.vmexit.note = '';
  }

  /** Completes the record that is open. `finalCode` BOGUS stands for the code it was opened with. */
  finish(v: Vcpu, finalCode: ExitCode, request: RequestState, outcome: Outcome, note: string): void {
    const { vm } = this;
    const number = v.exit;
    if (number === 0) return;
    vm.ledger.exitOutcome(number, finalCode === ExitCode.BOGUS ? v.vmexit.code : finalCode, request, outcome, note);
    if (outcome !== Outcome.waits) v.exit = 0;
    vm.observers.onExit?.(number);
  }

  /** VM_RUN comes back with an errno; the exit that led to it, if one is open, ends so. */
  fail(v: Vcpu, errno: number, why: string): RunResult {
    this.errno = errno;
    this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.runFailed, why === '' ? errnoName(errno) : `${errnoName(errno)}: ${why}`);
    return RunResult.failed;
  }

  /** The host of the guest machine panics in `where`. */
  panic(v: Vcpu, where: string, message: string): RunResult {
    this.panicMessage = message;
    this.panicFunction = where;
    this.vm.event(v, EventKind.hostPanic, 0, 0);
    this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.hostPanic, message);
    return RunResult.panicked;
  }

  // Completing instructions

  /** Executes the instruction that exited once more, with the answers of `v.vie`. */
  complete(v: Vcpu): Stop {
    const { processor, clock } = this.vm;
    v.vie.publish(processor.requests);
    this.running = v;
    const stop = processor.complete();
    clock.retire(processor.retired);
    return stop;
  }

  /** The instruction is done: completes the exit, unless REP has more iterations to come. */
  completed(v: Vcpu, finalCode: ExitCode, repeats: boolean): Handled {
    const { processor, moment } = this.vm;
    v.vie.reset();
    processor.requests.clear();
    v.repeating = repeats && processor.eip === moment.eip && processor.csBase === moment.csBase;
    v.repeatEip = v.repeating ? moment.eip : 0;
    if (!v.repeating) this.finish(v, finalCode, RequestState.DONE, Outcome.resumed, '');
    return GO_ON;
  }

  /** #GP(0) instead of the instruction that exited. */
  injectGp(v: Vcpu, finalCode: ExitCode, note: string): void {
    const { vm } = this;
    vm.processor.requests.clear();
    vm.event(v, EventKind.exception, GP_VECTOR, 0);
    this.finish(v, finalCode, RequestState.NONE, Outcome.injected, note);
    if (vm.processor.inject(GP_VECTOR, EventType.exception, 0) === Stop.tripleFault) this.tripleFault(v);
  }

  // Entry

  private enter(v: Vcpu, command: number): Handled {
    switch (command) {
      case VEC.DISCARD_INSTR:
        v.vie.reset();
        this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.resumed, 'discarded by userspace');
        return GO_ON;
      case VEC.FULFILL_MMIO: {
        const error = v.vie.fulfillMmio(v.entry);
        if (error !== 0) return this.fail(v, error, 'the answer fits no MMIO request that waits');
        return this.mmio.resume(v);
      }
      case VEC.FULFILL_INOUT: {
        const error = v.vie.fulfillInout(v.entry);
        if (error !== 0) return this.fail(v, error, 'no port request waits for this answer');
        return this.completeInout(v);
      }
      case VEC.DEFAULT:
        return GO_ON;
      default:
        return this.fail(v, Errno.EINVAL, `entry command ${command} is none`);
    }
  }

  // Exits that come from the checks

  /** The exit that waits for userspace, once more. */
  exitPending(v: Vcpu): RunResult {
    return v.vie.exitInfo(v.vmexit) === 0 ? RunResult.exit : this.panic(v, 'vm_handle_mmio_emul', 'bad pending MMIO state');
  }

  private exitSpinup(v: Vcpu): RunResult {
    const { vm } = this;
    this.open(v, ExitCode.RUN_STATE, vm.spinupVcpu, 0, false);
    v.vmexit.spinup = true;
    v.vmexit.spinupVcpu = vm.spinupVcpu;
    v.vmexit.spinupRip = vm.spinupRip;
    vm.spinupVcpu = -1;
    return RunResult.exit;
  }

  private exitSuspended(v: Vcpu): RunResult {
    const { vm } = this;
    if (v.waiting !== Waiting.none || v.repeating) this.finish(v, ExitCode.BOGUS, RequestState.DONE, Outcome.resumed, '');
    v.waiting = Waiting.none;
    v.repeating = false;
    if (v.exit === 0) this.open(v, ExitCode.SUSPENDED, vm.suspendHow, 0, false);
    v.vmexit.code = ExitCode.SUSPENDED;
    v.vmexit.how = vm.suspendHow;
    v.vmexit.source = vm.suspendSource;
    return RunResult.exit;
  }

  /** `vm_handle_run_state`: true when the vCPU may enter the guest. */
  private handleRunState(v: Vcpu): boolean {
    const { vm } = this;
    const { processor } = vm;
    if (v.waiting !== Waiting.runState) {
      // An INIT ends a HLT, and whatever REP instruction was under way.
      if (v.waiting === Waiting.hlt || v.repeating) this.finish(v, ExitCode.BOGUS, RequestState.DONE, Outcome.resumed, '');
      v.waiting = Waiting.none;
      v.halted = v.repeating = false;
      this.open(v, ExitCode.RUN_STATE, v.runState, 0, false);
    }
    v.poked = false;
    for (;;) {
      switch (nextStep(v.runState)) {
        case RunStep.takeInit:
          processor.reset('INIT', vm.profile.reset === 'vcpu_reset' ? 1 : 0);
          vm.lapic(v.id).init();
          v.pendingNmi = v.pendingExtInt = false;
          vm.taken(v, v.initIpi);
          v.initIpi = 0;
          vm.setRunState(v, afterInit(v.runState));
          break;
        case RunStep.takeSipi:
          processor.startAt(v.sipiVector);
          vm.taken(v, v.sipiIpi);
          v.sipiIpi = 0;
          vm.setRunState(v, afterSipi(v.runState));
          break;
        case RunStep.enter:
          v.waiting = Waiting.none;
          this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.resumed, '');
          return true;
        case RunStep.sleep:
          v.poked = false;
          if (v.waiting !== Waiting.runState) {
            v.waiting = Waiting.runState;
            this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.waits, '');
          }
          return false;
      }
    }
  }

  // HLT

  private handleHlt(v: Vcpu): Handled {
    const { vm } = this;
    this.open(v, ExitCode.HLT, 0, 0, false, 1);
    v.interruptsEnabled = vm.processor.interruptible;
    v.poked = false;
    v.waiting = Waiting.hlt;
    if (vm.mayWake(v)) return this.wakeFromHlt(v) ? GO_ON : RunResult.waits;
    if (!v.interruptsEnabled) {
      v.halted = true;
      if (vm.vcpus.every((other) => other.halted || !other.active)) {
        v.waiting = Waiting.none;
        vm.suspend(SuspendHow.HALT, v.id);
        return GO_ON; // the next entry comes back with SUSPENDED, under this exit's number
      }
    }
    this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.waits, '');
    return RunResult.waits;
  }

  private wakeFromHlt(v: Vcpu): boolean {
    v.poked = false;
    if (!this.vm.mayWake(v)) return false;
    v.waiting = Waiting.none;
    v.halted = false;
    this.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.resumed, '');
    return true;
  }

  // Events

  /** `vmx_inject_events`: NMI, then ExtINT of the 8259, then the local APIC. True when one was delivered. */
  private injectEvents(v: Vcpu): boolean {
    const { vm } = this;
    const { processor } = vm;
    if (v.pendingNmi && processor.nmiAllowed) {
      v.pendingNmi = false;
      vm.event(v, EventKind.nmi, NMI_VECTOR, 0);
      vm.taken(v, v.nmiIpi);
      v.nmiIpi = 0;
      return this.deliver(v, NMI_VECTOR, EventType.nmi);
    }
    const lapic = vm.lapic(v.id);
    if (v.pendingExtInt) {
      processor.interruptWindow = !processor.interruptible;
      if (processor.interruptWindow) return false;
      v.pendingExtInt = false;
      const vector = vm.pic?.acknowledge() ?? 0;
      vm.event(v, EventKind.extInt, vector, 0);
      // The acknowledge cycles last as long as an instruction: an 8259 that interrupts without end (automatic EOI, a level that stays) stops no clock.
      vm.clock.retire(1);
      return this.deliver(v, vector, EventType.external);
    }
    const vector = lapic.pendingInterrupt();
    processor.interruptWindow = vector >= 0 && !processor.interruptible;
    if (vector < 0 || processor.interruptWindow) return false;
    vm.mark(v); // for accept, which tells the ledger when an IPI was taken
    vm.event(v, EventKind.interrupt, vector, 0);
    lapic.accept(vector);
    return this.deliver(v, vector, EventType.external);
  }

  private deliver(v: Vcpu, vector: number, type: number): true {
    if (this.vm.processor.inject(vector, type) === Stop.tripleFault) this.tripleFault(v);
    return true;
  }

  // Hardware exits

  private handle(v: Vcpu, stop: Stop): Handled {
    switch (stop) {
      case Stop.budget:
      case Stop.interruptWindow:
        return GO_ON;
      case Stop.inout:
        return this.handleInout(v);
      case Stop.mmio:
        return this.mmio.handle(v);
      case Stop.hlt:
        return this.handleHlt(v);
      case Stop.rdmsr:
        return handleRdmsr(this, v);
      case Stop.wrmsr:
        return handleWrmsr(this, v);
      case Stop.tripleFault:
        this.tripleFault(v);
        return GO_ON;
      case Stop.pause:
        if (!this.vm.pauseExits) return RunResult.paused;
        this.open(v, ExitCode.PAUSE, 0, 0, false, 1);
        return RunResult.exit;
      case Stop.breakpoint:
        return RunResult.breakpoint;
      case Stop.paging:
        return this.mmio.paging(v);
    }
  }

  /** The processor shut down. The exit stays open until VM_RUN comes back with SUSPENDED. */
  tripleFault(v: Vcpu): void {
    this.open(v, ExitCode.SUSPENDED, SuspendHow.TRIPLEFAULT, 0, false);
    this.vm.suspend(SuspendHow.TRIPLEFAULT, v.id);
  }

  private handleInout(v: Vcpu): Handled {
    const { vm } = this;
    const { processor, ledger } = vm;
    const { port, size, write, value, string, rep } = processor.exit;
    if (!v.repeating || v.repeatEip !== processor.eip) this.open(v, ExitCode.INOUT, port, size, write);
    else vm.mark(v);
    if (write) ledger.exitValue(v.exit, value, 0);
    v.vie.initInout(port, size, (write ? 0 : INOUT.IN) | (string ? INOUT.STR : 0) | (rep ? INOUT.REP : 0), write ? value : 0);
    if (rep && !string) {
      // vie_emulate_inout answers EINVAL, which vm_handle_inout turns into INST_EMUL; no byte was ever fetched.
      v.vie.fallbackExitInfo(v.vmexit);
      v.vmexit.note = 'REP prefix on IN or OUT';
      return RunResult.exit;
    }
    const range = vm.ports.find(port);
    if (range === undefined || !range.kernel) {
      v.vie.inoutPending();
      return this.exitPending(v);
    }
    const code = write ? vm.ports.write(range, port, size, value) : vm.ports.read(range, port, size);
    ledger.exitAnswer(v.exit, Answer.kernel, range.name, code < 0 ? code : 0);
    if (code === Access.toUserspace) {
      // Before 13253 the request goes out although nothing waits for its answer; since then, the emulation is given up.
      if (vm.profile.fallback !== 'panic') v.vie.userFallback();
      v.vmexit.note = `${range.name} returned -1, to userspace`;
      return this.exitPending(v);
    }
    if (code === Access.invalid) return this.fail(v, Errno.EINVAL, range.name);
    v.vie.inoutDone(code >= 0 ? code : allOnes(size));
    return this.completeInout(v);
  }

  private completeInout(v: Vcpu): Handled {
    const { inout } = v.vie;
    if (inout.flags & INOUT.IN) this.vm.ledger.exitValue(v.exit, inout.eax >>> 0, 0);
    const repeats = (inout.flags & INOUT.REP) !== 0;
    inout.state = Request.DONE;
    switch (this.complete(v)) {
      case Stop.budget:
        return this.completed(v, ExitCode.BOGUS, repeats);
      case Stop.tripleFault:
        this.completed(v, ExitCode.BOGUS, false);
        this.tripleFault(v);
        return GO_ON;
      default:
        // INS whose destination is no memory: vm_copy_setup fails.
        v.vie.reset();
        this.vm.processor.requests.clear();
        return this.fail(v, Errno.EFAULT, 'string I/O with a buffer that is not memory');
    }
  }
}
