/**
 * Expressions: reading them from tokens, and their value.
 *
 * Values have 64 bits and wrap. An address (a label, `$`, `$$`) is told apart from a number, as an assembler must: addresses may be subtracted from
 * each other and moved by a number; nothing else, because their final place is only known to the output.
 */
import type { Span } from './diagnostic.ts';
import type { Token } from './lexer.ts';
import { isLongModeRegister, REGISTERS } from './registers.ts';
import type { Expression } from './syntax.ts';

/** A line's tokens and how far they are read. Errors go to `problem`; the first on a line is the one that counts. */
export interface Cursor {
  readonly tokens: readonly Token[];
  position: number;
  problem(span: Span, message: string): void;
}

const END: Token = { kind: 'end', text: '', start: 0, end: 0, value: 0n, bytes: null, escaped: false };

export const peek = (cursor: Cursor): Token => cursor.tokens[cursor.position] ?? cursor.tokens.at(-1) ?? END;

/** Reads the operator `text` if it stands next. */
export function accept(cursor: Cursor, text: string): boolean {
  const token = peek(cursor);
  if (token.kind !== 'operator' || token.text !== text) return false;
  cursor.position++;
  return true;
}

/** What stands at a token, in the words of an error. */
export function described(token: Token): string {
  if (token.kind === 'end') return 'the end of the line';
  return token.kind === 'string' ? 'a string' : `'${token.text}'`;
}

const PRECEDENCE = new Map<string, number>([
  ['||', 1],
  ['^^', 2],
  ['&&', 3],
  ['=', 4],
  ['==', 4],
  ['!=', 4],
  ['<>', 4],
  ['<', 4],
  ['>', 4],
  ['<=', 4],
  ['>=', 4],
  ['|', 5],
  ['^', 6],
  ['&', 7],
  ['<<', 8],
  ['>>', 8],
  ['<<<', 8],
  ['>>>', 8],
  ['+', 9],
  ['-', 9],
  ['*', 10],
  ['/', 10],
  ['//', 10],
  ['%', 10],
  ['%%', 10],
]);

/** A tree deeper than this is refused, so that walking it cannot exhaust the stack. */
const MAXIMUM_DEPTH = 500;

/** Reads an expression, or reports why there is none and gives null. */
export function parseExpression(cursor: Cursor): Expression | null {
  return parseBinary(cursor, 1, { left: MAXIMUM_DEPTH });
}

function parseBinary(cursor: Cursor, minimum: number, depth: { left: number }): Expression | null {
  let left = parseUnary(cursor, depth);
  for (;;) {
    const token = peek(cursor);
    const precedence = token.kind === 'operator' ? PRECEDENCE.get(token.text) : undefined;
    if (left === null || precedence === undefined || precedence < minimum) return left;
    cursor.position++;
    if (--depth.left < 0) return tooDeep(cursor, token);
    const right = parseBinary(cursor, precedence + 1, depth);
    if (right === null) return null;
    left = { kind: 'binary', span: { start: left.span.start, end: right.span.end }, operator: token.text, left, right };
  }
}

function tooDeep(cursor: Cursor, token: Token): null {
  cursor.problem(token, `the expression has more than ${MAXIMUM_DEPTH} operators`);
  return null;
}

function parseUnary(cursor: Cursor, depth: { left: number }): Expression | null {
  const token = peek(cursor);
  if (token.kind === 'operator') {
    if (token.text === '-' || token.text === '+' || token.text === '~' || token.text === '!') {
      cursor.position++;
      if (--depth.left < 0) return tooDeep(cursor, token);
      const operand = parseUnary(cursor, depth);
      return operand === null
        ? null
        : { kind: 'unary', span: { start: token.start, end: operand.span.end }, operator: token.text, operand };
    }
    if (token.text === '(') {
      cursor.position++;
      if (--depth.left < 0) return tooDeep(cursor, token);
      const inner = parseBinary(cursor, 1, depth);
      if (inner === null) return null;
      if (accept(cursor, ')')) return inner;
      cursor.problem(peek(cursor), `expected ')', found ${described(peek(cursor))}`);
      return null;
    }
  }
  return parsePrimary(cursor, token);
}

function parsePrimary(cursor: Cursor, token: Token): Expression | null {
  const span = { start: token.start, end: token.end };
  cursor.position++;
  switch (token.kind) {
    case 'number':
      return { kind: 'number', span, value: BigInt.asIntN(64, token.value) };
    case 'string': {
      const bytes = token.bytes ?? new Uint8Array();
      if (bytes.length > 8) {
        cursor.problem(span, `a string of ${bytes.length} bytes cannot be a number: at most 8 bytes fit`);
        return null;
      }
      return { kind: 'string', span, bytes };
    }
    case 'name': {
      const register = token.escaped ? undefined : REGISTERS.get(token.text.toLowerCase());
      if (register !== undefined) return { kind: 'register', span, register };
      if (!token.escaped && isLongModeRegister(token.text.toLowerCase())) {
        cursor.problem(span, `${token.text} exists in 64-bit code only, which is not supported yet`);
        return null;
      }
      if (!token.escaped && /^(seg|wrt)$/i.test(token.text)) {
        cursor.problem(span, `${token.text.toLowerCase()} is not supported: a flat image has no segment bases`);
        return null;
      }
      return { kind: 'symbol', span, name: token.text };
    }
    case 'operator':
      if (token.text === '$') return { kind: 'here', span };
      if (token.text === '$$') return { kind: 'origin', span };
      break;
    case 'bad':
      cursor.problem(span, token.text);
      return null;
    case 'end':
      break;
  }
  cursor.position--;
  cursor.problem(span, `expected a value, found ${described(token)}`);
  return null;
}

/** The value of an expression. */
export interface Value {
  readonly value: bigint;
  /** 1 for an address, 0 for a number. */
  readonly address: number;
  /** Does it rest on a symbol whose value is not known (yet)? */
  readonly unknown: boolean;
}

/** What an expression may ask of its surroundings. */
export interface Scope {
  /** The value of a symbol; reports one that does not exist. */
  symbol(name: string, span: Span): Value;
  here(): Value;
  origin(): Value;
  problem(span: Span, message: string): void;
}

export const UNKNOWN: Value = { value: 0n, address: 0, unknown: true };

export const numberValue = (value: bigint): Value => ({ value, address: 0, unknown: false });

/** The value of a character constant: its bytes, the first lowest. */
export function stringValue(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = Math.min(bytes.length, 8) - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return BigInt.asIntN(64, value);
}

/** Evaluates an expression without registers. */
export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case 'number':
      return numberValue(expression.value);
    case 'string':
      return numberValue(stringValue(expression.bytes));
    case 'symbol':
      return scope.symbol(expression.name, expression.span);
    case 'here':
      return scope.here();
    case 'origin':
      return scope.origin();
    case 'register':
      scope.problem(expression.span, `the register ${expression.register.name} cannot be part of a number`);
      return UNKNOWN;
    case 'unary':
      return unary(expression.operator, evaluate(expression.operand, scope), expression.span, scope);
    case 'binary':
      return binary(expression.operator, evaluate(expression.left, scope), evaluate(expression.right, scope), expression.span, scope);
  }
}

/** Applies a unary operator. */
export function unary(operator: string, v: Value, span: Span, scope: Scope): Value {
  if (operator === '+') return v;
  if (v.address !== 0 && !v.unknown && operator !== '-') return onlyNumbers(operator, span, scope);
  const value = operator === '-' ? BigInt.asIntN(64, -v.value) : operator === '~' ? ~v.value : v.value === 0n ? 1n : 0n;
  return { value, address: -v.address, unknown: v.unknown };
}

function onlyNumbers(operator: string, span: Span, scope: Scope): Value {
  scope.problem(span, `'${operator}' takes numbers, not addresses; a difference such as label - $$ is a number`);
  return UNKNOWN;
}

/** Applies a binary operator. */
export function binary(operator: string, a: Value, b: Value, span: Span, scope: Scope): Value {
  const unknown = a.unknown || b.unknown;
  if (operator === '+') return { value: BigInt.asIntN(64, a.value + b.value), address: a.address + b.address, unknown };
  if (operator === '-') return { value: BigInt.asIntN(64, a.value - b.value), address: a.address - b.address, unknown };
  if (COMPARISONS.has(operator)) return compare(operator, a, b, span, scope);
  if (unknown) return { value: 0n, address: 0, unknown };
  if (operator === '*' && b.address === 0) return multiply(a, b.value, operator, span, scope);
  if (operator === '*' && a.address === 0) return multiply(b, a.value, operator, span, scope);
  if (a.address !== 0 || b.address !== 0) return onlyNumbers(operator, span, scope);
  if ((operator === '/' || operator === '//' || operator === '%' || operator === '%%') && b.value === 0n) {
    scope.problem(span, `'${operator}' divides by zero`);
    return UNKNOWN;
  }
  return numberValue(BigInt.asIntN(64, arithmetic(operator, a.value, b.value)));
}

function multiply(v: Value, factor: bigint, operator: string, span: Span, scope: Scope): Value {
  if (v.address !== 0 && factor !== 1n) return onlyNumbers(operator, span, scope);
  return { value: BigInt.asIntN(64, v.value * factor), address: v.address, unknown: false };
}

const COMPARISONS = new Set(['=', '==', '!=', '<>', '<', '>', '<=', '>=']);

function compare(operator: string, a: Value, b: Value, span: Span, scope: Scope): Value {
  if (a.unknown || b.unknown) return UNKNOWN;
  if (a.address !== b.address) return onlyNumbers(operator, span, scope);
  const d = a.value - b.value;
  const holds =
    operator === '=' || operator === '=='
      ? d === 0n
      : operator === '!=' || operator === '<>'
        ? d !== 0n
        : operator === '<'
          ? d < 0n
          : operator === '>'
            ? d > 0n
            : operator === '<='
              ? d <= 0n
              : d >= 0n;
  return numberValue(holds ? 1n : 0n);
}

const shiftCount = (b: bigint): bigint => b & 63n;
const unsigned = (v: bigint): bigint => BigInt.asUintN(64, v);

function arithmetic(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '*':
      return a * b;
    case '/':
      return unsigned(a) / unsigned(b);
    case '%':
      return unsigned(a) % unsigned(b);
    case '//':
      return a / b;
    case '%%':
      return a % b;
    case '<<':
    case '<<<':
      return unsigned(a) << shiftCount(b);
    case '>>':
      return unsigned(a) >> shiftCount(b);
    case '>>>':
      return a >> shiftCount(b);
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&&':
      return a !== 0n && b !== 0n ? 1n : 0n;
    case '||':
      return a !== 0n || b !== 0n ? 1n : 0n;
    default:
      return (a !== 0n) !== (b !== 0n) ? 1n : 0n;
  }
}
