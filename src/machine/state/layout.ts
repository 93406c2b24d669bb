/**
 * Linear memory: where everything lies. The one source for TypeScript and for generated code.
 *
 * The state of the vCPU that runs is in the *window* at address 0, so that generated code finds it at constant addresses; selecting another vCPU copies
 * its home block in and the former one's out. Tables are per vCPU and reached through pointers in the window. Guest RAM comes last.
 */

/** General registers by number, as slots: byte offsets into the register file. AH is slot 1, CX slot 8. */
export const RAX = 0;
export const RCX = 8;
export const RDX = 16;
export const RBX = 24;
export const RSP = 32;
export const RBP = 40;
export const RSI = 48;
export const RDI = 56;

/** Segment registers by number, in encoding order. */
export const Segment = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;
export type Segment = (typeof Segment)[keyof typeof Segment];
export const SEGMENT_COUNT = 6;

/** The window: one vCPU's state. Offsets in bytes. */
export const State = {
  /** The register file: 32 slots of 8 bytes, addressed by byte so that partial registers are slots as well. */
  registers: 0x100,
  /** Slot that always reads 0: "no base", "no index". */
  zeroSlot: 16 * 8,
  /** EIP of the byte at offset 0 of the current code page (modulo 2^32): EIP = this + the record's offset. */
  pageSlot: 17 * 8,
  /** Bases of ES, CS, SS, DS, FS, GS. */
  baseSlot: 18 * 8,
  /** Selectors, 4 bytes each, in the same order. */
  selectorSlot: 24 * 8,
  /** CR0, CR2, CR3, CR4, 8 bytes each. */
  controlSlot: 27 * 8,
  /** EFLAGS without CF, PF, AF, ZF, SF, OF and bit 1. */
  systemSlot: 31 * 8,

  /** The arithmetic flags, one source each: ZF = zero==0; SF = sign<0, PF = parity of sign's low byte; OF = (cross<0)^carry, AF = cross bit 4; CF = carry. */
  zero: 0x200,
  sign: 0x208,
  cross: 0x210,
  carry: 0x218,

  /** Where to go on: a record, or 0: look `eip` up. */
  record: 0x220,
  /** Instructions left after the run that is being executed. */
  budget: 0x224,
  /** Why generated code returned (Leave). */
  reason: 0x228,
  eip: 0x22c,
  /** Code pages whose page slot (unsigned) is below this lie wholly in the code segment (of 16-bit code: in its first 64 KiB). Derived from `segments`. */
  wholePages: 0x230,
  /** 32 bytes for values handed over by TypeScript: an access that is no plain RAM access is answered here. */
  scratch: 0x240,

  /** Pointers to the tables in use: 32-bit addresses. */
  readTable: 0x270,
  writeTable: 0x274,
  jumpTable: 0x278,
  /** i64: the execution context (Context) in its upper half, as it stands in jump-table tags. */
  context: 0x280,

  /** Segment limits and access rights, 8 bytes each: limit u32 (bytes, inclusive), access u32 (VMX access-rights format). ES…GS, then LDTR, TR. */
  segments: 0x290,
  /** GDTR, IDTR: base u32, limit u32; LDTR, TR: base, selector. */
  gdtrBase: 0x2d0,
  gdtrLimit: 0x2d4,
  idtrBase: 0x2d8,
  idtrLimit: 0x2dc,
  ldtrBase: 0x2e0,
  ldtrSelector: 0x2e4,
  trBase: 0x2e8,
  trSelector: 0x2ec,

  /** For each segment: lowest and highest offset that may be read (two i64), then those that may be written. Derived from `segments`. */
  ranges: 0x300,

  /** Debug registers DR0…DR7, 4 bytes each. */
  debug: 0x3c0,
  /** Current privilege level. */
  cpl: 0x3e0,
  /** What is held off for one instruction: Shadow bits. */
  shadow: 0x3e4,
  /** 1: an NMI is in service. */
  nmiBlocked: 0x3e8,
  /** 1: halted by HLT. */
  halted: 0x3ec,
  /** MSRs kept by the CPU: SYSENTER_CS, _ESP, _EIP, PAT low and high, TSC offset low and high, MISC_ENABLE. 4 bytes each. */
  msrs: 0x3f0,

  size: 0x440,
} as const;

/** Interrupt shadows: of STI; of MOV SS and POP SS, which holds off NMI and the single-step trap as well. */
export const Shadow = { interrupts: 1, stack: 2 } as const;

/** Indices into State.segments after the six. */
export const LDTR = 6;
export const TR = 7;

/** Where segment k's ranges lie: + 0 lowest and + 8 highest readable offset, + 16 and + 24 the same for writes. */
export const RANGE_SIZE = 32;

/** Fast tables: 16 bytes an entry, the linear page address (1: empty) and the addend that makes a host address of a linear one. */
export const FAST_ENTRIES = 1024;
export const FAST_SIZE = FAST_ENTRIES * 16;
export const FAST_EMPTY = 1;
/** Jump table: 16 bytes an entry, i64 tag (linear address, context), i32 record, i32 page slot of the target. */
export const JUMP_ENTRIES = 4096;
export const JUMP_SIZE = JUMP_ENTRIES * 16;
/** Translation TLB: 8 bytes an entry, page | 1, frame | rights. */
export const TLB_SETS = 128;
export const TLB_WAYS = 4;
export const TLB_SIZE = TLB_SETS * TLB_WAYS * 8;

/** Tables of one vCPU: fast read and write for supervisor, the same for user, jumps, translation TLB, its replacement pointers. */
const TABLES_SIZE = 4 * FAST_SIZE + JUMP_SIZE + TLB_SIZE + TLB_SETS * 4;
const HOME_SIZE = 0x1000;

/** One decoded instruction: 32 bytes. Runs of consecutive instructions are consecutive. */
export const Rec = {
  /** u16: the handler that runs. */ handler: 0,
  /** u16: the form it is. */ form: 2,
  /** u8 × 3: slots of register operands. */ operand: 4,
  length: 7,
  /** Slots of base and index register; shift count of the index. */ base: 8,
  index: 9,
  scale: 10,
  /** Slot of the operand's segment base. */ segment: 11,
  /** i32. */ disp: 12,
  /** i64: the immediate, or the branch target relative to the page. */ immediate: 16,
  /** i32: record of the branch target, 0: not known. */ link: 24,
  /** u16: offset of the instruction in its page. */ offset: 28,
  /** u8: instructions from here to the end of the run. */ count: 30,
  /** u8: which entry of its region. */ entry: 31,
  size: 32,
} as const;

/** Why generated code gave up or left. */
export const Leave = {
  /** The budget does not cover the next run. */ budget: 1,
  /** The memory or TypeScript helper that was called has said why (and the instruction has not happened). */ helper: 2,
  /** #DE. */ divide: 3,
  /** Outside its segment: the memory operand's, ES's, SS's; code's. */ operandLimit: 4,
  esLimit: 5,
  stackLimit: 6,
  codeLimit: 7,
  /** The instruction has completed; look at what changed before going on at `eip`. */ resume: 8,
  /** HLT has completed. */ halt: 9,
  pause: 10,
  /** No definition for this instruction: #UD. */ undefined: 11,
  /** A breakpoint's or a slice end's stop record. */ stop: 12,
} as const;

/** Bits of the execution context: what, besides its physical address, decides how code is decoded and may be entered. */
export const Context = { code32: 1, stack32: 2, flat: 4, user: 8 } as const;
/** Contexts that need records of their own (user does not). */
export const RECORD_CONTEXTS = 8;

export interface MemoryLayout {
  readonly vcpus: number;
  readonly home: number;
  readonly tables: number;
  readonly records: number;
  readonly recordsEnd: number;
  /** One bit for each 64 bytes of RAM and ROM that hold decoded code. */
  readonly codeBitmap: number;
  readonly ram: number;
  readonly ramBytes: number;
  /** Room for ROM images and other backed pages behind RAM. */
  readonly rom: number;
  readonly romBytes: number;
  readonly totalBytes: number;
}

const align = (n: number, to: number): number => Math.ceil(n / to) * to;
const RECORDS_BYTES = 8 << 20;

/** Lays the memory out. `ramBytes`, `romBytes`: multiples of 4096. */
export function layOut(vcpus: number, ramBytes: number, romBytes: number): MemoryLayout {
  const home = 0x1000;
  const tables = align(home + vcpus * HOME_SIZE, 0x1000);
  const records = align(tables + vcpus * TABLES_SIZE, 0x1000);
  const recordsEnd = records + RECORDS_BYTES;
  const codeBitmap = recordsEnd;
  const ram = align(codeBitmap + (ramBytes + romBytes) / 512, 0x10000);
  const rom = ram + ramBytes;
  return { vcpus, home, tables, records, recordsEnd, codeBitmap, ram, ramBytes, rom, romBytes, totalBytes: align(rom + romBytes, 0x10000) };
}

/** Addresses of vCPU `v`'s home block and tables. */
export const homeOf = (l: MemoryLayout, v: number): number => l.home + v * HOME_SIZE;
export function tablesOf(l: MemoryLayout, v: number) {
  const read = l.tables + v * TABLES_SIZE;
  return {
    read,
    write: read + FAST_SIZE,
    userRead: read + 2 * FAST_SIZE,
    userWrite: read + 3 * FAST_SIZE,
    jump: read + 4 * FAST_SIZE,
    tlb: read + 4 * FAST_SIZE + JUMP_SIZE,
    replace: read + 4 * FAST_SIZE + JUMP_SIZE + TLB_SIZE,
  };
}
