/** The command line's way from words to an exit status. Nothing here throws because of what a user typed. */
import { assemble } from '../assembly/assembler.ts';
import { loadEncodingIndex } from '../machine/isa/encoding-index.ts';
import { BootromError } from '../machine/boot/bootrom.ts';
import { MachineError } from '../machine/machine.ts';
import { DEFAULT_MODEL, MODELS } from '../machine/models/index.ts';
import { DEFAULT_PROFILE, PROFILES } from '../machine/profiles/index.ts';
import { type DapOptions, type DiffOptions, type Names, parseCommand, type RunOptions } from './args.ts';
import type { Assets } from './assets.ts';
import { demo } from './demo.ts';
import { diff } from './diff.ts';
import { AssemblyError, Status, UsageError } from './errors.ts';
import { help } from './help.ts';
import type { Io } from './io.ts';
import type { Program } from '../debugger/code/program.ts';
import { loadRom } from './rom.ts';
import { type MakeMachine, run } from './run.ts';

export interface Host {
  readonly io: Io;
  readonly version: string;
  /** Path of samples/icrlo.asm. */
  readonly sample: string;
  loadAssets(): Assets;
  makeMachine(assets: Assets): MakeMachine;
  /** Serves the debug adapter protocol until its client is gone; gives the exit status. */
  dap(options: DapOptions): Promise<number>;
}

export const NAMES: Names = {
  profiles: PROFILES,
  defaultProfile: DEFAULT_PROFILE.name,
  models: MODELS.map((m) => m.name),
  defaultModel: DEFAULT_MODEL.name,
};

/** Options with the number of vCPUs that the source is written for, unless --cpus says another; tells of it. */
function asTheSourceSays<O extends RunOptions | DiffOptions>(options: O, { expectedCpus, file }: Program, io: Io): O {
  if (options.cpusGiven || expectedCpus === undefined || expectedCpus === options.cpus) return options;
  if (expectedCpus < 1 || expectedCpus > options.cpusLimit) return options;
  if (!options.json)
    io.stderr(
      `${io.paint.dim(`${expectedCpus} vCPUs, for ${file} says "EXPECT: cpus ${expectedCpus}"; --cpus N gives another number.`)}\n`,
    );
  return { ...options, cpus: expectedCpus };
}

/** Runs a command line (without node and script); gives the exit status. */
export async function main(argv: readonly string[], host: Host): Promise<number> {
  const { io, version } = host;
  const say = (text: string): void => io.stdout(new TextEncoder().encode(text));
  try {
    const command = parseCommand(argv, NAMES);
    switch (command.kind) {
      case 'help':
        say(help(command.topic, NAMES));
        return Status.ok;
      case 'version':
        say(`exitpoint ${version}\n`);
        return Status.ok;
      case 'dap':
        return await host.dap(command.options);
    }
    const assets = host.loadAssets();
    const load = (file: string): Program =>
      loadRom(
        file,
        (source, name) => assemble(source, name, { index: loadEncodingIndex(assets.encodings()) }),
        (line) => io.stderr(`${line}\n`),
      );
    const make = host.makeMachine(assets);
    switch (command.kind) {
      case 'run': {
        const rom = load(command.options.file);
        return await run(asTheSourceSays(command.options, rom, io), rom, make, io, version);
      }
      case 'diff': {
        const rom = load(command.options.file);
        return await diff(asTheSourceSays(command.options, rom, io), rom, make, io);
      }
      case 'demo':
        return await demo(command.options, load(host.sample), make, io, version);
    }
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof MachineError || error instanceof BootromError)) throw error;
    // Places in a source stand at the beginning of the line, where editors look for them.
    io.stderr(`${error instanceof AssemblyError ? '' : `${io.paint.red('exitpoint:')} `}${error.message}\n`);
    return Status.usage;
  }
}
