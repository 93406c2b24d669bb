/**
 * bhyve's process: what it does with each exit that VM_RUN hands it (bhyve `vmexit.c`, `inout.c`, `mem.c`, `spinup_ap.c`), and how it dies.
 *
 * A handler leaves the next entry command in `v.entry`; or it ends the machine.
 */
import { allOnes, hex } from '../base/bits.ts';
import { Access } from '../devices/device.ts';
import { ExitCode } from '../ledger/exitcode.ts';
import { Answer, EventKind, Outcome, RequestState } from '../ledger/records.ts';
import { type End, suspendOutcome } from './end.ts';
import { completeMsr } from './msr-exit.ts';
import { userspaceRead, userspaceWrite } from './msr.ts';
import { SuspendHow, VRS } from './runstate.ts';
import type { Vcpu } from './vcpu.ts';
import { VIES } from './vie.ts';
import type { Vm } from './vm.ts';
import { errnoName, INOUT, VEC } from './vmexit.ts';
import type { VmRun } from './vmrun.ts';

/** The functions between the ioctl and a panic in the kernel, from the inside out, as the report of defect 13253 has them. */
const PANIC_CHAIN = [
  'vm_handle_mmio_emul+0x150',
  'vm_run+0x43a',
  'vmmdev_do_ioctl',
  'vmm_ioctl',
  'cdev_ioctl',
  'spec_ioctl',
  'fop_ioctl',
  'ioctl',
] as const;

const SIZE_LETTER: Record<number, string> = { 1: 'b', 2: 'w', 4: 'l' };

/** The process around VM_RUN. */
export class Userspace {
  private readonly vm: Vm;

  /** @param strictMsr `x86.strictmsr`: is access to an unknown MSR a #GP (default), or does it read 0 and get dropped? */
  constructor(
    private readonly kernel: VmRun,
    private readonly strictMsr = true,
  ) {
    this.vm = kernel.vm;
  }

  /** Handles the exit in `v.vmexit`. Afterwards either `vm.end` is set or `v` may enter again. */
  handle(v: Vcpu): void {
    const { vmexit } = v;
    switch (vmexit.code) {
      case ExitCode.INOUT:
        return this.inout(v);
      case ExitCode.MMIO:
        return this.mmio(v);
      case ExitCode.BOGUS:
      case ExitCode.HLT:
      case ExitCode.PAUSE:
        this.kernel.finish(v, ExitCode.BOGUS, RequestState.NONE, Outcome.resumed, '');
        return;
      case ExitCode.RDMSR:
        return this.rdmsr(v);
      case ExitCode.WRMSR:
        return this.wrmsr(v);
      case ExitCode.SUSPENDED:
        return this.suspended(v);
      case ExitCode.INST_EMUL:
        return this.instEmul(v);
      case ExitCode.RUN_STATE:
        if (vmexit.spinup) return this.spinup(v);
        return this.abort(v, 'exit RUN_STATE in userspace', `Unexpected VM exit code 10 at ${this.rip(v)}`);
      case ExitCode.PAGING:
        return this.abort(
          v,
          `guest-physical address ${hex(vmexit.gpa, 8)}h is no memory`,
          `exit PAGING: gpa 0x${hex(vmexit.gpa).toLowerCase()} at ${this.rip(v)}`,
        );
      case ExitCode.VMX:
      case ExitCode.SVM:
        return this.abort(v, 'the kernel reported a failed VM entry', `vm exit\treason\t\tVMX\n\trip\t\t${this.rip(v)}`);
      default:
        return this.abort(v, `exit code ${vmexit.code} has no handler`, `Unexpected VM exit code ${vmexit.code}`);
    }
  }

  /** VM_RUN came back with an errno: the process says so and exits with status 1. */
  runFailed(v: Vcpu): void {
    const { errno } = this.kernel;
    const exit = this.lastExit(v);
    this.vm.end = {
      ...this.place(v, exit, `VM_RUN failed with ${errnoName(errno)}`),
      kind: 'runFailed',
      errno,
      printed: `vm_run error -1, errno ${errno}`,
    };
  }

  /** The guest machine's host panicked in the kernel. */
  panicked(v: Vcpu): void {
    const message = this.kernel.panicMessage;
    this.vm.end = {
      ...this.place(v, this.lastExit(v), `the host panicked: ${message}`),
      kind: 'hostPanic',
      message,
      chain: [...PANIC_CHAIN],
    };
  }

  /** Where things stand for vCPU `v`: what every End starts with. */
  place(v: Vcpu, exit: number, sentence: string): Omit<End, 'kind'> {
    const { vm } = this;
    vm.processor.select(v.id);
    const { eip, csBase } = vm.processor;
    return { vcpu: v.id, eip, csBase, icount: vm.clock.instructions, timeNs: vm.clock.nowNs, exit, sentence };
  }

  private inout(v: Vcpu): void {
    const { vm } = this;
    const { vmexit, entry } = v;
    const { port, bytes, flags, eax } = vmexit;
    const write = (flags & INOUT.IN) === 0;
    const range = vm.ports.find(port);
    let value = write ? eax : allOnes(bytes);
    // A kernel port gets here when its handler returned -1 in 2020: userspace has no handler for it.
    if (range === undefined || range.kernel) {
      if (range === undefined) vm.ledger.exitAnswer(v.exit, Answer.nobody, '', 0);
    } else {
      const code = !vm.ports.accepts(range, bytes, write)
        ? Access.invalid
        : write
          ? vm.ports.write(range, port, bytes, eax)
          : vm.ports.read(range, port, bytes);
      vm.ledger.exitAnswer(v.exit, Answer.userspace, range.name, code < 0 ? code : 0);
      if (code === Access.invalid || code === Access.toUserspace) {
        const letter = SIZE_LETTER[bytes] ?? '?';
        const what = `${write ? 'OUT' : 'IN'} of ${bytes} byte${bytes === 1 ? '' : 's'} at port ${hex(port, 4)}h is refused by ${range.name}`;
        return this.abort(v, what, `Unhandled ${write ? 'out' : 'in'}${letter} 0x${hex(port, 4).toLowerCase()} at ${this.rip(v)}`);
      }
      if (!write && code >= 0) value = code;
    }
    entry.command = VEC.FULFILL_INOUT;
    entry.port = port;
    entry.bytes = bytes;
    entry.flags = flags;
    entry.eax = value;
    if (vm.guestExit >= 0) {
      const { exit } = v;
      this.kernel.finish(v, ExitCode.INOUT, RequestState.DONE, Outcome.suspended, `status ${vm.guestExit}`);
      vm.end = {
        ...this.place(v, exit, `the guest ended the machine with status ${vm.guestExit}`),
        kind: 'guestExit',
        status: vm.guestExit,
      };
    }
  }

  private mmio(v: Vcpu): void {
    const { vm } = this;
    const { vmexit, entry } = v;
    const { gpa, bytes, read } = vmexit;
    const range = vm.mmio.find(gpa);
    entry.command = VEC.FULFILL_MMIO;
    entry.gpa = gpa;
    entry.bytes = bytes;
    entry.read = read;
    entry.data = allOnes(bytes);
    entry.dataHigh = bytes === 8 ? 0xffffffff : 0;
    if (range === undefined || range.kernel) {
      vm.ledger.exitAnswer(v.exit, Answer.nobody, '', 0);
      return;
    }
    const code = read ? vm.mmio.read(range, v.id, gpa, bytes) : vm.mmio.write(range, v.id, gpa, bytes, vmexit.data, vmexit.dataHigh);
    vm.ledger.exitAnswer(v.exit, Answer.userspace, range.name, code < 0 ? code : 0);
    if (code < Access.absent)
      return this.abort(v, `${range.name} refuses the access`, `Failed to emulate memory access at 0x${hex(gpa).toLowerCase()}`);
    if (read && code >= 0) {
      entry.data = code;
      entry.dataHigh = vm.mmio.high;
    }
  }

  private rdmsr(v: Vcpu): void {
    const value = userspaceRead(v.vmexit.msr);
    this.vm.ledger.exitAnswer(v.exit, value === undefined ? Answer.nobody : Answer.userspace, value === undefined ? '' : 'msr', 0);
    if (value === undefined && this.strictMsr) return this.unknownMsr(v, ExitCode.RDMSR);
    completeMsr(this.kernel, v, value ?? 0, 0, ExitCode.RDMSR);
  }
  private wrmsr(v: Vcpu): void {
    const known = userspaceWrite(v.vmexit.msr);
    this.vm.ledger.exitAnswer(v.exit, known ? Answer.userspace : Answer.nobody, known ? 'msr' : '', 0);
    if (!known && this.strictMsr) return this.unknownMsr(v, ExitCode.WRMSR);
    completeMsr(this.kernel, v, v.vmexit.value, v.vmexit.valueHigh, ExitCode.WRMSR);
  }
  private unknownMsr(v: Vcpu, code: ExitCode): void {
    this.kernel.injectGp(v, code, `MSR ${hex(v.vmexit.msr)}h is unknown: #GP`);
  }

  /** Before 13275: userspace creates the AP's thread (`spinup_ap`). An id without a configured vCPU fails an assertion. */
  private spinup(v: Vcpu): void {
    const { vm } = this;
    const { spinupVcpu, spinupRip } = v.vmexit;
    const note = `SPINUP_AP vCPU${spinupVcpu} at ${hex(spinupRip >>> 4, 4)}:0000`;
    const target = vm.vcpus[spinupVcpu];
    if (target === undefined) {
      return this.abort(
        v,
        `SPINUP_AP for vCPU${spinupVcpu}, which is not configured`,
        'Assertion failed: newcpu < guest_ncpus, file spinup_ap.c',
        note,
      );
    }
    vm.processor.select(target.id);
    vm.processor.reset('RESET', vm.profile.reset === 'vcpu_reset' ? 1 : 0);
    vm.processor.startAt(spinupRip >>> 12);
    target.active = true;
    vm.taken(target, vm.spinupIpi);
    vm.setRunState(target, VRS.RUN);
    vm.processor.select(v.id);
    this.kernel.finish(v, ExitCode.RUN_STATE, RequestState.NONE, Outcome.resumed, note);
  }

  private suspended(v: Vcpu): void {
    const { vm } = this;
    const exit = v.exit;
    const outcome = suspendOutcome(vm.suspendHow);
    if (outcome === undefined) return this.abort(v, 'SUSPENDED without a reason', `vmexit_suspend: invalid reason ${vm.suspendHow}`);
    vm.event(v, EventKind.suspended, vm.suspendHow, vm.suspendSource < 0 ? 0xffffffff : vm.suspendSource);
    this.kernel.finish(v, ExitCode.SUSPENDED, RequestState.NONE, Outcome.suspended, outcome.sentence);
    const source = vm.suspendSource >= 0 && vm.suspendHow === SuspendHow.TRIPLEFAULT ? ` on vCPU${vm.suspendSource}` : '';
    vm.end = { ...this.place(v, exit, `${outcome.sentence}${source}`), kind: 'suspended', how: outcome.how, status: outcome.status };
  }

  private instEmul(v: Vcpu): void {
    const { instruction, valid, note } = v.vmexit;
    const bytes = Array.from(instruction.subarray(0, valid), (b) => `0x${hex(b, 2).toLowerCase()}`).join(' ');
    const why = note === '' ? 'the instruction cannot be emulated' : note;
    this.abort(v, why, `Failed to emulate instruction sequence [ ${bytes}${valid > 0 ? ' ' : ''}] at ${this.rip(v)}`);
  }

  private abort(v: Vcpu, why: string, printed: string, note = why): void {
    const exit = v.exit;
    const request = v.vie.status & VIES.USER_FALLBACK ? RequestState.USER_FALLBACK : RequestState.NONE;
    this.kernel.finish(v, v.vmexit.code, request, Outcome.aborted, note);
    this.vm.end = { ...this.place(v, exit, `bhyve aborted the VM: ${why}`), kind: 'aborted', printed };
  }

  /** `v.exit` is 0 once the kernel has completed the record; its number is still the current one. */
  private lastExit(v: Vcpu): number {
    return v.exit !== 0 ? v.exit : this.vm.currentExit;
  }
  private rip(v: Vcpu): string {
    return `0x${hex(v.vmexit.eip).toLowerCase()}`;
  }
}
