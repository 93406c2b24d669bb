/** Runs a campaign in a worker and watches it: a ROM that takes too long is a hang, a process that grows too much has no bound. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { EncodingIndexData } from '../../src/machine/isa/encoding-index.ts';
import type { Job, Result } from './campaign.ts';
import type { WorkerData } from './worker.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** One ROM: it takes a tenth of a second, on a busy computer a few. */
const HANG_MS = 60_000;
const POLL_MS = 500;
/** The JavaScript heap of the worker, in MiB; what it uses is below 100. */
const HEAP_MB = 400;

export interface Watched extends Result {
  /** By how much the process grew from the first hundredth of the campaign to its highest, in MiB. */
  readonly grownMb: number;
}

let bundles = 0;

async function bundle(): Promise<string> {
  const outfile = join(root, 'node_modules/.cache/exitpoint', `robustness-${process.pid}-${++bundles}.mjs`);
  await mkdir(join(root, 'node_modules/.cache/exitpoint'), { recursive: true });
  await build({
    entryPoints: [join(root, 'test/robustness/worker.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['iced-x86'],
    logLevel: 'silent',
  });
  return outfile;
}

/** Runs a job. Rejects with a sentence that names the seed when a ROM hangs, or the worker dies. */
export async function watch(job: Job): Promise<Watched> {
  const interpreter = new Uint8Array(await readFile(join(root, 'dist/interpreter.wasm')));
  const encodings = JSON.parse(await readFile(join(root, 'dist/encoding-index.json'), 'utf8')) as EncodingIndexData;
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const data: WorkerData = { interpreter, encodings, job, progress };
  const file = await bundle();
  const worker = new Worker(file, { workerData: data, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
  let base = 0;
  let highest = 0;
  let last = -1;
  let since = performance.now();
  try {
    const result = await new Promise<Result>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) =>
        reject(new Error(`${job.kind} seed ${Atomics.load(progress, 0)}: the worker died: ${error.message}`)),
      );
      const timer = setInterval(() => {
        const done = Atomics.load(progress, 1);
        const now = performance.now();
        if (done !== last) {
          last = done;
          since = now;
        } else if (now - since > HANG_MS) {
          clearInterval(timer);
          reject(new Error(`${job.kind} seed ${Atomics.load(progress, 0)} hangs: not back after ${HANG_MS / 1000} seconds`));
        }
        const rss = process.memoryUsage.rss() / 0x100000;
        if (done > job.count / 100 && base === 0) base = rss;
        highest = Math.max(highest, rss);
      }, POLL_MS);
      worker.once('exit', () => clearInterval(timer));
    });
    return { ...result, grownMb: base === 0 ? 0 : Math.round(highest - base) };
  } finally {
    await worker.terminate();
    await rm(file, { force: true });
  }
}
