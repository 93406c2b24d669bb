import { type Processor, Stop } from '../../src/machine/cpu/processor.ts';
import type { CpuUnderTest, Step } from './adapter.ts';
import { CODE, CS, DATA, descriptors, type Environment, environments, HOLE, READ_ONLY, type Segment, SS, WINDOW } from './environment.ts';

/**
 * Our processor as a `CpuUnderTest`, through nothing but what a guest and the VMM can do: a small kernel in guest memory sets up
 * descriptors, paging and the IDT, enters the environment at privilege level 3 with IRET, and an exception is what its handler finds on
 * the stack. So replaying vectors also tries the delivery of events.
 */

/** Guest-physical memory of the processor under test. */
export interface GuestRam {
  /** Guest-physical memory from address 0, at least RAM_BYTES. */
  readonly bytes: Uint8Array;
  /** Tells the processor that somebody else wrote there. */
  written(address: number, length: number): void;
}
export const RAM_BYTES = 0x20_0000;

// Guest-physical places of the kernel; it runs at KERNEL + these, where no vector reaches.
const KERNEL = 0xc840_0000;
const BOOT = 0x1000;
const GDT = 0x2000;
const LDT = 0x2400;
const IDT = 0x2800;
const TSS = 0x3000;
const STACK = 0x5000;
const HANDLERS = 0x6000;
const HANDLER_BYTES = 16;
const DIRECTORY = 0x8000;
const LOW_TABLE = 0x9000;
const KERNEL_TABLE = 0xa000;
const CODE_TABLE = 0xb000;
const DATA_TABLE = 0xc000;
const CODE_MEMORY = 0x10_0000;
const DATA_MEMORY = 0x11_0000;
/** Offsets in the boot page. */
const PROTECTED = 0x40;
const PAGED = 0x80;
const IDT_POINTER = 0xe0;
const GDT_POINTER = 0xe8;
const LOW_GDT_POINTER = 0xf0;
const ENTER = 0x200;

const KERNEL_CODE = 0x08;
const KERNEL_DATA = 0x10;
const TSS_SELECTOR = 0x30;
const LDT_SELECTOR = 0x38;

const UD2 = Uint8Array.of(0x0f, 0x0b);
const names = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const hasError = (vector: number): boolean => vector === 8 || (vector >= 10 && vector <= 14) || vector === 17;

export class MachineCpu implements CpuUnderTest {
  readonly data: Uint8Array;
  private readonly view: DataView;
  private environment: Environment = environments[0] as Environment;
  /** True while the kernel runs: before the first `enter` and after an exception. */
  private inKernel = true;
  private placed: { offset: number; bytes: Uint8Array } = { offset: 0, bytes: UD2 };
  /** What of the code window is not NOP. */
  private from = 0;
  private to = WINDOW;
  private exceptionEip = 0;
  private exceptionCs = 0;
  private exceptionFlags = 0;
  private exceptionEsp = 0;
  private exceptionSs = 0;

  constructor(
    private readonly processor: Processor,
    private readonly ram: GuestRam,
  ) {
    this.view = new DataView(ram.bytes.buffer, ram.bytes.byteOffset, ram.bytes.byteLength);
    this.data = ram.bytes.subarray(DATA_MEMORY, DATA_MEMORY + WINDOW);
    this.writeKernel();
    processor.select(0);
    processor.reset('RESET', 0);
    processor.startAt(BOOT >> 12);
    for (let i = 0; i < 40; i++) processor.run(1);
    if (processor.eip >>> 12 !== (KERNEL + BOOT) >>> 12)
      throw new Error(`the kernel of the replay did not start: EIP ${processor.eip.toString(16)}`);
  }

  enter(environment: Environment): void {
    this.backToKernel();
    this.environment = environment;
  }

  code(offset: number, bytes: Uint8Array): void {
    this.placed = { offset, bytes };
  }

  setState(registers: Uint32Array, eip: number, flags: number): void {
    const { processor } = this;
    if (!this.inKernel && this.segmentsChanged()) this.backToKernel();
    if (this.inKernel) this.leaveKernel();
    this.place(this.placed.offset, this.placed.bytes);
    for (let r = 0; r < 8; r++) processor.setRegister(names[r] as string, registers[r] as number);
    processor.setRegister('eflags', flags | 0x202);
    processor.setRegister('eip', eip);
  }

  step(): Step {
    const stop = this.processor.run(1);
    if (stop !== Stop.budget) {
      const name = Object.entries(Stop).find(([, n]) => n === stop)?.[0];
      return { unexpected: `the processor exited: ${name}` };
    }
    if ((this.processor.register('cs') as number) !== KERNEL_CODE) return {};
    this.inKernel = true;
    const vector = (this.processor.eip - KERNEL - HANDLERS) / HANDLER_BYTES;
    if (!(vector >= 0 && vector < 32)) return { unexpected: `the processor is at ${this.processor.eip.toString(16)} in the kernel` };
    const number = Math.floor(vector);
    let at = STACK - 5 * 4 - (hasError(number) ? 4 : 0);
    const pop = (): number => this.view.getUint32((at += 4) - 4, true);
    const error = hasError(number) ? pop() : 0;
    this.exceptionEip = pop();
    this.exceptionCs = pop();
    this.exceptionFlags = pop();
    this.exceptionEsp = pop();
    this.exceptionSs = pop();
    return { exception: number, error };
  }

  readRegisters(into: Uint32Array): void {
    for (let r = 0; r < 8; r++) into[r] = this.processor.register(names[r] as string) as number;
    if (this.inKernel) into[4] = this.exceptionEsp;
  }

  readSegments(into: Uint16Array): void {
    segmentNames.forEach((name, i) => {
      into[i] = this.processor.register(name) as number;
    });
    if (!this.inKernel) return;
    into[CS] = this.exceptionCs;
    into[SS] = this.exceptionSs;
  }

  get eip(): number {
    return this.inKernel ? this.exceptionEip : this.processor.eip;
  }

  get flags(): number {
    return this.inKernel ? this.exceptionFlags : (this.processor.register('eflags') as number);
  }

  get cr2(): number {
    return this.processor.register('cr2') as number;
  }

  /** Instruction bytes among NOPs. A HLT behind them ends what is decoded; no vector executes it or reads it as data. */
  private place(offset: number, bytes: Uint8Array): void {
    const { ram } = this;
    const memory = ram.bytes.subarray(CODE_MEMORY, CODE_MEMORY + WINDOW);
    memory.fill(0x90, this.from, this.to);
    ram.written(CODE_MEMORY + this.from, this.to - this.from);
    this.from = offset;
    this.to = Math.min(WINDOW, offset + bytes.length + 1);
    for (let at = offset; at < this.to; at++) memory[at] = bytes[at - offset] ?? 0xf4;
    ram.written(CODE_MEMORY + this.from, this.to - this.from);
  }

  private segmentsChanged(): boolean {
    return this.environment.segments.some((s, i) => this.processor.register(segmentNames[i] as string) !== s.selector);
  }

  /**
   * From wherever the last vector has led: UD2 at the beginning of the code window, which every code segment has at offset 0 or at CODE.
   */
  private backToKernel(): void {
    const { processor } = this;
    this.inKernel ||= processor.register('cs') === KERNEL_CODE;
    if (this.inKernel) return;
    this.place(0, UD2);
    processor.setRegister('eflags', 0x202);
    processor.setRegister('eip', ((processor.register('cs') as number) & ~3) === 0x20 ? CODE : 0);
    this.step();
    if (!this.inKernel) throw new Error(`no way back from ${processor.register('cs')?.toString(16)}:${processor.eip.toString(16)}`);
  }

  /** IRET into the environment; the instruction pointer and the registers are set afterwards. */
  private leaveKernel(): void {
    const { processor, view } = this;
    const [es, cs, ss, ds, fs, gs] = this.environment.segments;
    const frame = [cs.base === 0 ? CODE : 0, cs.selector, 0x202, 0, ss.selector];
    frame.forEach((word, i) => view.setUint32(STACK - 20 + i * 4, word, true));
    this.ram.written(STACK - 20, 20);
    const set: [string, number][] = [
      ['eax', ds.selector],
      ['ebx', es.selector],
      ['ecx', fs.selector],
      ['edx', gs.selector],
      ['esp', KERNEL + STACK - 20],
      ['eip', KERNEL + BOOT + ENTER],
      ['eflags', 2],
    ];
    for (const [name, value] of set) processor.setRegister(name, value);
    for (let i = 0; i < 5; i++) processor.run(1);
    if (processor.register('cs') !== cs.selector)
      throw new Error(
        `entering ${this.environment.name} failed: CS ${processor.register('cs')?.toString(16)}, EIP ${processor.eip.toString(16)}`,
      );
    this.inKernel = false;
  }

  private writeKernel(): void {
    const { ram, view } = this;
    ram.bytes.fill(0, 0, RAM_BYTES);
    const put = (at: number, ...bytes: (number | [number])[]): void => {
      // A number is a byte, a number in brackets a doubleword.
      for (const b of bytes) {
        if (typeof b === 'number') ram.bytes[at++] = b;
        else {
          view.setUint32(at, b[0], true);
          at += 4;
        }
      }
    };
    const pointer = (at: number, limit: number, base: number): void => {
      view.setUint16(at, limit, true);
      view.setUint32(at + 2, base, true);
    };

    put(BOOT, 0x2e, 0x66, 0x0f, 0x01, 0x16, LOW_GDT_POINTER, 0); // lgdt [cs:LOW_GDT_POINTER]
    put(BOOT + 7, 0x66, 0xb8, [0x21], 0x0f, 0x22, 0xc0); // mov cr0, PE | NE
    put(BOOT + 16, 0x66, 0xea, [BOOT + PROTECTED], KERNEL_CODE, 0); // jmp KERNEL_CODE:PROTECTED
    const enable = [0x66, 0xb8, KERNEL_DATA, 0, 0x8e, 0xd8, 0x8e, 0xd0, 0x8e, 0xc0]; // mov ds, ss, es
    put(BOOT + PROTECTED, ...enable, 0xb8, [DIRECTORY], 0x0f, 0x22, 0xd8, 0xb8, [0x8001_0021], 0x0f, 0x22, 0xc0); // mov cr3; mov cr0, PG | WP | NE | PE
    put(BOOT + PROTECTED + enable.length + 16, 0xea, [KERNEL + BOOT + PAGED], KERNEL_CODE, 0);
    put(
      BOOT + PAGED,
      ...[0xbc, [KERNEL + STACK] as [number]], // mov esp
      ...[0x0f, 0x01, 0x15, [KERNEL + BOOT + GDT_POINTER] as [number]], // lgdt
      ...[0x0f, 0x01, 0x1d, [KERNEL + BOOT + IDT_POINTER] as [number]], // lidt
      ...[0xb8, [LDT_SELECTOR] as [number], 0x0f, 0x00, 0xd0], // lldt
      ...[0xb8, [TSS_SELECTOR] as [number], 0x0f, 0x00, 0xd8], // ltr
      ...[0xc7, 0x05, [KERNEL + DIRECTORY] as [number], [0] as [number]], // the low megabytes are unmapped
      ...[0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8], // mov cr3, cr3
      ...[0xeb, 0xfe],
    );
    put(BOOT + ENTER, 0x8e, 0xd8, 0x8e, 0xc3, 0x8e, 0xe1, 0x8e, 0xea, 0xcf); // mov ds, es, fs, gs; iret
    pointer(BOOT + LOW_GDT_POINTER, 0x3f, GDT);
    pointer(BOOT + GDT_POINTER, 0x3f, KERNEL + GDT);
    pointer(BOOT + IDT_POINTER, 0xff, KERNEL + IDT);

    const descriptor = (at: number, base: number, limit: number, access: number, big: boolean): void => {
      const pages = limit > 0xf_ffff;
      const units = pages ? limit >>> 12 : limit;
      view.setUint32(at, (units & 0xffff) | (base << 16), true);
      view.setUint32(
        at + 4,
        (((base >>> 16) & 255) |
          (access << 8) |
          (units & 0xf_0000) |
          (big ? 0x40_0000 : 0) |
          (pages ? 0x80_0000 : 0) |
          (base & 0xff00_0000)) >>>
          0,
        true,
      );
    };
    const user = (s: Segment): void =>
      descriptor(((s.selector & 4) !== 0 ? LDT : GDT) + (s.selector & ~7), s.base, s.limit, (s.present ? 0xf0 : 0x70) | s.type, s.big);
    descriptor(GDT + KERNEL_CODE, 0, 0xffff_ffff, 0x9b, true);
    descriptor(GDT + KERNEL_DATA, 0, 0xffff_ffff, 0x93, true);
    descriptor(GDT + TSS_SELECTOR, KERNEL + TSS, 0x67, 0x89, false);
    descriptor(GDT + LDT_SELECTOR, KERNEL + LDT, 0x57, 0x82, false);
    for (const s of descriptors) user(s);
    view.setUint32(TSS + 4, KERNEL + STACK, true);
    view.setUint16(TSS + 8, KERNEL_DATA, true);
    view.setUint16(TSS + 0x66, 0x68, true);

    // Interrupt gates; #BP and #OF may be reached by INT3 and INTO of level 3.
    for (let n = 0; n < 32; n++) {
      const handler = KERNEL + HANDLERS + n * HANDLER_BYTES;
      view.setUint32(IDT + n * 8, (handler & 0xffff) | (KERNEL_CODE << 16), true);
      view.setUint32(IDT + n * 8 + 4, ((handler & 0xffff_0000) | (n === 3 || n === 4 ? 0xee00 : 0x8e00)) >>> 0, true);
    }
    ram.bytes.fill(0x90, HANDLERS, HANDLERS + 32 * HANDLER_BYTES);

    const table = (directoryOf: number, at: number, user: boolean): void =>
      view.setUint32(DIRECTORY + (directoryOf >>> 22) * 4, at | (user ? 7 : 3), true);
    table(0, LOW_TABLE, false);
    table(KERNEL, KERNEL_TABLE, false);
    table(CODE, CODE_TABLE, true);
    table(DATA, DATA_TABLE, true);
    for (let page = 0; page < 16; page++) {
      view.setUint32(LOW_TABLE + page * 4, (page << 12) | 3, true);
      view.setUint32(KERNEL_TABLE + page * 4, (page << 12) | 3, true);
      view.setUint32(CODE_TABLE + page * 4, (CODE_MEMORY + (page << 12)) | 5, true);
      const offset = page << 12;
      view.setUint32(DATA_TABLE + page * 4, offset === HOLE ? 0 : (DATA_MEMORY + offset) | (offset === READ_ONLY ? 5 : 7), true);
    }
    ram.written(0, RAM_BYTES);
  }
}
