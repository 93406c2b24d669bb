/**
 * The arithmetic flags as values: four sources from which all six follow.
 *
 * ZF: zero == 0. SF: sign < 0; PF: parity of sign's low byte. OF: (cross < 0) xor carry; AF: bit 4 of cross. CF: carry (0 or 1).
 * Any of the 64 combinations can be represented, and a writer of flags needs no knowledge of who reads them.
 */
import {
  add,
  and,
  bit0,
  c32,
  c64,
  constant,
  eq,
  eqz,
  flip,
  low,
  ltS,
  ltU,
  or,
  popcnt,
  shl,
  shrS,
  shrU,
  signExtend,
  signExtend64,
  sub,
  topBit,
  type Size,
  type Value,
  widen,
  xor,
  zeroExtend,
  not,
} from './value.ts';

/** zero, sign, cross: i64; carry: i32. `lazy`: they are those of a family, so an engine may keep its two inputs instead. */
export interface Flags {
  zero: Value;
  sign: Value;
  cross: Value;
  carry: Value;
  lazy?: { family: Family; a: Value; b: Value; size: Size } | undefined;
}
export type Family = 'sub' | 'add' | 'logic' | 'inc' | 'dec' | 'shl' | 'shr' | 'sar';
type FamilyFlags = (a: Value, b: Value, size: Size, r?: Value) => Flags;

const typed = (like: Value, n: bigint | number): Value => constant(like.type, n);
const auxiliary = (a: Value, r: Value): Value => signExtend64(and(xor(a, r), typed(a, 16)), 32);
const crossOf = (a: Value, b: Value, r: Value, size: Size): Value => signExtend64(xor(xor(a, b), r), size);

/**
 * Flags as a function of two inputs and the operand size.
 * inc, dec: a is the result and b the carry that stays; logic: a is the result; shl, shr, sar: b is the count, 1 or more.
 */
export const families: Record<Family, FamilyFlags> = {
  add: (a, b, size, r = zeroExtend(add(a, b), size)) => {
    const sign = signExtend64(r, size);
    return { zero: sign, sign, cross: crossOf(a, b, r, size), carry: ltU(r, a) };
  },
  sub: (a, b, size, r = zeroExtend(sub(a, b), size)) => {
    const sign = signExtend64(r, size);
    return { zero: sign, sign, cross: crossOf(a, b, r, size), carry: ltU(a, b) };
  },
  logic: (r, _, size) => {
    const sign = signExtend64(r, size);
    return { zero: sign, sign, cross: c64(0), carry: c32(0) };
  },
  inc: (r, carry, size) =>
    resultFlags(r, size, low(carry), eq(r, typed(r, 1n << BigInt(size - 1))), auxiliary(zeroExtend(sub(r, typed(r, 1)), size), r)),
  dec: (r, carry, size) =>
    resultFlags(r, size, low(carry), eq(r, typed(r, (1n << BigInt(size - 1)) - 1n)), auxiliary(zeroExtend(add(r, typed(r, 1)), size), r)),
  shl: (a, n, size, r = zeroExtend(shl(a, n), size)) => {
    // A narrow operand has room above it for the bit shifted out; a count beyond the size shifts zeros out.
    const carry = size < 32 ? bit0(shrU(shl(a, n), typed(a, size))) : topBit(shl(a, sub(n, typed(n, 1))), size);
    return resultFlags(r, size, carry, xor(topBit(r, size), carry));
  },
  shr: (a, n, size, r = shrU(a, n)) => resultFlags(r, size, bit0(shrU(a, sub(n, typed(n, 1)))), topBit(a, size)),
  sar: (a, n, size, r = zeroExtend(shrS(signExtend(a, size), n), size)) =>
    resultFlags(r, size, bit0(shrS(signExtend(a, size), sub(n, typed(n, 1)))), c32(0)),
};

/** Flags of a result, with carry and overflow (i32, 0 or 1) given apart. */
export function resultFlags(r: Value, size: Size, carry: Value, overflow: Value, aux: Value = c64(0)): Flags {
  const sign = signExtend64(r, size);
  return { zero: sign, sign, carry, cross: or(crossFor(carry, overflow), aux) };
}
/** The part of `cross` that makes OF come out as `overflow`. */
export const crossFor = (carry: Value, overflow: Value): Value => shl(widen(xor(carry, overflow)), c64(63));
/** OF of existing flags, as i32 0 or 1. */
export const overflowOf = (f: Flags): Value => xor(ltS(f.cross, c64(0)), f.carry);
/** The same flags with another carry: OF and AF stay. */
export const withCarry = (f: Flags, carry: Value): Flags => withCarryAndOverflow(f, carry, overflowOf(f));
export const withCarryAndOverflow = (f: Flags, carry: Value, overflow: Value): Flags => ({
  zero: f.zero,
  sign: f.sign,
  carry,
  cross: or(crossFor(carry, overflow), and(f.cross, c64(16))),
});
/** Flags of a+b+c or, with `borrow`, of a-b-c: the carry is the top bit of the carry chain. */
export function chainFlags(a: Value, b: Value, r: Value, size: Size, borrow: boolean): Flags {
  const sign = signExtend64(r, size);
  const x = borrow ? not(a) : a;
  const y = borrow ? r : not(r);
  return { zero: sign, sign, cross: crossOf(a, b, r, size), carry: topBit(or(and(x, b), and(or(x, b), y)), size) };
}

/** PF as i32 0 or 1. */
const parity = (f: Flags): Value => flip(and(popcnt(and(low(f.sign), c32(0xff))), c32(1)));
/** CF, PF, AF, ZF, SF, OF in their places in EFLAGS, i32. */
export function flagsWord(f: Flags): Value {
  const at = (v: Value, place: number): Value => shl(v, c32(place));
  return or(
    or(or(f.carry, at(parity(f), 2)), or(and(low(f.cross), c32(16)), at(eqz(f.zero), 6))),
    or(at(ltS(f.sign, c64(0)), 7), at(overflowOf(f), 11)),
  );
}
/** The flags whose EFLAGS image is `word` (i32). */
export function flagsFromWord(word: Value): Flags {
  const flag = (place: number): Value => and(shrU(word, c32(place)), c32(1));
  const carry = flag(0);
  return {
    zero: widen(flip(flag(6))),
    sign: or(shl(widen(flag(7)), c64(63)), widen(flip(flag(2)))),
    cross: or(crossFor(carry, flag(11)), widen(and(word, c32(16)))),
    carry,
  };
}
/** Condition code 0..15 of Jcc, SETcc and CMOVcc, as i32 0 or 1 (SDM vol. 2, "EFLAGS Condition Codes"). */
export function condition(f: Flags, cc: number): Value {
  const negative = (v: Value): Value => ltS(v, c64(0));
  const positive = (): Value => {
    switch (cc >> 1) {
      case 0:
        return overflowOf(f);
      case 1:
        return f.carry;
      case 2:
        return eqz(f.zero);
      case 3:
        return or(f.carry, eqz(f.zero));
      case 4:
        return negative(f.sign);
      case 5:
        return parity(f);
      case 6:
        return xor(negative(xor(f.sign, f.cross)), f.carry);
      default:
        return or(xor(negative(xor(f.sign, f.cross)), f.carry), eqz(f.zero));
    }
  };
  return cc & 1 ? flip(positive()) : positive();
}
