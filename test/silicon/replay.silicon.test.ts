import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { CpuUnderTest, Step } from './adapter.ts';
import { background, CODE, WINDOW } from './environment.ts';
import { decodeVectors, NONE, type Outcome, type Vector } from './format.ts';
import { Random } from './random.ts';
import { describe as describeMismatch, replay } from './replay.ts';
import { ARITHMETIC, anyFault, mayBeUndone, undefinedBits, undefinedIn, widthUnknown } from './undefined-flags.ts';

const { header, vectors: all } = decodeVectors(gunzipSync(readFileSync(new URL('./vectors/seed-13253.bin.gz', import.meta.url))));
const vectors = all.slice(0, 6000);

/** A processor that knows the outcomes by heart, each falsified by `lie` first. */
class RecordedCpu implements CpuUnderTest {
  readonly data = new Uint8Array(WINDOW);
  private index = -1;
  private steps = 0;
  private outcome: Outcome = (vectors[0] as Vector).outcome;

  constructor(private readonly lie: (o: Outcome, v: Vector) => Outcome) {}

  enter(): void {}
  code(): void {}
  setState(): void {
    const v = vectors[++this.index] as Vector;
    this.outcome = this.lie(
      { ...v.outcome, registers: v.outcome.registers.slice(), segments: v.outcome.segments.slice(), memory: [...v.outcome.memory] },
      v,
    );
    this.steps = 0;
  }
  step(): Step {
    if (++this.steps < this.outcome.steps) return {};
    for (const p of this.outcome.memory) this.data.set(p.bytes, p.offset);
    return this.outcome.exception === NONE ? {} : { exception: this.outcome.exception, error: this.outcome.error };
  }
  readRegisters(into: Uint32Array): void {
    into.set(this.outcome.registers);
  }
  readSegments(into: Uint16Array): void {
    into.set(this.outcome.segments);
  }
  get eip(): number {
    const v = vectors[this.index] as Vector;
    return this.steps < this.outcome.steps ? (v.environment === 0 ? CODE : 0) + v.ip : this.outcome.eip;
  }
  get flags(): number {
    return this.outcome.flags;
  }
  get cr2(): number {
    return this.outcome.cr2;
  }
}

/** Vectors that a replay looks at. */
const compared = (v: Vector): boolean => !widthUnknown(v);
const wrong = (lie: (o: Outcome, v: Vector) => Outcome): Set<number> =>
  new Set(replay(header, vectors, new RecordedCpu(lie)).mismatches.map((m) => m.index));
const indices = (p: (v: Vector) => boolean): Set<number> => new Set(vectors.flatMap((v, i) => (compared(v) && p(v) ? [i] : [])));
const bits = [0x001, 0x004, 0x010, 0x040, 0x080, 0x800];

describe('the replay of vectors', () => {
  test('finds nothing wrong with the processor that was recorded', () => {
    const result = replay(header, vectors, new RecordedCpu((o) => o));
    expect(result.mismatches.slice(0, 3)).toEqual([]);
    expect(result.replayed).toBe(vectors.length);
  });

  test('notices every defined flag that is wrong, and no undefined one', () => {
    for (const bit of bits) {
      const found = wrong((o) => ({ ...o, flags: o.flags ^ bit }));
      expect(found).toEqual(indices((v) => (undefinedIn(v).flags & bit) === 0));
    }
    expect(wrong((o, v) => ({ ...o, flags: o.flags ^ (undefinedIn(v).flags & ARITHMETIC) }))).toEqual(new Set());
  });

  test('notices a wrong bit in any register', () => {
    const random = new Random(5);
    const found = wrong((o) => {
      const r = random.below(8);
      o.registers[r] = (o.registers[r] as number) ^ (1 << random.below(32));
      return o;
    });
    // A double shift by more than its size leaves its destination undefined: one register in eight there.
    const lenient = indices((v) => undefinedIn(v).destination || undefinedBits(v) !== 0);
    for (const i of indices(() => true)) if (!lenient.has(i)) expect([i, found.has(i)]).toEqual([i, true]);
  });

  test('notices a wrong selector in any segment register', () => {
    for (let s = 0; s < 6; s++) {
      const found = wrong((o) => {
        o.segments[s] = (o.segments[s] as number) ^ 8;
        return o;
      });
      expect(found).toEqual(indices(() => true));
    }
  });

  test('notices a wrong byte anywhere in memory', () => {
    const clean = background(header.backgroundSeed);
    const random = new Random(6);
    const found = wrong((o, v) => {
      const at = [...o.memory, ...v.patches].find(() => true)?.offset ?? random.below(WINDOW);
      const before = clean.slice();
      for (const p of [...v.patches, ...o.memory]) before.set(p.bytes, p.offset);
      return { ...o, memory: [...o.memory, { offset: at, bytes: [(before[at] as number) ^ 0x10] }] };
    });
    const lenient = indices((v) => undefinedIn(v).destination || mayBeUndone(v) || v.form === 'push segment 32');
    for (const i of indices(() => true)) if (!lenient.has(i)) expect([i, found.has(i)]).toEqual([i, true]);
  });

  test('notices a missing exception, another one, another error code and another CR2', () => {
    const faulted = indices((v) => v.outcome.exception !== NONE);
    const order = (v: Vector): boolean => anyFault(v) && v.outcome.exception >= 12 && v.outcome.exception <= 14;
    const strict = indices((v) => v.outcome.exception !== NONE && !order(v));
    expect(wrong((o) => ({ ...o, exception: NONE }))).toEqual(faulted);
    expect(wrong((o) => (o.exception === NONE ? o : { ...o, exception: 7 }))).toEqual(faulted);
    expect(wrong((o) => (o.exception === NONE ? o : { ...o, exception: o.exception === 13 ? 12 : 13 }))).toEqual(strict);
    expect(wrong((o) => ({ ...o, error: o.error ^ 2 }))).toEqual(faulted);
    const pageFaults = indices((v) => v.outcome.exception === 14 && !anyFault(v));
    expect(wrong((o) => ({ ...o, cr2: o.cr2 + 1 }))).toEqual(pageFaults);
  });

  test('notices an iteration too many and a wrong EIP', () => {
    expect(wrong((o) => ({ ...o, eip: o.eip + 1 }))).toEqual(indices(() => true));
    const repeated = indices((v) => / rep/.test(v.form));
    expect(wrong((o, v) => (/ rep/.test(v.form) ? { ...o, steps: o.steps + 1 } : o))).toEqual(repeated);
  });

  test('a mismatch is told with the instruction, the state before it and every difference', () => {
    const { mismatches } = replay(header, vectors, new RecordedCpu((o) => ({ ...o, eip: 0x1234 })));
    const text = describeMismatch(mismatches[0] as NonNullable<(typeof mismatches)[0]>, () => 'INSTRUCTION');
    expect(text).toMatch(
      /^vector 0 \(.*\) in (flat32|seg16|seg32) at [0-9A-F]+: INSTRUCTION {3}; [0-9a-f ]+\n {4}before: eax [0-9A-F]+ .* flags .*\n {4}eip 1234, expected [0-9A-F]+$/,
    );
  });
});
