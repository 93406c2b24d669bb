/** Numbers and words that are typed as a new value, in the one expression language. */
import { hex } from '../../machine/base/bits.ts';
import type { ApicField } from '../../machine/x86/apic.ts';
import type { Debugger } from '../debugger.ts';
import { DebuggerError } from '../error.ts';
import { evaluate, type Value } from '../evaluate.ts';
import { type Expression, parseExpression } from '../expression.ts';
import { ExpressionError } from '../lexer.ts';
import { didYouMean } from '../nearest.ts';
import { eventFocus } from '../engine.ts';
import { MachineScope } from '../scope.ts';

/** Who edits what: names in the new value are looked up here. */
export interface Editor {
  readonly debugger: Debugger;
  readonly vcpu: number;
  /**
   * A value that is edited where it is shown: as many hexadecimal digits as are shown there are hexadecimal. Otherwise only eight are, as in
   * breakpoints.
   */
  readonly inPlace: boolean;
}

/** `X`, `X or Y`, `X, Y or Z`. */
export const either = (words: readonly string[]): string =>
  words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;

/** The highest number of so many bits (1 to 32). */
export const highestOf = (bits: number): number => (bits === 32 ? 0xffffffff : (1 << bits) - 1) >>> 0;

/** What expressions see at the present stop, from `vcpu`. */
export function scopeOf({ debugger: { view, stop, program }, vcpu }: Pick<Editor, 'debugger' | 'vcpu'>): MachineScope {
  const { exit, ipi, event } = stop?.vcpu === vcpu ? stop : {};
  return new MachineScope(view, { ...(event && eventFocus(event)), vcpu, exit, ipi }, (name) => program.symbol(name));
}

/** Parses and evaluates. `what` is named when it goes wrong. Throws a DebuggerError. */
export function evaluated(editor: Pick<Editor, 'debugger' | 'vcpu'>, expression: string | Expression, what: string): Value {
  try {
    return evaluate(typeof expression === 'string' ? parseExpression(expression) : expression, scopeOf(editor));
  } catch (error) {
    if (error instanceof ExpressionError) throw new DebuggerError(`${what}: ${error.message}`);
    throw error;
  }
}

/**
 * The number that `text` stands for, as u32 of at most `bits` bits; a `whole` register takes a negative one as its two's complement. Throws a
 * DebuggerError that names `what`.
 */
export function numberFor(editor: Editor, text: string, what: string, bits: number, whole = true): number {
  const digits = Math.ceil(bits / 4);
  // What is edited in place begins with the number as it is shown, and may still have the decoded words behind it.
  const shown = new RegExp(`^([0-9a-f]{${digits}})(?:h?$|\\s{2})`, 'i').exec(text.trim())?.[1];
  const hexadecimal = /^([0-9a-f]{1,8})h$/i.exec(text.trim())?.[1];
  let value: Value;
  if (shown !== undefined && (editor.inPlace || digits === 8)) value = Number.parseInt(shown, 16);
  else if (hexadecimal !== undefined) value = Number.parseInt(hexadecimal, 16);
  else value = evaluated(editor, text, `"${text}" for ${what}`);
  const highest = highestOf(bits);
  if (typeof value === 'string') throw new DebuggerError(`"${text}" for ${what} is a text; a number from 0 to ${hex(highest)}h is needed.`);
  if (whole && value < 0 && value >= -highestOf(bits - 1) - 1) value += highest + 1;
  if (!Number.isInteger(value) || value < 0 || value > highest)
    throw new DebuggerError(`"${text}" is out of range for ${what}; 0 to ${hex(highest)}h is possible.`);
  return value >>> 0;
}

/** Words that a field's value may be given as: those that stand for one value only. */
const wordsOf = ({ words = [] }: ApicField): readonly string[] =>
  words.filter((word) => word !== 'reserved' && word !== 'undefined' && words.indexOf(word) === words.lastIndexOf(word));

const plain = (word: string): string => word.toLowerCase().replace(/[\s_-]/g, '');

/** The value that `text` (a word of the field, or a number) gives a field of `register`. Throws a DebuggerError that lists the words. */
export function fieldValueFor(editor: Editor, text: string, register: string, field: ApicField): number {
  const words = wordsOf(field);
  const word = words.find((w) => plain(w) === plain(text));
  if (word !== undefined) return (field.words as readonly string[]).indexOf(word);
  const what = `${field.name} of ${register}`;
  const width = field.high - field.low + 1;
  try {
    return numberFor(editor, text, what, width, width === 32);
  } catch (error) {
    if (words.length === 0 || !(error instanceof DebuggerError)) throw error;
    const near = didYouMean(text.trim(), words);
    throw new DebuggerError(`"${text}" is no ${what}.${near} ${either(words)} would be right, or 0 to ${hex(highestOf(width))}h.`);
  }
}

/** `word` with another value in one of its fields, u32. */
export const withField = (word: number, { high, low }: ApicField, value: number): number => {
  const mask = (highestOf(high - low + 1) << low) >>> 0;
  return ((word & ~mask) | ((value << low) & mask)) >>> 0;
};
