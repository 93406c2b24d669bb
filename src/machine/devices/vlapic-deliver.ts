/**
 * Interrupts from the I/O APIC and from MSIs to the local APICs (illumos `vlapic_deliver_intr`). Destinations are 8-bit xAPIC ones.
 * Only fixed, lowest-priority and ExtINT are delivered; NMI, SMI and INIT are dropped.
 */
import { DeliveryMode } from '../x86/apic.ts';
import { Reason, Verdict } from '../ledger/verdict.ts';
import type { Vlapic } from './vlapic.ts';

const named = (lapic: Vlapic, destination: number, logical: boolean): boolean =>
  lapic.matches(destination, logical) === Reason.none && lapic.wiring.isActive(lapic.id);

/**
 * Delivers one interrupt. Lowest priority goes to the lowest vCPU that a logical destination names, even if that is software-disabled; a physical one
 * or FFh is taken as fixed.
 * @returns how many local APICs it reached, merged ones included
 */
export function deliverInterrupt(
  lapics: readonly Vlapic[],
  level: boolean,
  destination: number,
  logical: boolean,
  mode: number,
  vector: number,
): number {
  if (mode !== DeliveryMode.FIXED && mode !== DeliveryMode.LOWEST_PRIORITY && mode !== DeliveryMode.EXTINT) return 0;
  const one = mode === DeliveryMode.LOWEST_PRIORITY && logical && destination !== 0xff;
  let reached = 0;
  for (const lapic of lapics) {
    if (!named(lapic, destination, logical)) continue;
    if (mode === DeliveryMode.EXTINT) {
      lapic.wiring.injectExtInt(lapic.id);
      reached++;
    } else {
      const verdict = lapic.setIrr(vector, level, 0);
      if (verdict !== Verdict.refused) reached++;
      if (verdict === Verdict.reached) lapic.wiring.notify(lapic.id);
    }
    if (one) break;
  }
  return reached;
}

/** A redirection entry, as far as the trigger mode registers are concerned. */
export interface LevelEntry {
  readonly level: boolean;
  readonly destination: number;
  readonly logical: boolean;
  readonly mode: number;
  readonly vector: number;
}

/** Rebuilds every TMR from all redirection entries: what writing one does under profiles whose rule `tmr.update` is `ioapicOnly`. */
export function rebuildTmr(lapics: readonly Vlapic[], entries: Iterable<LevelEntry>): void {
  for (const lapic of lapics) lapic.clearTmr();
  for (const { level, destination, logical, mode, vector } of entries) {
    if (!level || (mode !== DeliveryMode.FIXED && mode !== DeliveryMode.LOWEST_PRIORITY)) continue;
    for (const lapic of lapics) {
      if (!named(lapic, destination, logical)) continue;
      lapic.markLevel(vector);
      if (mode === DeliveryMode.LOWEST_PRIORITY && logical && destination !== 0xff) break;
    }
  }
}
