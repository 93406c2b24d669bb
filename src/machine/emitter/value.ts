/**
 * Values: the pure expressions an instruction's definition is made of. A Value is a node of a small graph, built while the definition runs and
 * turned into wasm afterwards; a node used twice is computed once. Constants fold, so a definition run with known operands shrinks by itself.
 */
import { I32, I64, Op, type Type } from './wasm.ts';

export type Size = 8 | 16 | 32 | 64;

export class Value {
  uses = 0;
  local = -1;
  constructor(
    readonly type: Type,
    readonly op: number,
    readonly args: readonly Value[] = [],
    readonly imm = 0n,
    readonly align = 0,
  ) {
    for (const a of args) a.uses++;
  }
  get constant(): bigint | undefined {
    return this.op === (this.type === I32 ? Op.i32Const : Op.i64Const) ? this.imm : undefined;
  }
}

const bitsOf = (type: Type): number => (type === I32 ? 32 : 64);
/** A constant, wrapped to the type. */
export const constant = (type: Type, n: bigint | number): Value =>
  new Value(type, type === I32 ? Op.i32Const : Op.i64Const, [], BigInt.asIntN(bitsOf(type), BigInt(n)));
export const c32 = (n: number): Value => constant(I32, n);
export const c64 = (n: bigint | number): Value => constant(I64, n);
export const getLocal = (type: Type, index: number): Value => new Value(type, Op.localGet, [], BigInt(index));

type Fold = (a: bigint, b: bigint, bits: bigint) => bigint;
const unsigned = (n: bigint, bits: bigint): bigint => BigInt.asUintN(Number(bits), n);
/** A binary operation with its folding, and the constant on the right that changes nothing. */
const binary =
  (op32: number, op64: number, fold: Fold, identity?: bigint) =>
  (a: Value, b: Value): Value => {
    if (a.type !== b.type) throw Error(`operand types differ (wasm op ${op32.toString(16)})`);
    if (a.constant !== undefined && b.constant !== undefined) return constant(a.type, fold(a.constant, b.constant, BigInt(bitsOf(a.type))));
    if (identity !== undefined && b.constant === identity) return a;
    return new Value(a.type, a.type === I32 ? op32 : op64, [a, b]);
  };
const compare =
  (op32: number, op64: number, fold: (a: bigint, b: bigint, bits: bigint) => boolean) =>
  (a: Value, b: Value): Value => {
    if (a.type !== b.type) throw Error(`operand types differ (wasm op ${op32.toString(16)})`);
    if (a.constant !== undefined && b.constant !== undefined) return c32(fold(a.constant, b.constant, BigInt(bitsOf(a.type))) ? 1 : 0);
    return new Value(I32, a.type === I32 ? op32 : op64, [a, b]);
  };

export const add = binary(0x6a, 0x7c, (a, b) => a + b, 0n);
export const sub = binary(0x6b, 0x7d, (a, b) => a - b, 0n);
export const mul = binary(0x6c, 0x7e, (a, b) => a * b, 1n);
/** Divisions: definitions check for zero and overflow first, since wasm traps. Never folded. */
export const divS = (a: Value, b: Value): Value => new Value(a.type, a.type === I32 ? 0x6d : 0x7f, [a, b]);
export const divU = (a: Value, b: Value): Value => new Value(a.type, a.type === I32 ? 0x6e : 0x80, [a, b]);
export const remS = (a: Value, b: Value): Value => new Value(a.type, a.type === I32 ? 0x6f : 0x81, [a, b]);
export const remU = (a: Value, b: Value): Value => new Value(a.type, a.type === I32 ? 0x70 : 0x82, [a, b]);
export const and = binary(0x71, 0x83, (a, b) => a & b, -1n);
export const or = binary(0x72, 0x84, (a, b) => a | b, 0n);
export const xor = binary(0x73, 0x85, (a, b) => a ^ b, 0n);
export const shl = binary(0x74, 0x86, (a, b, n) => a << (b & (n - 1n)), 0n);
export const shrS = binary(0x75, 0x87, (a, b, n) => a >> (b & (n - 1n)), 0n);
export const shrU = binary(0x76, 0x88, (a, b, n) => unsigned(a, n) >> (b & (n - 1n)), 0n);
const rotate = (a: bigint, by: bigint, n: bigint): bigint =>
  (unsigned(a, n) << (by & (n - 1n))) | (unsigned(a, n) >> ((n - by) & (n - 1n)));
export const rotl = binary(0x77, 0x89, (a, b, n) => rotate(a, b & (n - 1n), n), 0n);
export const rotr = binary(0x78, 0x8a, (a, b, n) => rotate(a, (n - (b & (n - 1n))) & (n - 1n), n), 0n);
export const eq = compare(0x46, 0x51, (a, b) => a === b);
export const ne = compare(0x47, 0x52, (a, b) => a !== b);
export const ltS = compare(0x48, 0x53, (a, b) => a < b);
export const ltU = compare(0x49, 0x54, (a, b, n) => unsigned(a, n) < unsigned(b, n));
export const gtU = compare(0x4b, 0x56, (a, b, n) => unsigned(a, n) > unsigned(b, n));
export const leS = compare(0x4c, 0x57, (a, b) => a <= b);
export const leU = compare(0x4d, 0x58, (a, b, n) => unsigned(a, n) <= unsigned(b, n));

export const eqz = (a: Value): Value =>
  a.constant !== undefined ? c32(a.constant === 0n ? 1 : 0) : new Value(I32, a.type === I32 ? 0x45 : 0x50, [a]);
/** Bitwise complement. */
export const not = (a: Value): Value => xor(a, constant(a.type, -1));
/** 1 for 0 and 0 for 1. */
export const flip = (a: Value): Value => xor(a, c32(1));
export const clz = (a: Value): Value => new Value(a.type, a.type === I32 ? 0x67 : 0x79, [a]);
export const ctz = (a: Value): Value => new Value(a.type, a.type === I32 ? 0x68 : 0x7a, [a]);
export const popcnt = (a: Value): Value => new Value(a.type, a.type === I32 ? 0x69 : 0x7b, [a]);
/** The low 32 bits. */
export const low = (a: Value): Value =>
  a.type === I32
    ? a
    : a.constant !== undefined
      ? constant(I32, a.constant)
      : a.op === 0xad || a.op === 0xac
        ? (a.args[0] as Value)
        : new Value(I32, 0xa7, [a]);
/** Zero-extends to i64. */
export const widen = (a: Value): Value =>
  a.type === I64 ? a : a.constant !== undefined ? c64(unsigned(a.constant, 32n)) : new Value(I64, 0xad, [a]);
export const select = (condition: Value, yes: Value, no: Value): Value =>
  condition.constant !== undefined ? (condition.constant ? yes : no) : new Value(yes.type, Op.select, [yes, no, condition]);
const EXTEND32: Record<number, number> = { 8: 0xc0, 16: 0xc1 };
const EXTEND64: Record<number, number> = { 8: 0xc2, 16: 0xc3, 32: 0xc4 };
/** Sign-extends the low `size` bits to the value's own type. */
export const signExtend = (a: Value, size: Size): Value =>
  a.constant !== undefined
    ? constant(a.type, BigInt.asIntN(size, a.constant))
    : size === 64 || (size === 32 && a.type === I32)
      ? a
      : new Value(a.type, (a.type === I32 ? EXTEND32 : EXTEND64)[size] as number, [a]);
/** Sign-extends the low `size` bits to i64. */
export const signExtend64 = (a: Value, size: Size): Value => {
  if (a.type === I64) return signExtend(a, size);
  const v = signExtend(a, size);
  return v.constant !== undefined ? c64(v.constant) : new Value(I64, 0xac, [v]);
};
/** Clears everything above the low `size` bits. */
export const zeroExtend = (a: Value, size: Size): Value =>
  size === 64 || (size === 32 && a.type === I32) ? a : and(a, constant(a.type, (1n << BigInt(size)) - 1n));
/** A read of our own state (registers, the record): pure until the instruction commits. */
export const peek = (type: Type, op: number, align: number, address: Value, offset: number): Value =>
  new Value(type, op, [address], BigInt(offset), align);
/** Bit 0 as i32. */
export const bit0 = (v: Value): Value => and(low(v), c32(1));
/** The top bit of a `size`-bit value, as i32 0 or 1. */
export const topBit = (v: Value, size: Size): Value => bit0(shrU(v, constant(v.type, size - 1)));
