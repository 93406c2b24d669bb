import { expect, it } from 'vitest';
import { watch } from './watch.ts';

const FIRST_SEED = 1_000_000;

it('10,000 ROMs of random valid instructions, 100,000 executed in each on average, make the host neither throw nor hang nor grow', async () => {
  const half = { kind: 'valid', count: 5000, instructions: 160_000, repeatEvery: 100 } as const;
  const results = await Promise.all([FIRST_SEED, FIRST_SEED + half.count].map((first) => watch({ ...half, first })));
  console.log(`random instructions, seeds from ${FIRST_SEED}: ${JSON.stringify(results)}`);
  let ran = 0;
  let instructions = 0;
  for (const result of results) {
    expect(result.failures).toEqual([]);
    expect(result.grownMb).toBeLessThan(400);
    ran += result.ran;
    instructions += result.instructions;
  }
  expect(ran).toBe(10_000);
  expect(instructions / ran).toBeGreaterThan(100_000);
});
