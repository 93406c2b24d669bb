/** Shifts and rotates (SDM vol. 1, "Shift and Rotate Instructions"). An immediate count is never zero here: that is `shift0`. */
import type { Emitter } from '../../emitter/emitter.ts';
import { families, type Flags, withCarryAndOverflow, resultFlags } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import {
  and,
  bit0,
  c32,
  c64,
  eqz,
  low,
  or,
  remU,
  rotl,
  rotr,
  select,
  shl,
  shrS,
  shrU,
  signExtend,
  sub,
  topBit,
  type Value,
  widen,
  xor,
} from '../../emitter/value.ts';

/** The register that counts is always CL. */
const counts = 'ri mi rr mr';
/** The count, masked to 5 bits as the processor masks it. */
const count = (e: Emitter, operand = 1): Value => and(e.read(operand, 8), c32(31));

/** New flags, or the old ones where a count in CL is zero. */
function flagsUnlessZero(e: Emitter, n: Value, f: Flags, immediate: boolean): void {
  if (immediate) return e.flags({ ...f, lazy: undefined });
  const old = e.keptFlags();
  const zero = eqz(n);
  e.flags({
    zero: select(zero, old.zero, f.zero),
    sign: select(zero, old.sign, f.sign),
    cross: select(zero, old.cross, f.cross),
    carry: select(zero, old.carry, f.carry),
  });
}

const results = { shl, shr: shrU, sar: shrS };
for (const name of ['shl', 'shr', 'sar'] as const)
  define(name, counts, 'rw,r', (e) => {
    const a = e.read(0);
    const n = count(e);
    const r = e.narrow(results[name](name === 'sar' ? signExtend(a, e.size) : a, n));
    e.write(0, r);
    if (e.isImmediate(1)) e.flagsOf(name, a, n, r);
    else flagsUnlessZero(e, n, families[name](a, n, e.size, r), false);
  });
/** A count of zero: the operand is accessed and nothing changes. */
define('shift0', 'r m', 'rw', (e) => e.write(0, e.read(0)));
for (const [name, left] of [
  ['rol', true],
  ['ror', false],
] as const)
  define(name, counts, 'rw,r', (e) => {
    const a = e.read(0);
    const n = count(e);
    const repeated =
      e.size === 32 ? a : e.size === 16 ? or(a, shl(a, c32(16))) : or(or(a, shl(a, c32(8))), or(shl(a, c32(16)), shl(a, c32(24))));
    const r = e.narrow((left ? rotl : rotr)(repeated, n));
    const old = e.keptFlags();
    const carry = left ? bit0(r) : topBit(r, e.size);
    const overflow = xor(topBit(r, e.size), left ? carry : bit0(shrU(r, e.value(e.size - 2))));
    e.write(0, r);
    flagsUnlessZero(e, n, withCarryAndOverflow(old, carry, overflow), e.isImmediate(1));
  });
for (const [name, left] of [
  ['rcl', true],
  ['rcr', false],
] as const)
  define(name, counts, 'rw,r', (e) => {
    const old = e.oldFlags();
    const bits = e.size + 1;
    const n = count(e);
    const by = widen(e.size === 32 ? n : remU(n, c32(bits)));
    const wide = or(widen(e.read(0)), shl(widen(old.carry), c64(e.size)));
    const back = sub(c64(bits), by);
    const r = left ? or(shl(wide, by), shrU(wide, back)) : or(shrU(wide, by), shl(wide, back));
    const result = e.narrow(low(r));
    const carry = bit0(shrU(r, c64(e.size)));
    const overflow = left ? xor(topBit(result, e.size), carry) : xor(topBit(result, e.size), bit0(shrU(result, c32(e.size - 2))));
    e.write(0, result);
    flagsUnlessZero(e, n, withCarryAndOverflow(old, carry, overflow), e.isImmediate(1));
  });

/** Double shifts: the operand's bits stand at the top (SHLD) or bottom (SHRD) of 64, what is shifted in beside them. */
for (const [name, left] of [
  ['shld', true],
  ['shrd', false],
] as const)
  define(
    name,
    'rri mri rrr mrr',
    'rw,r,r',
    (e) => {
      const a = e.read(0);
      const b = e.read(1);
      const n = count(e, 2);
      const by = widen(n);
      const [wa, wb] = [widen(a), widen(b)];
      const wide =
        e.size === 32
          ? left
            ? or(shl(wa, c64(32)), wb)
            : or(shl(wb, c64(32)), wa)
          : left
            ? or(or(shl(wa, c64(48)), shl(wb, c64(32))), shl(wa, c64(16)))
            : or(or(shl(wa, c64(32)), shl(wb, c64(16))), wa);
      const r = e.narrow(low(left ? shrU(shl(wide, by), c64(64 - e.size)) : shrU(wide, by)));
      const carry = bit0(left ? shrU(wide, sub(c64(64), by)) : shrU(wide, sub(by, c64(1))));
      e.write(0, r);
      flagsUnlessZero(e, n, resultFlags(r, e.size, carry, xor(topBit(r, e.size), topBit(a, e.size))), e.isImmediate(2));
    },
    { sizes: [16, 32] },
  );
