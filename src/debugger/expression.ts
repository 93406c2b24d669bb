/**
 * The one expression language of watches, hovers, conditions, log messages and `--break`: its tree and its parser.
 *
 * Operators have C's precedence and meaning, with two changes that save mistakes: `a in (b, c)` compares with several values, and `and`, `or`,
 * `not` may be written for &&, || and !. Names are those of the scope (registers, flags, `lapic.icr_lo.mode`, `exit.gpa`, symbols…) and of
 * constants (delivery modes, verdicts, reasons, exit codes), in any case.
 *
 *     expression := or [ '?' expression ':' expression ]
 *     primary    := number | text | '(' expression ')' | [size] '[' expression ']' | part { '.' part }
 *     part       := name [ '[' expression ']' ], one index in all; `lapic@2.svr` is lapic[2].svr
 */
import { ExpressionError, type Token, tokenize } from './lexer.ts';

export type Expression =
  | { readonly kind: 'constant'; readonly value: number | string; readonly column: number }
  /** A name with its parts: `lapic[2].icr_lo.mode` has path lapic, icr_lo, mode and index 2 of part 0, `ioapic.redtbl[2].mask` index 2 of part 1. */
  | {
      readonly kind: 'name';
      readonly path: readonly string[];
      readonly index: Expression | undefined;
      readonly part?: number;
      readonly column: number;
    }
  | { readonly kind: 'memory'; readonly size: 1 | 2 | 4; readonly address: Expression; readonly column: number }
  | { readonly kind: 'unary'; readonly operator: '-' | '+' | '!' | '~'; readonly operand: Expression; readonly column: number }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression; readonly column: number }
  | { readonly kind: 'in'; readonly value: Expression; readonly among: readonly Expression[]; readonly column: number }
  | { readonly kind: 'choice'; readonly condition: Expression; readonly yes: Expression; readonly no: Expression; readonly column: number };

/** Binary operators by rank, weakest first: C's. */
const RANKS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '<=', '>', '>=', 'in'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const WORDS: Readonly<Record<string, string>> = { and: '&&', or: '||', in: 'in' };
const SIZES: Readonly<Record<string, 1 | 2 | 4>> = { byte: 1, word: 2, dword: 4 };

/** `lapic@2`: one word to the lexer, for a symbol may have an @. */
const VCPU_OF = /^(lapic|v?cpu)@([0-9]{1,3})$/i;

/** Deeper nesting is refused, so that no input exhausts the stack. */
const MAX_DEPTH = 200;

class Parser {
  private at = 0;
  private depth = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  private get token(): Token {
    return this.tokens[this.at] as Token;
  }
  private isOperator(value: string): boolean {
    return this.token.kind === 'operator' && this.token.value === value;
  }
  private take(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.at++;
    return token;
  }
  private expect(value: string, why: string): void {
    if (!this.isOperator(value)) throw new ExpressionError(`Expected "${value}" ${why}, found ${this.found()}.`, this.token.column);
    this.at++;
  }
  private found(): string {
    return this.token.kind === 'end' ? 'the end' : `"${this.token.value}"`;
  }

  whole(): Expression {
    if (this.token.kind === 'end') throw new ExpressionError('The expression is empty.', 1);
    const tree = this.expression();
    if ((this.token.kind as string) !== 'end')
      throw new ExpressionError(`Expected an operator or the end, found ${this.found()}.`, this.token.column);
    return tree;
  }

  private expression(): Expression {
    if (++this.depth > MAX_DEPTH) throw new ExpressionError('The expression is nested too deeply.', this.token.column);
    const condition = this.binary(0);
    let tree = condition;
    if (this.isOperator('?')) {
      const { column } = this.take();
      const yes = this.expression();
      this.expect(':', 'after the first value of "?"');
      tree = { kind: 'choice', condition, yes, no: this.expression(), column };
    }
    this.depth--;
    return tree;
  }

  /** The binary operator here if it is of this rank, or undefined. */
  private operatorOf(rank: number): string | undefined {
    const { kind, value } = this.token;
    const operator = kind === 'operator' ? (value as string) : kind === 'name' ? WORDS[(value as string).toLowerCase()] : undefined;
    return operator !== undefined && RANKS[rank]?.includes(operator) ? operator : undefined;
  }

  private binary(rank: number): Expression {
    if (rank === RANKS.length) return this.unary();
    let left = this.binary(rank + 1);
    for (let operator = this.operatorOf(rank); operator !== undefined; operator = this.operatorOf(rank)) {
      const { column } = this.take();
      if (operator === 'in') left = { kind: 'in', value: left, among: this.list(), column };
      else left = { kind: 'binary', operator, left, right: this.binary(rank + 1), column };
    }
    return left;
  }

  private list(): Expression[] {
    this.expect('(', 'after "in"');
    const values = [this.expression()];
    while (this.isOperator(',')) {
      this.take();
      values.push(this.expression());
    }
    this.expect(')', 'to end the list');
    return values;
  }

  private unary(): Expression {
    const { kind, value, column } = this.token;
    const operator = kind === 'name' && (value as string).toLowerCase() === 'not' ? '!' : kind === 'operator' ? value : '';
    if (operator === '-' || operator === '+' || operator === '!' || operator === '~') {
      this.take();
      if (++this.depth > MAX_DEPTH) throw new ExpressionError('The expression is nested too deeply.', column);
      const operand = this.unary();
      this.depth--;
      return { kind: 'unary', operator, operand, column };
    }
    return this.primary();
  }

  private primary(): Expression {
    const token = this.take();
    const { column } = token;
    if (token.kind === 'number' || token.kind === 'string') return { kind: 'constant', value: token.value, column };
    if (token.kind === 'operator' && token.value === '(') {
      const tree = this.expression();
      this.expect(')', 'to close the parenthesis');
      return tree;
    }
    if (token.kind === 'operator' && token.value === '[') return this.memory(4, column);
    if (token.kind === 'name') {
      const size = SIZES[token.value.toLowerCase()];
      if (size !== undefined && this.isOperator('[')) {
        this.take();
        return this.memory(size, column);
      }
      return this.name(token.value, column);
    }
    const what = token.kind === 'end' ? 'the end' : `"${token.value}"`;
    throw new ExpressionError(`Expected a value, found ${what}.`, column);
  }

  private memory(size: 1 | 2 | 4, column: number): Expression {
    const address = this.expression();
    this.expect(']', 'to close the address');
    return { kind: 'memory', size, address, column };
  }

  private name(first: string, column: number): Expression {
    const at = VCPU_OF.exec(first);
    const path = [at?.[1] ?? first];
    let index: Expression | undefined = at === null ? undefined : { kind: 'constant', value: Number(at[2]), column };
    let part = 0;
    for (;;) {
      if (this.isOperator('[')) {
        const bracket = this.take();
        if (index !== undefined) throw new ExpressionError('A name has one index at most.', bracket.column);
        index = this.expression();
        part = path.length - 1;
        this.expect(']', 'to close the index');
      }
      if (!this.isOperator('.')) return { kind: 'name', path, index, ...(part === 0 ? {} : { part }), column };
      this.take();
      const next = this.take();
      if (next.kind !== 'name') throw new ExpressionError('Expected a name after ".".', next.column);
      path.push(next.value);
    }
  }
}

/** Parses an expression of at most 2,000 characters. Throws an ExpressionError with the column. */
export function parseExpression(text: string): Expression {
  if (text.length > 2_000) throw new ExpressionError('The expression is longer than 2,000 characters.', 2_001);
  return new Parser(tokenize(text)).whole();
}
