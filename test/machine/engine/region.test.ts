import { test } from 'vitest';
import { compareBlocks, SEED } from './compare-blocks.ts';

test(`a compiled region leaves the same registers, flags, memory, TLB and counts as the interpreter, faults included (300 blocks, seed ${SEED})`, () => {
  compareBlocks(300);
});
