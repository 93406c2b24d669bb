/**
 * A counter as bhyve's in-kernel vatpit has it: a count that runs free from the moment of its load, whatever the mode, and a callout for channel 0.
 *
 * What differs from the 8254: no GATE; OUT is known in mode 0 alone; a count of 0 reads as FFFFh, but does not start channel 0's interrupts; a control
 * word does not stop those that run; the status byte has no RW, M and BCD bits, and is cleared by reading it; reading a counter that was never loaded
 * starts it at 100 Hz.
 */
import { hex } from '../base/bits.ts';
import type { InspectNode } from './device.ts';
import { nsOfTick, PIT_HZ, ticksAt } from './oscillator.ts';
import { checkBoolean, checkInteger } from './validate.ts';

const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;
/** The count that reading an unloaded counter gives it: 100 Hz. */
const COUNT_100_HZ = Math.floor((PIT_HZ + 50) / 100);

export type BhyvePitCounterState = {
  mode: number;
  /** 0: never loaded. */
  initial: number;
  /** The least significant byte that awaits its other half, or -1. */
  pendingLsb: number;
  /** The output latch, or -1. */
  latch: number;
  /** Its most significant byte is what the next read gives. */
  latchMsb: boolean;
  /** The next unlatched read is of the most significant byte. */
  readMsb: boolean;
  status: number;
  statusLatched: boolean;
  loadedNs: number;
  /** Ticks from the load to the next interrupt. */
  targetTicks: number;
};

const powerOn = (): BhyvePitCounterState => ({
  mode: 0,
  initial: 0,
  pendingLsb: -1,
  latch: -1,
  latchMsb: false,
  readMsb: false,
  status: 0,
  statusLatched: false,
  loadedNs: 0,
  targetTicks: 0,
});

export class BhyvePitCounter {
  private state = powerOn();

  reset(): void {
    this.state = powerOn();
  }

  /** A control word that is no latch command; its mode is 0, 2, 3 or 4. */
  program(mode: number): void {
    this.state.mode = mode;
    this.state.latch = -1;
    this.state.status |= STATUS_NULL_COUNT;
  }

  latchCount(nowNs: number): void {
    const s = this.state;
    if (s.latch !== -1) return;
    s.latch = this.count(nowNs);
    s.latchMsb = false;
  }

  latchStatus(nowNs: number): void {
    const s = this.state;
    if (s.statusLatched) return;
    s.statusLatched = true;
    s.status = (s.status & ~STATUS_OUT) | (this.out(nowNs) ? STATUS_OUT : 0);
  }

  peek(nowNs: number): number {
    const s = this.state;
    if (s.statusLatched) return s.status;
    const latched = s.latch !== -1;
    const word = latched ? s.latch : s.initial === 0 ? COUNT_100_HZ : this.running(nowNs);
    return (latched ? s.latchMsb : s.readMsb) ? word >> 8 : word & 0xff;
  }

  read(nowNs: number): number {
    const s = this.state;
    const value = this.peek(nowNs);
    if (s.statusLatched) {
      s.statusLatched = false;
      s.status = 0;
    } else if (s.latch === -1) {
      this.count(nowNs);
      s.readMsb = !s.readMsb;
    } else if (!s.latchMsb) {
      s.latchMsb = true;
    } else {
      s.latch = -1;
    }
    return value;
  }

  /** Gives true when a whole count was written and is not 0: channel 0 then starts its interrupts. */
  write(nowNs: number, value: number): boolean {
    const s = this.state;
    if (s.pendingLsb === -1) {
      s.pendingLsb = value;
      return false;
    }
    const count = s.pendingLsb | (value << 8);
    s.pendingLsb = -1;
    s.status &= ~STATUS_NULL_COUNT;
    s.readMsb = false;
    s.initial = count || 0xffff;
    s.loadedNs = nowNs;
    s.targetTicks = 0;
    return count !== 0;
  }

  get periodic(): boolean {
    return this.state.mode === 2 || this.state.mode === 3;
  }

  /** Time in ns of channel 0's next interrupt: a count after the last, skipping those that were missed. */
  nextInterruptNs(nowNs: number): number {
    const s = this.state;
    s.targetTicks += s.initial;
    const dueNs = s.loadedNs + nsOfTick(s.targetTicks, PIT_HZ);
    if (dueNs >= nowNs) return dueNs;
    s.targetTicks += Math.ceil(ticksAt(nowNs - dueNs, PIT_HZ) / s.initial) * s.initial;
    return s.loadedNs + nsOfTick(s.targetTicks, PIT_HZ);
  }

  /** OUT, which bhyve knows in mode 0 only. */
  out(nowNs: number): boolean {
    const { mode, initial, loadedNs } = this.state;
    return mode === 0 && ticksAt(nowNs - loadedNs, PIT_HZ) >= initial;
  }

  private running(nowNs: number): number {
    const { initial, loadedNs } = this.state;
    return initial - (ticksAt(nowNs - loadedNs, PIT_HZ) % initial);
  }

  private count(nowNs: number): number {
    const s = this.state;
    if (s.initial === 0) {
      s.initial = COUNT_100_HZ;
      s.loadedNs = nowNs;
      s.status &= ~STATUS_NULL_COUNT;
    }
    return this.running(nowNs);
  }

  save(): BhyvePitCounterState {
    return { ...this.state };
  }
  load(state: BhyvePitCounterState): void {
    this.state = { ...state };
  }
  static check(what: string, state: BhyvePitCounterState): void {
    const { mode, initial, pendingLsb, latch, latchMsb, readMsb, status, statusLatched, loadedNs, targetTicks } = state;
    checkInteger(`${what}.mode`, mode, 0, 4);
    checkInteger(`${what}.initial`, initial, 0, 0xffff);
    checkInteger(`${what}.pendingLsb`, pendingLsb, -1, 0xff);
    checkInteger(`${what}.latch`, latch, -1, 0xffff);
    checkBoolean(`${what}.latchMsb`, latchMsb);
    checkBoolean(`${what}.readMsb`, readMsb);
    checkInteger(`${what}.status`, status, 0, 0xff);
    checkBoolean(`${what}.statusLatched`, statusLatched);
    checkInteger(`${what}.loadedNs`, loadedNs, 0, Number.MAX_SAFE_INTEGER);
    checkInteger(`${what}.targetTicks`, targetTicks, 0, Number.MAX_SAFE_INTEGER);
  }

  inspect(name: string, nowNs: number): InspectNode {
    const s = this.state;
    return {
      name,
      value: s.initial === 0 ? 'idle' : `mode ${s.mode}`,
      children: [
        { name: 'initial count', value: s.initial === 0 ? 'none' : String(s.initial) },
        { name: 'count', value: s.initial === 0 ? 'none' : `${hex(this.running(nowNs), 4)}h` },
        { name: 'OUT', value: this.out(nowNs) ? 'high' : s.mode === 0 ? 'low' : 'not modelled in this mode' },
        {
          name: 'latched',
          value:
            [s.latch !== -1 ? `count ${hex(s.latch, 4)}h` : '', s.statusLatched ? `status ${hex(s.status, 2)}h` : '']
              .filter(Boolean)
              .join(', ') || 'nothing',
        },
      ],
    };
  }
}
