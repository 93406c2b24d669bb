/** A machine with a program in it, as the debugger sees it: what call stacks, disassemblies and listings are made from. */
import { readFileSync } from 'node:fs';
import { assemble } from '../../../src/assembly/assembler.ts';
import { loadAssets } from '../../../src/cli/assets.ts';
import { loadProgram, type Program } from '../../../src/debugger/code/program.ts';
import { CodeWatch } from '../../../src/debugger/code/watch.ts';
import type { CodePosition } from '../../../src/debugger/stop.ts';
import { Subject } from '../../../src/debugger/subject.ts';
import { loadEncodingIndex } from '../../../src/machine/isa/encoding-index.ts';
import { Machine, type MachineOptions } from '../../../src/machine/machine.ts';
import { modelNamed } from '../../../src/machine/models/index.ts';
import { processorFactory } from '../../../src/machine/processor-kit.ts';
import { profileNamed } from '../../../src/machine/profiles/index.ts';
import type { PhysicalMemory } from '../../../src/machine/memory/physical.ts';
import { root } from '../../cli/host.ts';

const assets = loadAssets(new URL('../../../dist/exitpoint.mjs', import.meta.url).href);
const index = loadEncodingIndex(assets.encodings());
const factory = processorFactory(assets.interpreter);

export const assembled = (source: string, file: string): ReturnType<typeof assemble> => assemble(source, file, { index });

/** The program of a sample, under an absolute path as an editor gives it. */
export const sampleProgram = (name: string): Program =>
  loadProgram(`/firmware/samples/${name}.asm`, readFileSync(`${root}samples/${name}.asm`), assembled).program;
/** The program of a source text. */
export const programOf = (source: string, file = '/firmware/guest.asm'): Program =>
  loadProgram(file, new TextEncoder().encode(source), assembled).program;

export interface Board {
  readonly machine: Machine<PhysicalMemory>;
  readonly view: Subject;
  readonly program: Program;
  readonly watch: CodeWatch;
  /** Where a vCPU is shown, when that is not its next instruction. */
  at: (CodePosition & { readonly vcpu: number }) | undefined;
  position(vcpu: number): CodePosition;
  /** Runs to before the instruction on a line of the source, or at an address; gives the vCPU that came there. Throws when none does. */
  runTo(line: number | string): number;
}

export function board(program: Program, options: Partial<MachineOptions> = {}): Board {
  const machine = new Machine(
    {
      model: modelNamed('bhyve')!,
      profile: profileNamed('illumos')!,
      cpus: program.expectedCpus ?? 1,
      memoryBytes: 1 << 20,
      rom: program.image,
      ...options,
    },
    factory,
  );
  const view = new Subject(machine);
  const here = program.inMemory((address, length) => machine.memory.readBytes(address, length));
  const made: Board = {
    machine,
    view,
    program: here,
    watch: new CodeWatch(machine.processor, here),
    at: undefined,
    position: (vcpu) => (made.at?.vcpu === vcpu ? made.at : view.position(vcpu)),
    runTo: (line) => {
      const linear = typeof line === 'string' ? Number.parseInt(line, 16) : here.lineAddress(here.file, line)!.linear;
      machine.processor.breakpoints = new Set([linear]);
      const ran = machine.run({ instructions: 10_000_000 });
      machine.processor.breakpoints = new Set();
      if (ran !== 'breakpoint') throw new Error(`nobody came to ${line}: ${JSON.stringify(ran)}`);
      return machine.schedule.currentVcpu;
    },
  };
  return made;
}

/** A call stack as a picture: one line for each frame. */
export const picture = (frames: readonly { name: string; kind: string; guessed: boolean; place?: { line: number } }[]): string[] =>
  frames.map(({ name, guessed, place }) => `${name}${place === undefined ? '' : ` :${place.line}`}${guessed ? ' ?' : ''}`);
