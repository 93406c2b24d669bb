import { expect, it } from 'vitest';
import { SCENARIOS } from './scenarios.ts';
import { watch } from './watch.ts';

it('whatever a guest does to its chips, it can do for a long time', async () => {
  const result = await watch({ kind: 'scenario', first: 0, count: SCENARIOS.length, instructions: 400_000, repeatEvery: 1 });
  console.log(JSON.stringify(result));
  expect(result.failures).toEqual([]);
  expect(result.ran).toBe(SCENARIOS.length);
  // 64 MiB of RAM, 64 MiB of what is kept of decoded pages, and the machines that wait for the collector.
  expect(result.grownMb).toBeLessThan(700);
});
