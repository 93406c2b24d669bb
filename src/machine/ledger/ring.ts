/**
 * Rings of records in columns of typed arrays. A record is known by its number: 1 is the first ever written; the slot is (number - 1) modulo the
 * capacity. Writing allocates nothing; the oldest record gives way to the newest.
 */
import { checkState } from '../base/state.ts';
import type { Moment } from './records.ts';

type Column = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

export type RingState = { count: number; first: number; columns: Column[] };

export abstract class Ring {
  /** Number of the newest record; 0 when there is none. */
  count = 0;
  /** Number of the oldest record still held; count + 1 when there is none. */
  first = 1;
  protected readonly mask: number;

  /** Slots there are. */
  protected readonly room: number;

  /**
   * @param capacity records held, a power of two
   * @param spare slots behind them, for records that are kept for longer
   */
  constructor(
    readonly capacity: number,
    spare = 0,
  ) {
    this.room = capacity + spare;
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) throw new RangeError(`ring capacity ${capacity}: must be a power of two`);
    this.mask = capacity - 1;
  }

  /** All columns, each with its entries per record, in a fixed order. */
  protected abstract columns(): readonly (readonly [column: Column, stride: number])[];

  /** Begins the next record: its slot. Its number is `count` afterwards. What the slot held before is still in it. */
  protected next(): number {
    const slot = this.count & this.mask;
    this.count++;
    if (this.first <= this.count - this.capacity) this.first = this.count - this.capacity + 1;
    return slot;
  }

  /** Slot of record `number`, or -1 when it is not held. */
  slot(number: number): number {
    return number >= this.first && number <= this.count ? (number - 1) & this.mask : -1;
  }

  /** Forgets every record after number `count`. Older records that newer ones have overwritten meanwhile do not come back. */
  truncate(count: number): void {
    this.count = count;
    if (this.first > count + 1) this.first = count + 1;
  }

  /** The whole content of a slot, column by column. */
  copySlot(slot: number): number[] {
    return this.columns().flatMap(([column, stride]) => [...column.subarray(slot * stride, (slot + 1) * stride)]);
  }
  /** Puts into a slot what copySlot gave. */
  pasteSlot(slot: number, content: readonly number[]): void {
    let at = 0;
    for (const [column, stride] of this.columns()) for (let i = 0; i < stride; i++) column[slot * stride + i] = content[at++] ?? 0;
  }

  save(): RingState {
    const { count, first } = this;
    const held = count - first + 1;
    const columns = this.columns().map(([column, stride]) => {
      const copy = new (column.constructor as new (length: number) => Column)(held * stride);
      for (let done = 0; done < held; ) {
        const from = (first - 1 + done) & this.mask;
        const run = Math.min(held - done, this.capacity - from);
        copy.set(column.subarray(from * stride, (from + run) * stride), done * stride);
        done += run;
      }
      return copy;
    });
    return { count, first, columns };
  }

  /** Throws a StateError unless `state` can be loaded. */
  check(what: string, state: RingState): void {
    const held = state.count - state.first + 1;
    checkState(Number.isSafeInteger(state.count) && state.count >= 0, `${what}.count`, state.count, 'a whole number');
    checkState(
      Number.isSafeInteger(state.first) && state.first >= 1 && held >= 0 && held <= this.capacity,
      `${what}.first`,
      state.first,
      `within ${this.capacity} records of ${state.count}`,
    );
    const mine = this.columns();
    checkState(state.columns.length === mine.length, `${what}.columns`, state.columns.length, String(mine.length));
    mine.forEach(([column, stride], i) => {
      const theirs = state.columns[i] as Column;
      checkState(
        theirs.constructor === column.constructor && theirs.length === held * stride,
        `${what}.columns[${i}]`,
        theirs.length,
        `${held * stride} entries of the same type`,
      );
    });
  }

  load(state: RingState): void {
    const held = state.count - state.first + 1;
    this.columns().forEach(([column, stride], i) => {
      const from = state.columns[i] as Column;
      for (let done = 0; done < held; ) {
        const to = (state.first - 1 + done) & this.mask;
        const run = Math.min(held - done, this.capacity - to);
        column.set(from.subarray(done * stride, (done + run) * stride), to * stride);
        done += run;
      }
    });
    this.count = state.count;
    this.first = state.first;
  }
}

/** The columns that every kind of record has. */
abstract class MomentRing extends Ring {
  readonly vcpu = new Uint8Array(this.room);
  readonly timeNs = new Float64Array(this.room);
  readonly icount = new Float64Array(this.room);
  readonly eip = new Uint32Array(this.room);
  readonly csBase = new Uint32Array(this.room);

  protected columns(): readonly (readonly [Column, number])[] {
    return [
      [this.vcpu, 1],
      [this.timeNs, 1],
      [this.icount, 1],
      [this.eip, 1],
      [this.csBase, 1],
    ];
  }

  /** Begins a record at `moment`; its slot. */
  begin(moment: Readonly<Moment>): number {
    const slot = this.next();
    this.vcpu[slot] = moment.vcpu;
    this.timeNs[slot] = moment.timeNs;
    this.icount[slot] = moment.icount;
    this.eip[slot] = moment.eip;
    this.csBase[slot] = moment.csBase;
    return slot;
  }

  moment(slot: number): Moment {
    return {
      vcpu: this.vcpu[slot] as number,
      timeNs: this.timeNs[slot] as number,
      icount: this.icount[slot] as number,
      eip: this.eip[slot] as number,
      csBase: this.csBase[slot] as number,
    };
  }
}

/** Instruction bytes per exit: a length, then up to 15 bytes. */
export const BYTES_STRIDE = 16;

export class ExitRing extends MomentRing {
  readonly code = new Uint8Array(this.room);
  readonly finalCode = new Uint8Array(this.room);
  readonly address = new Float64Array(this.room);
  readonly size = new Uint8Array(this.room);
  readonly write = new Uint8Array(this.room);
  readonly value = new Uint32Array(this.room);
  readonly valueHigh = new Uint32Array(this.room);
  readonly device = new Uint16Array(this.room);
  readonly answer = new Uint8Array(this.room);
  readonly returned = new Int32Array(this.room);
  readonly request = new Uint8Array(this.room);
  readonly outcome = new Uint8Array(this.room);
  readonly ipi = new Float64Array(this.room);
  readonly note = new Uint16Array(this.room);
  readonly bytes = new Uint8Array(this.room * BYTES_STRIDE);

  protected override columns(): readonly (readonly [Column, number])[] {
    return [
      ...super.columns(),
      [this.code, 1],
      [this.finalCode, 1],
      [this.address, 1],
      [this.size, 1],
      [this.write, 1],
      [this.value, 1],
      [this.valueHigh, 1],
      [this.device, 1],
      [this.answer, 1],
      [this.returned, 1],
      [this.request, 1],
      [this.outcome, 1],
      [this.ipi, 1],
      [this.note, 1],
      [this.bytes, BYTES_STRIDE],
    ];
  }
}

export class IpiRing extends MomentRing {
  readonly exit = new Float64Array(this.capacity);
  readonly icrLow = new Uint32Array(this.capacity);
  readonly icrHigh = new Uint32Array(this.capacity);
  // Of each target; vCPU `v` of a record in slot `s` is entry s * vcpus + v.
  readonly verdict: Uint8Array;
  readonly reason: Uint8Array;
  readonly detail: Uint32Array;
  readonly takenNs: Float64Array;
  readonly takenIcount: Float64Array;
  /** The ledger's count of writes when the target took it: tells what a rewind undoes. */
  readonly takenWrite: Float64Array;

  constructor(
    capacity: number,
    readonly vcpus: number,
  ) {
    super(capacity);
    const entries = capacity * vcpus;
    this.verdict = new Uint8Array(entries);
    this.reason = new Uint8Array(entries);
    this.detail = new Uint32Array(entries);
    this.takenNs = new Float64Array(entries);
    this.takenIcount = new Float64Array(entries);
    this.takenWrite = new Float64Array(entries);
  }

  protected override columns(): readonly (readonly [Column, number])[] {
    const { vcpus } = this;
    return [
      ...super.columns(),
      [this.exit, 1],
      [this.icrLow, 1],
      [this.icrHigh, 1],
      [this.verdict, vcpus],
      [this.reason, vcpus],
      [this.detail, vcpus],
      [this.takenNs, vcpus],
      [this.takenIcount, vcpus],
      [this.takenWrite, vcpus],
    ];
  }

  /** Forgets that targets took what they took after the ledger's write `writes`. */
  untake(writes: number): void {
    for (let number = this.first; number <= this.count; number++) {
      const start = this.slot(number) * this.vcpus;
      for (let i = start; i < start + this.vcpus; i++) {
        if ((this.takenWrite[i] as number) <= writes) continue;
        this.takenNs[i] = -1;
        this.takenIcount[i] = -1;
        this.takenWrite[i] = -1;
      }
    }
  }
}

export class EventRing extends MomentRing {
  readonly kind = new Uint8Array(this.capacity);
  readonly value = new Uint32Array(this.capacity);
  readonly detail = new Uint32Array(this.capacity);

  protected override columns(): readonly (readonly [Column, number])[] {
    return [...super.columns(), [this.kind, 1], [this.value, 1], [this.detail, 1]];
  }
}
