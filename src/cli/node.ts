/** The main of the command line under Node: hands the process's streams, signals and the files of dist/ to it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Machine } from '../machine/machine.ts';
import { loadAssets } from './assets.ts';
import { Status } from './errors.ts';
import type { Io } from './io.ts';
import { main } from './main.ts';
import { paintFor } from './paint.ts';
import { processorFactory } from '../machine/processor-kit.ts';
import { shortPath } from './rom.ts';

const { env, platform, stderr, stdout } = process;

let interrupted = false;
process.on('SIGINT', () => {
  // The first one ends the run with its summary; the second one ends everything.
  if (interrupted) process.exit(Status.interrupted);
  interrupted = true;
});
// Whoever reads our output may have seen enough (`| head`).
for (const stream of [stdout, stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(Status.ok);
    throw error;
  });
}

const io: Io = {
  stdout: (bytes) => void stdout.write(bytes),
  stderr: (text) => void stderr.write(text),
  stderrIsTTY: stderr.isTTY === true,
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
});
