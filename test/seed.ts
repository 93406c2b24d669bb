import process from 'node:process';

/**
 * The seed of a randomised test, below `limit`: EXITPOINT_SEED if it is set; always the same in CI, so that a run there can be repeated; else one
 * by the clock. Whoever takes it prints it with the test's name or its failure.
 */
export const seedBelow = (limit: number): number =>
  Number(process.env['EXITPOINT_SEED'] ?? (process.env['CI'] ? 13_253 : Date.now())) % limit;
