import { test } from 'vitest';
import { compareBlocks, SEED } from './compare-blocks.ts';

test(`regions and the interpreter agree over 10,000 random blocks (seed ${SEED})`, () => {
  compareBlocks(10_000);
});
