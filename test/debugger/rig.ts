/** A debugger on a machine of the real kind, with a guest assembled in memory or one of the samples. */
import { FLAT32_END } from '../guests/flat32.ts';
import { readFileSync } from 'node:fs';
import { assemble } from '../../src/assembly/assembler.ts';
import { loadProgram } from '../../src/debugger/code/program.ts';
import { Debugger, type DebuggerOptions } from '../../src/debugger/debugger.ts';
import type { Host } from '../../src/debugger/host.ts';
import { Machine } from '../../src/machine/machine.ts';
import { modelNamed } from '../../src/machine/models/index.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { profileNamed } from '../../src/machine/profiles/index.ts';
import { index } from '../assembly/index.ts';

const interpreter = new Uint8Array(readFileSync(new URL('../../dist/interpreter.wasm', import.meta.url)));
const factory = processorFactory(interpreter);

export interface Rig {
  readonly source: string;
  /** A ROM in place of source. */
  readonly rom: Uint8Array;
  readonly file: string;
  readonly cpus: number;
  readonly model: string;
  readonly profile: string;
  readonly seed: number;
  readonly slice: number;
  readonly host: Partial<Host>;
  readonly options: Partial<DebuggerOptions>;
}

export const host: Host = {
  now: () => performance.now(),
  yield: () => new Promise((resolve) => setImmediate(resolve)),
  readFile: () => Promise.reject(new Error('no files')),
};

export const sampleSource = (name: string): string => readFileSync(new URL(`../../samples/${name}.asm`, import.meta.url), 'utf8');

/** icrlo.asm with four vCPUs, unless told otherwise. */
export function rig(wanted: Partial<Rig> = {}): Debugger {
  const { source = sampleSource('icrlo'), file = 'icrlo.asm', model = 'bhyve', profile = 'illumos', seed = 0, slice } = wanted;
  const bytes = wanted.rom ?? new TextEncoder().encode(source);
  const { program } = loadProgram(wanted.rom === undefined ? file : 'guest.rom', bytes, (text, name) => assemble(text, name, { index }));
  const machine = new Machine(
    {
      model: modelNamed(model)!,
      profile: profileNamed(profile)!,
      cpus: wanted.cpus ?? program.expectedCpus ?? 1,
      memoryBytes: 4 << 20,
      rom: program.image,
      seed,
      ...(slice === undefined ? {} : { slice }),
    },
    factory,
  );
  return new Debugger({ machine, program, host: { ...host, ...wanted.host }, ...wanted.options });
}

/** A guest of one vCPU in 32-bit mode with flat segments: `body` at FFFFF000h, ESP 7000h. Labels gdt, gdtr and start16 are taken. */
export const flat = (body: string): string => `
bits 32
org 0xFFFFF000
LAPIC equ 0xFEE00000
start32:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, 0x7000
${body}
${FLAT32_END}`;

export const hashOf = (dbg: Debugger): string => `${dbg.machine.clock.instructions} ${dbg.timeline.hash()}`;

export const linearOf = (dbg: Debugger, vcpu: number): number => {
  const { eip, csBase } = dbg.position(vcpu);
  return (csBase + eip) >>> 0;
};
/** The source line that a vCPU is shown at. */
export const lineOf = (dbg: Debugger, vcpu: number): number | undefined => dbg.program.placeAt(linearOf(dbg, vcpu))?.line;
/** Linear address of a label. */
export const at = (dbg: Debugger, label: string): number => dbg.program.labelAddress(label) as number;
