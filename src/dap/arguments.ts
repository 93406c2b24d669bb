/** The arguments of a request, read with care: whatever a client sends, what is wrong with it is said in one sentence. */
import { DebuggerError } from '../debugger/error.ts';
import { didYouMean } from '../debugger/nearest.ts';

const SHOWN = 60;

/** A value as a sentence shows it, cut to a bearable length. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

const rangeWords = ({ min, max }: Range): string =>
  min !== undefined && max !== undefined
    ? `a whole number from ${min} to ${max}`
    : min !== undefined
      ? `a whole number, ${min} or more`
      : 'a whole number';

export class Arguments {
  private readonly values: Readonly<Record<string, unknown>>;

  /** @param where what they belong to: `setBreakpoints`, `setBreakpoints: breakpoints[0]` */
  constructor(
    private readonly where: string,
    raw: unknown,
  ) {
    if (raw === undefined || raw === null) this.values = {};
    else if (typeof raw === 'object' && !Array.isArray(raw)) this.values = raw as Record<string, unknown>;
    else throw new DebuggerError(`${where}: ${shown(raw)} are no arguments; an object is needed.`);
  }

  /** All of them, as they came. */
  get all(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** As it came. Own attributes only; null counts as absent. */
  raw(name: string): unknown {
    return Object.hasOwn(this.values, name) ? (this.values[name] ?? undefined) : undefined;
  }

  text(name: string): string {
    return this.optionalText(name) ?? this.missing(name, 'a text');
  }
  optionalText(name: string): string | undefined {
    const value = this.raw(name);
    return value === undefined || typeof value === 'string' ? value : this.wrong(name, value, 'a text');
  }

  integer(name: string, range: Range = {}): number {
    return this.optionalInteger(name, range) ?? this.missing(name, rangeWords(range));
  }
  optionalInteger(name: string, range: Range = {}): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return this.wrong(name, value, rangeWords(range));
    if (value < (range.min ?? -Infinity) || value > (range.max ?? Infinity)) return this.wrong(name, value, rangeWords(range));
    return value;
  }

  /** Absent: false. */
  flag(name: string): boolean {
    const value = this.raw(name);
    return value === undefined ? false : typeof value === 'boolean' ? value : this.wrong(name, value, 'true or false');
  }

  word<const T extends string>(name: string, words: readonly T[]): T {
    return this.optionalWord(name, words) ?? this.missing(name, `one of ${words.join(', ')}`);
  }
  optionalWord<const T extends string>(name: string, words: readonly T[]): T | undefined {
    const value = this.optionalText(name);
    if (value === undefined || (words as readonly string[]).includes(value)) return value as T | undefined;
    throw new DebuggerError(`${this.where}: ${name} is ${shown(value)}; it may be ${words.join(', ')}.${didYouMean(value, words)}`);
  }

  record(name: string): Arguments {
    return this.optionalRecord(name) ?? this.missing(name, 'an object');
  }
  optionalRecord(name: string): Arguments | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'object' || Array.isArray(value)) return this.wrong(name, value, 'an object');
    return new Arguments(`${this.where}: ${name}`, value);
  }

  /** A list of objects. Absent: none. */
  records(name: string): Arguments[] {
    return this.list(name).map((item, i) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item)) return this.wrong(`${name}[${i}]`, item, 'an object');
      return new Arguments(`${this.where}: ${name}[${i}]`, item);
    });
  }
  /** A list of texts. Absent: none. */
  texts(name: string): string[] {
    return this.list(name).map((item, i) => (typeof item === 'string' ? item : this.wrong(`${name}[${i}]`, item, 'a text')));
  }
  /** A list of whole numbers. Absent: none. */
  integers(name: string, range: Range = {}): number[] {
    return this.list(name).map((item, i) => new Arguments(`${this.where}: ${name}[${i}]`, { item }).integer('item', range));
  }

  /** Throws the sentence for a value that has the right type and is still not right. */
  refuse(name: string, why: string): never {
    throw new DebuggerError(`${this.where}: ${name} is ${shown(this.raw(name))}; ${why}`);
  }

  private list(name: string): unknown[] {
    const value = this.raw(name);
    return value === undefined ? [] : Array.isArray(value) ? value : this.wrong(name, value, 'a list');
  }
  private wrong(name: string, value: unknown, right: string): never {
    throw new DebuggerError(`${this.where}: ${name} is ${shown(value)}; ${right} is needed.`);
  }
  private missing(name: string, right: string): never {
    throw new DebuggerError(`${this.where}: ${name} is missing; ${right} is needed.`);
  }
}
