/**
 * Random valid instructions, by the opcode table of the silicon tests and a few more for the system. Operands are chosen so that most accesses hit
 * something that answers; `wild` is how often they are anything at all.
 */
import { rows, type Row } from '../silicon/opcodes.ts';
import type { Random } from '../silicon/random.ts';

/** What an instruction is written for. */
export interface Setting {
  readonly random: Random;
  /** Default operand and address size of the code. */
  readonly bits: 16 | 32;
  /** May 32-bit addresses reach beyond 64 KiB? */
  readonly flat: boolean;
  /** Addresses of RAM that loads and stores like best: first and size. */
  readonly data: { readonly at: number; readonly bytes: number };
  /** Offsets in CS of the slots that may be jumped to: first, number; 16 bytes each. */
  readonly slots: { readonly at: number; readonly count: number };
  /** Linear address of a pseudo-descriptor with the GDT, and with the IDT, in use. */
  readonly tables: { readonly gdt: number; readonly idt: number };
  /** Probability of doing what easily ends the machine. */
  readonly wild: number;
  /** May it touch chips and the local APIC? */
  readonly devices: boolean;
  /** Chips like bhyve's, which end the machine over an access that they do not know: only accesses that they know. */
  readonly strict: boolean;
}

/** The longest that an instruction with what comes before it may be. */
export const SLOT = 16;
const le = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const EDGES = [0, 1, 2, 0x1f, 0x20, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
/** Selectors that rom.ts has descriptors for, and others. */
const SELECTORS = [0x08, 0x10, 0x18, 0x20, 0x2b, 0x33, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60, 0x68, 0x70, 0x78, 0, 3, 0x80, 0xfff8, 4, 0x0c];
const LAPIC = 0xfee00000;
const IOAPIC = 0xfec00000;
/** Ports somebody answers on one model or the other, without those of no return. */
const PORTS = [
  0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71, 0x60, 0x80, 0x84, 0xb2, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc,
  0x3fd, 0x3fe, 0x3ff, 0x402, 0x408, 0x510, 0x511, 0x514, 0x518, 0xcf8, 0xcfc, 0xcfd, 0xcfe, 0xcff, 0xb008,
];
const FINAL_PORTS = [0x64, 0x92, 0xcf9, 0xf4, 0x400, 0x404, 0xb000, 0xb004];
const MSRS = [
  0x10, 0x1b, 0xfe, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x1a0, 0x200, 0x20f, 0x250, 0x268, 0x277, 0x2ff, 0x3a, 0x8b, 0xce, 0xc0000080,
  0xc0000103, 0x40000000, 0x6e0, 0x802, 0x830,
];

export const value = (random: Random): number => (random.chance(0.5) ? random.u32() : random.pick(EDGES));
const dataAddress = ({ random, data, wild, flat }: Setting): number => {
  if (random.chance(wild)) return flat ? random.u32() : random.below(0x10000);
  if (flat && random.chance(0.02))
    return (random.pick([data.at, data.at + data.bytes, 0x1000]) + 0x1000 * random.below(16) - random.below(8)) >>> 0;
  return data.at + random.below(data.bytes - 16);
};
const slotAt = ({ random, slots, wild }: Setting): number => {
  const at = slots.at + SLOT * random.below(slots.count);
  return random.chance(0.02 + wild) ? at + random.below(SLOT) : at;
};

/** mov r32, imm32, whatever the code's size. */
const load = (s: Setting, register: number, imm: number): number[] =>
  s.bits === 32 ? [0xb8 + register, ...le(imm, 4)] : [0x66, 0xb8 + register, ...le(imm, 4)];
const load16 = (s: Setting, register: number, imm: number): number[] =>
  s.bits === 16 ? [0xb8 + register, ...le(imm, 2)] : [0x66, 0xb8 + register, ...le(imm, 2)];

/** ModRM and what follows for a memory operand. Reads a register that was pointed somewhere good, or names the address outright. */
function memory(s: Setting, reg: number, size: 2 | 4, address = dataAddress(s)): { before: number[]; bytes: number[] } {
  const { random } = s;
  if (size === 2) {
    const target = address & 0xffff;
    if (random.chance(0.6)) return { before: [], bytes: [(reg << 3) | 6, ...le(target, 2)] };
    const rm = random.below(8);
    return {
      before: [],
      bytes: random.chance(s.wild) || rm > 5 ? [0x40 | (reg << 3) | rm, random.below(256)] : [0x80 | (reg << 3) | rm, ...le(target, 2)],
    };
  }
  const kind = random.below(10);
  if (kind < 5) return { before: [], bytes: [(reg << 3) | 5, ...le(address, 4)] };
  if (kind < 9) {
    const base = random.pick([0, 1, 2, 3, 5, 6, 7]);
    const displacement = random.below(256);
    return { before: load(s, base, address - ((displacement << 24) >> 24)), bytes: [0x40 | (reg << 3) | base, displacement] };
  }
  if (!random.chance(s.wild * 20)) return { before: [], bytes: [(reg << 3) | 4, 0x25, ...le(address, 4)] };
  return { before: [], bytes: [0x80 | (reg << 3) | 4, random.below(256), ...le(address, 4)] };
}

/** One row of the opcode table, encoded. */
function fromRow(s: Setting, row: Row): { bytes: number[]; size: 2 | 4 } {
  const { random, bits } = s;
  const { operands, options } = row;
  const small = random.chance(0.15);
  const size = (bits === 32) !== small ? 4 : 2;
  const hasModrm = row.digit !== undefined || operands.some((o) => /^[EGMS]/.test(o));
  const inMemory = hasModrm && (operands.some((o) => o.startsWith('M')) || (operands.some((o) => o.startsWith('E')) && random.chance(0.6)));
  const uses = inMemory || operands.some((o) => o.startsWith('O')) || options.addressed === true;
  const other = uses && random.chance(s.flat && bits === 32 ? 0.03 : 0.25);
  const addressSize = (bits === 32) !== other ? 4 : 2;
  const prefixes = [...(small ? [0x66] : []), ...(other ? [0x67] : [])];
  if (random.chance(0.03)) prefixes.push(random.pick(SEGMENT_PREFIXES));
  const rep = options.repeat !== undefined && random.chance(0.5);
  if (rep) prefixes.push(random.pick(options.repeat as number[]));
  if (options.lock === true && inMemory && random.chance(0.15)) prefixes.push(0xf0);
  const reg = row.digit ?? (operands.includes('Sw') ? random.pick([0, 2, 3, 4, 5, random.below(8)]) : random.below(8));
  const before: number[] = [];
  const body: number[] = [...row.opcode];
  if (operands.some((o) => o.startsWith('Z'))) body[body.length - 1] = (body.at(-1) as number) + random.below(8);
  if (inMemory) {
    const m = memory(s, reg, addressSize);
    before.push(...m.before);
    body.push(...m.bytes);
  } else if (hasModrm) {
    const rm = random.below(8);
    // A segment register is loaded with a selector that means something, most times.
    if (options.selectors === true && bits === 32 && random.chance(0.9)) before.push(...load16(s, rm, random.pick(SELECTORS)));
    body.push(0xc0 | (reg << 3) | rm);
  }
  if (rep && random.chance(0.99)) before.push(...load(s, 1, random.below(64)));
  for (const o of operands) {
    if (o.startsWith('O')) body.push(...le(dataAddress(s), addressSize));
    else if (o === '1') continue;
    else if (o.startsWith('I')) body.push(...le(value(random), o === 'Ib' ? 1 : o === 'Iw' ? 2 : size));
    else if (o.startsWith('A')) body.push(...le(slotAt(s), size), ...le(bits === 32 ? random.pick(SELECTORS) : 0, 2));
    else if (o.startsWith('J')) body.push(...le(0, o === 'Jb' ? 1 : size));
  }
  return { bytes: [...before, ...prefixes, ...body], size };
}

/** Sets the displacement of a relative branch, once it is known where the instruction ends. */
function aim(s: Setting, row: Row, { bytes, size }: { bytes: number[]; size: 2 | 4 }, slot: number): number[] {
  const { random, slots } = s;
  const kind = row.operands.find((o) => o.startsWith('J'));
  if (kind === undefined) return bytes;
  const end = slot + bytes.length;
  const at = slots.at;
  if (kind === 'Jb') {
    // Up to six slots ahead, now and then one or two back.
    const to = slot - ((slot - at) % SLOT) + SLOT * (random.chance(0.12) ? -random.below(3) : 1 + random.below(6));
    bytes[bytes.length - 1] = (Math.min(to, at + SLOT * (slots.count - 1)) - end) & 0xff;
    return bytes;
  }
  bytes.splice(bytes.length - size, size, ...le(slotAt(s) - end, size));
  return bytes;
}

/** Ports of a strict machine that take any byte. */
const STRICT_PORTS = [
  0x21, 0xa1, 0x61, 0x70, 0x71, 0x80, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0xcf8, 0xcfc, 0xcfd, 0xcfe, 0xcff,
];
const strictAccess = (s: Setting): number[] => [
  ...load16(s, 2, s.random.pick(STRICT_PORTS)),
  ...(s.random.chance(0.5) ? load(s, 0, value(s.random)) : []),
  s.random.pick([0xec, 0xee]),
];
const strictWork = (s: Setting): number[] => {
  const { random } = s;
  const out8 = (p: number, v: number): number[] => [0xb0, v & 0xff, 0xe6, p];
  switch (random.below(4)) {
    case 0:
      return [...out8(0x43, random.pick([0x30, 0x34, 0x36])), ...out8(0x40, random.below(3)), 0xe6, 0x40];
    case 1:
      return [...out8(0x70, random.pick([0x0a, 0x0b, 0x0c, random.below(128)])), ...out8(0x71, random.below(256))];
    case 2:
      return [
        ...load16(s, 2, 0xcf8),
        ...load(s, 0, (0x80000000 | (random.below(32) << 11) | (random.below(64) << 2)) >>> 0),
        ...(s.bits === 32 ? [] : [0x66]),
        0xef,
      ];
    default:
      return [...out8(0x20, 0x20), ...out8(0xa0, 0x20)];
  }
};

const port = (s: Setting): number =>
  s.random.chance(s.wild) ? s.random.pick([...FINAL_PORTS, s.random.below(0x10000)]) : s.random.pick(PORTS);
/** out dx, al and its kin, behind what sets dx. */
const portAccess = (s: Setting): number[] => {
  const { random } = s;
  if (s.strict && !random.chance(s.wild)) return strictAccess(s);
  const size = random.pick([0, 0, 0, 1, 2]);
  const prefix = size === 0 || (size === 2) === (s.bits === 32) ? [] : [0x66];
  const string = random.chance(0.1);
  const opcode = string ? random.pick([0x6c, 0x6e]) : random.pick([0xec, 0xee, 0xee]);
  const before = [...load16(s, 2, port(s))];
  if (string && random.chance(0.5)) return [...before, ...load16(s, 1, random.below(20)), ...prefix, 0xf3, opcode + (size ? 1 : 0)];
  if (random.chance(0.5)) before.push(...load(s, 0, value(random)));
  return [...before, ...prefix, opcode + (size ? 1 : 0)];
};
/** Ports with values that make a chip do something: timers at their fastest, configuration space, DMA. */
const deviceWork = (s: Setting): number[] => {
  const { random } = s;
  if (s.strict && !random.chance(s.wild)) return strictWork(s);
  const out8 = (p: number, v: number): number[] => [0xb0, v & 0xff, 0xe6, p];
  switch (random.below(8)) {
    case 0:
      return [...out8(0x43, random.below(256)), ...out8(0x40 + random.below(3), random.below(3)), 0xe6, 0x40];
    case 1:
      return [...out8(0x70, random.pick([0x0a, 0x0b, 0x0c, random.below(128)])), ...out8(0x71, random.below(256))];
    case 2:
      return [
        ...load16(s, 2, 0xcf8),
        ...load(s, 0, (0x80000000 | (random.below(4) << 11) | (random.below(4) << 8) | (random.below(64) << 2)) >>> 0),
        ...(s.bits === 32 ? [] : [0x66]),
        0xef,
      ];
    case 3:
      return [...load16(s, 2, 0xcfc + random.below(4)), ...load(s, 0, value(random)), random.pick([0xee, 0xef, 0xec, 0xed])];
    case 4:
      return [
        ...load16(s, 2, random.pick([0x514, 0x518])),
        ...load(s, 0, random.pick([0, 0x00010000, 0x00000100, 0xffff0000, value(random)])),
        ...(s.bits === 32 ? [] : [0x66]),
        0xef,
      ];
    case 5:
      return [
        ...out8(random.pick([0x20, 0xa0]), random.pick([0x11, 0x20, 0x0a, 0x0b, 0x68, 0x60, 0x80, random.below(256)])),
        ...out8(random.pick([0x21, 0xa1]), random.below(256)),
      ];
    case 6:
      return [...load16(s, 2, random.pick([0x4d0, 0x4d1])), 0xb0, random.below(256), 0xee];
    default:
      return [...out8(0x20, 0x20), ...out8(0xa0, 0x20)];
  }
};
/** A load or store to the local APIC or the I/O APIC, by an instruction that every VMM decodes; when wild, by any. */
const apic = (s: Setting): number[] => {
  const { random } = s;
  if (!s.flat) return [0x90];
  const register = random.chance(0.9)
    ? random.pick([
        0x20, 0x30, 0x80, 0xb0, 0xd0, 0xe0, 0xf0, 0x100, 0x200, 0x280, 0x300, 0x310, 0x320, 0x340, 0x350, 0x370, 0x380, 0x390, 0x3e0,
      ])
    : random.below(0x1000);
  const at = random.chance(0.75) ? LAPIC + register : IOAPIC + random.pick([0, 0x10, 0x10, 0x40, random.below(0x100)]);
  const prefix = s.bits === 32 ? [] : [0x66, 0x67];
  if (random.chance(s.wild))
    return [...prefix, random.pick([0x01, 0x29, 0x87, 0xff, 0x0b, 0x39]), ...memory(s, random.below(6), 4, at).bytes.slice(0, 6)];
  const imm = random.pick([
    0,
    0xff,
    0x1ff,
    0x10000,
    0x20030,
    0x30,
    0xb,
    1,
    2,
    0x4030,
    0x44030,
    0x84031,
    0xc0032,
    0x400,
    0x80400,
    value(random),
  ]);
  if (random.chance(0.5)) return [...prefix, 0xc7, 0x05, ...le(at, 4), ...le(safeIcr(s, register, imm), 4)];
  if (random.chance(0.5)) return [...prefix, 0x8b, (random.below(8) << 3) | 5, ...le(at, 4)];
  return [...load(s, 0, safeIcr(s, register, imm)), ...prefix, 0xa3, ...le(at, 4)];
};
/** INIT and STARTUP end the run of the code under test, and on an old host the machine: only when wild. */
const safeIcr = (s: Setting, register: number, imm: number): number =>
  register === 0x300 && ((imm >>> 8) & 7) > 4 && !s.random.chance(s.wild * 5) ? imm & ~0x700 : imm;

const system = (s: Setting): number[] => {
  const { random, bits } = s;
  const lgdt = (digit: number, at: number): number[] =>
    bits === 32 ? [0x0f, 0x01, (digit << 3) | 5, ...le(at, 4)] : [0x66, 0x67, 0x0f, 0x01, (digit << 3) | 5, ...le(at, 4)];
  switch (random.below(24)) {
    case 0:
      return [0x0f, 0xa2];
    case 1:
      return [0x0f, 0x31];
    case 2:
      return random.chance(s.wild * 10) ? [0xfa, 0xf4] : [0xfb, 0xf4]; // STI, HLT
    case 3:
      return [random.pick([0xfa, 0xfb])];
    case 4:
      return [0xcd, random.chance(0.1) ? random.below(256) : random.pick([0x03, 0x20, 0x30, 0x40, 0x80])];
    case 5:
      return [...load(s, 1, random.chance(0.9) ? random.pick(MSRS) : random.u32()), 0x0f, 0x32];
    case 6:
      // A WRMSR to APICBASE may take the local APIC away.
      return [
        ...load(s, 1, random.chance(s.wild) ? 0x1b : random.pick(MSRS.filter((m) => m !== 0x1b))),
        ...load(s, 0, value(random)),
        0x0f,
        0x30,
      ];
    case 7:
      return [0x0f, 0x20, 0xc0 | (random.pick([0, 2, 3, 4, random.below(8)]) << 3) | random.below(8)];
    case 8:
      return [0x0f, 0x21, 0xc0 | random.below(64)];
    case 9:
      return [0x0f, 0x23, 0xc0 | random.below(64)];
    case 10:
      return [0x0f, 0x22, 0xd0 | random.below(8)]; // CR2
    case 11:
      return [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8]; // CR3 to itself
    case 12:
      return [0x0f, 0x20, 0xe0, 0x34, random.pick([0x80, 0x04, 0x08]), 0x0f, 0x22, 0xe0]; // CR4: PGE, TSD, DE
    case 13:
      return random.chance(s.wild)
        ? [0x0f, 0x22, 0xc0 | (random.pick([0, 3, 4]) << 3) | random.below(8)]
        : [0x0f, 0x20, 0xc0, ...(bits === 32 ? [] : [0x66]), 0x35, ...le(0x10000, 4), 0x0f, 0x22, 0xc0]; // CR0: WP
    case 14:
      return [0x0f, 0x01, 0x38 | (bits === 32 ? 5 : 6), ...le(dataAddress(s), bits / 8)]; // INVLPG
    case 15:
      return random.chance(s.wild) ? lgdt(random.pick([2, 3]), dataAddress(s)) : lgdt(2, s.tables.gdt);
    case 16:
      return lgdt(3, s.tables.idt);
    case 17:
      return [0x0f, 0x01, (random.pick([0, 1, 4]) << 3) | (bits === 32 ? 5 : 6), ...le(dataAddress(s), bits / 8)]; // SGDT, SIDT, SMSW
    case 18:
      return [...load16(s, 0, random.pick(SELECTORS)), 0x0f, 0x00, 0xc0 | (random.below(6) << 3)]; // SLDT … VERW
    case 19:
      return [...(bits === 32 ? [0x68, ...le(value(random) & 0x244ed7, 4)] : [0x68, ...le(value(random) & 0x4fd7, 2)]), 0x9d]; // POPF
    case 20:
      return [0x0f, random.pick([0x06, 0x08, 0x09, 0x0b, 0x30])];
    case 21:
      return [0xf3, 0x90];
    case 22:
      return random.chance(s.wild) ? [...load(s, 1, random.u32()), 0xf3, random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xae])] : [0xfc];
    default:
      return [0xd9, random.pick([0xd0, 0xe8, 0xc0])]; // x87: nobody defines it here
  }
};
/** Pointers to data in the string registers. */
const pointers = (s: Setting): number[] => [...load(s, 6, dataAddress(s)), ...load(s, 7, dataAddress(s))];
/** A far return or IRET with what it needs on the stack. */
const farReturn = (s: Setting): number[] => {
  const { random, bits } = s;
  const selector = bits === 16 ? 0 : random.pick([0x08, 0x08, 0x2b, 0x18, 0x48, 0x50, random.pick(SELECTORS)]);
  const target = slotAt(s);
  const push = (n: number): number[] => (n === 0 ? [0x6a, 0] : [0x68, ...le(n, bits / 8)]);
  if (random.chance(0.5)) return [0x9c, 0x6a, selector & 0x7f, ...push(target), 0xcf];
  return [0x6a, selector & 0x7f, ...push(target), 0xcb];
};
/** A store into the code itself. */
const selfModifying = (s: Setting): number[] => {
  const { random, bits } = s;
  const at = slotAt(s) + random.below(SLOT);
  // Mostly bytes that are instructions by themselves.
  const imm = random.chance(0.8) ? random.pick([0x90, 0x40, 0x4a, 0xf8, 0xf9, 0x98, 0x27, 0xfc]) : random.below(256);
  return [0x2e, 0xc6, bits === 32 ? 5 : 6, ...le(at, bits / 8), imm].slice(bits === 32 ? 1 : 0);
};

const plain = rows.filter((r) => r.options.branch !== true && r.options.selectors !== true);
const branches = rows.filter((r) => r.options.branch === true);
const selectors = rows.filter((r) => r.options.selectors === true);

/** So many bytes that do nothing, in one or two instructions. */
function padding(n: number, bits: 16 | 32): number[] {
  const longest = bits === 32 ? 7 : 4;
  if (n > longest) return [...padding(longest, bits), ...padding(n - longest, bits)];
  if (n < 3) return [[], [0x90], [0x66, 0x90]][n] as number[];
  // NOP with a memory operand that is as long as it takes.
  return bits === 32 && n >= 7
    ? [0x0f, 0x1f, 0x80, ...le(0, 4)]
    : n === 3
      ? [0x0f, 0x1f, 0x00]
      : n === 4
        ? [0x0f, 0x1f, 0x40, 0]
        : [0x0f, 0x1f, 0x40, 0, ...padding(n - 4, bits)];
}

/** One slot: an instruction with what comes before it, padded with NOPs to SLOT bytes. `slot`: its offset in CS. */
export function instruction(s: Setting, slot: number): number[] {
  for (;;) {
    const bytes = choose(s, slot);
    if (bytes.length > SLOT) continue;
    return [...bytes, ...padding(SLOT - bytes.length, s.bits)];
  }
}
function choose(s: Setting, slot: number): number[] {
  const { random } = s;
  const kind = random.below(1000);
  if (kind < 640) return fromRow(s, random.pick(plain)).bytes;
  if (kind < 740) {
    const row = random.pick(branches);
    return aim(s, row, fromRow(s, row), slot);
  }
  if (kind < 770) return fromRow(s, random.pick(selectors)).bytes;
  if (kind < 800) return pointers(s);
  if (kind < 820) return load(s, 4, s.data.at + (s.flat ? 0x7000 : 0x700));
  if (kind < 835) return farReturn(s);
  if (kind < 845) return selfModifying(s);
  if (kind < 895 || !s.devices) return system(s);
  if (kind < 915) return portAccess(s);
  if (kind < 925) return deviceWork(s);
  if (kind < 960) return apic(s);
  return [...load(s, random.pick([0, 1, 2, 3, 5, 6, 7]), value(random))];
}
