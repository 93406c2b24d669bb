import { describe, expect, it } from 'vitest';
import { IntervalMap, OverlapError } from '../../../src/machine/base/interval-map.ts';

describe('an interval map', () => {
  const map = (): IntervalMap<string> => {
    const m = new IntervalMap<string>();
    m.add(0x40, 4, 'pit', 'a');
    m.add(0x20, 2, 'pic', 'b');
    m.add(0x61, 1, 'portb', 'c');
    return m;
  };

  it('finds the interval that holds a point, first and last point included, and nothing beside it', () => {
    const m = map();
    for (const [point, value] of [
      [0x1f, undefined],
      [0x20, 'b'],
      [0x21, 'b'],
      [0x22, undefined],
      [0x40, 'a'],
      [0x43, 'a'],
      [0x44, undefined],
      [0x61, 'c'],
    ] as const)
      expect(m.find(point), point.toString(16)).toBe(value);
  });
  it.each([
    [0x43, 1],
    [0x3f, 2],
    [0x3f, 9],
    [0x41, 1],
  ])('refuses %i+%i, which shares a point with another, naming both', (first, size) => {
    expect(() => map().add(first, size, 'new', 'x')).toThrow(OverlapError);
    expect(() => map().add(first, size, 'new', 'x')).toThrow(/new at .* overlaps pit at 40-43/);
    expect(map().isFree(first, size)).toBe(false);
  });
  it('refuses an empty interval', () => {
    expect(() => map().add(1, 0, 'none', 'x')).toThrow(OverlapError);
  });
  it('forgets an interval that is removed, also the one that answered last', () => {
    const m = map();
    expect(m.find(0x40)).toBe('a');
    m.remove(0x40);
    expect(m.find(0x40)).toBeUndefined();
    expect(m.isFree(0x40, 4)).toBe(true);
    m.remove(0x99);
    expect(m.list().map((i) => i.name)).toEqual(['pic', 'portb']);
  });
  it('agrees with a linear search over random intervals (seed 7)', () => {
    let x = 7;
    const random = (n: number): number => (x = (x * 48271) % 0x7fffffff) % n;
    const m = new IntervalMap<number>();
    const taken = new Array<number | undefined>(4096).fill(undefined);
    for (let i = 0; i < 300; i++) {
      const first = random(4000);
      const size = 1 + random(20);
      const free = taken.slice(first, first + size).every((t) => t === undefined);
      expect(m.isFree(first, size)).toBe(free);
      if (!free) continue;
      m.add(first, size, `i${i}`, i);
      taken.fill(i, first, first + size);
    }
    for (let i = 0; i < 4096; i++) expect(m.find(i)).toBe(taken[i]);
  });
});
