/** Bit and byte instructions (SDM vol. 1, "Bit and Byte Instructions"). */
import { withCarry } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import {
  and,
  bit0,
  c32,
  clz,
  constant,
  ctz,
  eqz,
  or,
  rotl,
  rotr,
  select,
  shl,
  shrS,
  shrU,
  signExtend,
  signExtend64,
  type Value,
  xor,
} from '../../emitter/value.ts';

for (const [name, forward] of [
  ['bsf', true],
  ['bsr', false],
] as const)
  define(
    name,
    'rr rm',
    'rw,r',
    (e) => {
      const source = e.read(1);
      const index = forward ? ctz(source) : xor(clz(source), c32(31));
      const f = e.keptFlags();
      e.write(0, select(eqz(source), e.read(0), index)); // a source of zero leaves the destination alone
      e.flags({ ...f, zero: signExtend64(source, e.size), lazy: undefined });
    },
    { sizes: [16, 32] },
  );

const bitOps: Record<string, ((a: Value, mask: Value) => Value) | undefined> = {
  bt: undefined,
  bts: or,
  btc: xor,
  btr: (a, m) => and(a, xor(m, constant(m.type, -1))),
};
for (const [name, change] of Object.entries(bitOps))
  define(
    name,
    'rr ri mi mr',
    change ? 'rw,r' : 'r,r',
    (e) => {
      const index = e.read(1);
      // With a register index the memory operand is a bit string: the index, signed, moves the address by whole operands.
      const moved = e.isMemory(0) && !e.isImmediate(1);
      const words = shl(shrS(signExtend(index, e.size), c32(e.size === 16 ? 4 : 5)), c32(e.size === 16 ? 1 : 2));
      const a = moved ? e.readAt(0, e.operandOffset(words)) : e.read(0);
      const n = and(index, e.value(e.size - 1));
      if (change) e.write(0, change(a, shl(e.value(1), n)));
      e.flags(withCarry(e.keptFlags(), bit0(shrU(a, n))));
    },
    { sizes: [16, 32] },
  );

/** Of 16 bits the manual leaves the result undefined; processors give 0, as this does. */
define(
  'bswap',
  'r',
  'rw',
  (e) => {
    const a = e.read(0);
    e.write(0, or(and(rotl(a, c32(8)), c32(0x00ff00ff)), and(rotr(a, c32(8)), c32(0xff00ff00 | 0))));
  },
  { sizes: [16, 32] },
);
