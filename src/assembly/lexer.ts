/** Source text to tokens, one logical line at a time. Never throws: what is no token becomes one of kind 'bad' with a message. */
import { rawByte } from './source-text.ts';

export type TokenKind = 'name' | 'number' | 'string' | 'operator' | 'bad' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As written, without the quotes or the `$` of an escaped name; for 'bad', the message. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Of a number: 64 bits, unsigned. */
  readonly value: bigint;
  /** Of a string. */
  readonly bytes: Uint8Array | null;
  /** A name written as `$name`, which cannot be a register or a mnemonic. */
  readonly escaped: boolean;
}

const make = (kind: TokenKind, text: string, start: number, end: number): Token => ({
  kind,
  text,
  start,
  end,
  value: 0n,
  bytes: null,
  escaped: false,
});

const OPERATORS = ['<<<', '>>>', '<<', '>>', '//', '%%', '||', '&&', '^^', '==', '!=', '<>', '<=', '>=', '$$'];

const BIT = { name: 1, digit: 2, start: 4 } as const;
const CLASS = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const s = String.fromCharCode(c);
  if (/[A-Za-z_.?@]/.test(s)) CLASS[c] = BIT.name | BIT.start;
  else if (/[0-9]/.test(s)) CLASS[c] = BIT.name | BIT.digit;
  else if (/[$#~]/.test(s)) CLASS[c] = BIT.name;
}
const isNamePart = (c: number): boolean => c >= 128 || ((CLASS[c] ?? 0) & BIT.name) !== 0;
const isNameStart = (c: number): boolean => c >= 128 || ((CLASS[c] ?? 0) & BIT.start) !== 0;
const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;

/** Hands out the logical lines of a source text; a backslash at the end of a line joins it with the next. */
export class Lexer {
  readonly #source: string;
  #position = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** The tokens of the next logical line, the last being of kind 'end'; null after the last line. */
  nextLine(): Token[] | null {
    const source = this.#source;
    if (this.#position >= source.length) return null;
    const tokens: Token[] = [];
    let i = this.#position;
    for (;;) {
      const c = i < source.length ? source.charCodeAt(i) : 10;
      if (c === 10) break;
      if (c === 32 || c === 9 || c === 13 || c === 11 || c === 12 || c === 0xfeff || c === 0xa0) {
        i++;
      } else if (c === 0x3b) {
        while (i < source.length && source.charCodeAt(i) !== 10) i++;
      } else if (c === 0x5c && /^\\[ \t\r]*(\n|$)/.test(source.slice(i, i + 80))) {
        const next = source.indexOf('\n', i);
        i = next < 0 ? source.length : next + 1;
        if (next < 0) break;
      } else {
        const token = this.#token(i, c);
        tokens.push(token);
        i = token.end;
      }
    }
    tokens.push(make('end', '', i, i));
    this.#position = i + 1;
    return tokens;
  }

  #token(i: number, c: number): Token {
    const source = this.#source;
    if (isDigit(c)) return numberToken(source, i);
    if (c === 0x24 && isDigit(source.charCodeAt(i + 1))) return numberToken(source, i);
    if (c === 0x24 && isNameStart(source.charCodeAt(i + 1))) {
      const end = nameEnd(source, i + 1);
      return { ...make('name', source.slice(i + 1, end), i, end), escaped: true };
    }
    if (isNameStart(c)) {
      const end = nameEnd(source, i);
      return make('name', source.slice(i, end), i, end);
    }
    if (c === 0x22 || c === 0x27 || c === 0x60) return stringToken(source, i, c);
    for (const operator of OPERATORS) if (source.startsWith(operator, i)) return make('operator', operator, i, i + operator.length);
    if ('+-*/%()[],:|&^~!<>=$?{}#'.includes(source.charAt(i))) return make('operator', source.charAt(i), i, i + 1);
    return make('bad', `the character '${source.charAt(i)}' has no meaning here`, i, i + 1);
  }
}

function nameEnd(source: string, from: number): number {
  let end = from;
  while (end < source.length && isNamePart(source.charCodeAt(end))) end++;
  return end;
}

const RADIX_LETTERS = new Map([
  ['h', 16],
  ['x', 16],
  ['d', 10],
  ['t', 10],
  ['o', 8],
  ['q', 8],
  ['b', 2],
  ['y', 2],
]);
const DIGITS = new Map([
  [16, /^[0-9a-f]+$/],
  [10, /^[0-9]+$/],
  [8, /^[0-7]+$/],
  [2, /^[01]+$/],
]);
const RADIX_NAMES = new Map([
  [16, 'hexadecimal'],
  [10, 'decimal'],
  [8, 'octal'],
  [2, 'binary'],
]);
const JS_PREFIX = new Map([
  [16, '0x'],
  [10, ''],
  [8, '0o'],
  [2, '0b'],
]);

/** A number: prefix 0x 0h 0d 0t 0o 0q 0b 0y or $, or suffix h x d t o q b y; where both could be meant, the larger radix is. */
function numberToken(source: string, start: number): Token {
  const end = nameEnd(source, start);
  const written = source.slice(start, end);
  const plain = written.toLowerCase().replaceAll('_', '');
  if (/^[0-9]+$/.test(plain) && plain.length < 16) return { ...make('number', written, start, end), value: BigInt(plain) };
  let digits = plain;
  let radix = 10;
  if (plain.startsWith('$')) {
    radix = 16;
    digits = plain.slice(1);
  } else {
    const prefix = plain.length > 2 && plain.startsWith('0') ? (RADIX_LETTERS.get(plain.charAt(1)) ?? 0) : 0;
    const suffix = plain.length > 1 ? (RADIX_LETTERS.get(plain.charAt(plain.length - 1)) ?? 0) : 0;
    if (prefix > suffix) {
      radix = prefix;
      digits = plain.slice(2);
    } else if (suffix > prefix) {
      radix = suffix;
      digits = plain.slice(0, -1);
    } else if (prefix !== 0) {
      radix = prefix;
      digits = plain.slice(2);
    }
  }
  if (DIGITS.get(radix)?.test(digits) !== true) {
    const message = plain.includes('.')
      ? 'floating-point constants are not supported yet'
      : `'${written}' is not a ${RADIX_NAMES.get(radix) ?? ''} number`;
    return make('bad', message, start, end);
  }
  if (digits.length > 80) return make('bad', 'the number does not fit in 64 bits', start, end);
  const value = BigInt((JS_PREFIX.get(radix) ?? '') + digits);
  if (value > 0xffffffffffffffffn) return make('bad', `the number ${written} does not fit in 64 bits`, start, end);
  return { ...make('number', written, start, end), value };
}

function stringToken(source: string, start: number, quote: number): Token {
  let i = start + 1;
  let escaped = false;
  while (i < source.length) {
    const c = source.charCodeAt(i);
    if (c === 10) break;
    if (c === quote) {
      const body = source.slice(start + 1, i);
      const bytes = escaped ? unescaped(body) : utf8(body);
      return { ...make('string', body, start, i + 1), bytes };
    }
    if (quote === 0x60 && c === 0x5c && source.charCodeAt(i + 1) !== 10) {
      escaped = true;
      i++;
    }
    i++;
  }
  let end = Math.min(i, source.length);
  if (source.charCodeAt(end - 1) === 13) end--;
  return make('bad', `the string has no closing ${String.fromCharCode(quote)}`, start, end);
}

/** A string as UTF-8, bytes of the source that were none as they are; any other unpaired surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) pushWritten(character.codePointAt(0) ?? 0xfffd, out);
  return Uint8Array.from(out);
}

/** A character as it is written in the source. */
function pushWritten(point: number, out: number[]): void {
  const raw = rawByte(point);
  if (raw === undefined) pushUtf8(point, out);
  else out.push(raw);
}

function pushUtf8(point: number, out: number[]): void {
  const p = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
  if (p < 0x80) out.push(p);
  else if (p < 0x800) out.push(0xc0 | (p >>> 6), 0x80 | (p & 0x3f));
  else if (p < 0x10000) out.push(0xe0 | (p >>> 12), 0x80 | ((p >>> 6) & 0x3f), 0x80 | (p & 0x3f));
  else out.push(0xf0 | (p >>> 18), 0x80 | ((p >>> 12) & 0x3f), 0x80 | ((p >>> 6) & 0x3f), 0x80 | (p & 0x3f));
}

const SIMPLE_ESCAPES = new Map([
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['v', 11],
  ['e', 27],
]);

/** The bytes of a backquoted string: C's escapes, with \e, octal, \x, \u and \U. */
function unescaped(body: string): Uint8Array {
  const out: number[] = [];
  for (let i = 0; i < body.length; ) {
    const character = String.fromCodePoint(body.codePointAt(i) ?? 0xfffd);
    i += character.length;
    if (character !== '\\') {
      pushWritten(character.codePointAt(0) ?? 0xfffd, out);
      continue;
    }
    const letter = body.charAt(i++);
    const simple = SIMPLE_ESCAPES.get(letter);
    const hexadecimal = letter === 'x' ? 2 : letter === 'u' ? 4 : letter === 'U' ? 8 : 0;
    if (simple !== undefined) out.push(simple);
    else if (hexadecimal > 0) {
      const digits = /^[0-9a-fA-F]*/.exec(body.slice(i, i + hexadecimal))?.[0] ?? '';
      i += digits.length;
      const value = digits === '' ? letter.charCodeAt(0) : Number.parseInt(digits, 16);
      if (letter === 'x') out.push(value & 0xff);
      else pushUtf8(value > 0x10ffff ? 0xfffd : value, out);
    } else if (/[0-7]/.test(letter)) {
      const digits = /^[0-7]{0,2}/.exec(body.slice(i))?.[0] ?? '';
      i += digits.length;
      out.push(Number.parseInt(letter + digits, 8) & 0xff);
    } else for (const byte of utf8(letter)) out.push(byte);
  }
  return Uint8Array.from(out);
}
