/** A machine that runs source, with breakpoints and a session of its own: for tests of what stops it. */
import { FLAT32_END } from '../guests/flat32.ts';
import { readFileSync } from 'node:fs';
import { assemble } from '../../src/assembly/assembler.ts';
import { loadAssets } from '../../src/cli/assets.ts';
import { Breakpoints } from '../../src/debugger/breakpoints.ts';
import { loadProgram, type Program } from '../../src/debugger/code/program.ts';
import { CodeWatch } from '../../src/debugger/code/watch.ts';
import type { Hit } from '../../src/debugger/engine.ts';
import { Session } from '../../src/debugger/session.ts';
import { Subject } from '../../src/debugger/subject.ts';
import { loadEncodingIndex } from '../../src/machine/isa/encoding-index.ts';
import { Machine } from '../../src/machine/machine.ts';
import { modelNamed } from '../../src/machine/models/index.ts';
import { processorFactory } from '../../src/machine/processor-kit.ts';
import { profileNamed } from '../../src/machine/profiles/index.ts';
import { root } from '../cli/host.ts';

const assets = loadAssets(new URL('../../dist/exitpoint.mjs', import.meta.url).href);
const index = loadEncodingIndex(assets.encodings());
const factory = processorFactory(assets.interpreter);

/** The end of a ROM of 4 KiB that starts flat 32-bit code at `start32`; `rest` is that code. */
export const flat32 = (rest: string): string => `bits 32
org 0xFFFFF000
${rest}
${FLAT32_END}`;

export interface Ran {
  /** What stopped it: breakpoints, the machine's end, or nothing within its instructions. */
  readonly hits: readonly Hit[];
  readonly kind: 'breakpoint' | 'end' | 'limit';
}

export class Rig {
  readonly machine: Machine;
  readonly view: Subject;
  readonly program: Program;
  readonly breakpoints: Breakpoints;
  readonly session: Session;
  readonly logged: Hit[] = [];
  private readonly watch: CodeWatch;

  constructor(
    file: string,
    source: Uint8Array,
    { cpus = 4, profile = 'illumos' }: { readonly cpus?: number; readonly profile?: string } = {},
  ) {
    const { program } = loadProgram(file, source, (text, name) => assemble(text, name, { index }));
    this.machine = new Machine(
      { model: modelNamed('bhyve')!, profile: profileNamed(profile)!, cpus, memoryBytes: 1 << 20, rom: program.image },
      factory,
    );
    this.view = new Subject(this.machine);
    this.program = program.inMemory((address, length) => this.machine.memory.readBytes(address, length));
    this.breakpoints = new Breakpoints({ machine: this.view, program: this.program });
    this.session = new Session(
      this.view,
      (name) => this.program.symbol(name),
      { onLog: (hit) => this.logged.push(hit) },
      this.breakpoints.engine,
    );
    this.watch = new CodeWatch(this.machine.processor, this.program);
    this.session.onNewCode = () => this.watch.take() && (this.breakpoints.refresh() || true);
  }

  /** Runs to the next stop. */
  run(instructions = 10_000_000): Ran {
    this.watch.enabled = this.breakpoints.followsCopies;
    const stop = this.session.run(instructions, Number.POSITIVE_INFINITY);
    if (stop === undefined) return { kind: 'limit', hits: [] };
    if (stop.kind === 'breakpoint' || stop.kind === 'end') return stop;
    throw new Error(`the run came back with ${stop.kind}`);
  }
  /** The line of the source that a vCPU is about to execute. */
  line(vcpu: number): number | undefined {
    const { eip, csBase } = this.view.position(vcpu);
    return this.program.placeAt((csBase + eip) >>> 0)?.line;
  }
}

export const SAMPLE = 'samples/icrlo.asm';
/** icrlo.asm of the samples, on four vCPUs. */
export const sampleRig = (profile = 'illumos'): Rig => new Rig(SAMPLE, readFileSync(`${root}${SAMPLE}`), { profile });
/** 32-bit code that begins at `start32`. */
export const codeRig = (code: string, cpus = 1): Rig => new Rig('test.asm', new TextEncoder().encode(flat32(code)), { cpus });

/** Three vCPUs, of which the first starts the others one after the other at 0800:0000. */
export const startingRig = (profile: string): Rig =>
  new Rig(
    'start.asm',
    new TextEncoder().encode(
      flat32(`start32:
        mov ax, 0x10
        mov ds, ax
        mov dword [0x8000], 0xFEEBFA    ; cli, jmp $
        mov ebx, 0x01000000
.next:  mov [0xFEE00310], ebx
        mov dword [0xFEE00300], 0x4500
        mov dword [0xFEE00300], 0x4608
        mov ecx, 100000
        loop $
        add ebx, 0x01000000
        cmp ebx, 0x03000000
        jne .next
        jmp $`),
    ),
    { cpus: 3, profile },
  );
