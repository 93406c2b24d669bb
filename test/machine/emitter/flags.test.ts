/** The six arithmetic flags through the interpreter, against plain definitions (SDM vol. 1, "EFLAGS Register"; vol. 2, each instruction). */
import { describe, expect, it } from 'vitest';
import { CODE, Guest } from '../cpu/guest.ts';

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const ALL = CF | PF | AF | ZF | SF | OF;

/** xorshift32; the seed is in every message. */
const SEED = 13253;
let state = SEED;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}
const INTERESTING = [0, 1, 2, 0xf, 0x10, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];
const operand = (): number => (random() & 1 ? random() : (INTERESTING[random() % INTERESTING.length] as number));

interface Result {
  value: number;
  flags: number;
  /** Flags the manual leaves undefined here. */
  undefined?: number;
}
type Reference = (a: number, b: number, bits: number, old: number) => Result;

const mask = (bits: number): number => 2 ** bits - 1;
const cut = (n: number, bits: number): number => (bits === 32 ? n >>> 0 : n & mask(bits));
const signed = (n: number, bits: number): number => (n >= 2 ** (bits - 1) ? n - 2 ** bits : n);
const bitOf = (n: number, i: number): number => Math.floor(n / 2 ** i) & 1;
function szp(r: number, bits: number): number {
  let ones = 0;
  for (let i = 0; i < 8; i++) ones += bitOf(r, i);
  return (r === 0 ? ZF : 0) | (bitOf(r, bits - 1) ? SF : 0) | (ones % 2 === 0 ? PF : 0);
}
/** a + b + c, with all carries by their definitions. */
function sum(a: number, b: number, c: number, bits: number): Result {
  const exact = a + b + c;
  const value = exact % 2 ** bits;
  const exactSigned = signed(a, bits) + signed(b, bits) + c;
  const overflow = exactSigned !== signed(value, bits);
  return { value, flags: szp(value, bits) | (exact >= 2 ** bits ? CF : 0) | (overflow ? OF : 0) | ((a & 15) + (b & 15) + c > 15 ? AF : 0) };
}
function difference(a: number, b: number, c: number, bits: number): Result {
  const exact = a - b - c;
  const value = (exact + 2 * 2 ** bits) % 2 ** bits;
  const overflow = signed(a, bits) - signed(b, bits) - c !== signed(value, bits);
  return { value, flags: szp(value, bits) | (exact < 0 ? CF : 0) | (overflow ? OF : 0) | ((a & 15) - (b & 15) - c < 0 ? AF : 0) };
}
const logic = (value: number, bits: number): Result => ({ value: cut(value, bits), flags: szp(cut(value, bits), bits), undefined: AF });
const keepCarry = (r: Result, old: number): Result => ({ ...r, flags: (r.flags & ~CF) | (old & CF) });

/** One bit at a time, as the manual's pseudocode does. */
function shift(
  step: (v: number, c: number, bits: number) => [number, number],
  rotate: boolean,
  overflow: (a: number, r: number, c: number, bits: number) => number,
): Reference {
  return (a, b, bits, old) => {
    const n = b & 31;
    let [v, c] = [a, old & CF];
    for (let i = 0; i < n; i++) [v, c] = step(v, c, bits);
    if (n === 0) return { value: a, flags: old };
    const of = overflow(a, v, c, bits) ? OF : 0;
    if (rotate) return { value: v, flags: (old & ~(CF | OF)) | c | of, undefined: n === 1 ? 0 : OF };
    return { value: v, flags: szp(v, bits) | c | of, undefined: AF | (n === 1 ? 0 : OF) | (n > bits ? CF : 0) };
  };
}
const top = (v: number, bits: number): number => bitOf(v, bits - 1);
const references: Record<string, Reference> = {
  add: (a, b, bits) => sum(a, b, 0, bits),
  adc: (a, b, bits, old) => sum(a, b, old & CF, bits),
  sub: (a, b, bits) => difference(a, b, 0, bits),
  sbb: (a, b, bits, old) => difference(a, b, old & CF, bits),
  cmp: (a, b, bits) => ({ ...difference(a, b, 0, bits), value: a }),
  and: (a, b, bits) => logic(a & b, bits),
  or: (a, b, bits) => logic(a | b, bits),
  xor: (a, b, bits) => logic(a ^ b, bits),
  test: (a, b, bits) => ({ ...logic(a & b, bits), value: a }),
  inc: (a, _, bits, old) => keepCarry(sum(a, 1, 0, bits), old),
  dec: (a, _, bits, old) => keepCarry(difference(a, 1, 0, bits), old),
  neg: (a, _, bits) => difference(0, a, 0, bits),
  not: (a, _, bits, old) => ({ value: cut(~a, bits), flags: old }),
  shl: shift(
    (v, _, n) => [cut(v * 2, n), top(v, n)],
    false,
    (_, r, c, n) => top(r, n) ^ c,
  ),
  shr: shift(
    (v) => [Math.floor(v / 2), v & 1],
    false,
    (a, _r, _c, n) => top(a, n),
  ),
  sar: shift(
    (v, _, n) => [Math.floor(v / 2) + top(v, n) * 2 ** (n - 1), v & 1],
    false,
    () => 0,
  ),
  rol: shift(
    (v, _, n) => [cut(v * 2, n) + top(v, n), top(v, n)],
    true,
    (_, r, c, n) => top(r, n) ^ c,
  ),
  ror: shift(
    (v, _, n) => [Math.floor(v / 2) + (v & 1) * 2 ** (n - 1), v & 1],
    true,
    (_, r, _c, n) => top(r, n) ^ bitOf(r, n - 2),
  ),
  rcl: shift(
    (v, c, n) => [cut(v * 2, n) + c, top(v, n)],
    true,
    (_, r, c, n) => top(r, n) ^ c,
  ),
  rcr: shift(
    (v, c, n) => [Math.floor(v / 2) + c * 2 ** (n - 1), v & 1],
    true,
    (_, r, _c, n) => top(r, n) ^ bitOf(r, n - 2),
  ),
};
const UNARY = new Set(['inc', 'dec', 'neg', 'not']);
const SHIFTS = new Set(['shl', 'shr', 'sar', 'rol', 'ror', 'rcl', 'rcr']);
const REGISTERS: Record<number, [string, string]> = { 8: ['bl', 'dl'], 16: ['bx', 'dx'], 32: ['ebx', 'edx'] };

const guest = new Guest().flat('nop');
/** Runs one instruction. */
function execute(g: Guest, registers: Record<string, number>): void {
  g.set({ ...registers, eip: CODE });
  g.cpu.run(1);
}
const randomFlags = (): number => 2 | [CF, PF, AF, ZF, SF, OF].reduce((f, bit) => f | (random() & 1 ? bit : 0), 0);

describe.each(Object.keys(references))('%s', (name) => {
  const reference = references[name] as Reference;
  for (const bits of [8, 16, 32])
    it(`of ${bits} bits sets every flag as defined`, () => {
      const [a, b] = REGISTERS[bits] as [string, string];
      const by = SHIFTS.has(name) ? 'cl' : b;
      guest.put(UNARY.has(name) ? `${name} ${a}` : `${name} ${a}, ${by}`, CODE);
      for (let k = 0; k < 300; k++) {
        const x = cut(operand(), bits);
        const y = SHIFTS.has(name) ? random() & 0xff : cut(operand(), bits);
        const old = randomFlags();
        execute(guest, { ebx: x, edx: y, ecx: y, eflags: old });
        const expected = reference(x, y, bits, old & ALL);
        const seen = ALL & ~(expected.undefined ?? 0);
        const message = `seed ${SEED}: ${name}.${bits} ${x.toString(16)}, ${y.toString(16)}, flags ${old.toString(16)}`;
        expect(guest.get(a).toString(16), message).toBe(expected.value.toString(16));
        expect((guest.get('eflags') & seen).toString(16), message).toBe((expected.flags & seen).toString(16));
      }
    });
});

describe('every combination of the flags', () => {
  const combinations = Array.from({ length: 64 }, (_, n) =>
    [CF, PF, AF, ZF, SF, OF].reduce((f, bit, i) => f | ((n >> i) & 1 ? bit : 0), 2),
  );
  it('goes through PUSHF, POPF, LAHF and SAHF unchanged', () => {
    const g = new Guest().flat('pushfd; popfd; pushfd; pop ebx; lahf; mov cl, ah; xor ebx, 0; push ebx; popfd; mov ah, cl; sahf');
    for (const flags of combinations) {
      g.set({ eip: CODE, eflags: flags });
      expect(g.run()).toBe('hlt');
      expect(g.get('ebx')).toBe(flags);
      expect(g.get('cl')).toBe((flags & 0xd5) | 2);
      expect(g.get('eflags')).toBe(flags);
    }
  });
  it('decides every condition as the manual defines it', () => {
    const conditions: [string, (f: number) => boolean][] = [
      ['o', (f) => (f & OF) !== 0],
      ['b', (f) => (f & CF) !== 0],
      ['z', (f) => (f & ZF) !== 0],
      ['be', (f) => (f & (CF | ZF)) !== 0],
      ['s', (f) => (f & SF) !== 0],
      ['p', (f) => (f & PF) !== 0],
      ['l', (f) => ((f & SF) !== 0) !== ((f & OF) !== 0)],
      ['le', (f) => (f & ZF) !== 0 || ((f & SF) !== 0) !== ((f & OF) !== 0)],
    ];
    for (const [cc, holds] of conditions) {
      const g = new Guest().flat(
        `set${cc} al; setn${cc} ah; mov ebx, 1; mov edx, 2; cmov${cc} ebx, edx; j${cc} yes; mov cl, 0; hlt; yes: mov cl, 1`,
      );
      for (const flags of combinations) {
        g.set({ eip: CODE, eflags: flags });
        expect(g.run()).toBe('hlt');
        const yes = holds(flags) ? 1 : 0;
        expect(g.registers('al', 'ah', 'ebx', 'cl'), `${cc} of ${flags.toString(16)}`).toEqual({
          al: yes,
          ah: 1 - yes,
          ebx: 1 + yes,
          cl: yes,
        });
      }
    }
  });
  it('CLC, STC, CMC change CF alone', () => {
    for (const [source, carry] of [
      ['clc', () => 0],
      ['stc', () => 1],
      ['cmc', (f: number) => (f & 1) ^ 1],
    ] as const) {
      guest.put(source, CODE);
      for (const flags of combinations) {
        execute(guest, { eflags: flags });
        expect(guest.get('eflags'), source).toBe((flags & ~1) | carry(flags));
      }
    }
  });
});
