/**
 * ACPI power-management timer (ACPI specification, "Power Management Timer"): a free-running counter at 3,579,545 Hz.
 *
 * Not implemented: the carry interrupt (TMR_STS of the PM1 event block), which bhyve lacks as well.
 */
import { checkState } from '../base/state.ts';
import { hex, truncate } from '../base/bits.ts';
import type { Clock } from '../time/clock.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import { ticksAt } from './oscillator.ts';
import { checkBoolean, checkKind } from './validate.ts';

/** Four times 14.31818 MHz ÷ 16. */
export const PM_TIMER_HZ = 3_579_545;

export interface VpmtmrOptions {
  readonly name?: string;
  /** Width of the counter (TMR_VAL_EXT of the FADT). */
  readonly bits: 24 | 32;
  /** bhyve's in-kernel handler: IN of four bytes is all it knows; anything else goes to userspace. */
  readonly strict: boolean;
}

export type VpmtmrState = { kind: 'vpmtmr'; version: 1; wide: boolean };

export class Vpmtmr implements Device<VpmtmrState> {
  // static configuration
  readonly name: string;
  private readonly wide: boolean;
  private readonly strict: boolean;
  /** TMR_VAL: four bytes at one address (bhyve: port 408h). */
  readonly timer: RegisterFacet;

  // state: none of its own, the count is the clock

  constructor(
    options: VpmtmrOptions,
    // wiring
    private readonly clock: Clock,
  ) {
    this.name = options.name ?? 'vpmtmr';
    this.wide = options.bits === 32;
    this.strict = options.strict;
    const read = (offset: number, size: number): number => this.read(offset, size);
    this.timer = { read, peek: read, write: () => (this.strict ? Access.toUserspace : Access.ok) };
  }

  private get count(): number {
    const ticks = ticksAt(this.clock.nowNs, PM_TIMER_HZ) % 0x1_0000_0000;
    return this.wide ? ticks : ticks & 0xffffff;
  }

  private read(offset: number, size: number): number {
    if (offset === 0 && size === 4) return this.count;
    if (this.strict) return Access.toUserspace;
    return offset < 4 ? truncate(this.count >>> (8 * offset), size) : Access.absent;
  }

  reset(): void {}

  save(): VpmtmrState {
    return { kind: 'vpmtmr', version: 1, wide: this.wide };
  }
  load(state: VpmtmrState): void {
    checkKind(state, 'vpmtmr', 1);
    checkBoolean('vpmtmr.wide', state.wide);
    checkState(state.wide === this.wide, 'vpmtmr.wide', state.wide, String(this.wide));
  }
  inspect(): InspectNode {
    return { name: this.name, value: '', children: [{ name: 'TMR_VAL', value: `${hex(this.count, 8)}h, ${this.wide ? 32 : 24} bits` }] };
  }
}
