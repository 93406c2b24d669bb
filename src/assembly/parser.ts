/** Tokens to statements. Never throws: a line with an error gives the error, and what of it could be read. */
import type { Span } from './diagnostic.ts';
import { accept, type Cursor, described, parseExpression, peek } from './expression.ts';
import { Lexer, type Token } from './lexer.ts';
import { Preprocessor } from './preprocessor.ts';
import { REGISTERS } from './registers.ts';
import type { Body, DataItem, Expression, Label, Operand, OperandModifiers, Statement, WrittenPrefixes } from './syntax.ts';

export interface ParseOptions {
  /** Is this lower-case word an instruction? */
  isMnemonic(word: string): boolean;
  problem(span: Span, message: string): void;
  warn(span: Span, message: string): void;
}

const SIZES = new Map([
  ['byte', 8],
  ['word', 16],
  ['dword', 32],
  ['qword', 64],
  ['tword', 80],
  ['tbyte', 80],
  ['oword', 128],
  ['dqword', 128],
]);
const DATA_UNITS = new Map([
  ['db', 1],
  ['dw', 2],
  ['dd', 4],
  ['dq', 8],
]);
const RESERVE_UNITS = new Map([
  ['resb', 1],
  ['resw', 2],
  ['resd', 4],
  ['resq', 8],
]);
const REPEATS = new Map([
  ['rep', 0xf3],
  ['repe', 0xf3],
  ['repz', 0xf3],
  ['repne', 0xf2],
  ['repnz', 0xf2],
]);
const OPERAND_SIZES = new Map([
  ['o16', 16],
  ['o32', 32],
]);
const ADDRESS_SIZES = new Map([
  ['a16', 16],
  ['a32', 32],
]);
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const CPU_LEVELS = /^(8086|186|286|386|486|586|686|pentium|p2|p3|p4|katmai|willamette|prescott|x64|x86-64|ia64|default|all|latte|any)$/i;

/** Words with a meaning of their own, which can be no label unless written as $word. */
const DIRECTIVES = new Set(['bits', 'org', 'cpu', 'use16', 'use32', 'section', 'segment', 'align', 'alignb']);
const REFUSED = new Set([
  'dt',
  'do',
  'dy',
  'dz',
  'ddq',
  'rest',
  'resdq',
  'reso',
  'resy',
  'resz',
  'incbin',
  'struc',
  'endstruc',
  'istruc',
  'iend',
  'at',
  'global',
  'extern',
  'common',
  'static',
  'absolute',
  'default',
  'float',
  'warning',
  'required',
  'sectalign',
  'use64',
  'map',
  'list',
  'debug',
  'a64',
  'o64',
  'xacquire',
  'xrelease',
  'bnd',
  'nobnd',
]);
const NO_PREFIXES: WrittenPrefixes = { repeat: 0, lock: false, segment: -1, operandSize: 0, addressSize: 0 };
const MAXIMUM_TIMES = 16;

/** The statements of a source text, in order; lines that hold none give none. */
export function parse(source: string, options: ParseOptions): Statement[] {
  const preprocessor = new Preprocessor(new Lexer(source), options.problem);
  const statements: Statement[] = [];
  for (;;) {
    const tokens = preprocessor.nextLine();
    if (tokens === null) return statements;
    if (tokens.length <= 1) continue;
    const statement = new LineParser(tokens, options).statement();
    if (statement !== null) statements.push(statement);
  }
}

class LineParser implements Cursor {
  readonly tokens: readonly Token[];
  position = 0;
  readonly #options: ParseOptions;
  #failed = false;

  constructor(tokens: readonly Token[], options: ParseOptions) {
    this.tokens = tokens;
    this.#options = options;
  }

  /** Reports the first problem of the line; what follows from it would only repeat it. */
  problem(span: Span, message: string): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.problem({ start: span.start, end: span.end }, message);
  }

  statement(): Statement | null {
    const first = peek(this);
    const label = this.#label();
    const times: Expression[] = [];
    let body: Body | null = null;
    if (!this.#failed && peek(this).kind !== 'end') body = this.#body(times, label);
    if (!this.#failed && peek(this).kind !== 'end')
      this.problem(peek(this), `expected the end of the line, found ${described(peek(this))}`);
    if (this.#failed) body = null;
    if (label === null && body === null) return null;
    const last = this.tokens[Math.max(0, Math.min(this.position, this.tokens.length) - 1)] ?? first;
    return { span: { start: first.start, end: Math.max(last.end, first.end) }, label, times: body === null ? [] : times, body };
  }

  #isReserved(token: Token): boolean {
    if (token.escaped) return false;
    const word = token.text.toLowerCase();
    return (
      this.#options.isMnemonic(word) ||
      DATA_UNITS.has(word) ||
      RESERVE_UNITS.has(word) ||
      DIRECTIVES.has(word) ||
      REFUSED.has(word) ||
      REPEATS.has(word) ||
      OPERAND_SIZES.has(word) ||
      ADDRESS_SIZES.has(word) ||
      word === 'lock' ||
      word === 'times' ||
      word === 'equ' ||
      REGISTERS.has(word)
    );
  }

  #label(): Label | null {
    const token = peek(this);
    if (token.kind === 'bad') {
      this.problem(token, token.text);
      return null;
    }
    // The bracketed form of a directive is read as a body.
    if (token.kind === 'operator' && token.text === '[') return null;
    if (token.kind !== 'name') {
      this.problem(token, `expected a label, an instruction or a directive, found ${described(token)}`);
      return null;
    }
    const next = this.tokens[1];
    const colon = next?.kind === 'operator' && next.text === ':';
    // `refused` words such as `at` or `map` are ordinary names when a colon says so.
    if (this.#isReserved(token) && !(colon && REFUSED.has(token.text.toLowerCase()))) return null;
    const span = { start: token.start, end: token.end };
    this.position++;
    if (accept(this, ':')) return { span, name: token.text };
    if (next === undefined || next.kind === 'end') {
      this.#options.warn(span, `'${token.text}' stands alone on its line and is taken for a label; write '${token.text}:' if it is one`);
    } else if (next.kind !== 'name' || !this.#isReserved(next) || REGISTERS.has(next.text.toLowerCase())) {
      this.problem(span, `'${token.text}' is not an instruction that the assembler knows`);
    }
    return { span, name: token.text };
  }

  #body(times: Expression[], label: Label | null): Body | null {
    const start = peek(this);
    if (start.kind === 'operator' && start.text === '[') return this.#bracketed();
    const prefixes = { ...NO_PREFIXES };
    let prefixed = false;
    for (;;) {
      const token = peek(this);
      const span = { start: token.start, end: token.end };
      if (token.kind === 'end' && prefixed)
        return { kind: 'instruction', span: { start: start.start, end: start.end }, mnemonic: '', operands: [], prefixes };
      if (token.kind !== 'name') {
        this.problem(span, `expected an instruction or a directive, found ${described(token)}`);
        return null;
      }
      const word = token.text.toLowerCase();
      this.position++;
      if (word === 'times') {
        const count = parseExpression(this);
        if (count === null) return null;
        times.push(count);
        if (times.length > MAXIMUM_TIMES) this.problem(span, `more than ${MAXIMUM_TIMES} times on one line`);
        if (this.#failed) return null;
        continue;
      }
      if (this.#prefix(word, prefixes)) {
        prefixed = true;
        continue;
      }
      if (prefixed || this.#options.isMnemonic(word)) return this.#instruction(token, word, prefixes, start);
      return this.#directive(token, word, label, times.length > 0);
    }
  }

  #prefix(word: string, prefixes: { -readonly [K in keyof WrittenPrefixes]: WrittenPrefixes[K] }): boolean {
    const segment = SEGMENTS.indexOf(word);
    const repeat = REPEATS.get(word);
    if (repeat !== undefined) prefixes.repeat = repeat;
    else if (word === 'lock') prefixes.lock = true;
    else if (OPERAND_SIZES.has(word)) prefixes.operandSize = OPERAND_SIZES.get(word) ?? 0;
    else if (ADDRESS_SIZES.has(word)) prefixes.addressSize = ADDRESS_SIZES.get(word) ?? 0;
    else if (segment >= 0) prefixes.segment = segment;
    else return false;
    return true;
  }

  #directive(token: Token, word: string, label: Label | null, repeated: boolean): Body | null {
    const span = { start: token.start, end: token.end };
    const unit = DATA_UNITS.get(word);
    if (unit !== undefined) return this.#data(span, unit);
    const reserve = RESERVE_UNITS.get(word);
    if (reserve !== undefined) {
      const count = parseExpression(this);
      return count === null ? null : { kind: 'reserve', span, unit: reserve, count };
    }
    if (word === 'equ') {
      if (label === null) this.problem(span, 'equ needs a label in front of it');
      if (repeated) this.problem(span, 'equ cannot be repeated by times');
      const value = this.#failed ? null : parseExpression(this);
      return value === null ? null : { kind: 'equ', span, value };
    }
    if (REFUSED.has(word)) {
      this.problem(span, `${token.text} is not supported yet`);
      return null;
    }
    if (REGISTERS.has(word)) {
      this.problem(span, `expected an instruction or a directive, found the register ${word}`);
      return null;
    }
    if (!DIRECTIVES.has(word)) {
      this.problem(span, `'${token.text}' is not an instruction that the assembler knows`);
      return null;
    }
    if (repeated) {
      this.problem(span, `${word} cannot be repeated by times`);
      return null;
    }
    return this.#command(span, word);
  }

  /** `[bits 16]`: the primitive form of a directive. */
  #bracketed(): Body | null {
    this.position++;
    const token = peek(this);
    const word = token.text.toLowerCase();
    if (token.kind !== 'name' || !DIRECTIVES.has(word) || word.startsWith('align')) {
      this.problem(
        token,
        token.kind === 'name' ? `[${token.text}] is not supported yet` : `expected the name of a directive, found ${described(token)}`,
      );
      return null;
    }
    this.position++;
    const body = this.#command({ start: token.start, end: token.end }, word);
    if (!this.#failed && !accept(this, ']')) this.problem(peek(this), `expected ']', found ${described(peek(this))}`);
    return body;
  }

  #command(span: Span, word: string): Body | null {
    switch (word) {
      case 'bits': {
        const token = peek(this);
        this.position++;
        if (token.kind === 'number' && (token.value === 16n || token.value === 32n))
          return { kind: 'bits', span, bits: token.value === 16n ? 16 : 32 };
        this.problem(
          token,
          token.kind === 'number' && token.value === 64n
            ? 'bits 64 is not supported yet'
            : `bits takes 16 or 32, found ${described(token)}`,
        );
        return null;
      }
      case 'use16':
      case 'use32':
        return { kind: 'bits', span, bits: word === 'use16' ? 16 : 32 };
      case 'org': {
        const value = parseExpression(this);
        return value === null ? null : { kind: 'org', span, value };
      }
      case 'cpu': {
        const token = peek(this);
        this.position++;
        // Levels such as 8086 are numbers, `x86-64` is three tokens.
        const dashed = accept(this, '-') ? `-${this.tokens[this.position++]?.text ?? ''}` : '';
        if (!CPU_LEVELS.test(token.text + dashed))
          this.problem(token, `cpu takes a processor such as 386 or all, found ${described(token)}`);
        return null;
      }
      case 'section':
      case 'segment': {
        const token = peek(this);
        this.position++;
        if (token.kind !== 'name' || token.text.toLowerCase() !== '.text')
          this.problem(token, `only the section .text is supported yet, found ${described(token)}`);
        else if (peek(this).kind === 'name')
          this.problem(peek(this), `section attributes such as ${described(peek(this))} are not supported yet`);
        return null;
      }
      default:
        return this.#align(span, word);
    }
  }

  #align(span: Span, word: string): Body | null {
    const boundary = parseExpression(this);
    if (boundary === null) return null;
    const none = word === 'alignb' ? null : ({ kind: 'instruction', span, mnemonic: 'nop', operands: [], prefixes: NO_PREFIXES } as const);
    if (!accept(this, ',')) return { kind: 'align', span, boundary, filler: none };
    const filler = this.#body([], null);
    if (filler !== null && filler.kind !== 'data' && filler.kind !== 'instruction' && filler.kind !== 'reserve')
      this.problem(filler.span, `${word} fills with data or an instruction`);
    return filler === null ? null : { kind: 'align', span, boundary, filler };
  }

  #data(span: Span, unit: number): Body | null {
    const items: DataItem[] = [];
    if (peek(this).kind === 'end') {
      this.problem(span, 'a data directive needs at least one value');
      return null;
    }
    do {
      const token = peek(this);
      if (token.kind === 'end' && items.length > 0) break;
      const after = this.tokens[this.position + 1];
      if (token.kind === 'name' && token.text === '?') {
        this.problem(token, "'?' for uninitialised data is not supported yet; resb reserves zeros");
        return null;
      }
      if (token.kind === 'string' && (after === undefined || after.kind === 'end' || (after.kind === 'operator' && after.text === ','))) {
        this.position++;
        items.push({ kind: 'string', span: { start: token.start, end: token.end }, bytes: token.bytes ?? new Uint8Array() });
        continue;
      }
      const expression = parseExpression(this);
      if (expression === null) return null;
      if (peek(this).kind === 'name' && peek(this).text.toLowerCase() === 'dup') {
        this.problem(peek(this), 'dup is not supported yet; times repeats data');
        return null;
      }
      items.push({ kind: 'value', span: expression.span, expression });
    } while (accept(this, ','));
    return { kind: 'data', span, unit, items };
  }

  #instruction(token: Token, word: string, prefixes: WrittenPrefixes, start: Token): Body | null {
    if (!this.#options.isMnemonic(word)) {
      this.problem(token, `'${token.text}' is not an instruction that the assembler knows`);
      return null;
    }
    const operands: Operand[] = [];
    if (peek(this).kind !== 'end') {
      do {
        const to = peek(this).kind === 'name' && peek(this).text.toLowerCase() === 'to' && !peek(this).escaped;
        if (to) this.position++;
        const operand = this.#operand();
        if (operand === null) return null;
        operands.push(operand);
        // `fadd to st1` is `fadd st1, st0`.
        const top = REGISTERS.get('st0');
        if (to && top !== undefined)
          operands.push({ kind: 'register', span: operand.span, register: top, size: 0, strict: false, distance: '' });
      } while (accept(this, ','));
    }
    return { kind: 'instruction', span: { start: start.start, end: Math.max(start.end, token.end) }, mnemonic: word, operands, prefixes };
  }

  #modifiers(): OperandModifiers {
    let size = 0;
    let strict = false;
    let distance: OperandModifiers['distance'] = '';
    for (;;) {
      const token = peek(this);
      const word = token.kind === 'name' && !token.escaped ? token.text.toLowerCase() : '';
      if (SIZES.has(word)) size = SIZES.get(word) ?? 0;
      else if (word === 'strict') strict = true;
      else if (word === 'short' || word === 'near' || word === 'far') distance = word;
      else if (word === 'ptr') {
        this.problem(token, 'ptr is not written in this dialect: [x] is memory, x is its address');
        return { size, strict, distance };
      } else return { size, strict, distance };
      this.position++;
    }
  }

  #operand(): Operand | null {
    const start = peek(this);
    const modifiers = this.#modifiers();
    if (this.#failed) return null;
    if (accept(this, '[')) return this.#memory(start, modifiers);
    const expression = parseExpression(this);
    if (expression === null) return null;
    if (expression.kind === 'register') {
      const next = peek(this);
      if (next.kind === 'operator' && next.text === ':') {
        this.problem(expression.span, 'a segment override is written inside the brackets: [es:bx]');
        return null;
      }
      return { kind: 'register', span: { start: start.start, end: expression.span.end }, register: expression.register, ...modifiers };
    }
    if (!accept(this, ':')) return { kind: 'immediate', span: { start: start.start, end: expression.span.end }, expression, ...modifiers };
    const inner = this.#modifiers();
    const offset = this.#failed ? null : parseExpression(this);
    if (offset === null) return null;
    const size = modifiers.size === 0 ? inner.size : modifiers.size;
    return { kind: 'far', span: { start: start.start, end: offset.span.end }, selector: expression, offset, ...modifiers, size };
  }

  #memory(start: Token, modifiers: OperandModifiers): Operand | null {
    let displacement = 0;
    let noSplit = false;
    let segment = -1;
    for (;;) {
      const token = peek(this);
      const word = token.kind === 'name' && !token.escaped ? token.text.toLowerCase() : '';
      const next = this.tokens[this.position + 1];
      const size = SIZES.get(word);
      if (size === 8 || size === 16 || size === 32) displacement = size;
      else if (word === 'nosplit') noSplit = true;
      else if (SEGMENTS.includes(word) && next?.kind === 'operator' && next.text === ':') {
        segment = SEGMENTS.indexOf(word);
        this.position++;
      } else if (word === 'rel' || size === 64) {
        this.problem(token, `${word} is for 64-bit code, which is not supported yet`);
        return null;
      } else if (word !== 'abs') break;
      this.position++;
    }
    const address = parseExpression(this);
    if (address === null) return null;
    const end = peek(this).end;
    if (!accept(this, ']')) {
      this.problem(peek(this), `expected ']', found ${described(peek(this))}`);
      return null;
    }
    return { kind: 'memory', span: { start: start.start, end }, address, segment, displacement, noSplit, ...modifiers };
  }
}
