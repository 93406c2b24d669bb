import { expect, it } from 'vitest';
import { watch } from './watch.ts';

const FIRST_SEED = 1_000_000;

it('10,000 ROMs of random bytes make the host neither throw nor hang nor grow', async () => {
  const result = await watch({ kind: 'bytes', first: FIRST_SEED, count: 10_000, instructions: 10_000, repeatEvery: 50 });
  console.log(`random bytes, seeds from ${FIRST_SEED}: ${JSON.stringify(result)}`);
  expect(result.failures).toEqual([]);
  expect(result.ran).toBe(10_000);
  expect(result.grownMb).toBeLessThan(400);
});
