/**
 * Memory accesses that no RAM answers: fetch, decode, linear-address check, device, request state (illumos `vm_handle_mmio_emul`, `vie_emulate_mmio`).
 * Here is where the profiles part over a store of 000C4500h to the ICR.
 */
import { Request, Stop } from '../cpu/processor.ts';
import { Access } from '../devices/device.ts';
import { ExitCode } from '../ledger/exitcode.ts';
import { Answer, Outcome, RequestState } from '../ledger/records.ts';
import type { Vcpu } from './vcpu.ts';
import { Decoded, VieInstruction, type VieTable } from './vie-decode.ts';
import { Errno } from './vmexit.ts';
import { GO_ON, type Handled, RunResult, type VmRun } from './vmrun.ts';

/** Requests of one instruction that are answered before it is given up: MOVS makes two, each twice when it crosses a page. */
const MOST_REQUESTS = 8;

/** An instruction that has been fetched and decoded, kept for when it exits again. */
interface Fetched {
  id: number;
  readonly bytes: Uint8Array;
  valid: number;
  verdict: Decoded;
  readonly instruction: VieInstruction;
}
const FETCHED = 64;

/** The MMIO half of VM_RUN. */
export class MmioEmulation {
  /** By the processor's id of the instruction: what is in it was true when it was decoded and stays so while the id does. */
  private readonly fetched: Fetched[] = Array.from({ length: FETCHED }, () => ({
    id: 0,
    bytes: new Uint8Array(15),
    valid: 0,
    verdict: Decoded.unsupported,
    instruction: new VieInstruction(),
  }));
  /** The instruction that userspace was asked for. */
  private readonly resumed = new VieInstruction();
  private instruction = this.resumed;
  /** What handleWithin came to, when that was not that the guest goes on. */
  private within: Handled = GO_ON;

  constructor(
    private readonly kernel: VmRun,
    private readonly table: VieTable,
  ) {}

  /** A hardware exit: the selected vCPU touched guest-physical memory that is neither RAM nor readable ROM. */
  handle(v: Vcpu): Handled {
    const { within } = this;
    if (within !== GO_ON) {
      this.within = GO_ON;
      return within;
    }
    const { kernel } = this;
    const { vm } = kernel;
    const { processor, ledger } = vm;
    const { exit } = processor;
    const { vie } = v;
    vie.initMmio();
    const { bytes, valid, verdict, instruction } = this.fetch();
    for (let i = 0; i < valid; i++) vie.bytes[i] = bytes[i] as number;
    vie.valid = valid;
    this.instruction = instruction;
    if (vie.valid === 0) return this.paging(v);
    // The next iteration of REP MOVS or STOS belongs to the exit of the first.
    if (v.repeating && v.repeatEip === processor.eip) vm.mark(v);
    else kernel.open(v, ExitCode.MMIO_EMUL, exit.gpa, exit.size, exit.write);
    ledger.exitBytes(v.exit, vie.bytes, 0, vie.valid);
    if (exit.write) ledger.exitValue(v.exit, exit.value, exit.valueHigh);
    switch (verdict) {
      case Decoded.unsupported:
        return this.giveUp(v, `opcode ${instruction.name} is not emulated on MMIO`);
      case Decoded.wrongDigit:
        return kernel.fail(v, Errno.EINVAL, `opcode ${instruction.name} is not emulated on MMIO`);
    }
    if (instruction.checksLinear && instruction.linear(processor) !== exit.gla)
      return this.giveUp(v, 'the linear address is not that of the decoded operand');
    return this.emulate(v);
  }

  /** Is the access that the processor offers one that a kernel device answers, by an instruction that the emulator knows and that makes no other? */
  isSimple(): boolean {
    const { vm } = this.kernel;
    const { processor } = vm;
    const range = vm.mmio.find(processor.exit.gpa);
    if (range === undefined || !range.kernel) return false;
    const { valid, verdict, instruction } = this.fetch();
    if (valid === 0 || verdict !== Decoded.supported || instruction.repeat || !instruction.checksLinear) return false;
    this.instruction = instruction;
    return instruction.linear(processor) === processor.exit.gla;
  }
  /** handle() for a simple access, from within the guest: false when the exit has to be made after all. What became of it is kept for handle(). */
  handleWithin(v: Vcpu): boolean {
    const { kernel } = this;
    const { ledger, processor } = kernel.vm;
    const { exit } = processor;
    const { vie } = v;
    const { bytes, valid } = this.fetch();
    vie.initMmio();
    for (let i = 0; i < valid; i++) vie.bytes[i] = bytes[i] as number;
    vie.valid = valid;
    kernel.open(v, ExitCode.MMIO_EMUL, exit.gpa, exit.size, exit.write);
    ledger.exitBytes(v.exit, bytes, 0, valid);
    if (exit.write) ledger.exitValue(v.exit, exit.value, exit.valueHigh);
    this.within = this.request(v);
    if (this.within !== GO_ON) return false;
    if (!exit.write) {
      exit.value = vie.mmioRead.data >>> 0;
      exit.valueHigh = vie.mmioRead.dataHigh >>> 0;
    }
    vie.reset();
    kernel.finish(v, ExitCode.MMIO_EMUL, RequestState.DONE, Outcome.resumed, '');
    return true;
  }

  /** The instruction at EIP, fetched and decoded. */
  private fetch(): Fetched {
    const { processor } = this.kernel.vm;
    const id = processor.instructionId;
    const fetched = this.fetched[(id >>> 5) & (FETCHED - 1)] as Fetched;
    if (id === 0 || fetched.id !== id) {
      fetched.id = id;
      fetched.valid = processor.fetchBytes(fetched.bytes);
      fetched.verdict = fetched.instruction.decode(this.table, fetched.bytes, fetched.valid, processor.code32);
    }
    return fetched;
  }

  /** Userspace has answered: execute the instruction again. */
  resume(v: Vcpu): Handled {
    const { processor } = this.kernel.vm;
    // Another vCPU's exit may have been decoded since; which REP this is, the bytes still tell.
    this.instruction = this.resumed;
    this.resumed.decode(this.table, v.vie.bytes, v.vie.valid, processor.code32);
    if (v.vie.mmioRead.state === Request.DONE)
      this.kernel.vm.ledger.exitValue(v.exit, v.vie.mmioRead.data >>> 0, v.vie.mmioRead.dataHigh >>> 0);
    const stop = this.kernel.complete(v);
    return stop === Stop.mmio ? this.emulate(v) : this.done(v, stop, ExitCode.MMIO);
  }

  /** Answers the request that the processor stopped for, and executes the instruction again until it has completed. */
  private emulate(v: Vcpu): Handled {
    for (let requests = 0; ; requests++) {
      if (requests === MOST_REQUESTS) return this.giveUp(v, 'the instruction does not come to an end');
      const handled = this.request(v);
      if (handled !== GO_ON) return handled;
      const stop = this.kernel.complete(v);
      if (stop === Stop.mmio) continue;
      return this.done(v, stop, ExitCode.MMIO_EMUL);
    }
  }

  private done(v: Vcpu, stop: Stop, finalCode: ExitCode): Handled {
    const { kernel, instruction } = this;
    const handled = kernel.completed(v, finalCode, stop === Stop.budget && instruction.repeat);
    if (stop === Stop.tripleFault) kernel.tripleFault(v);
    return handled;
  }

  /** One request: to the kernel device that owns the address, or to userspace. */
  private request(v: Vcpu): Handled {
    const { kernel } = this;
    const { vm } = kernel;
    const { vie } = v;
    const { gpa, size, write, value, valueHigh } = vm.processor.exit;
    const range = vm.mmio.find(gpa);
    if (range === undefined || !range.kernel) {
      vie.mmioPending(!write, gpa, size, value, valueHigh);
      return kernel.exitPending(v);
    }
    const code = write ? vm.mmio.write(range, v.id, gpa, size, value, valueHigh) : vm.mmio.read(range, v.id, gpa, size);
    vm.ledger.exitAnswer(v.exit, Answer.kernel, range.name, code < 0 ? code : 0);
    vm.reportIpi();
    if (code === Access.toUserspace) {
      // The handler wants userspace to take over, and leaves no request PENDING.
      if (vm.profile.fallback !== 'panic') vie.userFallback();
      v.vmexit.note = `${range.name} returned -1, to userspace`;
      return kernel.exitPending(v);
    }
    if (code === Access.invalid) return kernel.fail(v, Errno.EINVAL, `${range.name} refuses this access`);
    if (write) vie.mmioDone(false, gpa, size, value, valueHigh);
    else {
      const data = code >= 0 ? code : 0xffffffff;
      const high = code >= 0 ? vm.mmio.high : 0xffffffff;
      vie.mmioDone(true, gpa, size, data, high);
      vm.ledger.exitValue(v.exit, data, high);
    }
    return GO_ON;
  }

  /** The emulator cannot: VM_RUN comes back with INST_EMUL and the bytes. */
  private giveUp(v: Vcpu, note: string): Handled {
    v.vie.fallbackExitInfo(v.vmexit);
    v.vmexit.note = note;
    return RunResult.exit;
  }

  /** A hardware exit: no instruction could be fetched, the guest runs where no memory is. */
  paging(v: Vcpu): Handled {
    const { kernel } = this;
    const { exit } = kernel.vm.processor;
    v.vie.reset();
    kernel.open(v, ExitCode.PAGING, exit.gpa, exit.size, exit.write);
    v.vmexit.gpa = exit.gpa;
    // Userspace learns of it since 14952 (2022); before, vm_fault's failure made VM_RUN fail.
    return kernel.vm.profile.startup === 'spinupAp' ? kernel.fail(v, Errno.EFAULT, 'instruction fetch where no memory is') : RunResult.exit;
  }
}
