/**
 * The I/O APIC as its data sheet defines it: registers and bit fields. Intel "82093AA I/O Advanced Programmable Interrupt Controller (IOAPIC)",
 * "Register Description". What a particular VMM stores of it is its profile's business.
 */
import type { ApicField } from './apic.ts';

/** Where the registers lie in guest-physical memory, and how long the window is. */
export const IOAPIC_BASE_ADDRESS = 0xfec00000;
export const IOAPIC_PAGE_SIZE = 0x1000;

/** What can be accessed directly: offsets in the page. */
export const Ioapic = {
  /** The index: which register IOWIN is. */
  IOREGSEL: 0x00,
  /** The data of the register that IOREGSEL names. */
  IOWIN: 0x10,
  /** Versions from 20h on: the vector that has ended. */
  EOI: 0x40,
} as const;

/** Indexes that IOREGSEL takes. A redirection entry has two: its low half, and its high one after it. */
export const IoapicIndex = { ID: 0x00, VER: 0x01, ARB: 0x02, REDTBL: 0x10 } as const;

/** The entries that the index space has room for; how many there are, the version register says (bits 23:16, less one). */
export const IOAPIC_MAX_ENTRIES = 120;

export interface IoapicRegister {
  readonly name: 'ID' | 'VER' | 'ARB' | 'REDTBL' | 'IOREGSEL' | 'IOWIN' | 'EOI';
  readonly title: string;
  readonly access: 'rw' | 'ro' | 'wo';
  /** The index of an indirect register (REDTBL: of the first entry's low half); undefined: it is at `offset` itself. */
  readonly index: number | undefined;
  readonly offset: number;
  /** From the highest bit down, without gaps. REDTBL: of the low half. */
  readonly fields: readonly ApicField[];
  /** REDTBL: of the high half. */
  readonly highFields?: readonly ApicField[];
}

const f = (high: number, low: number, name: string, words?: readonly string[]): ApicField =>
  words ? { high, low, name, words } : { high, low, name };

/** The low half of a redirection entry. */
export const REDIRECTION_LOW_FIELDS: readonly ApicField[] = [
  f(31, 17, ''),
  f(16, 16, 'mask', ['open', 'masked']),
  f(15, 15, 'trigger', ['edge', 'level']),
  f(14, 14, 'remote IRR'),
  f(13, 13, 'polarity', ['high', 'low']),
  f(12, 12, 'delivery status', ['idle', 'pending']),
  f(11, 11, 'destination mode', ['physical', 'logical']),
  f(10, 8, 'delivery mode', ['FIXED', 'LOWPRIO', 'SMI', 'reserved', 'NMI', 'INIT', 'reserved', 'ExtINT']),
  f(7, 0, 'vector'),
];

/** The high half of a redirection entry. */
export const REDIRECTION_HIGH_FIELDS: readonly ApicField[] = [f(31, 24, 'destination'), f(23, 0, '')];

/** All registers: those that are accessed directly last. */
export const IOAPIC_REGISTERS: readonly IoapicRegister[] = [
  {
    name: 'ID',
    title: 'I/O APIC ID',
    access: 'rw',
    index: IoapicIndex.ID,
    offset: Ioapic.IOWIN,
    fields: [f(31, 24, 'APIC ID'), f(23, 0, '')],
  },
  {
    name: 'VER',
    title: 'Version',
    access: 'ro',
    index: IoapicIndex.VER,
    offset: Ioapic.IOWIN,
    fields: [f(31, 24, ''), f(23, 16, 'max entry'), f(15, 8, ''), f(7, 0, 'version')],
  },
  {
    name: 'ARB',
    title: 'Arbitration ID',
    access: 'ro',
    index: IoapicIndex.ARB,
    offset: Ioapic.IOWIN,
    fields: [f(31, 28, ''), f(27, 24, 'arbitration ID'), f(23, 0, '')],
  },
  {
    name: 'REDTBL',
    title: 'Redirection entry',
    access: 'rw',
    index: IoapicIndex.REDTBL,
    offset: Ioapic.IOWIN,
    fields: REDIRECTION_LOW_FIELDS,
    highFields: REDIRECTION_HIGH_FIELDS,
  },
  {
    name: 'IOREGSEL',
    title: 'Index',
    access: 'rw',
    index: undefined,
    offset: Ioapic.IOREGSEL,
    fields: [f(31, 8, ''), f(7, 0, 'index')],
  },
  { name: 'IOWIN', title: 'Data', access: 'rw', index: undefined, offset: Ioapic.IOWIN, fields: [f(31, 0, 'data')] },
  { name: 'EOI', title: 'End of interrupt', access: 'wo', index: undefined, offset: Ioapic.EOI, fields: [f(31, 8, ''), f(7, 0, 'vector')] },
];

const byName = new Map(IOAPIC_REGISTERS.map((r) => [r.name.toLowerCase(), r]));

/** The register of that name, in any case, with or without IOAPIC or IO before it (`REDTBL`, `IOREDTBL`, `IOAPICID`). */
export const ioapicRegisterNamed = (name: string): IoapicRegister | undefined => {
  const word = name.toLowerCase();
  return byName.get(word) ?? byName.get(word.replace(/^io(?:apic)?/, ''));
};
