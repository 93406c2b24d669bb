/**
 * A guest for tests of the processor: some RAM, descriptor tables, a handler that halts for every vector, and programs in assembly.
 *
 * What happened to a program is told in the manual's notation: `hlt` when it came to its own HLT, `#GP(18)` for an exception with its error
 * code, `int 30` for any other vector.
 */
import { readFileSync } from 'node:fs';
import { type Assembly, assemble } from '../../../src/assembly/assembler.ts';
import { Stop } from '../../../src/machine/cpu/processor.ts';
import { Execution } from '../../../src/machine/engine/execution.ts';
import { index } from '../../assembly/index.ts';

const interpreter = new Uint8Array(readFileSync(new URL('../../../dist/interpreter.wasm', import.meta.url)));

/** Physical places. */
export const GDT = 0x2000;
export const IDT = 0x3000;
export const TSS = 0x4000;
export const LDT = 0x4800;
export const STUBS = 0x5000;
export const STACK = 0x7000;
/** Top of the stack of level 0 in the TSS; those of levels 1 and 2 are 200h and 400h below. */
export const INNER_STACK = 0x6c00;
export const USER_STACK = 0x7800;
export const CODE = 0x8000;
/** Nothing is here but zeros. */
export const DATA = 0x10000;

/** Selectors of the flat segments in the GDT. */
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TASK = 0x28;
export const LOCAL = 0x30;
/** The first selector free for tests. */
export const FREE = 0x40;

const PROGRAM_REGISTERS = 'eax ecx edx ebx esp ebp esi edi eip eflags es cs ss ds fs gs cs.base ss.base cr0 cr2 cr3 cr4 dr6 cpl'.split(' ');
const NAMES = ['DE', 'DB', 'NMI', 'BP', 'OF', 'BR', 'UD', 'NM', 'DF', '', 'TS', 'NP', 'SS', 'GP', 'PF', '', 'MF', 'AC'];
const programs = new Map<string, Assembly>();
/** Assembled once. @throws when the text has errors */
function assembled(text: string): Assembly {
  const known = programs.get(text);
  if (known) return known;
  const program = assemble(text, 'guest.asm', { index });
  const bad = program.diagnostics.find((d) => d.severity === 'error');
  if (bad) throw new Error(`line ${bad.line}: ${bad.message}\n${text}`);
  programs.set(text, program);
  return program;
}
const hasError = (vector: number): boolean => vector === 8 || (vector >= 10 && vector <= 14) || vector === 17;

export interface Frame {
  vector: number;
  error: number;
  eip: number;
  cs: number;
  eflags: number;
  /** Only after a change of level. */
  esp: number;
  ss: number;
}

/** `type` and `dpl` make the access byte's parts; `flags`: G, D/B, L, AVL as bits 3 to 0. */
export const descriptor = (base: number, limit: number, access: number, flags = 0): [number, number] => [
  ((limit & 0xffff) | (base << 16)) >>> 0,
  (((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000)) >>> 0,
];
export const gate = (selector: number, offset: number, access: number): [number, number] => [
  ((selector << 16) | (offset & 0xffff)) >>> 0,
  ((offset & 0xffff0000) | (access << 8)) >>> 0,
];

export class Guest {
  readonly cpu: Execution;
  symbols = new Map<string, number>();

  constructor({ ramBytes = 1 << 20, vcpus = 1 } = {}) {
    this.cpu = new Execution({ vcpus, ramBytes, romBytes: 0x1000, interpreter, tsc: (retired) => retired });
    this.cpu.physical.mapRam(0, ramBytes);
  }

  // ── Registers and memory ───────────────────────────────────────────────────────────────────────────────────────────────────────
  get(name: string): number {
    const value = this.cpu.register(name);
    if (value === undefined) throw new Error(`no register ${name}`);
    return value;
  }
  set(values: Readonly<Record<string, number>>): this {
    for (const [name, value] of Object.entries(values)) if (!this.cpu.setRegister(name, value)) throw new Error(`no register ${name}`);
    return this;
  }
  /** Several registers at once, to be compared with toEqual. */
  registers<N extends string>(...names: N[]): Record<N, number> {
    return Object.fromEntries(names.map((n) => [n, this.get(n)])) as Record<N, number>;
  }
  read8(at: number): number {
    return this.cpu.physical.read8(at);
  }
  read16(at: number): number {
    return this.cpu.physical.read16(at);
  }
  read32(at: number): number {
    return this.cpu.physical.read32(at);
  }
  write8(at: number, ...values: number[]): void {
    values.forEach((v, i) => this.cpu.physical.write8(at + i, v));
  }
  write16(at: number, ...values: number[]): void {
    values.forEach((v, i) => this.cpu.physical.write16(at + 2 * i, v & 0xffff));
  }
  write32(at: number, ...values: number[]): void {
    values.forEach((v, i) => this.cpu.physical.write32(at + 4 * i, v >>> 0));
  }
  /** All registers that programs see, and `bytes` of memory from `at` on. */
  snapshot(at = 0, bytes = 0): string {
    const lines = PROGRAM_REGISTERS.map((name) => `${name} ${this.get(name).toString(16)}`);
    if (bytes)
      lines.push(
        Buffer.from(this.cpu.physical.readBytes(at, bytes))
          .toString('hex')
          .replace(/(00){4,}/g, '..'),
      );
    return lines.join('\n');
  }

  // ── Programs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Assembles `source` for linear (or, in real mode, segment-relative) address `origin` and puts it at physical address `at`. */
  put(source: string, at: number, origin = at, bits = 32): Uint8Array {
    const { bytes, symbols } = assembled(`bits ${bits}\norg 0x${origin.toString(16)}\n${source.replace(/;/g, '\n')}\n`);
    this.cpu.physical.writeBytes(at, bytes);
    for (const [name, value] of symbols) this.symbols.set(name, value);
    return bytes;
  }
  label(name: string): number {
    const value = this.symbols.get(name);
    if (value === undefined) throw new Error(`no label ${name}`);
    return value;
  }

  /** Real-address mode at `cs`:`ip` with `source` there; SS = 0, SP = 7000h; every vector leads to a stub that halts. `;` ends a line. */
  real(source: string, cs = 0, ip = CODE): this {
    const { cpu } = this;
    this.put(`${source}\nhlt`, (cs << 4) + ip, ip, 16);
    for (let v = 0; v < 256; v++) {
      this.write8(STUBS + v * 4, 0xf4, 0xeb, 0xfd);
      this.write16(v * 4, STUBS + v * 4, 0);
    }
    cpu.reset('RESET', 0);
    this.set({ 'cs.base': cs << 4, cs, eip: ip, esp: STACK, 'idtr.limit': 0x3ff });
    return this;
  }

  /** Protected mode, flat, level 0 (or 3), with `source` at CODE. Interrupts are off. */
  flat(source: string, level: 0 | 3 = 0): this {
    const { cpu } = this;
    this.put(`${source}\n${level === 0 ? 'hlt' : 'int 0x30'}`, CODE);
    this.tables();
    cpu.reset('RESET', 0);
    const dpl = level << 5;
    this.set({ cr0: 0x11, 'gdtr.base': GDT, 'gdtr.limit': 0xff, 'idtr.base': IDT, 'idtr.limit': 0x7ff });
    const { window } = cpu;
    window.cpl = level;
    window.setSegment(1, level ? CODE3 : CODE0, 0, 0xffffffff, 0xc09b | dpl);
    for (const k of [0, 2, 3, 4, 5]) window.setSegment(k, level ? DATA3 : DATA0, 0, 0xffffffff, 0xc093 | dpl);
    window.setSegment(6, LOCAL, LDT, 0x3f, 0x82);
    window.setSegment(7, TASK, TSS, 0x7ff, 0x8b);
    this.set({ esp: level ? USER_STACK : STACK, eip: CODE });
    return this;
  }
  /** 16-bit protected mode over the same tables: CS and SS with D/B clear, based at 0. */
  flat16(source: string): this {
    this.flat('');
    this.put(`${source}\nhlt`, CODE, CODE, 16);
    this.cpu.window.setSegment(1, FREE, 0, 0xffff, 0x9b);
    this.cpu.window.setSegment(2, FREE + 8, 0, 0xffff, 0x93);
    this.setDescriptor(FREE, descriptor(0, 0xffff, 0x9b));
    this.setDescriptor(FREE + 8, descriptor(0, 0xffff, 0x93));
    this.set({ eip: CODE });
    return this;
  }
  setDescriptor(selector: number, [low, high]: [number, number], table = selector & 4 ? LDT : GDT): void {
    this.write32(table + (selector & 0xfff8), low, high);
  }
  setGate(vector: number, [low, high]: [number, number]): void {
    this.write32(IDT + vector * 8, low, high);
  }
  private tables(): void {
    this.write32(GDT, ...new Array<number>(64).fill(0));
    this.setDescriptor(CODE0, descriptor(0, 0xfffff, 0x9b, 0xc));
    this.setDescriptor(DATA0, descriptor(0, 0xfffff, 0x93, 0xc));
    this.setDescriptor(CODE3, descriptor(0, 0xfffff, 0xfb, 0xc));
    this.setDescriptor(DATA3, descriptor(0, 0xfffff, 0xf3, 0xc));
    this.setDescriptor(TASK, descriptor(TSS, 0x7ff, 0x8b));
    this.setDescriptor(LOCAL, descriptor(LDT, 0x3f, 0x82));
    for (let v = 0; v < 256; v++) {
      this.write8(STUBS + v * 4, 0xf4, 0xeb, 0xfd);
      this.setGate(v, gate(CODE0, STUBS + v * 4, v === 3 || v === 4 || v >= 0x30 ? 0xee : 0x8e));
    }
    this.write32(TSS + 4, INNER_STACK, DATA0);
    this.write32(TSS + 100, 0x800 << 16); // no I/O bitmap within the limit
  }

  // ── What happened ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Runs until the guest halts or stops otherwise, at most `most` instructions. */
  run(most = 10_000): string {
    const stop = this.cpu.run(most);
    if (stop === Stop.hlt) return this.outcomeHere(1);
    const name = Object.entries(Stop).find(([, v]) => v === stop)?.[0];
    return name ?? String(stop);
  }
  /** What happened to a guest that stands at the beginning of a handler, or `passed` bytes into it. */
  outcomeHere(passed = 0): string {
    const vector = (this.get('eip') - passed - STUBS) / 4;
    if (this.get('cs') === CODE0 || !(this.get('cr0') & 1)) {
      if (vector >= 0 && vector < 256 && Number.isInteger(vector) && this.get('cs.base') === 0) {
        const name = vector < 18 ? NAMES[vector] : '';
        if (!name || vector === 3) return `int ${vector.toString(16)}`;
        return this.get('cr0') & 1 && hasError(vector) ? `#${name}(${this.frame().error.toString(16)})` : `#${name}`;
      }
    }
    return 'hlt';
  }
  /** The 32-bit frame on the stack of the handler it halted in. */
  frame(): Frame {
    const vector = (this.get('eip') - STUBS) >> 2;
    let at = this.get('esp') + this.get('ss.base');
    const next = (): number => {
      at += 4;
      return this.read32(at - 4);
    };
    const error = hasError(vector) ? next() : -1;
    return { vector, error, eip: next(), cs: next(), eflags: next(), esp: next(), ss: next() };
  }
}
