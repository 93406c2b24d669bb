/** Evaluates expressions over a scope. Values are integers (registers unsigned, at most 2^53) and texts; true is 1. */
import { CONSTANTS } from './constants.ts';
import type { Expression } from './expression.ts';
import { ExpressionError } from './lexer.ts';
import { didYouMean } from './nearest.ts';

export type Value = number | string;

/** A name that exists but has no value now, and why: `exit.gpa` while nothing has exited. */
export interface Unavailable {
  readonly unavailable: string;
}

/** What an expression can see of the machine. Looking changes nothing. */
export interface Scope {
  /** The value of a name, all in lower case: [`eax`], [`lapic`, `icr_lo`, `mode`]; `index`, where there is one, is that of part `part` (0 when absent). Undefined: there is no such name. */
  lookup(path: readonly string[], index: number | undefined, part?: number): Value | Unavailable | undefined;
  /** 1, 2 or 4 bytes at a linear address (u32), little-endian; undefined where there is nothing to read. */
  memory(address: number, size: 1 | 2 | 4): number | undefined;
  /** A symbol of the program, in its own case. */
  symbol(name: string): number | undefined;
  /** All names, for suggestions: dotted, lower case. */
  names(): Iterable<string>;
}

const HIGH = 2 ** 32;

/** A bitwise operator over non-negative integers of up to 53 bits, in two halves. */
function bitwise(a: number, b: number, operator: '&' | '|' | '^'): number {
  const one = (x: number, y: number): number => (operator === '&' ? x & y : operator === '|' ? x | y : x ^ y) >>> 0;
  const [ah, bh] = [Math.floor(a / HIGH), Math.floor(b / HIGH)];
  const low = one(a >>> 0, b >>> 0);
  return ah === 0 && bh === 0 ? low : one(ah >>> 0, bh >>> 0) * HIGH + low;
}

/** 2 to the power of `n`, 0 to 63: exact. */
const powerOfTwo = (n: number): number => (n < 32 ? 1 : HIGH) * ((1 << (n % 32)) >>> 0);

const truth = (b: boolean): number => (b ? 1 : 0);

function arithmetic(operator: string, a: number, b: number, column: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '%':
      if (b === 0) throw new ExpressionError('Division by 0.', column);
      return operator === '/' ? Math.trunc(a / b) : a % b;
    case '<<':
    case '>>':
      if (b < 0 || b > 63) throw new ExpressionError(`A shift by ${b} is not possible; 0 to 63 is.`, column);
      return operator === '<<' ? a * powerOfTwo(b) : Math.floor(a / powerOfTwo(b));
    case '<':
      return truth(a < b);
    case '<=':
      return truth(a <= b);
    case '>':
      return truth(a > b);
    case '>=':
      return truth(a >= b);
    default:
      if (a < 0 || b < 0) return bitwise(a >>> 0, b >>> 0, operator as '&');
      return bitwise(a, b, operator as '&');
  }
}

/** So many names are given as examples to one whose name is like none. */
const SINGLE_NAMES = 12;

/** What could have been meant by a path that names nothing: the parts of what it begins with, or else the kinds of names. */
function whatThereIs(path: readonly string[], names: readonly string[]): string {
  for (let length = path.length - 1; length > 0; length--) {
    const prefix = `${path.slice(0, length).join('.')}.`;
    const parts = new Set(names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length).split('.')[0]));
    if (parts.size > 0) return ` ${prefix.slice(0, -1)} has: ${[...parts].join(', ')}.`;
  }
  // Families first; of the single names a few show what kind they are.
  const families = new Set(names.filter((name) => name.includes('.')).map((name) => `${name.split('.')[0]}.…`));
  const single = names.filter((name) => !name.includes('.'));
  const shown = [...families, ...single.slice(0, SINGLE_NAMES), ...(single.length > SINGLE_NAMES ? ['…'] : [])];
  return shown.length === 0 ? '' : ` Names are: ${shown.join(', ')}.`;
}

class Evaluator {
  constructor(private readonly scope: Scope) {}

  value(tree: Expression): Value {
    switch (tree.kind) {
      case 'constant':
        return tree.value;
      case 'name':
        return this.name(tree.path, tree.index === undefined ? undefined : this.number(tree.index), tree.column, tree.part);
      case 'memory':
        return this.memory(this.number(tree.address), tree.size, tree.column);
      case 'unary':
        return this.unary(tree.operator, this.number(tree.operand));
      case 'binary':
        return this.binary(tree);
      case 'in': {
        const value = this.value(tree.value);
        return truth(tree.among.some((one) => this.value(one) === value));
      }
      case 'choice':
        return this.value(isTrue(this.value(tree.condition)) ? tree.yes : tree.no);
    }
  }

  private number(tree: Expression): number {
    const value = this.value(tree);
    if (typeof value === 'string') throw new ExpressionError(`A number is needed here, not the text "${value}".`, tree.column);
    return value;
  }

  private unary(operator: '-' | '+' | '!' | '~', value: number): number {
    if (operator === '-') return -value;
    if (operator === '+') return value;
    return operator === '!' ? truth(value === 0) : ~value >>> 0;
  }

  private binary({ operator, left, right, column }: Extract<Expression, { kind: 'binary' }>): Value {
    if (operator === '&&') return truth(isTrue(this.value(left)) && isTrue(this.value(right)));
    if (operator === '||') return truth(isTrue(this.value(left)) || isTrue(this.value(right)));
    if (operator === '==' || operator === '!=') return truth((this.value(left) === this.value(right)) === (operator === '=='));
    const result = arithmetic(operator, this.number(left), this.number(right), column);
    if (!Number.isSafeInteger(result)) throw new ExpressionError('The result is above 2^53.', column);
    return result;
  }

  private memory(address: number, size: 1 | 2 | 4, column: number): number {
    const value = this.scope.memory(address >>> 0, size);
    if (value === undefined) throw new ExpressionError(`Nothing can be read at ${(address >>> 0).toString(16).toUpperCase()}h.`, column);
    return value;
  }

  private name(path: readonly string[], index: number | undefined, column: number, part?: number): Value {
    const found = this.find(path, index, column, part);
    if (typeof found === 'object') throw new ExpressionError(`${path.join('.')} has no value here: ${found.unavailable}.`, column);
    return found;
  }

  /** What a name stands for. Throws an ExpressionError when there is no such name. */
  find(path: readonly string[], index: number | undefined, column: number, part?: number): Value | Unavailable {
    const lower = path.map((p) => p.toLowerCase());
    const found = this.scope.lookup(lower, index, part);
    if (found !== undefined) return found;
    const dotted = path.join('.');
    const only = path.length === 1 ? (path[0] as string) : undefined;
    if (index === undefined) {
      const constant = only === undefined ? undefined : CONSTANTS.get(only.toLowerCase());
      if (constant !== undefined) return constant;
      const symbol = this.scope.symbol(dotted);
      if (symbol !== undefined) return symbol;
    }
    if (only !== undefined && /^[A-Fa-f][0-9A-Fa-f]*h$/.test(only))
      throw new ExpressionError(`"${only}" is no name; a number begins with a digit: 0${only}.`, column);
    const names = [...this.scope.names()];
    throw new ExpressionError(
      `There is no "${dotted}".${didYouMean(dotted, [...names, ...CONSTANTS.keys()]) || whatThereIs(lower, names)}`,
      column,
    );
  }
}

/** Throws an ExpressionError unless every name in an expression exists, whether it has a value now or not. */
export function checkNames(tree: Expression, scope: Scope): void {
  switch (tree.kind) {
    case 'constant':
      return;
    case 'name':
      if (tree.index !== undefined) checkNames(tree.index, scope);
      new Evaluator(scope).find(tree.path, tree.index === undefined ? undefined : 0, tree.column, tree.part);
      return;
    case 'memory':
      return checkNames(tree.address, scope);
    case 'unary':
      return checkNames(tree.operand, scope);
    case 'binary':
      checkNames(tree.left, scope);
      return checkNames(tree.right, scope);
    case 'in':
      for (const part of [tree.value, ...tree.among]) checkNames(part, scope);
      return;
    case 'choice':
      for (const part of [tree.condition, tree.yes, tree.no]) checkNames(part, scope);
  }
}

/** Does a value count as true: not 0, not the empty text? */
export const isTrue = (value: Value): boolean => value !== 0 && value !== '';

/** The value of an expression in a scope. Throws an ExpressionError with the column. */
export const evaluate = (tree: Expression, scope: Scope): Value => new Evaluator(scope).value(tree);
