/** The local vector table: which bits of each entry are stored, and what firing one does. Intel SDM vol. 3, "Local Vector Table". */
import { Apic, DeliveryMode, Esr, FIRST_LEGAL_VECTOR, Lvt } from '../x86/apic.ts';
import { Verdict } from '../ledger/verdict.ts';
import type { Vlapic } from './vlapic.ts';

/** Entries by the VMM's own index. */
export const LvtIndex = { LINT0: 0, LINT1: 1, TIMER: 2, ERROR: 3, PERF: 4, THERMAL: 5, CMCI: 6 } as const;
export type LvtIndex = (typeof LvtIndex)[keyof typeof LvtIndex];
export const LVT_COUNT = 7;

const COMMON = Lvt.MASKED | Lvt.DELIVERY_STATUS | Lvt.VECTOR;
const SENSOR = COMMON | Lvt.DELIVERY_MODE;
const PIN = SENSOR | Lvt.LEVEL | Lvt.REMOTE_IRR | Lvt.POLARITY;

/** Bits that a write stores, by index. Delivery status and remote IRR are plain storage in bhyve; the model never sets them. */
export const LVT_MASKS: readonly number[] = [PIN, PIN, COMMON | Lvt.PERIODIC, COMMON, SENSOR, SENSOR, SENSOR];

/** Index of the entry at a register offset, or -1. */
export function lvtIndexAt(offset: number): LvtIndex | -1 {
  switch (offset) {
    case Apic.LVT_LINT0:
      return LvtIndex.LINT0;
    case Apic.LVT_LINT1:
      return LvtIndex.LINT1;
    case Apic.LVT_TIMER:
      return LvtIndex.TIMER;
    case Apic.LVT_ERROR:
      return LvtIndex.ERROR;
    case Apic.LVT_PERF:
      return LvtIndex.PERF;
    case Apic.LVT_THERMAL:
      return LvtIndex.THERMAL;
    case Apic.LVT_CMCI:
      return LvtIndex.CMCI;
    default:
      return -1;
  }
}

/**
 * A local interrupt source raises its line. With the local APIC disabled, in hardware or software, LINT0 is the 8259's INTR and LINT1 is NMI, as in
 * virtual wire mode; the other sources are lost.
 */
export function triggerLvt(lapic: Vlapic, index: LvtIndex): void {
  const bypass = lapic.profile.rules['lint.disabled'];
  if ((!lapic.hardwareEnabled && bypass !== 'lvt') || (!lapic.softwareEnabled && bypass === 'bypassSwOrHw')) {
    if (index === LvtIndex.LINT0) lapic.wiring.injectExtInt(lapic.id);
    else if (index === LvtIndex.LINT1) lapic.wiring.injectNmi(lapic.id, 0);
    return;
  }
  fireLvt(lapic, index);
}

/** Delivers what an entry says, unless it is masked. Modes other than fixed, NMI and ExtINT do nothing. */
export function fireLvt(lapic: Vlapic, index: LvtIndex): void {
  const entry = lapic.lvt[index] as number;
  if (entry & Lvt.MASKED) return;
  switch ((entry & Lvt.DELIVERY_MODE) >>> 8) {
    case DeliveryMode.FIXED: {
      const vector = entry & Lvt.VECTOR;
      if (vector < FIRST_LEGAL_VECTOR) raiseError(lapic, Esr.SEND_ILLEGAL_VECTOR, index === LvtIndex.ERROR);
      else if (lapic.setIrr(vector, false, 0) === Verdict.reached) lapic.wiring.notify(lapic.id);
      break;
    }
    case DeliveryMode.NMI:
      lapic.wiring.injectNmi(lapic.id, 0);
      break;
    case DeliveryMode.EXTINT:
      lapic.wiring.injectExtInt(lapic.id);
      break;
  }
}

/**
 * Notes an error for the next ESR write to show, and raises the error interrupt ("Error Handling").
 * @param fromErrorLvt the error entry itself was at fault: it is not fired again
 */
export function raiseError(lapic: Vlapic, bits: number, fromErrorLvt = false): void {
  lapic.esrPending |= bits;
  lapic.wiring.apicError(lapic.id, bits, lapic.esrPending);
  if (!fromErrorLvt) fireLvt(lapic, LvtIndex.ERROR);
}
