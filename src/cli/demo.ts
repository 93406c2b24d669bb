/** `exitpoint demo`: one store under three hypervisors. What npm start runs. */
import { PROFILES } from '../machine/profiles/index.ts';
import { DEFAULT_MODEL } from '../machine/models/index.ts';
import { DEFAULT_PROFILE } from '../machine/profiles/index.ts';
import type { DemoOptions, MachineOptions } from './args.ts';
import { type Column, demoReport } from './demo-report.ts';
import { Status } from './errors.ts';
import type { Io } from './io.ts';
import type { Program } from '../debugger/code/program.ts';
import { execute, type MakeMachine, run } from './run.ts';

/** The machine of the demonstration. */
const MACHINE: MachineOptions = {
  cpus: 4,
  memory: 16 << 20,
  model: DEFAULT_MODEL.name,
  seed: 42,
  slice: undefined,
  breaks: [],
  timeoutNs: 10e9,
};

/** Gives the exit status: 0 when every run came to an end of its own. With --break: that of `run` under today's profile. */
export async function demo({ breaks }: DemoOptions, rom: Program, make: MakeMachine, io: Io, version: string): Promise<number> {
  if (breaks.length > 0) {
    const options = {
      ...MACHINE,
      cpusGiven: true,
      cpusLimit: MACHINE.cpus,
      file: rom.file,
      profile: DEFAULT_PROFILE.name,
      breaks,
      expect: [],
      failText: [],
      trace: new Set<never>(),
      json: false,
    };
    return run(options, rom, make, io, version);
  }
  const columns: Column[] = [];
  for (const profile of PROFILES) {
    const finished = await execute({ rom, options: MACHINE, profile: profile.name }, make, io);
    if (finished.stopped.kind === 'interrupted') return Status.interrupted;
    columns.push({ profile, run: finished });
  }
  io.stdout(new TextEncoder().encode(`${demoReport(columns, version, io.stdoutPaint).join('\n')}\n`));
  return columns.every(({ run: { stopped } }) => stopped.kind === 'end') ? Status.ok : Status.failed;
}
