import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { EAX, ECX } from './builder.ts';
import { environments, WINDOW } from './environment.ts';
import { blocks, cases } from './forms.ts';
import { decodeVectors, encodeVectors, NONE, type Vector } from './format.ts';
import { rows } from './opcodes.ts';
import { AF, CF, COMPARED, mayBeUndone, OF, PF, partsOf, SF, undefinedIn, ZF } from './undefined-flags.ts';

const file = gunzipSync(readFileSync(new URL('./vectors/seed-13253.bin.gz', import.meta.url)));
const { header, vectors } = decodeVectors(file);

const parity = (n: number): number => {
  let ones = 0;
  for (let i = 0; i < 8; i++) ones += (n >>> i) & 1;
  return ones % 2 === 0 ? PF : 0;
};
const zsp = (n: number, bits: number): number =>
  (n === 0 ? ZF : 0) | (Math.floor(n / 2 ** (bits - 1)) % 2 === 1 ? SF : 0) | parity(n & 255);

/** A general register by its number in an instruction. */
function read(registers: Uint32Array, r: number, bits: number): number {
  if (bits === 8) return ((registers[r & 3] as number) >>> (r > 3 ? 8 : 0)) & 255;
  return bits === 16 ? (registers[r] as number) & 0xffff : (registers[r] as number);
}

/** Plain register-to-register arithmetic as the manual describes it, in numbers wide enough to need no trick. */
function arithmetic(mnemonic: string, a: number, b: number, carry: number, bits: number): { result: number; flags: number } | undefined {
  const size = 2 ** bits;
  const signed = (n: number): number => (n >= size / 2 ? n - size : n);
  const c = mnemonic === 'adc' || mnemonic === 'sbb' ? carry : 0;
  const add = mnemonic === 'add' || mnemonic === 'adc';
  if (!add && !['sub', 'sbb', 'cmp'].includes(mnemonic)) return undefined;
  const exact = add ? a + b + c : a - b - c;
  const signedExact = add ? signed(a) + signed(b) + c : signed(a) - signed(b) - c;
  const result = ((exact % size) + size) % size;
  const low = add ? (a % 16) + (b % 16) + c : (a % 16) - (b % 16) - c;
  const flags =
    (exact !== result ? CF : 0) | (signedExact !== signed(result) ? OF : 0) | (low < 0 || low > 15 ? AF : 0) | zsp(result, bits);
  return { result: mnemonic === 'cmp' ? a : result, flags };
}

describe('the recorded vectors', () => {
  test('the file holds what its header counts, of every instruction in the table', () => {
    expect(vectors.length).toBe(header.vectors);
    expect(vectors.length).toBeGreaterThanOrEqual(60_000);
    const counts = new Map<string, number>();
    for (const v of vectors) counts.set(v.form, (counts.get(v.form) ?? 0) + 1);
    expect([...counts].sort()).toEqual(header.forms.map(([f, n]) => [f, n]).sort());
    const operations = new Set(vectors.map((v) => v.form.split(' ')[0]));
    expect(new Set(rows.map((r) => r.mnemonic).filter((m) => !operations.has(m)))).toEqual(new Set());
  });

  test('a file written again from its vectors is the same file', () => {
    expect(Buffer.compare(encodeVectors(header, vectors), file)).toBe(0);
  });

  test('the cases can be made again from the seed; those that were left out are few', () => {
    let k = 0;
    let leftOut = 0;
    for (const c of cases(header.seed, 3000)) {
      const v = vectors[k] as Vector;
      if (v.form === c.form && Buffer.compare(v.bytes, Uint8Array.from(c.bytes)) === 0 && v.registers.every((r, i) => r === c.registers[i]))
        k++;
      else leftOut++;
    }
    expect(leftOut).toBeLessThan(10);
    expect(k + leftOut).toBe(3000);
  });

  test('additions and subtractions of registers are those of arithmetic', () => {
    let checked = 0;
    for (const v of vectors) {
      const { mnemonic, operands, bits } = partsOf(v.form);
      if (!v.form.endsWith(' reg') || v.outcome.exception !== NONE || !['Eb,Gb', 'Ev,Gv', 'Gb,Eb', 'Gv,Ev'].includes(operands)) continue;
      const modrm = v.bytes.at(-1) as number;
      const [to, from] = operands[0] === 'E' ? [modrm & 7, (modrm >> 3) & 7] : [(modrm >> 3) & 7, modrm & 7];
      const want = arithmetic(mnemonic, read(v.registers, to, bits), read(v.registers, from, bits), v.flags & CF, bits);
      if (want === undefined) continue;
      checked++;
      expect({ v: v.form, result: read(v.outcome.registers, to, bits), flags: v.outcome.flags & 0x8d5 }).toEqual({ v: v.form, ...want });
    }
    expect(checked).toBeGreaterThan(2000);
  });

  test('multiplications and divisions of registers are those of arithmetic, and division by zero is exception 0', () => {
    let checked = 0;
    for (const v of vectors) {
      const { mnemonic, bits } = partsOf(v.form);
      if (!/^(mul|div) Ev (16|32) reg/.test(v.form) || (v.outcome.exception !== NONE && v.outcome.exception !== 0)) continue;
      const by = BigInt(read(v.registers, (v.bytes.at(-1) as number) & 7, bits));
      const shift = BigInt(bits);
      const [a, d] = [BigInt(read(v.registers, EAX, bits)), BigInt(read(v.registers, 2, bits))];
      const [a2, d2] = [BigInt(read(v.outcome.registers, EAX, bits)), BigInt(read(v.outcome.registers, 2, bits))];
      checked++;
      if (mnemonic === 'mul') expect((d2 << shift) | a2).toBe(a * by);
      else {
        const dividend = (d << shift) | a;
        const fits = by !== 0n && dividend / by < 1n << shift;
        expect([v.bytes, v.outcome.exception]).toEqual([v.bytes, fits ? NONE : 0]);
        if (fits) expect([a2, d2]).toEqual([dividend / by, dividend % by]);
      }
    }
    expect(checked).toBeGreaterThan(150);
  });

  test('a shift by CL moves as many bits as the low five of CL say, and leaves every flag alone when that is none', () => {
    let checked = 0;
    for (const v of vectors) {
      if (!/^sh[lr] Ev,CL 32 reg/.test(v.form) || v.outcome.exception !== NONE) continue;
      const count = (v.registers[ECX] as number) & 31;
      const r = (v.bytes.at(-1) as number) & 7;
      const value = v.registers[r] as number;
      const left = v.form.startsWith('shl');
      const result = left ? (value << count) >>> 0 : value >>> count;
      const out = left ? (value >>> (32 - count)) & 1 : (value >>> (count - 1)) & 1;
      expect(v.outcome.registers[r]).toBe(result);
      const flags = count === 0 ? v.flags : zsp(result, 32) | out;
      const known = COMPARED & ~undefinedIn(v).flags & (count === 1 ? ~OF : ~0) & ~0x400;
      expect(v.outcome.flags & known).toBe(flags & known);
      checked++;
    }
    expect(checked).toBeGreaterThan(80);
  });

  test('an instruction that faults has not happened: only repeated strings and stores to the stack leave traces', () => {
    let checked = 0;
    for (const v of vectors) {
      const o = v.outcome;
      if (o.exception === NONE || v.form.includes(' rep') || /^(into|int3)/.test(v.form)) continue;
      checked++;
      const start = (v.environment === 0 ? 0x2000_0000 : 0) + v.ip;
      expect([v.form, o.eip, o.flags & COMPARED]).toEqual([v.form, start, v.flags & COMPARED]);
      // What is done before the fault is the processor's own affair.
      if (!mayBeUndone(v)) expect([v.form, [...o.registers], o.memory]).toEqual([v.form, [...v.registers], []]);
    }
    expect(checked).toBeGreaterThan(3000);
  });
});

describe('the block generator', () => {
  test('the same seed gives the same blocks, inside the code window, in all environments', () => {
    const list = [...blocks(7, 600)];
    expect([...blocks(7, 600)]).toEqual(list);
    expect(new Set(list.map((b) => b.environment)).size).toBe(environments.length);
    for (const b of list) {
      expect(b.starts.length).toBe(12);
      expect(b.ip + b.bytes.length).toBeLessThan(WINDOW);
    }
  });
});
