/**
 * Motorola MC146818 real-time clock and its RAM, 128 bytes behind ports 70h and 71h ("MC146818 Data Sheet"), with a 32,768 Hz time base and the
 * century byte of the PC at 32h. IRQ 8.
 *
 * The time is the virtual clock plus a start time. Flags of register C that no interrupt waits for are worked out when they are read.
 * With `strict` it is bhyve's in-kernel vrtc: UIP is never seen, the interrupt is a pulse, and IRQF stays set until register C is read.
 *
 * Not implemented: other time bases (the divider runs at DV = 010 and stands still otherwise), daylight saving, the square wave, a day of the week
 * that is not the calendar's. Date or time bytes that name no moment from 1970 to 9999 stand still until they do.
 */
import { hex } from '../base/bits.ts';
import type { Alarm, Clock } from '../time/clock.ts';
import { byteFacet } from './byte-ports.ts';
import { type DateTime, dateTimeOf, daysInMonth, SECONDS_PER_DAY, secondsOf } from './calendar.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkBoolean, checkBytes, checkInteger, checkKind } from './validate.ts';

// Registers
const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const CENTURY = 0x32;
const SIZE = 128;

// Register A
const UIP = 0x80;
const DV = 0x70;
const DV_RUNNING = 0x20;
const RS = 0x0f;
// Register B
const SET = 0x80;
const PIE = 0x40;
const AIE = 0x20;
const UIE = 0x10;
const SQWE = 0x08;
const DM = 0x04;
const HOURS_24 = 0x02;
// Register C: PF, AF and UF lie where their enables lie
const IRQF = 0x80;
const PF = PIE;
const AF = AIE;
const UF = UIE;
const ENABLES = PIE | AIE | UIE;
// Register D
const VRT = 0x80;

const PM = 0x80;
/** Port 70h: bit 7 keeps NMI from the CPU. */
const NMI_MASK = 0x80;

const NS_PER_SECOND = 1_000_000_000;
/** UIP rises 244 µs before an update cycle of 1,984 µs. */
const UIP_NS = 2_228_000;
/** The time bytes name no moment. */
const NO_TIME = -1;
/** 10000-01-01 00:00:00. */
const END_OF_TIME = secondsOf({ year: 10_000, month: 1, day: 1, hour: 0, minute: 0, second: 0 });

export interface VrtcOptions {
  readonly name?: string;
  /** Time of day at power-on, in seconds since 1970-01-01 00:00:00; 0 or more. */
  readonly startSeconds: number;
  /** true: bhyve's handler, which sends accesses of more than one byte to userspace; false: an MC146818. */
  readonly strict: boolean;
}

export interface VrtcWiring {
  readonly clock: Clock;
  /** The interrupt output (the chip's /IRQ, here active high): IRQ 8. Called when the level changes. */
  readonly irq: Pin;
}

export type VrtcState = {
  kind: 'vrtc';
  version: 1;
  cmos: Uint8Array;
  index: number;
  nmiMasked: boolean;
  baseNs: number;
  baseSeconds: number;
  syncedNs: number;
  level: boolean;
};

export class Vrtc implements Device<VrtcState> {
  // static configuration
  readonly name: string;
  private readonly strict: boolean;
  /** Ports 70h and 71h. */
  readonly ports: RegisterFacet;

  // wiring
  private readonly alarm: Alarm;

  // state
  private readonly cmos = new Uint8Array(SIZE);
  private index = REGISTER_D;
  private masksNmi = false;
  /** A moment at which the divider chain ended a second: the phase of everything. */
  private baseNs = 0;
  /** The time at `baseNs`, in seconds since 1970; NO_TIME while SET or nonsense in the bytes keeps it from running. */
  private baseSeconds: number;
  /** Up to when register C's flags are worked out. */
  private syncedNs = 0;
  private level = false;

  constructor(
    options: VrtcOptions,
    private readonly wiring: VrtcWiring,
  ) {
    this.name = options.name ?? 'vrtc';
    this.strict = options.strict;
    this.baseSeconds = Math.min(Math.max(Math.floor(options.startSeconds), 0), END_OF_TIME - 1);
    this.baseNs = wiring.clock.nowNs;
    this.syncedNs = this.baseNs;
    this.cmos[REGISTER_A] = DV_RUNNING | (options.strict ? 0 : 6);
    this.cmos[REGISTER_B] = HOURS_24;
    this.cmos[REGISTER_D] = VRT;
    this.render(this.cmos, this.baseSeconds);
    this.alarm = wiring.clock.alarm(this.name, () => this.ring());
    this.ports = byteFacet(
      {
        read: (offset) => (offset === 0 ? 0xff : this.read()),
        peek: (offset) => (offset === 0 ? 0xff : this.peekByte(this.index)),
        write: (offset, value) => (offset === 0 ? this.writeIndex(value) : this.write(value)),
      },
      2,
      options.strict ? 'toUserspace' : 'split',
    );
  }

  /** Does port 70h keep NMI from the CPU? */
  get nmiMasked(): boolean {
    return this.masksNmi;
  }

  /**
   * Puts `value` (0..255) into the RAM at `index` (0Eh..7Fh but not the century byte), as the machine's firmware setup would: memory size at 34h and
   * 35h, CPU count at 5Fh…
   * @throws RangeError for an index that is not RAM
   */
  setByte(index: number, value: number): void {
    if (!Number.isInteger(index) || index <= REGISTER_D || index >= SIZE || index === CENTURY) {
      throw new RangeError(`CMOS index ${index} is not RAM: expected 14 to 127, but not 50 (century)`);
    }
    this.cmos[index] = value;
  }

  // registers

  private writeIndex(value: number): number {
    this.index = value & ~NMI_MASK;
    this.masksNmi = (value & NMI_MASK) !== 0;
    return Access.ok;
  }

  private read(): number {
    if (this.index <= REGISTER_C) this.sync();
    const value = this.peekByte(this.index);
    if (this.index === REGISTER_C) {
      this.cmos[REGISTER_C] = 0;
      this.driveIrq();
      this.arm();
    }
    return value;
  }

  /** What a read of byte `index` (0..127) gives, without side effects. */
  peekByte(index: number): number {
    const stored = this.cmos[index] ?? 0xff;
    if (index === REGISTER_A) return stored | (this.updateInProgress ? UIP : 0);
    if (index === REGISTER_C) return this.withIrqf(stored | this.newFlags());
    if (!isTime(index) || !this.counting) return stored;
    const bytes = this.cmos.slice();
    this.render(bytes, this.secondsAt(this.now));
    return bytes[index] as number;
  }

  private write(value: number): number {
    this.sync();
    const { index } = this;
    if (index === REGISTER_A) this.writeA(value);
    else if (index === REGISTER_B) this.writeB(value);
    else if (isTime(index)) this.writeTime(index, value);
    else if (index !== REGISTER_C && index !== REGISTER_D) this.cmos[index] = value;
    this.arm();
    return Access.ok;
  }

  private writeA(value: number): void {
    const ran = this.dividerRuns;
    this.freeze();
    this.cmos[REGISTER_A] = value & ~UIP;
    if (!ran && this.dividerRuns) {
      // "the first update cycle begins one-half second later"
      this.baseNs = this.now - NS_PER_SECOND / 2;
    }
    this.resume();
  }

  private writeB(value: number): void {
    this.freeze();
    const seconds = this.counting ? this.secondsAt(this.now) : NO_TIME;
    // SET clears UIE
    this.cmos[REGISTER_B] = value & SET ? value & ~UIE : value;
    // another data mode leaves the MC146818's bytes as they are; bhyve puts them into it
    if (this.strict && seconds !== NO_TIME) this.render(this.cmos, seconds);
    this.resume();
    this.driveIrq();
  }

  private writeTime(index: number, value: number): void {
    this.freeze();
    // the high bit of the seconds cannot be written
    this.cmos[index] = index === SECONDS ? value & 0x7f : value;
    this.resume();
  }

  // time

  private get now(): number {
    return this.wiring.clock.nowNs;
  }
  private get dividerRuns(): boolean {
    return ((this.cmos[REGISTER_A] as number) & DV) === DV_RUNNING;
  }
  /** Do the time bytes advance? */
  private get counting(): boolean {
    return this.dividerRuns && ((this.cmos[REGISTER_B] as number) & SET) === 0 && this.baseSeconds !== NO_TIME;
  }
  private get updateInProgress(): boolean {
    return !this.strict && this.counting && (this.now - this.baseNs) % NS_PER_SECOND >= NS_PER_SECOND - UIP_NS;
  }
  private secondsAt(ns: number): number {
    return (this.baseSeconds + Math.floor((ns - this.baseNs) / NS_PER_SECOND)) % END_OF_TIME;
  }

  /** Writes the time of now into the bytes, which are then the only truth… */
  private freeze(): void {
    if (this.counting) this.render(this.cmos, this.secondsAt(this.now));
  }

  /** …and lets it run from them, in the phase of the divider. */
  private resume(): void {
    const elapsed = this.now - this.baseNs;
    this.baseNs = this.now - (elapsed % NS_PER_SECOND);
    this.baseSeconds = (this.cmos[REGISTER_B] as number) & SET ? NO_TIME : this.parse();
  }

  // flags and the interrupt pin

  /** Ticks per second of the periodic interrupt (RS field); 0: none. */
  private get rate(): number {
    const rs = (this.cmos[REGISTER_A] as number) & RS;
    if (rs === 0) return 0;
    return rs < 3 ? 512 >> rs : 32_768 >> (rs - 1);
  }

  /** Periods that ended between baseNs and `ns`. */
  private periodsAt(ns: number): number {
    const elapsed = ns - this.baseNs;
    return Math.floor(elapsed / NS_PER_SECOND) * this.rate + Math.floor(((elapsed % NS_PER_SECOND) * this.rate) / NS_PER_SECOND);
  }

  /** The flags of register C that rose since they were last worked out. */
  private newFlags(): number {
    if (!this.dividerRuns) return 0;
    const { now } = this;
    const periodic = this.rate !== 0 && this.periodsAt(now) > this.periodsAt(this.syncedNs) ? PF : 0;
    if (!this.counting) return periodic;
    const passed = Math.floor((now - this.baseNs) / NS_PER_SECOND) - Math.floor((this.syncedNs - this.baseNs) / NS_PER_SECOND);
    if (passed === 0) return periodic;
    const alarm = this.secondsToAlarm(this.secondsAt(this.syncedNs)) <= passed ? AF : 0;
    return periodic | UF | alarm;
  }

  private sync(): void {
    this.cmos[REGISTER_C] = (this.cmos[REGISTER_C] as number) | this.newFlags();
    this.syncedNs = this.now;
    this.driveIrq();
  }

  /** Register C with IRQF = PF·PIE + AF·AIE + UF·UIE. bhyve's sticks until it is read. */
  private withIrqf(flags: number): number {
    const asks = (flags & (this.cmos[REGISTER_B] as number) & ENABLES) !== 0;
    if (asks) return flags | IRQF;
    return this.strict ? flags : flags & ~IRQF;
  }

  private driveIrq(): void {
    const before = this.cmos[REGISTER_C] as number;
    const after = this.withIrqf(before);
    this.cmos[REGISTER_C] = after;
    if (!this.strict) this.drive((after & IRQF) !== 0);
    else if (!(before & IRQF) && after & IRQF) {
      this.drive(true);
      this.drive(false);
    }
  }

  private drive(level: boolean): void {
    if (level === this.level) return;
    this.level = level;
    this.wiring.irq(level);
  }

  private ring(): void {
    this.sync();
    this.arm();
  }

  /** Sets the alarm for the next interrupt that is enabled; none while IRQF is set or nothing can come. */
  private arm(): void {
    const b = this.cmos[REGISTER_B] as number;
    let dueNs = Number.POSITIVE_INFINITY;
    if (this.dividerRuns && !((this.cmos[REGISTER_C] as number) & IRQF)) {
      const elapsed = this.now - this.baseNs;
      const second = Math.floor(elapsed / NS_PER_SECOND);
      const secondNs = this.baseNs + second * NS_PER_SECOND;
      if (b & PIE && this.rate !== 0) {
        const period = Math.floor(((elapsed % NS_PER_SECOND) * this.rate) / NS_PER_SECOND) + 1;
        dueNs = secondNs + Math.ceil((period * NS_PER_SECOND) / this.rate);
      }
      if (b & UIE && this.counting) dueNs = Math.min(dueNs, secondNs + NS_PER_SECOND);
      if (b & AIE && this.counting) dueNs = Math.min(dueNs, secondNs + this.secondsToAlarm(this.secondsAt(this.now)) * NS_PER_SECOND);
    }
    if (dueNs === this.alarm.dueNs) return;
    if (dueNs === Number.POSITIVE_INFINITY) this.alarm.cancel();
    else this.alarm.schedule(dueNs);
  }

  /** Seconds from the time `seconds` to the next one that matches the alarm bytes, 1 to 86,400; Infinity if none does. */
  private secondsToAlarm(seconds: number): number {
    const from = (seconds + 1) % SECONDS_PER_DAY;
    const matches = (index: number, encoded: number): boolean => {
      const wanted = this.cmos[index] as number;
      return (wanted & 0xc0) === 0xc0 || wanted === encoded;
    };
    const hourFits = (hour: number): boolean => matches(HOURS_ALARM, this.encodeHour(hour));
    const minuteFits = (minute: number): boolean => matches(MINUTES_ALARM, this.encode(minute));
    const secondFits = (second: number): boolean => matches(SECONDS_ALARM, this.encode(second));
    const first = (low: number, count: number, fits: (n: number) => boolean): number => {
      for (let n = low; n < count; n++) if (fits(n)) return n;
      return NO_TIME;
    };
    const minute0 = first(0, 60, minuteFits);
    const second0 = first(0, 60, secondFits);
    if (minute0 === NO_TIME || second0 === NO_TIME) return Number.POSITIVE_INFINITY;
    const h = Math.floor(from / 3600);
    const m = Math.floor(from / 60) % 60;
    const after = (hour: number, minute: number, second: number): number => {
      const distance = hour * 3600 + minute * 60 + second - from;
      return (distance < 0 ? distance + SECONDS_PER_DAY : distance) + 1;
    };
    if (hourFits(h)) {
      const second = first(from % 60, 60, secondFits);
      if (minuteFits(m) && second !== NO_TIME) return after(h, m, second);
      const minute = first(m + 1, 60, minuteFits);
      if (minute !== NO_TIME) return after(h, minute, second0);
    }
    for (let i = 1; i <= 24; i++) if (hourFits((h + i) % 24)) return after((h + i) % 24, minute0, second0);
    return Number.POSITIVE_INFINITY;
  }

  // formats

  /** `value` (0..99) in the data mode of register B. */
  private encode(value: number): number {
    return (this.cmos[REGISTER_B] as number) & DM ? value : Math.floor(value / 10) * 16 + (value % 10);
  }
  private encodeHour(hour: number): number {
    if ((this.cmos[REGISTER_B] as number) & HOURS_24) return this.encode(hour);
    return this.encode(hour % 12 || 12) | (hour >= 12 ? PM : 0);
  }
  /** The number that a byte stands for, or -1. */
  private decode(byte: number): number {
    if ((this.cmos[REGISTER_B] as number) & DM) return byte;
    return (byte & 15) > 9 || byte >> 4 > 9 ? NO_TIME : (byte >> 4) * 10 + (byte & 15);
  }
  private decodeHour(byte: number): number {
    if ((this.cmos[REGISTER_B] as number) & HOURS_24) return this.decode(byte);
    const hour = this.decode(byte & ~PM);
    return hour < 1 || hour > 12 ? NO_TIME : (hour % 12) + (byte & PM ? 12 : 0);
  }

  private render(bytes: Uint8Array, seconds: number): void {
    const time = dateTimeOf(seconds);
    bytes[SECONDS] = this.encode(time.second);
    bytes[MINUTES] = this.encode(time.minute);
    bytes[HOURS] = this.encodeHour(time.hour);
    bytes[WEEKDAY] = this.encode(time.weekday);
    bytes[DAY] = this.encode(time.day);
    bytes[MONTH] = this.encode(time.month);
    bytes[YEAR] = this.encode(time.year % 100);
    bytes[CENTURY] = this.encode(Math.floor(time.year / 100));
  }

  private parse(): number {
    const at = (index: number): number => this.decode(this.cmos[index] as number);
    const [century, yearOfCentury] = [at(CENTURY), at(YEAR)];
    const year = century * 100 + yearOfCentury;
    const [month, day, hour, minute, second] = [at(MONTH), at(DAY), this.decodeHour(this.cmos[HOURS] as number), at(MINUTES), at(SECONDS)];
    const valid =
      yearOfCentury >= 0 &&
      yearOfCentury <= 99 &&
      year >= 1970 &&
      year <= 9999 &&
      month >= 1 &&
      month <= 12 &&
      day >= 1 &&
      day <= daysInMonth(year, month) &&
      hour >= 0 &&
      hour <= 23 &&
      minute >= 0 &&
      minute <= 59 &&
      second >= 0 &&
      second <= 59;
    return valid ? secondsOf({ year, month, day, hour, minute, second }) : NO_TIME;
  }

  /** The chip's RESET input: clears the enables, the flags and SQWE. Time, RAM and the rest of register B are on the battery. */
  reset(): void {
    this.sync();
    this.index = REGISTER_D;
    this.masksNmi = false;
    this.cmos[REGISTER_B] = (this.cmos[REGISTER_B] as number) & ~(ENABLES | SQWE);
    this.cmos[REGISTER_C] = 0;
    this.driveIrq();
    this.arm();
  }

  // saved state

  save(): VrtcState {
    const { cmos, index, masksNmi: nmiMasked, baseNs, baseSeconds, syncedNs, level } = this;
    return { kind: 'vrtc', version: 1, cmos: cmos.slice(), index, nmiMasked, baseNs, baseSeconds, syncedNs, level };
  }
  load(state: VrtcState): void {
    checkKind(state, 'vrtc', 1);
    const { cmos, index, nmiMasked, baseNs, baseSeconds, syncedNs, level } = state;
    checkBytes('vrtc.cmos', cmos, SIZE);
    checkInteger('vrtc.index', index, 0, SIZE - 1);
    checkBoolean('vrtc.nmiMasked', nmiMasked);
    checkInteger('vrtc.baseNs', baseNs, -NS_PER_SECOND, Number.MAX_SAFE_INTEGER);
    checkInteger('vrtc.baseSeconds', baseSeconds, NO_TIME, END_OF_TIME - 1);
    checkInteger('vrtc.syncedNs', syncedNs, baseNs, Number.MAX_SAFE_INTEGER);
    checkBoolean('vrtc.level', level);
    this.cmos.set(cmos);
    this.index = index;
    this.masksNmi = nmiMasked;
    this.baseNs = baseNs;
    this.baseSeconds = baseSeconds;
    this.syncedNs = syncedNs;
    this.level = level;
  }

  inspect(): InspectNode {
    const byte = (index: number): string => `${hex(this.peekByte(index), 2)}h`;
    const named = (index: number, names: readonly string[]): string => {
      const set = names.filter((name, i) => name && this.peekByte(index) & (0x80 >> i));
      return `${byte(index)}${set.length ? ` (${set.join(', ')})` : ''}`;
    };
    const rate = this.rate;
    return {
      name: this.name,
      value: this.counting ? text(dateTimeOf(this.secondsAt(this.now))) : 'the time stands still',
      children: [
        { name: 'index', value: `${hex(this.index, 2)}h${this.masksNmi ? ', NMI masked' : ''}` },
        { name: 'alarm', value: `${byte(HOURS_ALARM)} ${byte(MINUTES_ALARM)} ${byte(SECONDS_ALARM)}` },
        {
          name: 'register A',
          value: `${named(REGISTER_A, ['UIP'])}${this.dividerRuns ? '' : ', divider held'}${rate ? `, ${rate} Hz` : ''}`,
        },
        { name: 'register B', value: named(REGISTER_B, ['SET', 'PIE', 'AIE', 'UIE', 'SQWE', 'DM', '24/12', 'DSE']) },
        { name: 'register C', value: named(REGISTER_C, ['IRQF', 'PF', 'AF', 'UF']) },
        { name: 'register D', value: named(REGISTER_D, ['VRT']) },
        { name: 'RAM', value: `${SIZE} bytes`, children: Array.from({ length: SIZE / 16 }, (_, row) => this.inspectRow(row * 16)) },
      ],
    };
  }

  private inspectRow(start: number): InspectNode {
    const bytes = Array.from({ length: 16 }, (_, i) => hex(this.peekByte(start + i), 2));
    return { name: `${hex(start, 2)}h`, value: bytes.join(' ') };
  }
}

/** Bytes that hold the time and the date; the alarm's are plain storage. */
const isTime = (index: number): boolean =>
  index === CENTURY || (index >= WEEKDAY && index <= YEAR) || index === SECONDS || index === MINUTES || index === HOURS;

const text = (t: DateTime): string => {
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${t.year}-${two(t.month)}-${two(t.day)} ${two(t.hour)}:${two(t.minute)}:${two(t.second)}`;
};
