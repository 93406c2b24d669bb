/**
 * The canonical bytes of a saved state: equal states have equal bytes, on every host, whatever order a record's fields were written in.
 *
 * Each value is a tag and its content, little-endian. A record's fields stand in ascending order of their names; a field that is undefined counts as
 * absent. A whole number of 32 bits has one form, -0 is 0.
 */
import { checkState, StateError, type StateValue } from './state.ts';

const Tag = {
  null: 0,
  false: 1,
  true: 2,
  int: 3,
  float: 4,
  string: 5,
  array: 6,
  record: 7,
  uint8: 8,
  uint16: 9,
  uint32: 10,
  int32: 11,
  float64: 12,
} as const;

type Numbers = Uint16Array | Uint32Array | Int32Array | Float64Array;

/** Grows as it is written to. */
class Writer {
  private bytes = new Uint8Array(1 << 14);
  private view = new DataView(this.bytes.buffer);
  private used = 0;

  /** Makes room for `count` bytes; gives where they go. */
  private take(count: number): number {
    const at = this.used;
    this.used += count;
    if (this.used > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(this.bytes.length * 2, this.used));
      bytes.set(this.bytes);
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    }
    return at;
  }
  private tag(tag: number): void {
    const at = this.take(1); // before this.bytes is looked at: it may be another afterwards
    this.bytes[at] = tag;
  }
  private count(tag: number, n: number): void {
    this.tag(tag);
    const at = this.take(4);
    this.view.setUint32(at, n, true);
  }
  private text(text: string): void {
    let at = this.take(4 + text.length * 2);
    this.view.setUint32(at, text.length, true);
    at += 4;
    for (let i = 0; i < text.length; i++, at += 2) this.view.setUint16(at, text.charCodeAt(i), true);
  }
  private number(n: number): void {
    if (n === (n | 0)) {
      this.tag(Tag.int);
      const at = this.take(4);
      this.view.setInt32(at, n, true);
      return;
    }
    this.tag(Tag.float);
    const at = this.take(8);
    this.view.setFloat64(at, n, true);
  }
  private numbers(list: Numbers): void {
    const { length, BYTES_PER_ELEMENT: size } = list;
    const tag =
      list instanceof Uint16Array
        ? Tag.uint16
        : list instanceof Uint32Array
          ? Tag.uint32
          : list instanceof Int32Array
            ? Tag.int32
            : Tag.float64;
    this.count(tag, length);
    let at = this.take(length * size);
    for (let i = 0; i < length; i++, at += size) {
      const n = list[i] as number;
      if (tag === Tag.uint16) this.view.setUint16(at, n, true);
      else if (tag === Tag.float64) this.view.setFloat64(at, n, true);
      else this.view.setInt32(at, n, true);
    }
  }
  value(value: StateValue): void {
    if (typeof value === 'number') return this.number(value);
    if (typeof value === 'boolean') return this.tag(value ? Tag.true : Tag.false);
    if (typeof value === 'string') {
      this.tag(Tag.string);
      return this.text(value);
    }
    if (value === null) return this.tag(Tag.null);
    if (value instanceof Uint8Array) {
      this.count(Tag.uint8, value.length);
      const at = this.take(value.length);
      this.bytes.set(value, at);
      return;
    }
    if (ArrayBuffer.isView(value)) return this.numbers(value as Numbers);
    if (Array.isArray(value)) {
      this.count(Tag.array, value.length);
      for (const item of value as readonly StateValue[]) this.value(item);
      return;
    }
    const record = value as { readonly [key: string]: StateValue };
    const keys = Object.keys(record)
      .filter((key) => record[key] !== undefined)
      .sort();
    this.count(Tag.record, keys.length);
    for (const key of keys) {
      this.text(key);
      this.value(record[key] as StateValue);
    }
  }
  done(): Uint8Array {
    return this.bytes.slice(0, this.used);
  }
}

/** A state's canonical bytes. */
export function encodeState(value: StateValue): Uint8Array {
  const writer = new Writer();
  writer.value(value);
  return writer.done();
}

/** Nesting that no state comes near. */
const DEEPEST = 64;

class Reader {
  private at = 0;
  private readonly view: DataView;
  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  private take(count: number): number {
    checkState(this.at + count <= this.bytes.length, `state bytes ${this.at}`, this.bytes.length, `${count} bytes more`);
    const at = this.at;
    this.at += count;
    return at;
  }
  private count(size: number): number {
    const n = this.view.getUint32(this.take(4), true);
    checkState(this.at + n * size <= this.bytes.length, `state bytes ${this.at}: count`, n, `what ${this.bytes.length} bytes can hold`);
    return n;
  }
  private text(): string {
    const length = this.count(2);
    let at = this.take(length * 2);
    let text = '';
    for (let i = 0; i < length; i++, at += 2) text += String.fromCharCode(this.view.getUint16(at, true));
    return text;
  }
  private numbers(tag: number): Numbers {
    const size = tag === Tag.uint16 ? 2 : tag === Tag.float64 ? 8 : 4;
    const length = this.count(size);
    const list =
      tag === Tag.uint16
        ? new Uint16Array(length)
        : tag === Tag.uint32
          ? new Uint32Array(length)
          : tag === Tag.int32
            ? new Int32Array(length)
            : new Float64Array(length);
    let at = this.take(length * size);
    for (let i = 0; i < length; i++, at += size)
      list[i] =
        tag === Tag.uint16
          ? this.view.getUint16(at, true)
          : tag === Tag.float64
            ? this.view.getFloat64(at, true)
            : this.view.getInt32(at, true);
    return list;
  }
  value(depth: number): StateValue {
    checkState(depth <= DEEPEST, `state bytes ${this.at}: nesting`, depth, `at most ${DEEPEST}`);
    const tag = this.bytes[this.take(1)] as number;
    switch (tag) {
      case Tag.null:
        return null;
      case Tag.false:
      case Tag.true:
        return tag === Tag.true;
      case Tag.int:
        return this.view.getInt32(this.take(4), true);
      case Tag.float:
        return this.view.getFloat64(this.take(8), true);
      case Tag.string:
        return this.text();
      case Tag.uint8: {
        const length = this.count(1);
        const at = this.take(length);
        return this.bytes.slice(at, at + length);
      }
      case Tag.array:
        return Array.from({ length: this.count(1) }, () => this.value(depth + 1));
      case Tag.record: {
        const fields: [string, StateValue][] = [];
        for (let left = this.count(5); left > 0; left--) fields.push([this.text(), this.value(depth + 1)]);
        return Object.fromEntries(fields);
      }
      case Tag.uint16:
      case Tag.uint32:
      case Tag.int32:
      case Tag.float64:
        return this.numbers(tag);
      default:
        throw new StateError(`state bytes ${this.at - 1}: found tag ${tag}, expected 0 to ${Tag.float64}`);
    }
  }
  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }
}

/**
 * The state that encodeState gave these bytes for.
 * @throws StateError when they are not what encodeState writes
 */
export function decodeState(bytes: Uint8Array): StateValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  checkState(reader.atEnd, 'state bytes', bytes.length, 'nothing after the state');
  return value;
}
