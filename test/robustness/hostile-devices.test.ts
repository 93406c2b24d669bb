import { describe, expect, it } from 'vitest';
import { SCENARIOS } from './scenarios.ts';
import { watch } from './watch.ts';

/** For a busy computer; a few seconds are usual. */
const TIMEOUT_MS = 120_000;

describe('whatever a guest does to its chips, time goes on and the host stays well', () => {
  it(
    `in ${SCENARIOS.length} ways of hurting them`,
    async () => {
      const result = await watch({ kind: 'scenario', first: 0, count: SCENARIOS.length, instructions: 10_000, repeatEvery: 1 });
      expect(result.failures).toEqual([]);
      expect(result.ran).toBe(SCENARIOS.length);
    },
    TIMEOUT_MS,
  );
});
