/**
 * Four suites by vitest's mode: `npm test` runs everything but the files named *.long.test.ts, *.silicon.test.ts and *.workbench.test.ts;
 * `npm run test:long`, `npm run test:silicon` (which wants Linux on x86-64 and gcc) and `npm run test:workbench` (Linux on x86-64, a browser) run those.
 */
import { configDefaults, defineConfig } from 'vitest/config';

const LONG = 'test/**/*.long.test.ts';
const SILICON = 'test/**/*.silicon.test.ts';
const WORKBENCH = 'test/**/*.workbench.test.ts';

const suites: Readonly<Record<string, { include: string; exclude: string[]; timeoutMinutes: number }>> = {
  test: { include: 'test/**/*.test.ts', exclude: [LONG, SILICON, WORKBENCH], timeoutMinutes: 0.5 },
  long: { include: LONG, exclude: [], timeoutMinutes: 15 },
  silicon: { include: SILICON, exclude: [], timeoutMinutes: 15 },
  workbench: { include: WORKBENCH, exclude: [], timeoutMinutes: 5 },
};

export default defineConfig(({ mode }) => {
  const suite = suites[mode];
  if (suite === undefined) throw new Error(`vitest --mode ${mode}: there are ${Object.keys(suites).join(', ')}`);
  return {
    test: {
      include: [suite.include],
      exclude: [...configDefaults.exclude, ...suite.exclude],
      globalSetup: ['test/global-setup.ts'],
      testTimeout: suite.timeoutMinutes * 60_000,
      // The fast suite takes every core: it waits for none of its own clocks. The others keep one free, or run one file.
      ...(mode === 'test' ? { maxWorkers: '100%' } : {}),
    },
  };
});
