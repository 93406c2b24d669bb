/** `exitpoint diff`: one bootrom under two profiles, and where their ledgers part. */
import type { DiffOptions } from './args.ts';
import { diffJson, diffReport, partingOf } from './diff-report.ts';
import { Status } from './errors.ts';
import type { Finished } from './finished.ts';
import type { Io } from './io.ts';
import type { Rom } from './rom.ts';
import { execute, type MakeMachine, progress } from './run.ts';

/** Enough exits that a firmware's boot is compared whole. */
const EXIT_RECORDS = 1 << 20;

/** Gives the exit status: 0 no difference, 1 the ledgers part, 130 Ctrl-C. */
export async function diff(options: DiffOptions, rom: Rom, make: MakeMachine, io: Io): Promise<number> {
  const runs: Finished[] = [];
  for (const profile of options.profiles) {
    const bar = progress(io);
    const finished = await execute({ rom, options, profile, exitRecords: EXIT_RECORDS, hooks: { onProgress: bar.draw } }, make, io);
    bar.clear();
    runs.push(finished);
    if (finished.stopped.kind === 'interrupted') break;
  }
  const [a, b] = runs as [Finished, Finished | undefined];
  if (b === undefined) return Status.interrupted;
  const parting = partingOf(a, b);
  const text = options.json ? JSON.stringify(diffJson(a, b, parting), null, 2) : diffReport(a, b, parting, io.stdoutPaint).join('\n');
  io.stdout(new TextEncoder().encode(`${text}\n`));
  if (b.stopped.kind === 'interrupted') return Status.interrupted;
  return parting === undefined ? Status.ok : Status.failed;
}
