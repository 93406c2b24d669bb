/**
 * One counter of an Intel 8254 ("8254 Data Sheet", sections Write Operations, Read Operations and Mode Definitions), in closed form: its count and
 * its output are functions of the clock tick at which it was loaded, so nothing runs while nobody looks.
 *
 * A count of 1, which the data sheet forbids in modes 2 and 3, counts as 2. A counter that was never programmed is idle with OUT high.
 */
import { hex } from '../base/bits.ts';
import type { InspectNode } from './device.ts';
import { checkBoolean, checkInteger } from './validate.ts';

/** RW field of the control word. */
const RW_LSB = 1;
const RW_MSB = 2;
const RW_BOTH = 3;
const BCD = 0x01;
// Status byte
const STATUS_OUT = 0x80;
const STATUS_NULL_COUNT = 0x40;

const NONE = -1;

export type PitCounterState = {
  /** RW, M and BCD as written last: bits 5:0 of the control word. */
  control: number;
  /** The least significant byte that awaits its other half, or -1. */
  pendingLsb: number;
  /** The next read of a 16-bit count is of its most significant byte. */
  readMsb: boolean;
  /** The output latch, as it reads (BCD where so programmed), or -1. */
  latch: number;
  /** The latched status byte, or -1. */
  status: number;
  gate: boolean;
  /** CR: the count (1..65536) that is not yet in CE, or 0. */
  next: number;
  /** The tick at which CR goes into CE, or -1 when that waits for a trigger. */
  nextTick: number;
  /** The count that CE was loaded with (1..65536), or 0 when it was not. */
  count: number;
  /** The tick at which it was; in the past or the present. */
  startTick: number;
  /** Ticks counted when GATE stopped it, or -1 while it counts. */
  held: number;
};

/** A tick of the input clock: its number since power-on. */
type Tick = number;

export class PitCounter {
  private state: PitCounterState;

  constructor(private readonly initialGate: boolean) {
    this.state = this.powerOn();
  }

  private powerOn(): PitCounterState {
    return {
      control: (RW_BOTH << 4) | (3 << 1),
      pendingLsb: NONE,
      readMsb: false,
      latch: NONE,
      status: NONE,
      gate: this.initialGate,
      next: 0,
      nextTick: NONE,
      count: 0,
      startTick: 0,
      held: NONE,
    };
  }
  reset(): void {
    this.state = this.powerOn();
  }

  get mode(): number {
    const mode = (this.state.control >> 1) & 7;
    return mode > 5 ? mode - 4 : mode;
  }
  private get rw(): number {
    return this.state.control >> 4;
  }
  /** What the counting element wraps at. */
  private get modulus(): number {
    return this.state.control & BCD ? 10_000 : 65_536;
  }

  // registers; `now` never runs backwards

  /** A control word for this counter that is not a latch command. */
  program(word: number): void {
    const { gate } = this.state;
    this.state = { ...this.powerOn(), control: word & 0x3f, gate };
  }

  /** Counter latch command. Ignored while a latched count has not been read. */
  latchCount(now: Tick): void {
    this.settle(now);
    if (this.state.latch === NONE) this.state.latch = this.present(now);
  }

  /** Read-back command with STATUS=0. Ignored while a latched status has not been read. */
  latchStatus(now: Tick): void {
    this.settle(now);
    const s = this.state;
    if (s.status !== NONE) return;
    const nullCount = s.count === 0 || s.next !== 0;
    s.status = (this.out(now) ? STATUS_OUT : 0) | (nullCount ? STATUS_NULL_COUNT : 0) | s.control;
  }

  /** The byte that the next read gives, without a side effect. */
  peek(now: Tick): number {
    return this.settledCopy(now).nextByte(now);
  }

  private nextByte(now: Tick): number {
    const s = this.state;
    if (s.status !== NONE) return s.status;
    const word = s.latch === NONE ? this.present(now) : s.latch;
    const msb = this.rw === RW_MSB || (this.rw === RW_BOTH && s.readMsb);
    return msb ? word >> 8 : word & 0xff;
  }

  read(now: Tick): number {
    this.settle(now);
    const s = this.state;
    const value = this.nextByte(now);
    if (s.status !== NONE) s.status = NONE;
    else if (this.rw === RW_BOTH && !s.readMsb) s.readMsb = true;
    else {
      s.readMsb = false;
      s.latch = NONE;
    }
    return value;
  }

  write(now: Tick, value: number): void {
    this.settle(now);
    const s = this.state;
    if (this.rw === RW_LSB) this.writeCount(now, value);
    else if (this.rw === RW_MSB) this.writeCount(now, value << 8);
    else if (s.pendingLsb === NONE) {
      s.pendingLsb = value;
      // Mode 0: "Writing the first byte disables counting. OUT is set low immediately"
      if (this.mode === 0) Object.assign(s, { count: 0, next: 0, nextTick: NONE });
    } else {
      const word = s.pendingLsb | (value << 8);
      s.pendingLsb = NONE;
      this.writeCount(now, word);
    }
  }

  private writeCount(now: Tick, word: number): void {
    const s = this.state;
    const { mode } = this;
    const digits = s.control & BCD ? (word >> 12) * 1000 + ((word >> 8) & 15) * 100 + ((word >> 4) & 15) * 10 + (word & 15) : word;
    const count = digits % this.modulus || this.modulus;
    s.next = mode === 2 || mode === 3 ? Math.max(count, 2) : count;
    switch (mode) {
      case 0:
        s.count = 0;
        s.nextTick = now + 1;
        break;
      case 4:
        s.nextTick = now + 1;
        break;
      case 1:
      case 5:
        s.nextTick = NONE;
        break;
      default:
        // a count written while counting waits for the end of the cycle (mode 3: of the half cycle)
        s.nextTick = !s.gate ? NONE : s.count === 0 ? now + 1 : this.boundary(now);
    }
  }

  // pins

  /** Drives GATE. */
  setGate(now: Tick, level: boolean): void {
    this.settle(now);
    const s = this.state;
    if (level === s.gate) return;
    s.gate = level;
    const { mode } = this;
    if (level) {
      if (mode === 0 || mode === 4) this.resume(now);
      else this.trigger(now);
    } else if (mode !== 1 && mode !== 5) {
      s.held = this.elapsed(now);
      // GATE has no effect on OUT: a strobe ends with its clock
      if (mode === 4 && s.held === s.count) s.held++;
      if (mode === 2 || mode === 3) s.nextTick = NONE;
    }
  }

  private resume(now: Tick): void {
    const s = this.state;
    if (s.held !== NONE) s.startTick = now - s.held;
    s.held = NONE;
  }

  /** The rising edge of GATE in modes 1, 2, 3 and 5: CE is loaded on the next tick. */
  private trigger(now: Tick): void {
    const s = this.state;
    s.next = s.next || s.count;
    s.nextTick = s.next ? now + 1 : NONE;
    if (this.mode === 2 || this.mode === 3) {
      s.count = 0;
      s.held = NONE;
    }
  }

  /** The level of OUT, looked at without a side effect. */
  peekOut(now: Tick): boolean {
    return this.loadTick > now ? this.out(now) : this.settledCopy(now).out(now);
  }

  /** The level of OUT; once settled at `now`. */
  out(now: Tick): boolean {
    const s = this.state;
    const e = this.elapsed(now);
    switch (this.mode) {
      case 0:
        return s.count !== 0 && e >= s.count;
      case 1:
        return s.count === 0 || e >= s.count;
      case 2:
        return s.count === 0 || !s.gate || e % s.count !== s.count - 1;
      case 3:
        return s.count === 0 || !s.gate || e % s.count < high(s.count);
      default:
        return s.count === 0 || e !== s.count;
    }
  }

  /** Does an interrupt input see OUT's low pulse as one edge without width (modes 2, 4 and 5)? */
  get pulses(): boolean {
    return this.mode === 2 || this.mode >= 4;
  }

  /** The next tick after `now` at which OUT changes or ends its low pulse; Infinity if none will without a write or a trigger. */
  nextEdge(now: Tick): Tick {
    const s = this.state;
    if (s.count === 0 || s.held !== NONE) return Number.POSITIVE_INFINITY;
    const e = this.elapsed(now);
    switch (this.mode) {
      case 0:
      case 1:
        return e < s.count ? s.startTick + s.count : Number.POSITIVE_INFINITY;
      case 2:
      case 3:
        return this.boundary(now);
      default:
        return e <= s.count ? s.startTick + s.count + 1 : Number.POSITIVE_INFINITY;
    }
  }

  /** The tick at which a written count goes into CE, or Infinity. */
  get loadTick(): Tick {
    const { next, nextTick } = this.state;
    return next !== 0 && nextTick !== NONE ? nextTick : Number.POSITIVE_INFINITY;
  }

  // the counting element

  /** Lets happen what is due: moves a written count from CR to CE. */
  settle(now: Tick): void {
    const s = this.state;
    if (this.loadTick > now) return;
    // a mode 3 count that took over in the middle of a cycle begins with its low half
    const intoLow = this.mode === 3 && s.count !== 0 && (s.nextTick - s.startTick) % s.count !== 0;
    s.startTick = s.nextTick - (intoLow ? high(s.next) : 0);
    s.count = s.next;
    s.next = 0;
    s.nextTick = NONE;
    s.held = !s.gate && (this.mode === 0 || this.mode === 4) ? 0 : NONE;
  }

  /** What settle would make of it, for those who only look. */
  private settledCopy(now: Tick): PitCounter {
    const copy = new PitCounter(this.initialGate);
    copy.load(this.state);
    copy.settle(now);
    return copy;
  }

  private elapsed(now: Tick): number {
    return this.state.held !== NONE ? this.state.held : now - this.state.startTick;
  }

  /** The next tick after `now` at which a cycle ends, or in mode 3 half a cycle. */
  private boundary(now: Tick): Tick {
    const { count } = this.state;
    const phase = this.elapsed(now) % count;
    const cycle = now - phase;
    return this.mode === 3 && phase < high(count) ? cycle + high(count) : cycle + count;
  }

  /** The count as it reads now. */
  private present(now: Tick): number {
    const s = this.state;
    const value = (s.count === 0 ? s.next : this.value(now)) % this.modulus;
    if (!(s.control & BCD)) return value;
    return (Math.floor(value / 1000) << 12) | ((Math.floor(value / 100) % 10) << 8) | ((Math.floor(value / 10) % 10) << 4) | (value % 10);
  }

  private value(now: Tick): number {
    const { count } = this.state;
    const e = this.elapsed(now);
    if (this.mode === 2) return count - (e % count);
    if (this.mode === 3) {
      // counts by two; an odd count is loaded less one
      const phase = e % count;
      return count - (count & 1) - 2 * (phase < high(count) ? phase : phase - high(count));
    }
    return (((count - e) % this.modulus) + this.modulus) % this.modulus;
  }

  // saved state

  save(): PitCounterState {
    return { ...this.state };
  }
  load(state: PitCounterState): void {
    this.state = { ...state };
  }
  static check(what: string, state: PitCounterState): void {
    const { control, pendingLsb, readMsb, latch, status, gate, next, nextTick, count, startTick, held } = state;
    checkInteger(`${what}.control`, control, 1 << 4, 0x3f);
    checkInteger(`${what}.pendingLsb`, pendingLsb, NONE, 0xff);
    checkBoolean(`${what}.readMsb`, readMsb);
    checkInteger(`${what}.latch`, latch, NONE, 0xffff);
    checkInteger(`${what}.status`, status, NONE, 0xff);
    checkBoolean(`${what}.gate`, gate);
    checkInteger(`${what}.next`, next, 0, 65_536);
    checkInteger(`${what}.nextTick`, nextTick, NONE, Number.MAX_SAFE_INTEGER);
    checkInteger(`${what}.count`, count, 0, 65_536);
    checkInteger(`${what}.startTick`, startTick, -65_536, Number.MAX_SAFE_INTEGER);
    checkInteger(`${what}.held`, held, NONE, Number.MAX_SAFE_INTEGER);
  }

  inspect(name: string, now: Tick): InspectNode {
    const at = this.settledCopy(now);
    const s = at.state;
    const latched = [s.latch !== NONE ? `count ${hex(s.latch, 4)}h` : '', s.status !== NONE ? `status ${hex(s.status, 2)}h` : ''];
    return {
      name,
      value: s.count === 0 && s.next === 0 ? 'idle' : `mode ${at.mode}, ${MODES[at.mode]}`,
      children: [
        { name: 'initial count', value: String(s.count || s.next || 'none') },
        { name: 'next count', value: s.next && s.count ? String(s.next) : 'none' },
        { name: 'count', value: `${hex(at.present(now), 4)}h${s.control & BCD ? ' BCD' : ''}` },
        { name: 'access', value: ['', 'LSB only', 'MSB only', 'LSB then MSB'][at.rw] ?? '' },
        { name: 'GATE', value: s.gate ? 'high' : 'low' },
        { name: 'OUT', value: at.out(now) ? 'high' : 'low' },
        { name: 'latched', value: latched.filter(Boolean).join(', ') || 'nothing' },
      ],
    };
  }
}

const MODES = [
  'interrupt on terminal count',
  'hardware retriggerable one-shot',
  'rate generator',
  'square wave',
  'software triggered strobe',
  'hardware triggered strobe',
] as const;

/** Ticks that OUT is high in a cycle of mode 3: the longer half of an odd count. */
const high = (count: number): number => Math.ceil(count / 2);
