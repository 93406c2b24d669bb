/**
 * Nothing can happen any more: every vCPU waits, and no event that the armed devices can produce would wake any of them, however many alarms remain.
 * Said in one sentence for each vCPU.
 */
import { hex } from '../base/bits.ts';
import { LvtIndex } from '../devices/vlapic-lvt.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import { Lvt } from '../x86/apic.ts';
import type { InterruptLines } from './interrupts.ts';
import { VRS } from './runstate.ts';
import { type Vcpu, Waiting } from './vcpu.ts';
import type { Vm } from './vm.ts';

/** When the first of the scheduled alarms is due that could wake this vCPU, in ns, or Infinity. When in doubt, an alarm can. */
export const nextAlarm = (vm: Vm, lines: InterruptLines, v: Vcpu): number => {
  if (v.waiting !== Waiting.hlt) return Number.POSITIVE_INFINITY; // a parked vCPU needs INIT or SIPI, which only another vCPU sends
  const lapic = vm.lapic(v.id);
  for (const { name, dueNs } of vm.clock.pending()) {
    const timerOf = /^vlapic\.(\d+)\.timer$/.exec(name);
    if (timerOf) {
      if (Number(timerOf[1]) === v.id && v.interruptsEnabled && timerInterrupts(lapic)) return dueNs;
      continue;
    }
    const irq = lines.irqOfAlarm.get(name);
    if (irq === undefined || lines.mayInterrupt(irq, lapic, !v.interruptsEnabled)) return dueNs;
  }
  return Number.POSITIVE_INFINITY;
};

/** When the first alarm is due that could wake any vCPU, in ns; Infinity: none could. Only to be asked while every vCPU waits. */
export const nextWakingNs = (vm: Vm, lines: InterruptLines): number => {
  let first = Number.POSITIVE_INFINITY;
  for (const v of vm.vcpus) if (v.active) first = Math.min(first, nextAlarm(vm, lines, v));
  return first;
};

/** Is the local APIC's timer interrupt unmasked, and of a class that is not held back? A vCPU that sleeps cannot lower its priority. */
const timerInterrupts = (lapic: Vlapic): boolean => {
  const entry = lapic.lvt[LvtIndex.TIMER] as number;
  const vector = entry & Lvt.VECTOR;
  return (entry & Lvt.MASKED) === 0 && (vector & 0xf0) > (lapic.ppr & 0xf0);
};

const sentence = (vm: Vm, v: Vcpu): string => {
  const name = `vCPU${v.id}`;
  if (!v.active) return `${name} was never created, and no vCPU runs that could start it`;
  if (v.waiting === Waiting.runState) {
    return v.runState & VRS.INIT
      ? `${name} waits for SIPI, and no vCPU runs that could send one`
      : `${name} was never started: it waits for INIT and SIPI, and no vCPU runs that could send them`;
  }
  vm.processor.select(v.id);
  const { eip, csBase } = vm.processor;
  const where = `halted before ${hex((csBase + eip) >>> 0, 8)}h`;
  if (!v.interruptsEnabled) return `${name} ${where} with interrupts disabled (IF=0), and nothing that is armed can send it NMI or INIT`;
  return `${name} ${where} with interrupts enabled, and nothing that is armed can interrupt it`;
};

/** Undefined while something can still happen; else why not, for each vCPU. Only to be asked while every vCPU waits. */
export const whyStuck = (vm: Vm, lines: InterruptLines): string[] | undefined => {
  if (nextWakingNs(vm, lines) !== Number.POSITIVE_INFINITY) return undefined;
  return vm.vcpus.map((v) => sentence(vm, v));
};
