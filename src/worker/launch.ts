/** From a configuration to a machine that stands at its first instruction. */
import { assemble } from '../assembly/assembler.ts';
import { loadProgram } from '../debugger/code/program.ts';
import type { Configuration, Launch } from '../debugger/configuration.ts';
import { Debugger } from '../debugger/debugger.ts';
import { DebuggerError } from '../debugger/error.ts';
import type { Host } from '../debugger/host.ts';
import { USUAL } from '../debugger/machine-options.ts';
import { BootromError } from '../machine/boot/bootrom.ts';
import { type EncodingIndex, type EncodingIndexData, loadEncodingIndex } from '../machine/isa/encoding-index.ts';
import { Machine, MachineError } from '../machine/machine.ts';
import type { MachineModel } from '../machine/models/model.ts';
import { modelNamed } from '../machine/models/index.ts';
import { processorFactory } from '../machine/processor-kit.ts';
import { profileNamed } from '../machine/profiles/index.ts';
import type { Profile } from '../machine/profiles/profile.ts';

/** What the build has made for the machine. */
export interface MachineFiles {
  /** The interpreter, a WebAssembly module. */
  readonly interpreter: Uint8Array;
  /** What the assembler can encode: read when the first source is. */
  readonly encodings: () => EncodingIndexData;
}

/** The number of vCPUs: as asked for, else as the source says where that is possible, else the usual number. */
const cpusOf = (asked: number | undefined, expected: number | undefined, { maxVcpus }: Profile): number =>
  asked ?? (expected !== undefined && expected >= 1 && expected <= maxVcpus ? expected : USUAL.cpus);

/** How machines are launched, from the files that a main has. */
export function makeLaunch(host: Host, { interpreter, encodings }: MachineFiles): Launch {
  const makeProcessor = processorFactory(interpreter);
  let index: EncodingIndex | undefined;

  return async (configuration) => {
    const { program: file, cpus, model, profile: profileName, memoryBytes, seed, slice } = configuration;
    const bytes = await host.readFile(file);
    const { program, warnings } = loadProgram(file, bytes, (source, name) => {
      index ??= loadEncodingIndex(encodings());
      return assemble(source, name, { index });
    });
    const profile = profileNamed(profileName) as Profile;
    const machine = built(configuration, () => {
      const options = {
        model: modelNamed(model) as MachineModel,
        profile,
        cpus: cpusOf(cpus, program.expectedCpus, profile),
        memoryBytes,
        rom: program.image,
        seed,
        ...(slice === undefined ? {} : { slice }),
      };
      return new Machine(options, makeProcessor);
    });
    const debuggee = new Debugger({ machine, program, host, noDebug: configuration.noDebug });
    return { debugger: debuggee, program: debuggee.program, warnings };
  };
}

/** Builds a machine; what it cannot be built of is the configuration's fault, and said as such. */
function built<M>({ program, memoryBytes }: Configuration, build: () => M): M {
  try {
    return build();
  } catch (error) {
    if (error instanceof MachineError) throw new DebuggerError(`${error.message}.`);
    if (error instanceof BootromError) throw new DebuggerError(`${program}: ${error.message}.`);
    // What WebAssembly.Memory throws when the host has no such stretch of memory left.
    if (error instanceof RangeError)
      throw new DebuggerError(
        `Launch attribute memory: this computer has no ${memoryBytes / 2 ** 20} MiB for the machine now; give less, for example 128M.`,
      );
    throw error;
  }
}
