/** The main of the command line under Node: hands the process's streams, signals and the files of dist/ to it. */
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Machine } from '../machine/machine.ts';
import { loadAssets } from './assets.ts';
import { dap } from './dap.ts';
import { Status } from './errors.ts';
import type { Io } from './io.ts';
import { main } from './main.ts';
import { paintFor } from './paint.ts';
import { processorFactory } from '../machine/processor-kit.ts';
import { shortPath } from './rom.ts';
import { writeError } from './write-error.ts';

const { env, platform, stderr, stdin, stdout } = process;

let interrupted = false;
process.on('SIGINT', () => {
  // The first one ends the run with its summary; the second one ends everything.
  if (interrupted) process.exit(Status.interrupted);
  interrupted = true;
});
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    const { line, status } = writeError(error, stream === stdout ? 'stdout' : 'stderr');
    try {
      if (line !== '') writeSync(stderr.fd, line);
    } catch {
      // Then there is nobody left to tell.
    }
    process.exit(status);
  });
}

const io: Io = {
  stdout: (bytes) => void stdout.write(bytes),
  stderr: (text) => void stderr.write(text),
  stderrIsTTY: stderr.isTTY === true,
  stdoutIsTTY: stdout.isTTY === true,
  paint: paintFor(stderr, env, platform),
  stdoutPaint: paintFor(stdout, env, platform),
  nowMs: () => performance.now(),
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
  interrupted: () => interrupted,
};

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };

process.exitCode = await main(process.argv.slice(2), {
  io,
  version,
  sample: shortPath(fileURLToPath(new URL('../samples/icrlo.asm', import.meta.url))),
  loadAssets: () => loadAssets(import.meta.url),
  makeMachine: (assets) => {
    const factory = processorFactory(assets.interpreter);
    return (config) => new Machine(config, factory);
  },
  dap: (options) => {
    // There is no summary to wait for.
    process.on('SIGINT', () => process.exit(Status.interrupted));
    const startWorker = (): Worker => new Worker(new URL('./worker.cjs', import.meta.url));
    return dap(options, { stdin, stdout, stderr: io.stderr, startWorker });
  },
});
