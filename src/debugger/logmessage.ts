/**
 * Log messages: text with {expressions}, filled in when a breakpoint is hit.
 *
 *     boot {vcpu}: ICR {lapic.icr_lo:icr}, {[0x500],d} ready    a number is shown as what it is (a register with 8 hexadecimal digits, a count as it
 *     is counted, a delivery mode by its name) unless a format follows, after `,` or `:`: x hexadecimal, d decimal, b binary, icr an interrupt
 *     command in words
 *
 * `{{` and `\{` stand for a brace.
 */
import { icrSentence } from '../machine/x86/icr.ts';
import { checkNames, evaluate, type Scope, type Value } from './evaluate.ts';
import { type Expression, parseExpression } from './expression.ts';
import { ExpressionError } from './lexer.ts';
import { didYouMean } from './nearest.ts';
import { hex } from '../machine/base/bits.ts';
import { formatValue } from './format.ts';

const FORMATS = ['x', 'd', 'b', 'icr'] as const;
type Format = (typeof FORMATS)[number];
const isFormat = (word: string): word is Format => FORMATS.includes(word as Format);

type Part =
  | string
  | {
      readonly text: string;
      readonly tree: Expression;
      readonly format: Format | undefined;
      /** How many characters stand before the expression. */
      readonly before: number;
    };

export interface LogMessage {
  readonly parts: readonly Part[];
}

/** Takes one expression with its format apart. `start`: how many characters stand before it in the message. */
function expressionPart(inside: string, start: number): Part {
  const text = inside.trim();
  const before = start + inside.length - inside.trimStart().length;
  try {
    return { text, tree: parseExpression(text), format: undefined, before };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    // What is no expression may be one with a format behind it. `a ? b : c` is an expression as it stands.
    const suffixed = /^(.*\S)\s*[,:]\s*([a-z]+)$/is.exec(text);
    const tree = suffixed === null ? undefined : parsed(suffixed[1] as string);
    if (suffixed === null || tree === undefined) throw new ExpressionError(error.message, before + error.column);
    const [, expression, word] = suffixed as unknown as [string, string, string];
    const format = word.toLowerCase();
    if (isFormat(format)) return { text: expression, tree, format, before };
    const near = didYouMean(word, FORMATS) || ` Formats are: ${FORMATS.join(', ')}.`;
    throw new ExpressionError(`"${word}" is no format.${near}`, before + text.length - word.length + 1);
  }
}

function parsed(text: string): Expression | undefined {
  try {
    return parseExpression(text);
  } catch {
    return undefined;
  }
}

/** Where the expression that begins at `from` ends: at its brace, which may not be within a text. */
function endOf(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const c = text[at] as string;
    if (quote !== '') quote = c === quote ? '' : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === '}') return at;
  }
  return -1;
}

/** Parses a log message. Throws an ExpressionError with the column. */
export function parseLogMessage(text: string): LogMessage {
  const parts: Part[] = [];
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const c = text[at] as string;
    const next = text[at + 1];
    if ((c === '\\' && (next === '{' || next === '}')) || ((c === '{' || c === '}') && next === c)) {
      plain += next;
      at++;
    } else if (c === '{') {
      const end = endOf(text, at + 1);
      if (end < 0) throw new ExpressionError('The expression after "{" has no closing "}".', at + 1);
      if (plain !== '') parts.push(plain);
      plain = '';
      parts.push(expressionPart(text.slice(at + 1, end), at + 1));
      at = end;
    } else plain += c;
  }
  if (plain !== '') parts.push(plain);
  return { parts };
}

/** Throws an ExpressionError, with the column in the message, unless every name in it exists. */
export function checkLogMessage({ parts }: LogMessage, scope: Scope): void {
  for (const part of parts) {
    if (typeof part === 'string') continue;
    try {
      checkNames(part.tree, scope);
    } catch (error) {
      throw error instanceof ExpressionError ? new ExpressionError(error.message, part.before + error.column) : error;
    }
  }
}

function formatted(tree: Expression, value: Value, format: Format | undefined, scope: Scope): string {
  if (format === undefined || typeof value === 'string') return formatValue(value, tree);
  switch (format) {
    case 'd':
      return String(value);
    case 'x':
      return `${hex(value)}h`;
    case 'b':
      return `${(value < 0 ? value >>> 0 : value).toString(2)}b`;
    case 'icr':
      return icrSentence(value >>> 0, destinationWord(scope));
  }
}

/** Where the destination of a command stands that has no shorthand: in the IPI looked at, else in the vCPU's own ICR_HI. */
function destinationWord(scope: Scope): number {
  for (const first of ['ipi', 'lapic']) {
    const value = scope.lookup([first, 'icr_hi'], undefined);
    if (typeof value === 'number') return value;
  }
  return 0;
}

/** The text, filled in. What has no value here says why in its place. */
export function renderLogMessage({ parts }: LogMessage, scope: Scope): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part;
      try {
        return formatted(part.tree, evaluate(part.tree, scope), part.format, scope);
      } catch (error) {
        if (error instanceof ExpressionError) return `{${part.text}: ${error.message.replace(/\.$/, '')}}`;
        throw error;
      }
    })
    .join('');
}
