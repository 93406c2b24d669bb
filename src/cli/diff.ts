/** `exitpoint diff`: one bootrom under two profiles, and where their ledgers part. */
import { Comparison } from '../debugger/compare.ts';
import type { DiffOptions } from './args.ts';
import { diffJson, diffReport } from './diff-report.ts';
import { Status, UsageError } from './errors.ts';
import type { Finished } from './finished.ts';
import type { Io } from './io.ts';
import type { Program } from '../debugger/code/program.ts';
import { execute, type MakeMachine, progress } from './run.ts';

/** Keeps two runs side by side in virtual time: the one that is ahead waits, so that neither's exits pile up. */
class SideBySide {
  private readonly times: [number, number] = [0, 0];
  private readonly over: [boolean, boolean] = [false, false];
  private readonly waiting: [(() => void) | undefined, (() => void) | undefined] = [undefined, undefined];

  /** Run `run` has come to virtual time `timeNs`. */
  at(run: 0 | 1, timeNs: number): void {
    const other = run === 0 ? 1 : 0;
    this.times[run] = timeNs;
    if (timeNs >= this.times[other]) this.release(other);
  }
  /** Comes back once the other run is no longer behind. */
  async wait(run: 0 | 1): Promise<void> {
    const other = run === 0 ? 1 : 0;
    if (this.over[other] || this.times[run] <= this.times[other]) return;
    await new Promise<void>((resolve) => (this.waiting[run] = resolve));
  }
  end(run: 0 | 1): void {
    this.over[run] = true;
    this.release(run === 0 ? 1 : 0);
  }
  private release(run: 0 | 1): void {
    this.waiting[run]?.();
    this.waiting[run] = undefined;
  }
}

/** Gives the exit status: 0 no difference, 1 the ledgers part or could not be compared whole, 130 Ctrl-C. */
export async function diff(options: DiffOptions, rom: Program, make: MakeMachine, io: Io): Promise<number> {
  const [first, second] = options.profiles;
  if (first === second) throw new UsageError(`diff needs two different profiles, but got ${first} twice.`);
  const bar = progress(io);
  const comparison = new Comparison();
  const pace = new SideBySide();
  const instructions: [number, number] = [0, 0];
  const start = async (run: 0 | 1): Promise<Finished> => {
    const finished = await execute(
      {
        rom,
        options,
        profile: options.profiles[run],
        hooks: {
          onOutcome: (exit, ipi) => comparison.add(run, exit, ipi),
          onProgress: (count, timeNs) => {
            instructions[run] = count;
            pace.at(run, timeNs);
            bar.draw(instructions[0] + instructions[1], timeNs);
          },
        },
      },
      make,
      {
        ...io,
        breathe: async () => {
          await io.breathe();
          await pace.wait(run);
        },
      },
    );
    pace.end(run);
    return finished;
  };
  const [a, b] = await Promise.all([start(0), start(1)]);
  bar.clear();
  const interrupted = a.stopped.kind === 'interrupted' || b.stopped.kind === 'interrupted';
  // What only one of two unfinished runs has come to is no difference yet.
  if (!interrupted) comparison.finish();
  const text = options.json ? JSON.stringify(diffJson(a, b, comparison), null, 2) : diffReport(a, b, comparison, io.stdoutPaint).join('\n');
  io.stdout(new TextEncoder().encode(`${text}\n`));
  if (interrupted) return Status.interrupted;
  return comparison.parting === undefined && comparison.complete ? Status.ok : Status.failed;
}
