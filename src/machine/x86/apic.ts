/**
 * The local APIC as the manual defines it: register map, bit fields, reset-independent constants.
 *
 * Intel SDM vol. 3, "Local APIC": "The Local APIC Block Diagram" (register map), "Local Vector Table", "Error Handling", "APIC Timer",
 * "Task and Processor Priorities". Which bits a particular VMM stores is its profile's business, not this file's.
 */
import { field, hex } from '../base/bits.ts';

/** Where the registers lie in guest-physical memory until they are relocated, and how long the window is. */
export const APIC_BASE_ADDRESS = 0xfee00000;
export const APIC_PAGE_SIZE = 0x1000;

/** IA32_APIC_BASE. */
export const MSR_APICBASE = 0x1b;
export const APICBASE = { BSP: 1 << 8, EXTD: 1 << 10, EN: 1 << 11, ADDRESS: 0xfffff000 } as const;

/** The x2APIC MSR that mirrors the register at `offset`: 800h + offset / 16. */
export const x2apicMsr = (offset: number): number => 0x800 + (offset >>> 4);

/** Register offsets in the page, in manual order. */
export const Apic = {
  ID: 0x020,
  VERSION: 0x030,
  TPR: 0x080,
  APR: 0x090,
  PPR: 0x0a0,
  EOI: 0x0b0,
  RRD: 0x0c0,
  LDR: 0x0d0,
  DFR: 0x0e0,
  SVR: 0x0f0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  LVT_CMCI: 0x2f0,
  ICR_LO: 0x300,
  ICR_HI: 0x310,
  LVT_TIMER: 0x320,
  LVT_THERMAL: 0x330,
  LVT_PERF: 0x340,
  LVT_LINT0: 0x350,
  LVT_LINT1: 0x360,
  LVT_ERROR: 0x370,
  TICR: 0x380,
  TCCR: 0x390,
  TDCR: 0x3e0,
  SELF_IPI: 0x3f0,
} as const;

export const SVR_ENABLE = 1 << 8;

/** Error Status Register bits ("Error Handling"). */
export const Esr = {
  SEND_CHECKSUM: 0x01,
  RECEIVE_CHECKSUM: 0x02,
  SEND_ACCEPT: 0x04,
  RECEIVE_ACCEPT: 0x08,
  REDIRECTABLE_IPI: 0x10,
  SEND_ILLEGAL_VECTOR: 0x20,
  RECEIVE_ILLEGAL_VECTOR: 0x40,
  ILLEGAL_REGISTER: 0x80,
} as const;

/** Local vector table bits ("Local Vector Table"). */
export const Lvt = {
  VECTOR: 0xff,
  DELIVERY_MODE: 7 << 8,
  DELIVERY_STATUS: 1 << 12,
  POLARITY: 1 << 13,
  REMOTE_IRR: 1 << 14,
  LEVEL: 1 << 15,
  MASKED: 1 << 16,
  PERIODIC: 1 << 17,
  TSC_DEADLINE: 1 << 18,
} as const;

/** Delivery modes, of the ICR, the LVTs and the I/O APIC alike. */
export const DeliveryMode = { FIXED: 0, LOWEST_PRIORITY: 1, SMI: 2, RESERVED_3: 3, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;
export type DeliveryMode = (typeof DeliveryMode)[keyof typeof DeliveryMode];

/** The highest vector that may not be sent or received by an APIC is 15: "Valid Interrupt Vectors". */
export const FIRST_LEGAL_VECTOR = 16;

/** DFR 31:28: the model of logical destinations. Every other value is undefined. */
export const DfrModel = { CLUSTER: 0x0, FLAT: 0xf } as const;

/** log2 of the timer's divisor (0..7) for a divide configuration register: bits 3, 1 and 0 count ("Divide Configuration Register"). */
export const timerShift = (tdcr: number): number => ((tdcr & 3) + ((tdcr >>> 1) & 4) + 1) & 7;

/** One bit field of a register. */
export interface ApicField {
  readonly high: number;
  readonly low: number;
  /** '' : reserved. */
  readonly name: string;
  /** The field's value in words; absent: shown as hexadecimal. */
  readonly words?: readonly string[];
}

export interface ApicRegister {
  readonly offset: number;
  readonly name: string;
  readonly title: string;
  readonly access: 'rw' | 'ro' | 'wo';
  /** From the highest bit down, without gaps. */
  readonly fields: readonly ApicField[];
}

const f = (high: number, low: number, name: string, words?: readonly string[]): ApicField =>
  words ? { high, low, name, words } : { high, low, name };

const MODES = ['FIXED', 'LOWPRIO', 'SMI', 'reserved', 'NMI', 'INIT', 'STARTUP', 'reserved'];
const LVT_MODES = ['FIXED', 'reserved', 'SMI', 'reserved', 'NMI', 'INIT', 'reserved', 'ExtINT'];
const STATUS = f(12, 12, 'delivery status', ['idle', 'pending']);
const MASK = f(16, 16, 'mask', ['open', 'masked']);
const VECTOR = f(7, 0, 'vector');
const PRIORITY = [f(31, 8, ''), f(7, 4, 'class'), f(3, 0, 'sub-class')];
const LVT_FIELDS = [f(31, 17, ''), MASK, f(15, 13, ''), STATUS, f(11, 11, ''), f(10, 8, 'delivery mode', LVT_MODES), VECTOR];
const LINT_FIELDS = [
  f(31, 17, ''),
  MASK,
  f(15, 15, 'trigger', ['edge', 'level']),
  f(14, 14, 'remote IRR'),
  f(13, 13, 'polarity', ['high', 'low']),
  STATUS,
  f(11, 11, ''),
  f(10, 8, 'delivery mode', LVT_MODES),
  VECTOR,
];

/** The ICR's low word. The reserved pieces are rows of their own, as they are drawn. */
export const ICR_LO_FIELDS: readonly ApicField[] = [
  f(31, 20, ''),
  f(19, 18, 'destination shorthand', ['none', 'self', 'all including self', 'all excluding self']),
  f(17, 16, ''),
  f(15, 15, 'trigger', ['edge', 'level']),
  f(14, 14, 'level', ['de-assert', 'assert']),
  f(13, 13, ''),
  STATUS,
  f(11, 11, 'destination mode', ['physical', 'logical']),
  f(10, 8, 'delivery mode', MODES),
  VECTOR,
];

const eight = (offset: number, name: string, title: string): ApicRegister[] =>
  Array.from({ length: 8 }, (_, i) => ({
    offset: offset + 16 * i,
    name: `${name}${i}`,
    title: `${title}, vectors ${hex(32 * i, 2)}-${hex(32 * i + 31, 2)}`,
    access: 'ro',
    fields: [f(31, 0, 'vectors')],
  }));

/** All registers, by offset. */
export const APIC_REGISTERS: readonly ApicRegister[] = [
  { offset: Apic.ID, name: 'ID', title: 'Local APIC ID', access: 'rw', fields: [f(31, 24, 'APIC ID'), f(23, 0, '')] },
  {
    offset: Apic.VERSION,
    name: 'VERSION',
    title: 'Local APIC version',
    access: 'ro',
    fields: [f(31, 25, ''), f(24, 24, 'EOI-broadcast suppression', ['no', 'yes']), f(23, 16, 'max LVT'), f(15, 8, ''), f(7, 0, 'version')],
  },
  { offset: Apic.TPR, name: 'TPR', title: 'Task priority', access: 'rw', fields: PRIORITY },
  { offset: Apic.APR, name: 'APR', title: 'Arbitration priority', access: 'ro', fields: PRIORITY },
  { offset: Apic.PPR, name: 'PPR', title: 'Processor priority', access: 'ro', fields: PRIORITY },
  {
    offset: Apic.EOI,
    name: 'EOI',
    title: 'End of interrupt',
    access: 'wo',
    fields: [f(31, 0, 'any write ends the highest vector in service')],
  },
  { offset: Apic.RRD, name: 'RRD', title: 'Remote read', access: 'ro', fields: [f(31, 0, 'data')] },
  { offset: Apic.LDR, name: 'LDR', title: 'Logical destination', access: 'rw', fields: [f(31, 24, 'logical ID'), f(23, 0, '')] },
  {
    offset: Apic.DFR,
    name: 'DFR',
    title: 'Destination format',
    access: 'rw',
    fields: [f(31, 28, 'model', ['cluster', ...Array<string>(14).fill('undefined'), 'flat']), f(27, 0, '')],
  },
  {
    offset: Apic.SVR,
    name: 'SVR',
    title: 'Spurious-interrupt vector',
    access: 'rw',
    fields: [
      f(31, 13, ''),
      f(12, 12, 'EOI-broadcast suppression', ['off', 'on']),
      f(11, 10, ''),
      f(9, 9, 'focus checking', ['on', 'off']),
      f(8, 8, 'software enable', ['off', 'on']),
      f(7, 0, 'spurious vector'),
    ],
  },
  ...eight(Apic.ISR, 'ISR', 'In service'),
  ...eight(Apic.TMR, 'TMR', 'Trigger mode'),
  ...eight(Apic.IRR, 'IRR', 'Interrupt request'),
  {
    offset: Apic.ESR,
    name: 'ESR',
    title: 'Error status',
    access: 'rw',
    fields: [
      f(31, 8, ''),
      f(7, 7, 'illegal register'),
      f(6, 6, 'received illegal vector'),
      f(5, 5, 'sent illegal vector'),
      f(4, 4, 'redirectable IPI'),
      f(3, 3, 'receive accept'),
      f(2, 2, 'send accept'),
      f(1, 1, 'receive checksum'),
      f(0, 0, 'send checksum'),
    ],
  },
  { offset: Apic.LVT_CMCI, name: 'LVT_CMCI', title: 'LVT corrected machine check', access: 'rw', fields: LVT_FIELDS },
  { offset: Apic.ICR_LO, name: 'ICR_LO', title: 'Interrupt command, low', access: 'rw', fields: ICR_LO_FIELDS },
  { offset: Apic.ICR_HI, name: 'ICR_HI', title: 'Interrupt command, high', access: 'rw', fields: [f(31, 24, 'destination'), f(23, 0, '')] },
  {
    offset: Apic.LVT_TIMER,
    name: 'LVT_TIMER',
    title: 'LVT timer',
    access: 'rw',
    fields: [
      f(31, 19, ''),
      f(18, 17, 'mode', ['one-shot', 'periodic', 'TSC-deadline', 'reserved']),
      MASK,
      f(15, 13, ''),
      STATUS,
      f(11, 8, ''),
      VECTOR,
    ],
  },
  { offset: Apic.LVT_THERMAL, name: 'LVT_THERMAL', title: 'LVT thermal sensor', access: 'rw', fields: LVT_FIELDS },
  { offset: Apic.LVT_PERF, name: 'LVT_PERF', title: 'LVT performance counters', access: 'rw', fields: LVT_FIELDS },
  { offset: Apic.LVT_LINT0, name: 'LINT0', title: 'LVT LINT0', access: 'rw', fields: LINT_FIELDS },
  { offset: Apic.LVT_LINT1, name: 'LINT1', title: 'LVT LINT1', access: 'rw', fields: LINT_FIELDS },
  {
    offset: Apic.LVT_ERROR,
    name: 'LVT_ERROR',
    title: 'LVT error',
    access: 'rw',
    fields: [f(31, 17, ''), MASK, f(15, 13, ''), STATUS, f(11, 8, ''), VECTOR],
  },
  { offset: Apic.TICR, name: 'TICR', title: 'Timer initial count', access: 'rw', fields: [f(31, 0, 'initial count')] },
  { offset: Apic.TCCR, name: 'TCCR', title: 'Timer current count', access: 'ro', fields: [f(31, 0, 'current count')] },
  {
    offset: Apic.TDCR,
    name: 'TDCR',
    title: 'Timer divide configuration',
    access: 'rw',
    fields: [f(31, 4, ''), f(3, 3, 'divide, bit 2'), f(2, 2, ''), f(1, 0, 'divide, bits 1:0')],
  },
  { offset: Apic.SELF_IPI, name: 'SELF_IPI', title: 'Self IPI (x2APIC only)', access: 'wo', fields: [f(31, 8, ''), VECTOR] },
];

const byOffset = new Map(APIC_REGISTERS.map((r) => [r.offset, r]));
const byName = new Map(APIC_REGISTERS.map((r) => [r.name.toLowerCase(), r]));

/** The register at `offset` (a multiple of 16 below 400h), or undefined where the map has a hole. */
export const apicRegisterAt = (offset: number): ApicRegister | undefined => byOffset.get(offset);

/** The register of that name, in any case (`icr_lo`, `ISR3`). */
export const apicRegisterNamed = (name: string): ApicRegister | undefined => byName.get(name.toLowerCase());

/** One decoded field of a register's value. */
export interface DecodedField {
  /** `19:18`, or `12` for one bit. */
  readonly bits: string;
  /** '' : reserved. */
  readonly name: string;
  /** The field's value, moved down to bit 0. */
  readonly value: number;
  /** As many binary digits as the field has bits. */
  readonly binary: string;
  /** The value in words; hexadecimal where the manual gives it no name; `–` for a reserved field that is 0. */
  readonly text: string;
}

/** A register's value, taken apart, from the highest bit down. `value` is u32. */
export function decodeFields(fields: readonly ApicField[], value: number): DecodedField[] {
  return fields.map(({ high, low, name, words }) => {
    const v = field(value, high, low) >>> 0;
    const width = high - low + 1;
    const text = name === '' && v === 0 ? '–' : (words?.[v] ?? hex(v, Math.ceil(width / 4)));
    return { bits: high === low ? `${high}` : `${high}:${low}`, name, value: v, binary: v.toString(2).padStart(width, '0'), text };
  });
}
