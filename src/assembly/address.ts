/** Memory operands: from the expression in the brackets to the parts of an effective address. */
import { type EffectiveAddress, effectiveAddress } from '../machine/isa/encoder.ts';
import type { Span } from './diagnostic.ts';
import { binary, evaluate, numberValue, type Scope, unary, type Value } from './expression.ts';
import type { Register } from './registers.ts';
import type { Expression, Operand } from './syntax.ts';

export type MemoryOperand = Extract<Operand, { kind: 'memory' }>;

/** What the layout needs besides the values of symbols. */
export interface AddressContext extends Scope {
  warn(span: Span, message: string): void;
}

interface Terms {
  /** Registers in the order of their first mention. */
  readonly registers: { register: Register; scale: number; multiplied: boolean; span: Span }[];
  constant: Value;
}

/** Does an expression mention a register? */
export function hasRegister(expression: Expression): boolean {
  switch (expression.kind) {
    case 'register':
      return true;
    case 'unary':
      return hasRegister(expression.operand);
    case 'binary':
      return hasRegister(expression.left) || hasRegister(expression.right);
    default:
      return false;
  }
}

/** Can the value of an expression change from pass to pass? */
export function isVariable(expression: Expression): boolean {
  switch (expression.kind) {
    case 'symbol':
    case 'here':
    case 'origin':
      return true;
    case 'unary':
      return isVariable(expression.operand);
    case 'binary':
      return isVariable(expression.left) || isVariable(expression.right);
    default:
      return false;
  }
}

/** The effective address of a memory operand, or null when there is none: the reason has been reported. */
export function resolveAddress(
  operand: MemoryOperand,
  bits: 16 | 32,
  addressPrefix: number,
  context: AddressContext,
): EffectiveAddress | null {
  const terms: Terms = { registers: [], constant: numberValue(0n) };
  if (!gather(operand.address, 1, false, terms, context)) return null;
  const used = terms.registers.filter((t) => t.scale !== 0);
  const addressBits = addressBitsOf(operand, used, bits, addressPrefix, context);
  if (addressBits === 0) return null;
  if (terms.constant.address !== 0 && terms.constant.address !== 1) {
    context.problem(operand.span, 'an address cannot be the sum or the negative of addresses');
    return null;
  }
  if (used.length > 2) {
    context.problem(operand.span, `an address takes at most two registers, found ${used.length}`);
    return null;
  }
  const negative = used.find((t) => t.scale < 0);
  if (negative !== undefined) {
    context.problem(negative.span, `the register ${negative.register.name} cannot be subtracted`);
    return null;
  }
  let base = -1;
  let index = -1;
  let scale = 1;
  let noSplit = operand.noSplit;
  const [first, second] = used;
  if (first !== undefined && second !== undefined) {
    const [b, i] =
      first.scale !== 1 || (second.scale === 1 && !isFirstBase(operand.address, first.register, second.register, context))
        ? [second, first]
        : [first, second];
    if (b.scale !== 1) {
      context.problem(operand.span, 'an address scales only one register');
      return null;
    }
    base = b.register.number;
    index = i.register.number;
    scale = i.scale;
  } else if (first !== undefined) {
    if (first.scale === 1 && !(noSplit && first.multiplied)) base = first.register.number;
    else {
      index = first.register.number;
      scale = first.scale;
    }
    if (noSplit && scale === 2) noSplit = !hintOf(operand.address, context).summed;
  }
  const { value } = terms.constant;
  if (!terms.constant.unknown && terms.constant.address === 0) warnDisplacement(operand, value, addressBits, context);
  const result = effectiveAddress({
    addressBits,
    base,
    index,
    scale,
    displacement: Number(BigInt.asIntN(32, value)),
    forcedBits: used.length === 0 ? 0 : operand.displacement,
    relocatable: terms.constant.address !== 0 || terms.constant.unknown,
    noSplit,
  });
  if (typeof result !== 'string') return result;
  context.problem(operand.span, result);
  return null;
}

function warnDisplacement(operand: MemoryOperand, value: bigint, addressBits: number, context: AddressContext): void {
  const bits = BigInt(operand.displacement === 8 ? 8 : addressBits);
  const fits = operand.displacement === 8 ? value >= -128n && value <= 127n : value >= -(1n << (bits - 1n)) && value < 1n << bits;
  if (!fits) context.warn(operand.span, `the displacement ${value} does not fit in ${bits} bits and is cut`);
}

function addressBitsOf(
  operand: MemoryOperand,
  used: Terms['registers'],
  bits: 16 | 32,
  addressPrefix: number,
  context: AddressContext,
): 16 | 32 | 0 {
  const first = used[0];
  if (first === undefined) {
    if (operand.displacement === 16 || operand.displacement === 32) return operand.displacement;
    return addressPrefix === 0 ? bits : (addressPrefix as 16 | 32);
  }
  for (const { register, span } of used) {
    if (register.class !== 'r16' && register.class !== 'r32') {
      context.problem(span, `the register ${register.name} cannot be part of an address`);
      return 0;
    }
    if (register.class !== first.register.class) {
      context.problem(span, `an address cannot mix ${first.register.name} and ${register.name}`);
      return 0;
    }
  }
  const found = first.register.class === 'r16' ? 16 : 32;
  const asked = operand.displacement > 8 ? operand.displacement : addressPrefix;
  if (asked !== 0 && asked !== found) {
    context.problem(operand.span, `the address size ${asked} contradicts the register ${first.register.name}`);
    return 0;
  }
  return found;
}

/** Adds `factor` times an expression to the terms. */
function gather(expression: Expression, factor: number, multiplied: boolean, terms: Terms, context: AddressContext): boolean {
  const { span } = expression;
  if (!hasRegister(expression)) {
    const value = evaluate(expression, context);
    terms.constant = binary(
      '+',
      terms.constant,
      factor === 1
        ? value
        : factor === -1
          ? unary('-', value, span, context)
          : binary('*', value, numberValue(BigInt(factor)), span, context),
      span,
      context,
    );
    return true;
  }
  if (expression.kind === 'register') {
    const known = terms.registers.find((t) => t.register === expression.register);
    if (known === undefined) terms.registers.push({ register: expression.register, scale: factor, multiplied, span });
    else known.scale += factor;
    return true;
  }
  if (expression.kind === 'unary' && (expression.operator === '+' || expression.operator === '-'))
    return gather(expression.operand, expression.operator === '-' ? -factor : factor, multiplied, terms, context);
  if (expression.kind === 'binary') {
    const { operator, left, right } = expression;
    if (operator === '+' || operator === '-')
      return (
        gather(left, factor, multiplied, terms, context) && gather(right, operator === '-' ? -factor : factor, multiplied, terms, context)
      );
    if (operator === '*' && hasRegister(left) !== hasRegister(right)) {
      const [scaled, by] = hasRegister(left) ? [left, right] : [right, left];
      const value = evaluate(by, context);
      if (value.address === 0 && value.value >= -65536n && value.value <= 65536n)
        return gather(scaled, factor * Number(value.value), true, terms, context);
    }
  }
  context.problem(span, 'registers in an address can only be added, and multiplied by a number');
  return false;
}

/**
 * Which of two registers that are both taken once is the base. The dialect's custom: the one that the source mentions first, or the other if the source
 * multiplied the first; but once two terms of the same sort have been added up (two numbers, say), the one that comes first in the alphabet.
 */
function isFirstBase(address: Expression, first: Register, second: Register, context: AddressContext): boolean {
  const hint = hintOf(address, context);
  if (hint.summed || hint.register === null) return first.name < second.name;
  return hint.multiplied ? hint.register !== first : hint.register === first;
}

/** What the shape of an address expression says about its registers. */
interface Hint {
  /** The first register mentioned. */
  register: Register | null;
  multiplied: boolean;
  /** Have two terms of the same sort been added to something other than zero? */
  summed: boolean;
}

/** Amounts by sort of term: a register's name, '#' for numbers, '@' for addresses. */
type Sums = Map<string, bigint>;

function hintOf(address: Expression, context: AddressContext): Hint {
  const hint: Hint = { register: null, multiplied: false, summed: false };
  sumsOf(address, hint, context);
  return hint;
}

function sumsOf(e: Expression, hint: Hint, context: AddressContext): Sums {
  if (e.kind === 'register') {
    if (hint.register === null && !hint.summed) hint.register = e.register;
    return new Map([[e.register.name, 1n]]);
  }
  if (e.kind === 'unary') {
    const sums = sumsOf(e.operand, hint, context);
    if (e.operator === '+') return sums;
    if (e.operator === '-') return new Map([...sums].map(([sort, amount]) => [sort, -amount]));
  } else if (e.kind === 'binary') {
    const left = sumsOf(e.left, hint, context);
    const right = sumsOf(e.right, hint, context);
    if (e.operator === '+' || e.operator === '-') {
      for (const [sort, amount] of right) {
        const signed = e.operator === '+' ? amount : -amount;
        const earlier = left.get(sort);
        const sum = (earlier ?? 0n) + signed;
        if (earlier !== undefined && sum !== 0n) hint.summed = true;
        if (earlier !== undefined && sum === 0n) left.delete(sort);
        else left.set(sort, sum);
      }
      return left;
    }
    if (e.operator === '*' && hasRegister(e)) {
      const [scaled, by] = hasRegister(e.left) ? [left, right] : [right, left];
      const factor = by.get('#') ?? 0n;
      if (hint.register !== null && scaled.has(hint.register.name)) hint.multiplied = true;
      return new Map([...scaled].map(([sort, amount]) => [sort, amount * factor]));
    }
  }
  const value = evaluate(e, context);
  const sums: Sums = new Map([['#', value.address === 0 ? value.value : value.value - context.origin().value]]);
  if (value.address !== 0) sums.set('@', BigInt(value.address));
  return sums;
}
