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
  /** Both, in the order in which they were written: what a terminal shows. */
  readonly screen: string;
}

export interface Setting {
  readonly unicode?: boolean;
  readonly colour?: boolean;
  /** Ctrl-C is pressed when the run breathes for the first time. */
  readonly interrupt?: boolean;
  /** Both streams are a terminal. */
  readonly terminal?: boolean;
  /** The file that demo runs. */
  readonly sample?: string;
}

/** Runs a command line, and gives what it wrote. */
export async function exitpoint(
  words: readonly string[],
  { unicode = true, colour = false, interrupt = false, terminal = false, sample: demonstrated = sample('icrlo') }: Setting = {},
): Promise<Output> {
  const out: Uint8Array[] = [];
  let stderr = '';
  let screen = '';
  const io: Io = {
    stdout: (bytes) => {
      out.push(bytes.slice());
      screen += new TextDecoder().decode(bytes);
    },
    stderr: (text) => {
      stderr += text;
      screen += text;
    },
    stderrIsTTY: terminal,
    stdoutIsTTY: terminal,
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
    dap: () => Promise.reject(new Error('dap is tested with the built command line')),
  };
  const status = await main(words, host);
  return { status, stdout: Buffer.concat(out).toString('utf8'), stderr, screen };
}
