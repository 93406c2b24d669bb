import { expect, test } from 'vitest';
import { seedBelow } from '../seed.ts';
import { playSession } from './random-session.ts';

test('60 sessions of random requests are answered by the protocol, whatever is asked and when', async () => {
  const first = seedBelow(2 ** 30);
  const outcomes = [];
  for (let seed = first; seed < first + 60; seed++) outcomes.push(await playSession(seed));
  expect(
    outcomes.filter(({ problems }) => problems.length > 0),
    `seeds from ${first}`,
  ).toEqual([]);
  // They get somewhere.
  expect(outcomes.reduce((sum, { succeeded }) => sum + succeeded, 0)).toBeGreaterThan(300);
  expect(outcomes.reduce((sum, { stops }) => sum + stops, 0)).toBeGreaterThan(60);
}, 120_000);
