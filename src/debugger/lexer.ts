/**
 * Words of the expression language: names, numbers, operators.
 *
 * Numbers are C's (0x1F, 0b101, 0o17, 31) and NASM's (1Fh, 0FFh, 101b, 17o, 17q, 31d); `_` may separate digits; a time has a unit
 * (500us, 10ms, 2s) and counts in ns. A hexadecimal number with `h` begins with a digit.
 */

/** What is wrong with an expression, and at which column (from 1). */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
  constructor(
    message: string,
    readonly column: number,
  ) {
    super(message);
  }
}

export type Token =
  | { readonly kind: 'number'; readonly value: number; readonly column: number }
  | { readonly kind: 'string'; readonly value: string; readonly column: number }
  | { readonly kind: 'name'; readonly value: string; readonly column: number }
  | { readonly kind: 'operator'; readonly value: string; readonly column: number }
  | { readonly kind: 'end'; readonly value: ''; readonly column: number };

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1_000, ms: 1_000_000, s: 1_000_000_000 };

const PREFIXES: readonly [RegExp, number][] = [
  [/^0[xh]([0-9a-f]+)$/, 16],
  [/^0[by]([01]+)$/, 2],
  [/^0[oq]([0-7]+)$/, 8],
  [/^0d([0-9]+)$/, 10],
  [/^([0-9][0-9a-f]*)h$/, 16],
  [/^([01]+)[by]$/, 2],
  [/^([0-7]+)[oq]$/, 8],
  [/^([0-9]+)d?$/, 10],
];

/** Reads one number in any of the forms above; undefined when it is none, or when it is above 2^53 - 1. A fraction is allowed only before a unit of time. */
export function parseNumber(text: string): number | undefined {
  const digits = text.replace(/_/g, '').toLowerCase();
  const time = /^([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s)$/.exec(digits);
  if (time) {
    const value = Math.round(Number(time[1]) * (UNITS[time[2] as string] as number));
    return Number.isSafeInteger(value) ? value : undefined;
  }
  for (const [form, base] of PREFIXES) {
    const match = form.exec(digits);
    if (match) {
      const value = Number.parseInt(match[1] as string, base);
      return Number.isSafeInteger(value) ? value : undefined;
    }
  }
  return undefined;
}

const OPERATORS = [
  '<<',
  '>>',
  '<=',
  '>=',
  '==',
  '!=',
  '&&',
  '||',
  '+',
  '-',
  '*',
  '/',
  '%',
  '&',
  '|',
  '^',
  '~',
  '!',
  '<',
  '>',
  '(',
  ')',
  '[',
  ']',
  '.',
  ',',
  ':',
  '?',
];

const NAME = /[A-Za-z_@$][\w@$]*/y;
const NUMBER = /[0-9][\w]*(?:\.[0-9]+(?:ns|us|ms|s)\b)?/iy;

/** Takes an expression apart. Throws an ExpressionError at a character or number that means nothing. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const c = text[at] as string;
    const column = at + 1;
    if (/\s/.test(c)) {
      at++;
      continue;
    }
    if (/[0-9]/.test(c)) {
      NUMBER.lastIndex = at;
      const word = (NUMBER.exec(text) as RegExpExecArray)[0];
      const value = parseNumber(word);
      if (value === undefined)
        throw new ExpressionError(`"${word}" is not a number; write 0x1F, 1Fh, 0b101, 101b, 31 or a time such as 10ms.`, column);
      tokens.push({ kind: 'number', value, column });
      at += word.length;
      continue;
    }
    if (/[A-Za-z_@$]/.test(c)) {
      NAME.lastIndex = at;
      const word = (NAME.exec(text) as RegExpExecArray)[0];
      tokens.push({ kind: 'name', value: word, column });
      at += word.length;
      continue;
    }
    if (c === '"' || c === "'") {
      const end = text.indexOf(c, at + 1);
      if (end < 0) throw new ExpressionError(`This text has no closing ${c}.`, column);
      tokens.push({ kind: 'string', value: text.slice(at + 1, end), column });
      at = end + 1;
      continue;
    }
    const operator = OPERATORS.find((o) => text.startsWith(o, at));
    if (operator === undefined) {
      const hint = c === '=' ? ' Write == to compare.' : '';
      throw new ExpressionError(`"${c}" means nothing in an expression.${hint}`, column);
    }
    tokens.push({ kind: 'operator', value: operator, column });
    at += operator.length;
  }
  tokens.push({ kind: 'end', value: '', column: text.length + 1 });
  return tokens;
}
