import { expect, it } from 'vitest';
import { seedBelow } from '../seed.ts';
import { watch } from './watch.ts';

/** For a busy computer; a few seconds are usual. */
const TIMEOUT_MS = 120_000;

it(
  '100 ROMs of random bytes end properly or go on, however they are cut into pieces',
  async () => {
    const first = 1 + seedBelow(500_000);
    const result = await watch({ kind: 'bytes', first, count: 100, instructions: 5_000, repeatEvery: 10 });
    expect(result.failures, `seeds from ${first}`).toEqual([]);
    expect(result.ran).toBe(100);
  },
  TIMEOUT_MS,
);

it(
  '100 ROMs of random valid instructions end properly or go on, however they are cut into pieces',
  async () => {
    const first = 1 + seedBelow(500_000);
    const result = await watch({ kind: 'valid', first, count: 100, instructions: 25_000, repeatEvery: 10 });
    expect(result.failures, `seeds from ${first}`).toEqual([]);
    expect(result.ran).toBe(100);
    // Most get past the prologue and stay alive.
    expect(result.ends.limit).toBeGreaterThan(40);
  },
  TIMEOUT_MS,
);
