import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeState, encodeState } from '../../../src/machine/base/codec.ts';
import { Hash } from '../../../src/machine/base/hash.ts';
import { StateError, type StateValue } from '../../../src/machine/base/state.ts';

const leaf = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }).map((n) => n + 0),
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array(),
  fc.uint16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float64Array({ noNaN: true }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value'), { noNullPrototype: true }),
  ),
})) as unknown as { value: fc.Arbitrary<StateValue> };

const backwards = (v: StateValue): StateValue => {
  if (v === null || typeof v !== 'object' || ArrayBuffer.isView(v)) return v;
  if (Array.isArray(v)) return v.map(backwards);
  return Object.fromEntries(
    Object.entries(v as { [key: string]: StateValue })
      .reverse()
      .map(([key, inner]) => [key, backwards(inner)]),
  );
};

describe('the canonical bytes of a state', () => {
  it('give the state back', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(decodeState(encodeState(v))).toEqual(v);
      }),
      { seed: 20261122, numRuns: 200 },
    );
  });
  it('do not depend on the order in which a record was written', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(encodeState(backwards(v))).toEqual(encodeState(v));
      }),
      { seed: 20261122, numRuns: 100 },
    );
  });
  it('tell any two states apart', () => {
    const different: StateValue[] = [
      null,
      false,
      true,
      0,
      1,
      -1,
      0.5,
      2 ** 31,
      2 ** 53,
      Number.POSITIVE_INFINITY,
      '',
      '0',
      'a',
      [],
      [0],
      [[]],
      {},
      { a: 0 },
      { b: 0 },
      { a: 0, b: 0 },
      ['a', 0],
      new Uint8Array(4),
      new Uint16Array(2),
      new Uint32Array(1),
      new Int32Array(1),
      new Float64Array(1),
      new Uint8Array(0),
      new Float64Array(0),
    ];
    expect(new Set(different.map((v) => encodeState(v).join())).size).toBe(different.length);
  });
  it('have one form for a number, and none for what is absent', () => {
    expect(encodeState(-0)).toEqual(encodeState(0));
    expect(encodeState({ a: 1, b: undefined } as never)).toEqual(encodeState({ a: 1 }));
  });
  it('of more than any first guess at their number are whole', () => {
    const big = {
      bytes: new Uint8Array(50_000).map((_, i) => i),
      list: Array.from({ length: 20_000 }, (_, i) => i * 1.5),
      text: 'x'.repeat(20_000),
    };
    expect(decodeState(encodeState(big))).toEqual(big);
  });
  it('that were damaged are refused, and nothing else happens', () => {
    const bytes = encodeState({
      kind: 'clock',
      version: 1,
      alarms: [
        { name: 'pit', dueNs: 5 },
        { name: 'rtc', dueNs: 7.5 },
      ],
      tlb: new Uint8Array(20),
    });
    for (let length = 0; length < bytes.length; length++) expect(() => decodeState(bytes.subarray(0, length))).toThrow(StateError);
    expect(() => decodeState(Uint8Array.from([...bytes, 0]))).toThrow(StateError);
    expect(() => decodeState(Uint8Array.of(99))).toThrow('found tag 99');
    expect(() => decodeState(Uint8Array.of(6, 0xff, 0xff, 0xff, 0xff))).toThrow(StateError);
    let deep: StateValue = 0;
    for (let i = 0; i < 100; i++) deep = [deep];
    expect(() => decodeState(encodeState(deep))).toThrow('nesting');
  });
});

describe('the hash', () => {
  const of = (bytes: Uint8Array): string => {
    const hash = new Hash();
    hash.bytes(bytes);
    return hash.text;
  };
  it('differs when any one bit does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), (bytes, n) => {
        const other = bytes.slice();
        const at = n % (bytes.length * 8);
        other[at >>> 3] = (other[at >>> 3] as number) ^ (1 << (at & 7));
        expect(of(other)).not.toBe(of(bytes));
      }),
      { seed: 20261122, numRuns: 2000 },
    );
  });
  it('differs with the length, whatever lies there', () => {
    expect(new Set(Array.from({ length: 100 }, (_, n) => of(new Uint8Array(n)))).size).toBe(100);
  });
  it('meets no two alike among 100,000 counted inputs', () => {
    const seen = new Set<string>();
    const words = new Int32Array(4);
    for (let i = 0; i < 100_000; i++) {
      words[i & 3] = i;
      const hash = new Hash();
      hash.words(words, 0, 4);
      seen.add(hash.text);
    }
    expect(seen.size).toBe(100_000);
  });
  it('of words is that of one word after the other', () => {
    const words = Int32Array.from([1, -2, 3_000_000, 0, 0x7fffffff]);
    const [a, b] = [new Hash(), new Hash()];
    a.words(words, 1, 3);
    for (const w of words.subarray(1, 4)) b.word(w);
    expect(a.text).toBe(b.text);
    expect(a.text).toMatch(/^[0-9A-F]{16}$/);
    a.reset();
    expect(a.text).toBe(new Hash().text);
  });
});
