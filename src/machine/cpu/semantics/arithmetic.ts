/** Binary and decimal arithmetic, logic, multiplication and division (SDM vol. 1, "Binary Arithmetic Instructions" … "Logical Instructions"). */
import type { Emitter } from '../../emitter/emitter.ts';
import { chainFlags, overflowOf, resultFlags } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import {
  add,
  and,
  c32,
  c64,
  divS,
  divU,
  eq,
  eqz,
  gtU,
  low,
  ltU,
  mul,
  ne,
  not,
  or,
  remS,
  remU,
  select,
  shl,
  shrU,
  signExtend,
  signExtend64,
  sub,
  type Value,
  widen,
  xor,
  zeroExtend,
  type Size,
} from '../../emitter/value.ts';
import { Leave, RAX, RBX, RCX, RDX } from '../../state/layout.ts';

const two = 'rr rm ri mr mi';
const one = 'r m';
const words: { sizes: Size[] } = { sizes: [16, 32] };

for (const [name, op] of [
  ['add', add],
  ['sub', sub],
] as const)
  define(name, two, 'rw,r', (e) => {
    const a = e.read(0);
    const b = e.read(1);
    const r = e.narrow(op(a, b));
    e.write(0, r);
    e.flagsOf(name, a, b, r);
  });
define('cmp', two, 'r,r', (e) => {
  const a = e.read(0);
  const b = e.read(1);
  e.flagsOf('sub', a, b);
});
define('neg', one, 'rw', (e) => {
  const b = e.read(0);
  const r = e.narrow(sub(e.value(0), b));
  e.write(0, r);
  e.flagsOf('sub', e.value(0), b, r);
});
for (const [name, borrow] of [
  ['adc', false],
  ['sbb', true],
] as const)
  define(name, two, 'rw,r', (e) => {
    const a = e.read(0);
    const b = e.read(1);
    const c = e.oldFlags().carry;
    const r = e.narrow(borrow ? sub(sub(a, b), c) : add(add(a, b), c));
    e.write(0, r);
    e.flags(chainFlags(a, b, r, e.size, borrow));
  });
for (const [name, op] of [
  ['and', and],
  ['or', or],
  ['xor', xor],
] as const)
  define(name, two, 'rw,r', (e) => {
    const r = op(e.read(0), e.read(1));
    e.write(0, r);
    e.flagsOf('logic', r, e.value(0));
  });
define('test', two, 'r,r', (e) => e.flagsOf('logic', and(e.read(0), e.read(1)), e.value(0)));
/** xor r, r. */
define(
  'zero',
  'r',
  'w',
  (e) => {
    e.write(0, e.value(0));
    e.flagsOf('logic', e.value(0), e.value(0));
  },
  { sizes: [32] },
);
define('not', one, 'rw', (e) => e.write(0, not(e.read(0))));
for (const [name, step] of [
  ['inc', 1],
  ['dec', -1],
] as const)
  define(name, one, 'rw', (e) => {
    const r = e.narrow(add(e.read(0), e.value(step)));
    const { carry } = e.keptFlags();
    e.write(0, r);
    e.flagsOf(name, r, carry);
  });
define('xadd', 'rr mr', 'rw,rw', (e) => {
  const a = e.read(0);
  const b = e.read(1);
  const r = e.narrow(add(a, b));
  e.write(1, a);
  e.write(0, r); // the same register twice keeps the sum
  e.flagsOf('add', a, b, r);
});
define('cmpxchg', 'rr mr', 'rw,r', (e) => {
  const a = e.read(0);
  const accumulator = e.reg(RAX);
  const equal = eq(a, accumulator);
  e.setRegister(RAX, select(equal, accumulator, a), e.size);
  e.write(0, select(equal, e.read(1), a)); // the destination is written in either case
  e.flagsOf('sub', accumulator, a);
});
define(
  'cmpxchg8b',
  'm',
  'rw',
  (e) => {
    const a = e.read(0);
    const pair = (high: number, lower: number): Value => or(shl(widen(e.reg(high, 32)), c64(32)), widen(e.reg(lower, 32)));
    const equal = eq(a, pair(RDX, RAX));
    e.write(0, select(equal, pair(RCX, RBX), a));
    e.setRegister(RAX, select(equal, e.reg(RAX, 32), low(a)), 32);
    e.setRegister(RDX, select(equal, e.reg(RDX, 32), low(shrU(a, c64(32)))), 32);
    e.flags({ ...e.keptFlags(), zero: widen(xor(equal, c32(1))), lazy: undefined });
  },
  { sizes: [64] },
);

// Multiplication: CF = OF = the upper half is not just an extension of the lower. The other flags are undefined; here they follow the lower half.
define('imul2', 'rr rm', 'rw,r', (e) => truncatedMultiply(e, 0, 1), words);
define('imul3', 'rri rmi', 'w,r,r', (e) => truncatedMultiply(e, 1, 2), words);
function truncatedMultiply(e: Emitter, x: number, y: number): void {
  const wide = mul(signExtend64(e.read(x), e.size), signExtend64(e.read(y), e.size));
  const r = zeroExtend(low(wide), e.size);
  const overflow = ne(wide, signExtend64(r, e.size));
  e.write(0, r);
  e.flags(resultFlags(r, e.size, overflow, overflow));
}
for (const signed of [false, true])
  define(signed ? 'imul1' : 'mul', one, 'r', (e) => {
    const extend = (v: Value): Value => (signed ? signExtend64(v, e.size) : widen(v));
    const wide = mul(extend(e.reg(RAX)), extend(e.read(0)));
    const lower = zeroExtend(low(wide), e.size);
    const upper = zeroExtend(low(shrU(wide, c64(e.size))), e.size);
    if (e.size === 8) e.setRegister(RAX, or(lower, shl(upper, c32(8))), 16);
    else {
      e.setRegister(RAX, lower, e.size);
      e.setRegister(RDX, upper, e.size);
    }
    const big = signed ? ne(wide, signExtend64(lower, e.size)) : ne(upper, e.value(0));
    e.flags(resultFlags(lower, e.size, big, big));
  });
for (const signed of [false, true])
  define(signed ? 'idiv' : 'div', one, 'r', (e) => {
    const extend = (v: Value, size: Size): Value => (signed ? signExtend64(v, size) : widen(v));
    const divisor = extend(e.read(0), e.size);
    const pair = or(widen(e.reg(RAX, e.size)), shl(widen(e.reg(RDX, e.size)), c64(e.size)));
    const dividend = e.size === 8 ? extend(e.reg(RAX, 16), 16) : e.size === 16 && signed ? signExtend(pair, 32) : pair;
    e.faultIf(eqz(divisor), Leave.divide);
    if (signed) e.faultIf(and(eq(dividend, c64(-(1n << 63n))), eq(divisor, c64(-1))), Leave.divide); // wasm would trap
    const q = signed ? divS(dividend, divisor) : divU(dividend, divisor);
    const r = signed ? remS(dividend, divisor) : remU(dividend, divisor);
    e.faultIf(signed ? ne(q, signExtend(q, e.size)) : gtU(q, c64((1n << BigInt(e.size)) - 1n)), Leave.divide);
    if (e.size === 8) e.setRegister(RAX, or(and(low(q), c32(0xff)), shl(low(r), c32(8))), 16);
    else {
      e.setRegister(RAX, low(q), e.size);
      e.setRegister(RDX, low(r), e.size);
    }
  });

// Decimal adjustment (SDM vol. 2, "DAA", "DAS", "AAA", "AAS", "AAM", "AAD").
const AH = RAX + 1;
const nibbleOver9 = (al: Value): Value => gtU(and(al, c32(15)), c32(9));
const auxiliaryCarry = (cross: Value): Value => and(shrU(low(cross), c32(4)), c32(1));
for (const [name, subtract] of [
  ['daa', false],
  ['das', true],
] as const)
  define(
    name,
    '',
    '',
    (e) => {
      const old = e.oldFlags();
      const al = e.reg(RAX, 8);
      const adjustLow = or(nibbleOver9(al), auxiliaryCarry(old.cross));
      const adjustHigh = or(gtU(al, c32(0x99)), old.carry);
      const by = or(select(adjustLow, c32(6), c32(0)), select(adjustHigh, c32(0x60), c32(0)));
      const r = and(subtract ? sub(al, by) : add(al, by), c32(0xff));
      // DAS: the low adjustment may borrow out of AL by itself.
      const carry = subtract ? or(adjustHigh, and(adjustLow, ltU(al, c32(6)))) : adjustHigh;
      e.setRegister(RAX, r, 8);
      e.flags(resultFlags(r, 8, carry, overflowOf(old), widen(shl(adjustLow, c32(4)))));
    },
    { sizes: [8] },
  );
for (const [name, subtract] of [
  ['aaa', false],
  ['aas', true],
] as const)
  define(
    name,
    '',
    '',
    (e) => {
      const old = e.oldFlags();
      const al = e.reg(RAX, 8);
      const adjust = or(nibbleOver9(al), auxiliaryCarry(old.cross));
      const ax = e.reg(RAX, 16);
      const adjusted = subtract ? sub(ax, c32(0x106)) : add(ax, c32(0x106));
      const r = select(adjust, adjusted, ax);
      e.setRegister(RAX, and(r, c32(0xff0f)), 16);
      e.flags(resultFlags(and(r, c32(0xf)), 8, adjust, c32(0), widen(shl(adjust, c32(4)))));
    },
    { sizes: [8] },
  );
define(
  'aam',
  'i',
  'r',
  (e) => {
    const by = e.read(0);
    e.faultIf(eqz(by), Leave.divide);
    const al = e.reg(RAX, 8);
    const r = remU(al, by);
    e.setRegister(RAX, r, 8);
    e.setRegister(AH, divU(al, by), 8);
    e.flagsOf('logic', r, c32(0));
  },
  { sizes: [8] },
);
define(
  'aad',
  'i',
  'r',
  (e) => {
    const r = and(add(e.reg(RAX, 8), mul(e.reg(AH, 8), e.read(0))), c32(0xff));
    e.setRegister(RAX, r, 16);
    e.flagsOf('logic', r, c32(0));
  },
  { sizes: [8] },
);
