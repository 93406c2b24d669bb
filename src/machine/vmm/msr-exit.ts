/** RDMSR and WRMSR exits: the local APIC's MSRs first, then the TSC, then the VMM's own; whatever is left goes to userspace (illumos `vmx_msr.c`, vmm.c). */
import { Request } from '../cpu/processor.ts';
import { MsrResult } from '../devices/vlapic.ts';
import { ExitCode } from '../ledger/exitcode.ts';
import { Answer } from '../ledger/records.ts';
import { Msr } from './msr.ts';
import type { Vcpu } from './vcpu.ts';
import { GO_ON, type Handled, RunResult, type VmRun } from './vmrun.ts';

const isLapicMsr = (msr: number): boolean => msr === Msr.APIC_BASE || (msr >= Msr.X2APIC_FIRST && msr <= Msr.X2APIC_LAST);

/** Lets the MSR instruction that exited complete; a read finds the value given. */
export const completeMsr = (kernel: VmRun, v: Vcpu, low: number, high: number, finalCode: ExitCode): void => {
  const { processor, clock, ledger } = kernel.vm;
  const { msr } = processor.requests;
  msr.state = Request.DONE;
  msr.value = low;
  msr.valueHigh = high;
  if (finalCode === ExitCode.RDMSR) ledger.exitValue(v.exit, low >>> 0, high >>> 0);
  processor.complete();
  clock.retire(processor.retired);
  kernel.completed(v, finalCode, false);
};

/** RDMSR of the selected vCPU. */
export const handleRdmsr = (kernel: VmRun, v: Vcpu): Handled => {
  const { vm } = kernel;
  const { msr } = vm.processor.exit;
  kernel.open(v, ExitCode.RDMSR, msr, 8, false);
  if (isLapicMsr(msr)) {
    const lapic = vm.lapic(v.id);
    return conclude(kernel, v, ExitCode.RDMSR, lapic.readMsr(msr), lapic.msrLow, lapic.msrHigh, lapic.name);
  }
  if (msr === Msr.TSC) return conclude(kernel, v, ExitCode.RDMSR, MsrResult.ok, vm.tsc.low(v.id), vm.tsc.high(v.id), 'tsc');
  const result = v.msrs.read(msr);
  return conclude(kernel, v, ExitCode.RDMSR, result, v.msrs.low, v.msrs.high, 'msr');
};

/** WRMSR of the selected vCPU. */
export const handleWrmsr = (kernel: VmRun, v: Vcpu): Handled => {
  const { vm } = kernel;
  const { msr, value, valueHigh } = vm.processor.exit;
  kernel.open(v, ExitCode.WRMSR, msr, 8, true);
  vm.ledger.exitValue(v.exit, value, valueHigh);
  if (isLapicMsr(msr)) {
    const lapic = vm.lapic(v.id);
    const result = lapic.writeMsr(msr, value, valueHigh);
    vm.reportIpi();
    return conclude(kernel, v, ExitCode.WRMSR, result, value, valueHigh, lapic.name);
  }
  if (msr === Msr.TSC) {
    vm.tsc.set(v.id, value, valueHigh);
    return conclude(kernel, v, ExitCode.WRMSR, MsrResult.ok, value, valueHigh, 'tsc');
  }
  return conclude(kernel, v, ExitCode.WRMSR, v.msrs.write(msr, value, valueHigh), value, valueHigh, 'msr');
};

const conclude = (kernel: VmRun, v: Vcpu, code: ExitCode, result: number, low: number, high: number, device: string): Handled => {
  const { vm } = kernel;
  if (result !== MsrResult.unhandled) vm.ledger.exitAnswer(v.exit, Answer.kernel, device, result === MsrResult.toUserspace ? -1 : 0);
  switch (result) {
    case MsrResult.ok:
      completeMsr(kernel, v, low, high, code);
      return GO_ON;
    case MsrResult.gp:
      kernel.injectGp(v, code, '');
      return GO_ON;
    case MsrResult.toUserspace:
      // 2020: taken for "the exit is filled in already". It is not, so it leaves as a hardware error.
      v.vmexit.code = ExitCode.VMX;
      return RunResult.exit;
    default:
      v.vmexit.msr = vm.processor.exit.msr;
      v.vmexit.value = low;
      v.vmexit.valueHigh = high;
      return RunResult.exit;
  }
};
