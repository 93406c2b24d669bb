import { expect, test } from 'vitest';
import { playSession } from './random-session.ts';

const FIRST_SEED = 1_000_000;
const SESSIONS = 2_000;

test('2,000 sessions of random requests are answered by the protocol, whatever is asked and when', async () => {
  const totals = { requests: 0, succeeded: 0, stops: 0 };
  const failures = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SESSIONS; seed++) {
    const { requests, succeeded, stops, problems } = await playSession(seed);
    totals.requests += requests;
    totals.succeeded += succeeded;
    totals.stops += stops;
    if (problems.length > 0) failures.push({ seed, problems });
  }
  console.log(`random sessions, seeds from ${FIRST_SEED}: ${JSON.stringify(totals)}`);
  expect(failures).toEqual([]);
  expect(totals.succeeded).toBeGreaterThan(10_000);
  expect(totals.stops).toBeGreaterThan(2_000);
});
