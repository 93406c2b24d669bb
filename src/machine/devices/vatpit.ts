/**
 * Intel 8254 programmable interval timer of the PC ("8254 Data Sheet"), three counters at 1,193,182 Hz, and port 61h, the system control port that
 * gates counter 2 and reads its output. Counter 0's output is IRQ 0.
 *
 * With `strict` it is bhyve's in-kernel vatpit: see pit-counter-bhyve.ts; a control word for LSB only, MSB only, mode 1, mode 5 or BCD, a read of the
 * control word register and any access that is not one byte go to userspace, and port 61h has OUT2 and nothing else.
 *
 * On the interrupt pin the low pulse of modes 2, 4 and 5, one tick long, is an edge without width; every register shows it exactly.
 * Not implemented: the speaker's sound; NMI sources of port 61h (bits 7:6 read 0).
 */
import { hex } from '../base/bits.ts';
import { checkState } from '../base/state.ts';
import type { Alarm, Clock } from '../time/clock.ts';
import { byteFacet } from './byte-ports.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { nsOfTick, PIT_HZ, ticksAt } from './oscillator.ts';
import { BhyvePitCounter, type BhyvePitCounterState } from './pit-counter-bhyve.ts';
import { PitCounter, type PitCounterState } from './pit-counter.ts';
import { checkBoolean, checkInteger, checkKind } from './validate.ts';

// Offsets in the counters' facet: 0 to 2 are the counters
const CONTROL = 3;

// Control word
const SELECT_READ_BACK = 3;
const RW_LATCH = 0;
const RW_BOTH = 3;
// Read-back command: active low
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

// Port 61h
const GATE2 = 0x01;
const PORT_B_WRITABLE = 0x0f;
const REFRESH_TOGGLE = 0x10;
const OUT2 = 0x20;
/** Counter 1 asks for a DRAM refresh every 18 ticks, about 15 µs. */
const REFRESH_TICKS = 18;

export interface VatpitOptions {
  readonly name?: string;
  /** true: bhyve's handler; false: a real 8254. */
  readonly strict: boolean;
}

export interface VatpitWiring {
  readonly clock: Clock;
  /** OUT of counter 0: IRQ 0. Called when the level changes. */
  readonly irq: Pin;
}

export type VatpitState = {
  kind: 'vatpit';
  version: 1;
  strict: boolean;
  /** Bits 3:0 of port 61h as written. */
  portB: number;
  /** The level last driven on the interrupt pin. */
  level: boolean;
  /** The tick of the edge that the alarm is set for, or -1. */
  edgeTick: number;
  counters: PitCounterState[];
  bhyveCounters: BhyvePitCounterState[];
};

export class Vatpit implements Device<VatpitState> {
  // static configuration
  readonly name: string;
  private readonly strict: boolean;
  /** Ports 40h to 43h. */
  readonly counters: RegisterFacet;
  /** Port 61h. */
  readonly portB: RegisterFacet;

  // wiring
  private readonly alarm: Alarm;

  // state
  private readonly real: readonly PitCounter[];
  private readonly bhyve: readonly BhyvePitCounter[];
  private control = 0;
  /** OUT of an 8254 that was never programmed idles high, so that programming it is no edge. */
  private level: boolean;
  private edgeTick = -1;

  constructor(
    options: VatpitOptions,
    private readonly wiring: VatpitWiring,
  ) {
    this.name = options.name ?? 'vatpit';
    this.strict = options.strict;
    this.level = !options.strict;
    this.real = options.strict ? [] : [new PitCounter(true), new PitCounter(true), new PitCounter(false)];
    this.bhyve = options.strict ? [new BhyvePitCounter(), new BhyvePitCounter(), new BhyvePitCounter()] : [];
    this.alarm = wiring.clock.alarm(this.name, () => this.ring());
    this.counters = byteFacet(
      { read: (offset) => this.read(offset), peek: (offset) => this.peek(offset), write: (offset, value) => this.write(offset, value) },
      4,
      options.strict ? 'toUserspace' : 'split',
    );
    // bhyve does not look at the size here
    this.portB = {
      read: (offset) => {
        if (!this.strict) (this.real[2] as PitCounter).settle(this.tick);
        return offset === 0 ? this.peekPortB() : Access.absent;
      },
      peek: (offset) => (offset === 0 ? this.peekPortB() : Access.absent),
      write: (offset, _size, value) => (offset === 0 ? this.writePortB(value & 0xff) : Access.absent),
    };
  }

  private get nowNs(): number {
    return this.wiring.clock.nowNs;
  }
  private get tick(): number {
    return ticksAt(this.nowNs, PIT_HZ);
  }

  // registers

  private read(offset: number): number {
    if (offset === CONTROL) return this.strict ? Access.toUserspace : Access.absent;
    if (this.strict) return (this.bhyve[offset] as BhyvePitCounter).read(this.nowNs);
    this.advance();
    return (this.real[offset] as PitCounter).read(this.tick);
  }

  private peek(offset: number): number {
    if (offset === CONTROL) return this.strict ? Access.toUserspace : Access.absent;
    return this.strict ? (this.bhyve[offset] as BhyvePitCounter).peek(this.nowNs) : (this.real[offset] as PitCounter).peek(this.tick);
  }

  private write(offset: number, value: number): number {
    if (this.strict) return offset === CONTROL ? this.writeControlStrict(value) : this.writeCountStrict(offset, value);
    this.advance();
    if (offset === CONTROL) this.writeControl(value);
    else (this.real[offset] as PitCounter).write(this.tick, value);
    this.driveLevel();
    this.arm();
    return Access.ok;
  }

  private writeControl(word: number): void {
    const { tick } = this;
    const select = word >> 6;
    if (select === SELECT_READ_BACK) {
      this.real.forEach((counter, n) => {
        if (!(word & (2 << n))) return;
        if (!(word & READ_BACK_NO_COUNT)) counter.latchCount(tick);
        if (!(word & READ_BACK_NO_STATUS)) counter.latchStatus(tick);
      });
      return;
    }
    const counter = this.real[select] as PitCounter;
    if (((word >> 4) & 3) === RW_LATCH) counter.latchCount(tick);
    else counter.program(word);
  }

  private writeControlStrict(word: number): number {
    const { nowNs } = this;
    const select = word >> 6;
    if (select === SELECT_READ_BACK) {
      this.bhyve.forEach((counter, n) => {
        if (!(word & (2 << n))) return;
        if (!(word & READ_BACK_NO_COUNT)) counter.latchCount(nowNs);
        if (!(word & READ_BACK_NO_STATUS)) counter.latchStatus(nowNs);
      });
      return Access.ok;
    }
    const counter = this.bhyve[select] as BhyvePitCounter;
    const rw = (word >> 4) & 3;
    if (rw === RW_LATCH) {
      counter.latchCount(nowNs);
      return Access.ok;
    }
    // M2 does not matter in modes 2 and 3; modes 1 and 5 and BCD are unknown to bhyve
    const mode = (word >> 1) & 7;
    if (rw !== RW_BOTH || word & 1 || mode === 1 || mode === 5) return Access.toUserspace;
    counter.program(mode > 5 ? mode - 4 : mode);
    return Access.ok;
  }

  private writeCountStrict(offset: number, value: number): number {
    const counter = this.bhyve[offset] as BhyvePitCounter;
    if (counter.write(this.nowNs, value) && offset === 0) this.alarm.schedule(counter.nextInterruptNs(this.nowNs));
    return Access.ok;
  }

  private peekPortB(): number {
    if (this.strict) return (this.bhyve[2] as BhyvePitCounter).out(this.nowNs) ? OUT2 : 0;
    const { tick } = this;
    const refresh = Math.floor(tick / REFRESH_TICKS) % 2 === 1 ? REFRESH_TOGGLE : 0;
    return this.control | refresh | ((this.real[2] as PitCounter).peekOut(tick) ? OUT2 : 0);
  }

  private writePortB(value: number): number {
    if (this.strict) return Access.ok;
    this.control = value & PORT_B_WRITABLE;
    (this.real[2] as PitCounter).setGate(this.tick, (value & GATE2) !== 0);
    return Access.ok;
  }

  // the interrupt pin

  private ring(): void {
    if (!this.strict) {
      this.advance();
      this.arm();
      return;
    }
    const counter = this.bhyve[0] as BhyvePitCounter;
    if (counter.periodic) this.alarm.schedule(counter.nextInterruptNs(this.nowNs));
    this.wiring.irq(true);
    this.wiring.irq(false);
  }

  /** Brings counter 0 and its pin to the present. Edges that were missed are one edge. */
  private advance(): void {
    const counter = this.real[0] as PitCounter;
    const { tick } = this;
    const load = counter.loadTick;
    if (load <= tick) {
      counter.settle(load);
      const edge = counter.nextEdge(load);
      if (this.edgeTick < 0 && edge !== Number.POSITIVE_INFINITY) this.edgeTick = edge;
    }
    if (this.edgeTick >= 0 && tick >= this.edgeTick) {
      const edge = this.edgeTick;
      this.edgeTick = -1;
      if (counter.pulses) {
        this.drive(false);
        this.drive(true);
      } else {
        counter.settle(edge);
        this.drive(counter.out(edge));
      }
    }
    counter.settle(tick);
    this.driveLevel();
  }

  private driveLevel(): void {
    const counter = this.real[0] as PitCounter;
    this.drive(counter.pulses || counter.out(this.tick));
  }

  private drive(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    this.wiring.irq(level);
  }

  /** Sets the alarm for what counter 0 does next; none while that is nothing. */
  private arm(): void {
    const counter = this.real[0] as PitCounter;
    const edge = counter.nextEdge(this.tick);
    this.edgeTick = edge === Number.POSITIVE_INFINITY ? -1 : edge;
    const due = Math.min(edge, counter.loadTick);
    const dueNs = due === Number.POSITIVE_INFINITY ? due : nsOfTick(due, PIT_HZ);
    if (dueNs === this.alarm.dueNs) return;
    if (dueNs === Number.POSITIVE_INFINITY) this.alarm.cancel();
    else this.alarm.schedule(dueNs);
  }

  reset(): void {
    for (const counter of [...this.real, ...this.bhyve]) counter.reset();
    this.control = 0;
    this.edgeTick = -1;
    this.alarm.cancel();
    if (this.level) this.wiring.irq(false);
    this.level = !this.strict;
  }

  // saved state

  save(): VatpitState {
    const { strict, control: portB, level, edgeTick, real, bhyve } = this;
    return {
      kind: 'vatpit',
      version: 1,
      strict,
      portB,
      level,
      edgeTick,
      counters: real.map((c) => c.save()),
      bhyveCounters: bhyve.map((c) => c.save()),
    };
  }
  load(state: VatpitState): void {
    checkKind(state, 'vatpit', 1);
    const { strict, portB, level, edgeTick, counters, bhyveCounters } = state;
    checkState(strict === this.strict, 'vatpit.strict', strict, String(this.strict));
    checkInteger('vatpit.portB', portB, 0, PORT_B_WRITABLE);
    checkBoolean('vatpit.level', level);
    checkInteger('vatpit.edgeTick', edgeTick, -1, Number.MAX_SAFE_INTEGER);
    checkState(Array.isArray(counters) && counters.length === this.real.length, 'vatpit.counters', null, `${this.real.length} counters`);
    checkState(
      Array.isArray(bhyveCounters) && bhyveCounters.length === this.bhyve.length,
      'vatpit.bhyveCounters',
      null,
      `${this.bhyve.length} counters`,
    );
    counters.forEach((c, n) => PitCounter.check(`vatpit.counters[${n}]`, c));
    bhyveCounters.forEach((c, n) => BhyvePitCounter.check(`vatpit.bhyveCounters[${n}]`, c));
    this.control = portB;
    this.level = level;
    this.edgeTick = edgeTick;
    this.real.forEach((c, n) => c.load(counters[n] as PitCounterState));
    this.bhyve.forEach((c, n) => c.load(bhyveCounters[n] as BhyvePitCounterState));
  }

  inspect(): InspectNode {
    const { tick, nowNs } = this;
    const counters = this.strict
      ? this.bhyve.map((c, n) => c.inspect(`counter ${n}`, nowNs))
      : this.real.map((c, n) => c.inspect(`counter ${n}`, tick));
    return { name: this.name, value: '', children: [...counters, { name: 'port 61h', value: `${hex(this.peekPortB(), 2)}h` }] };
  }
}
