/** Time-stamp counters: the virtual clock, counted at a constant frequency, with an offset for each vCPU that WRMSR moves. */
import { checkState, type Stateful } from '../base/state.ts';
import type { VirtualClock } from '../time/clock.ts';

const TWO_32 = 0x1_0000_0000;
const TWO_53 = TWO_32 * 0x20_0000;

export type TimeStampState = { kind: 'tsc'; version: 1; offsets: Float64Array };

/** All vCPUs' TSCs. Values are exact below 2^53 (at 1 GHz: 104 days of virtual time); one that is written is cut to 53 bits. */
export class TimeStamp implements Stateful<TimeStampState> {
  private readonly offsets: Float64Array;

  /** @param hz a divisor or a multiple of 10^9, so that no fraction is lost (models/ pick 10^9) */
  constructor(
    private readonly clock: VirtualClock,
    readonly hz: number,
    vcpus: number,
  ) {
    this.offsets = new Float64Array(vcpus);
  }

  /** The counter of a vCPU, `laterNs` after the clock's present. */
  at(vcpu: number, laterNs = 0): number {
    return this.ticks(vcpu, this.clock.nowNs + laterNs);
  }
  /** The counter once `retired` more instructions than the clock knows of have retired: exact, however a run is cut into pieces. */
  atInstruction(vcpu: number, retired: number): number {
    return this.ticks(vcpu, this.clock.nowAfter(retired));
  }
  low(vcpu: number): number {
    return this.at(vcpu) % TWO_32;
  }
  high(vcpu: number): number {
    return Math.floor(this.at(vcpu) / TWO_32);
  }
  /** WRMSR 10h. */
  set(vcpu: number, low: number, high: number): void {
    this.offsets[vcpu] = 0;
    this.offsets[vcpu] = (high % 0x20_0000) * TWO_32 + low - this.at(vcpu);
  }

  private ticks(vcpu: number, nowNs: number): number {
    const ticks = this.hz >= 1e9 ? nowNs * (this.hz / 1e9) : Math.floor(nowNs / (1e9 / this.hz));
    const sum = ticks + (this.offsets[vcpu] as number);
    return sum < 0 ? sum + TWO_53 : sum % TWO_53;
  }

  save(): TimeStampState {
    return { kind: 'tsc', version: 1, offsets: this.offsets.slice() };
  }
  load(state: TimeStampState): void {
    checkState(state.kind === 'tsc' && state.version === 1, 'tsc', `${state.kind} ${state.version}`, 'tsc 1');
    checkState(state.offsets?.length === this.offsets.length, 'tsc.offsets.length', state.offsets?.length, String(this.offsets.length));
    for (const offset of state.offsets) checkState(Number.isSafeInteger(offset), 'tsc.offsets', offset, 'whole numbers');
    this.offsets.set(state.offsets);
  }
}
