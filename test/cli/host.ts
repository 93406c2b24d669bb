/** The command line inside a test: its own streams, the files of dist/, and a machine of the real kind. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadAssets } from '../../src/cli/assets.ts';
import type { Io } from '../../src/cli/io.ts';
import { type Host, main } from '../../src/cli/main.ts';
import { makePaint } from '../../src/cli/paint.ts';
import { Machine } from '../../src/machine/machine.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const sample = (name: string): string => relative('', `${root}samples/${name}.asm`);

export interface Output {
  readonly status: number;
  /** Bytes of the guest or of reports, as Latin-1 is not needed anywhere: UTF-8. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface Setting {
  readonly unicode?: boolean;
  readonly colour?: boolean;
  /** Ctrl-C is pressed when the run breathes for the first time. */
  readonly interrupt?: boolean;
  /** The file that demo runs. */
  readonly sample?: string;
}

/** Runs a command line, and gives what it wrote. */
export async function exitpoint(
  words: readonly string[],
  { unicode = true, colour = false, interrupt = false, sample: demonstrated = sample('icrlo') }: Setting = {},
): Promise<Output> {
  const out: Uint8Array[] = [];
  let stderr = '';
  const io: Io = {
    stdout: (bytes) => void out.push(bytes.slice()),
    stderr: (text) => void (stderr += text),
    stderrIsTTY: false,
    paint: makePaint(colour, unicode),
    stdoutPaint: makePaint(colour, unicode),
    nowMs: () => performance.now(),
    breathe: () => Promise.resolve(),
    interrupted: () => interrupt,
  };
  const host: Host = {
    io,
    version: '1.2.3',
    sample: demonstrated,
    loadAssets: () => loadAssets(new URL('../../dist/exitpoint.mjs', import.meta.url).href),
    makeMachine: (assets) => {
      const factory = processorFactory(assets.interpreter);
      return (config) => new Machine(config, factory);
    },
  };
  const status = await main(words, host);
  return { status, stdout: Buffer.concat(out).toString('utf8'), stderr };
}
