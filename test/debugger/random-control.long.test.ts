/** Going forward and back at random, for longer. */
import { describe, it } from 'vitest';
import { seedBelow } from '../seed.ts';
import { session } from './random-control.ts';
import { GUESTS } from './random-guests.ts';

const SEED = seedBelow(1e6);
const SLICES = [10_000, 137, 1000, 3];

describe(`many sessions of random commands are the undisturbed run, forward and back (from seed ${SEED})`, () => {
  it.each(GUESTS)('with $name', async (guest) => {
    for (let i = 0; i < 24; i++) await session(guest, { seed: SEED + i, actions: 60, slice: SLICES[i % SLICES.length] as number });
  });
});
