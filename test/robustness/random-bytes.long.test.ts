import { expect, it } from 'vitest';
import { watch } from './watch.ts';

const FIRST_SEED = 1_000_000;

it('10,000 ROMs of random bytes make the host neither throw nor hang nor grow', async () => {
  const half = { kind: 'bytes', count: 5000, instructions: 10_000, repeatEvery: 50 } as const;
  const results = await Promise.all([FIRST_SEED, FIRST_SEED + half.count].map((first) => watch({ ...half, first })));
  console.log(`random bytes, seeds from ${FIRST_SEED}: ${JSON.stringify(results)}`);
  for (const result of results) {
    expect(result.failures).toEqual([]);
    expect(result.ran).toBe(half.count);
    expect(result.grownMb).toBeLessThan(400);
  }
});
