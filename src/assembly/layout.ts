/**
 * Layout: gives every statement its place and size, over as many passes as it takes for all sizes to agree with all symbols, then writes the bytes.
 *
 * Each pass goes through the statements anew with the values that symbols had in the pass before (for what lies ahead) or have in this one (for what
 * lies behind). Branches begin short and grow when they must.
 */
import type { EncodingIndex } from '../machine/isa/encoding-index.ts';
import type { DiagnosticList, Span } from './diagnostic.ts';
import { evaluate, numberValue, UNKNOWN, type Value } from './expression.ts';
import { choose, type InstructionContext, type PreparedInstruction, prepare, write } from './instruction.ts';
import type { LineEntry } from './linemap.ts';
import { opensScope, qualified, type SymbolEntry, type SymbolTable } from './symbols.ts';
import type { Body, Statement } from './syntax.ts';

/** The largest image, in bytes. */
export const MAXIMUM_IMAGE = 64 * 1024 * 1024;
/** After this many passes a branch that was once too short stays near. */
const SETTLING_PASS = 24;
const MAXIMUM_PASSES = 200;
/** Repetitions of an instruction whose bytes depend on where it stands. */
const MAXIMUM_VARYING = 65_536;

interface Item {
  readonly statement: Statement;
  readonly bits: 16 | 32;
  /** The label that local labels belong to. */
  readonly scope: string;
  readonly label: SymbolEntry | null;
  readonly body: PreparedBody | null;
  offset: number;
  /** Bytes of one repetition, and how many repetitions. */
  unit: number;
  count: number;
  /** Bytes in all. */
  size: number;
  reported: boolean;
}

type PreparedBody =
  | { readonly kind: 'instruction'; readonly prepared: PreparedInstruction; bytes: readonly number[] | null }
  | { readonly kind: 'plain'; readonly body: Exclude<Body, { kind: 'instruction' | 'align' }> }
  | { readonly kind: 'align'; readonly body: Extract<Body, { kind: 'align' }>; readonly filler: PreparedBody | null };

/** What a layout gives. */
export interface Image {
  readonly bytes: Uint8Array;
  readonly origin: number;
  readonly entries: readonly LineEntry[];
}

export class Layout implements InstructionContext {
  readonly #symbols: SymbolTable;
  readonly #diagnostics: DiagnosticList;
  readonly #items: Item[] = [];
  #origin: bigint;
  #originStatement: Statement | null = null;
  #final = false;
  #changed = false;
  #item: Item | null = null;
  /** Offset from the beginning where the repetition at hand stands. */
  #place = 0;
  settling = false;
  /** Where the latest warning was given: a repetition does not give it again. */
  #warned: Span | null = null;

  constructor(symbols: SymbolTable, diagnostics: DiagnosticList, origin: number) {
    this.#symbols = symbols;
    this.#diagnostics = diagnostics;
    this.#origin = BigInt(origin);
  }

  /** Lays the statements out. */
  run(statements: readonly Statement[], index: EncodingIndex): Image {
    this.#collect(statements, index);
    let settled = false;
    for (let pass = 0; pass < MAXIMUM_PASSES && !settled; pass++) {
      this.settling = pass >= SETTLING_PASS;
      this.#changed = false;
      const size = this.#pass();
      settled = !this.#changed;
      if (size > MAXIMUM_IMAGE) break;
    }
    const size = this.#items.reduce((sum, item) => sum + item.size, 0);
    this.#final = true;
    if (size > MAXIMUM_IMAGE) {
      const largest = this.#items.reduce((a, b) => (b.size > a.size ? b : a));
      this.#item = null;
      this.problem(largest.statement.span, `the image would have ${size} bytes; the limit is ${MAXIMUM_IMAGE}`);
      return { bytes: new Uint8Array(), origin: Number(this.#origin), entries: [] };
    }
    if (!settled && this.#diagnostics.errors === 0) {
      const span = this.#items[0]?.statement.span ?? { start: 0, end: 0 };
      this.problem(span, `the layout does not settle after ${MAXIMUM_PASSES} passes: a size depends on a symbol that depends on the size`);
    }
    return this.#emit(size);
  }

  /** Enters all symbols and prepares all bodies: what does not change between passes. */
  #collect(statements: readonly Statement[], index: EncodingIndex): void {
    let bits: 16 | 32 = 16;
    let scope = '';
    for (const statement of statements) {
      const { body } = statement;
      if (body?.kind === 'bits') bits = body.bits;
      if (body?.kind === 'org') {
        if (this.#originStatement !== null)
          this.#diagnostics.error(body.span, `org is already given in line ${this.#diagnostics.lineOf(this.#originStatement.span.start)}`);
        else this.#originStatement = statement;
      }
      let label: SymbolEntry | null = null;
      if (statement.label !== null) {
        const kind = body?.kind === 'equ' ? 'equ' : 'label';
        const name = qualified(statement.label.name, scope);
        const { entry, earlier } = this.#symbols.define(name, kind, statement.label.span);
        if (earlier)
          this.#diagnostics.error(
            statement.label.span,
            `'${name}' is already defined in line ${this.#diagnostics.lineOf(entry.span.start)}`,
          );
        else label = entry;
        if (kind === 'label' && opensScope(statement.label.name)) scope = name;
      }
      const prepared = body === null || body.kind === 'bits' ? null : this.#prepare(body, bits, index);
      this.#items.push({ statement, bits, scope, label, body: prepared, offset: 0, unit: 0, count: 1, size: 0, reported: false });
    }
  }

  #prepare(body: Body, bits: 16 | 32, index: EncodingIndex): PreparedBody | null {
    if (body.kind === 'instruction') {
      const prepared = prepare(body, bits, index, (span, message) => this.#diagnostics.error(span, message));
      return prepared === null ? null : { kind: 'instruction', prepared, bytes: null };
    }
    if (body.kind === 'align')
      return { kind: 'align', body, filler: body.filler === null ? null : this.#prepare(body.filler, bits, index) };
    return { kind: 'plain', body };
  }

  #pass(): number {
    let offset = 0;
    for (const item of this.#items) {
      this.#item = item;
      this.#place = offset;
      if (item.offset !== offset) {
        item.offset = offset;
        this.#changed = true;
      }
      if (item.label?.kind === 'label') this.#assign(item.label, this.here());
      item.count = item.statement.times.length === 0 ? 1 : this.#count(item);
      let size = 0;
      if (item.body !== null) {
        if (item.count > 1 && item.body.kind === 'instruction' && item.body.prepared.variable) {
          // Each repetition stands elsewhere, so each is sized by itself.
          if (item.count > MAXIMUM_VARYING) {
            this.problem(
              item.statement.span,
              `times repeats an instruction that depends on its place at most ${MAXIMUM_VARYING} times, found ${item.count}`,
            );
            item.count = 0;
          }
          for (let i = 0; i < item.count && size <= MAXIMUM_IMAGE; i++, this.#place = offset + size) size += this.#measure(item.body);
          item.unit = 0;
        } else {
          item.unit = item.count === 0 ? 0 : this.#measure(item.body);
          size = item.unit * item.count;
        }
      }
      if (item.body?.kind === 'align' && item.body.filler !== null) item.unit = Math.min(size, this.#measure(item.body.filler));
      if (item.size !== size) {
        item.size = size;
        this.#changed = true;
      }
      offset += size;
      if (offset > MAXIMUM_IMAGE) return offset;
    }
    return offset;
  }

  #assign(entry: SymbolEntry, value: Value): void {
    const old = entry.value;
    if (old.value === value.value && old.address === value.address && old.unknown === value.unknown) return;
    entry.value = value;
    this.#changed = true;
  }

  /** The product of the repeat counts. */
  #count(item: Item): number {
    let count = 1;
    for (const expression of item.statement.times) {
      const value = evaluate(expression, this);
      if (value.unknown) return 0;
      count *= this.#natural(value, expression.span, 'times');
    }
    return count;
  }

  /** A count from 0 to the largest image; reports anything else and gives 0. */
  #natural(value: Value, span: Span, what: string): number {
    if (value.unknown) return 0;
    if (value.address !== 0) this.problem(span, `${what} takes a number, not an address; a difference such as $ - $$ is a number`);
    else if (value.value < 0n) this.problem(span, `${what} takes a number that is not negative, found ${value.value}`);
    else if (value.value > BigInt(MAXIMUM_IMAGE)) {
      this.problem(span, `${what} takes at most ${MAXIMUM_IMAGE}, found ${value.value}`);
    } else return Number(value.value);
    return 0;
  }

  /** Bytes of one repetition at the current place. */
  #measure(body: PreparedBody): number {
    if (body.kind === 'instruction') {
      if (body.bytes !== null) return body.bytes.length;
      return choose(body.prepared, this)?.length ?? 0;
    }
    if (body.kind === 'align') {
      const count = this.#padding(body.body);
      return body.filler === null ? count : count === 0 ? 0 : count * this.#measure(body.filler);
    }
    return this.#measurePlain(body.body);
  }

  #measurePlain(body: Extract<PreparedBody, { kind: 'plain' }>['body']): number {
    switch (body.kind) {
      case 'data':
        return body.items.reduce(
          (sum, item) => sum + (item.kind === 'string' ? Math.ceil(item.bytes.length / body.unit) * body.unit : body.unit),
          0,
        );
      case 'reserve':
        return this.#natural(evaluate(body.count, this), body.count.span, 'a reservation') * body.unit;
      case 'equ': {
        const label = this.#item?.label ?? null;
        const value = evaluate(body.value, this);
        if (label !== null) this.#assign(label, value);
        return 0;
      }
      case 'org': {
        if (this.#item?.statement !== this.#originStatement) return 0;
        const value = evaluate(body.value, this);
        if (value.address !== 0) this.problem(body.value.span, 'org takes a number, not an address');
        else if (!value.unknown && (value.value < 0n || value.value > 0xffffffffn))
          this.problem(body.value.span, `org takes 0 to 0xFFFFFFFF, found ${value.value}`);
        else if (!value.unknown && value.value !== this.#origin) {
          this.#origin = value.value;
          this.#changed = true;
        }
        return 0;
      }
      default:
        return 0;
    }
  }

  /** How often an alignment's filler is repeated. */
  #padding(body: Extract<Body, { kind: 'align' }>): number {
    const value = evaluate(body.boundary, this);
    const boundary = this.#natural(value, body.boundary.span, 'align');
    if (value.unknown || boundary === 0) {
      if (!value.unknown && value.value === 0n) this.problem(body.boundary.span, 'align takes a power of two, found 0');
      return 0;
    }
    if ((boundary & (boundary - 1)) !== 0) {
      this.problem(body.boundary.span, `align takes a power of two, found ${boundary}`);
      return 0;
    }
    return (boundary - (this.#place % boundary)) % boundary;
  }

  #emit(size: number): Image {
    const bytes = new Uint8Array(size);
    const entries: LineEntry[] = [];
    for (const item of this.#items) {
      this.#item = item;
      const line = this.#diagnostics.lineOf(item.statement.span.start);
      if (item.statement.times.length > 0) this.#count(item);
      if (item.body === null) continue;
      const end = item.offset + item.size;
      const at = this.#emitBody(item.body, item.offset, end, item.count, bytes);
      if (at !== end)
        this.problem(
          item.statement.span,
          `this statement has ${at - item.offset} bytes where the layout has ${item.size}: its size depends on itself`,
        );
      if (item.size > 0)
        entries.push({
          offset: item.offset,
          length: item.size,
          unit: item.unit === 0 ? item.size : item.unit,
          line,
          instruction: isCode(item.body),
          bits: item.bits,
        });
    }
    return { bytes, origin: Number(this.#origin), entries };
  }

  /** Writes the repetitions of a body from `from` on, at most up to `end`; gives where it stopped. */
  #emitBody(body: PreparedBody, from: number, end: number, repetitions: number, bytes: Uint8Array): number {
    this.#place = from;
    if (body.kind === 'align') {
      const count = this.#padding(body.body);
      return body.filler === null ? Math.min(from + count, end) : this.#emitBody(body.filler, from, end, count, bytes);
    }
    // What is reserved is zero already.
    if (body.kind === 'plain' && body.body.kind === 'reserve') return Math.min(from + repetitions * this.#measurePlain(body.body), end);
    const same = body.kind === 'plain' || !body.prepared.variable;
    let at = from;
    if (same) {
      if (repetitions === 0) return at;
      const unit = this.#bytesOf(body);
      const stop = Math.min(from + unit.length * repetitions, end);
      if (unit.length === 0 || from + unit.length > end) return at;
      bytes.set(unit, from);
      // What is written doubles until it fills the repetition.
      for (at += unit.length; at < stop; at += Math.min(at - from, stop - at)) bytes.copyWithin(at, from, Math.min(at, from + stop - at));
      return stop;
    }
    for (let i = 0; i < repetitions; i++) {
      this.#place = at;
      const unit = this.#bytesOf(body);
      if (unit.length === 0 || at + unit.length > end) break;
      bytes.set(unit, at);
      at += unit.length;
    }
    return at;
  }

  /** The bytes of one repetition at the current place. */
  #bytesOf(body: Exclude<PreparedBody, { kind: 'align' }>): readonly number[] {
    const out: number[] = [];
    if (body.kind === 'instruction') {
      if (body.bytes !== null) return body.bytes;
      const choice = choose(body.prepared, this);
      if (choice !== null) write(body.prepared, choice, this, out);
      if (!body.prepared.variable) body.bytes = out;
    } else if (body.body.kind === 'data') this.#data(body.body, out);
    // The others give no bytes, but may have something to report.
    else this.#measurePlain(body.body);
    return out;
  }

  #data(body: Extract<Body, { kind: 'data' }>, out: number[]): void {
    const width = BigInt(8 * body.unit);
    for (const item of body.items) {
      if (item.kind === 'string') {
        for (const byte of item.bytes) out.push(byte);
        while (out.length % body.unit !== 0) out.push(0);
        continue;
      }
      const value = evaluate(item.expression, this);
      if (value.address !== 0 && value.address !== 1) this.problem(item.span, 'data cannot hold the sum or the negative of addresses');
      const v = value.value;
      if (body.unit < 8 && (value.address === 0 || body.unit === 1) && (v < -(1n << (width - 1n)) || v >= 1n << width))
        this.warn(item.span, `${v} does not fit in ${width} bits and is cut`);
      const low = Number(v & 0xffffffffn);
      for (let i = 0; i < body.unit && i < 4; i++) out.push((low >>> (8 * i)) & 0xff);
      if (body.unit === 8) for (let high = Number((v >> 32n) & 0xffffffffn), i = 0; i < 4; i++) out.push((high >>> (8 * i)) & 0xff);
    }
  }

  symbol(name: string, span: Span): Value {
    const entry = this.#symbols.get(qualified(name, this.#item?.scope ?? ''));
    if (entry === undefined) {
      this.problem(span, `'${qualified(name, this.#item?.scope ?? '')}' is not defined`);
      return UNKNOWN;
    }
    if (entry.value.unknown && this.#final && this.#diagnostics.errors === 0)
      this.problem(span, `the value of '${entry.name}' depends on itself`);
    return entry.value;
  }

  here(): Value {
    return { value: this.#origin + BigInt(this.#item?.offset ?? 0), address: 1, unknown: false };
  }

  origin(): Value {
    return { value: this.#origin, address: 1, unknown: false };
  }

  place(): Value {
    return numberValue(this.#origin + BigInt(this.#place));
  }

  /** One error per statement, and only when the layout is settled. */
  problem(span: Span, message: string): void {
    if (!this.#final || this.#item?.reported === true) return;
    if (this.#item !== null) this.#item.reported = true;
    this.#diagnostics.error(span, message);
  }

  warn(span: Span, message: string): void {
    if (!this.#final || this.#item?.reported === true || this.#warned === span) return;
    this.#warned = span;
    this.#diagnostics.warning(span, message);
  }
}

const isCode = (body: PreparedBody): boolean =>
  body.kind === 'instruction' || (body.kind === 'align' && body.filler?.kind === 'instruction');
