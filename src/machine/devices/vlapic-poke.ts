/** The debugger's edits of a local APIC: what a register holds changes, what follows from it follows, but nothing is sent and no vector ends. */
import { hex } from '../base/bits.ts';
import { Apic, apicRegisterAt } from '../x86/apic.ts';
import { ICR_DELIVERY_STATUS } from '../x86/icr.ts';
import type { Vlapic } from './vlapic.ts';

/** Why the register at `offset` cannot be changed, in one sentence; undefined: it can. */
export function whyNotPoked(offset: number): string | undefined {
  const register = apicRegisterAt(offset);
  if (register === undefined) return `the local APIC has no register at offset ${hex(offset, 3)}h: there are 020h to 3E0h, in steps of 10h`;
  const { name } = register;
  switch (offset) {
    case Apic.ID:
      return 'ID is the number of the vCPU, which cannot change';
    case Apic.VERSION:
    case Apic.APR:
    case Apic.RRD:
      return `${name} is read-only`;
    case Apic.PPR:
      return 'PPR follows from TPR and ISR: change one of these';
    case Apic.TCCR:
      return 'TCCR counts down from TICR: change that';
    case Apic.EOI:
    case Apic.SELF_IPI:
      return `${name} holds nothing: it is only written to`;
    default:
      return undefined;
  }
}

/** Changes what the register at `offset` holds, ISR, TMR and IRR included; does nothing where whyNotPoked has a reason. */
export function pokeVlapic(lapic: Vlapic, offset: number, value: number): void {
  if (whyNotPoked(offset) !== undefined) return;
  if (offset === Apic.ICR_LO) lapic.icrLow = (value & ~ICR_DELIVERY_STATUS) >>> 0;
  else if (offset === Apic.ESR) lapic.esr = value;
  else if (offset >= Apic.ISR && offset < Apic.ESR) pokeVectors(lapic, offset, value);
  else lapic.setRegister(offset, value);
  lapic.wiring.notify(lapic.id); // a vCPU that sleeps may have something to wake for
}

/** No vector below 16 can be pending or in service. A vector that becomes pending was brought by no IPI. */
function pokeVectors(lapic: Vlapic, offset: number, value: number): void {
  const map = offset < Apic.TMR ? lapic.isr : offset < Apic.IRR ? lapic.tmr : lapic.irr;
  const word = (offset >>> 4) & 7;
  const kept = word === 0 ? (value & ~0xffff) >>> 0 : value;
  const changed = (map[word] as number) ^ kept;
  map[word] = kept;
  if (map === lapic.irr) for (let bit = 0; bit < 32; bit++) if ((changed >>> bit) & 1) lapic.irrIpi[word * 32 + bit] = 0;
  lapic.updatePpr();
}
