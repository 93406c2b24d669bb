/**
 * EFLAGS, control and debug registers as bit fields, from the highest bit down, without gaps; names as the manual has them.
 * Intel SDM vol. 1, "EFLAGS Register"; vol. 3, "Control Registers", "Debug Registers", "Memory Type Range Registers".
 */
import type { ApicField } from './apic.ts';

const f = (high: number, low: number, name: string, words?: readonly string[]): ApicField =>
  words ? { high, low, name, words } : { high, low, name };
/** One bit. */
const b = (n: number, name: string, words?: readonly string[]): ApicField => f(n, n, name, words);

export const EFLAGS_FIELDS: readonly ApicField[] = [
  f(31, 22, ''),
  b(21, 'ID'),
  b(20, 'VIP'),
  b(19, 'VIF'),
  b(18, 'AC'),
  b(17, 'VM'),
  b(16, 'RF'),
  b(15, ''),
  b(14, 'NT'),
  f(13, 12, 'IOPL'),
  b(11, 'OF'),
  b(10, 'DF'),
  b(9, 'IF'),
  b(8, 'TF'),
  b(7, 'SF'),
  b(6, 'ZF'),
  b(5, ''),
  b(4, 'AF'),
  b(3, ''),
  b(2, 'PF'),
  b(1, ''),
  b(0, 'CF'),
];

/** What a flag, or a bit of a control register, is for. */
export const SYSTEM_BIT_TITLES: Readonly<Record<string, string>> = {
  ID: 'CPUID is there',
  VIP: 'virtual interrupt pending',
  VIF: 'virtual interrupt flag',
  AC: 'alignment check',
  VM: 'virtual-8086 mode',
  RF: 'resume',
  NT: 'nested task',
  IOPL: 'I/O privilege level',
  OF: 'overflow',
  DF: 'direction',
  IF: 'interrupts enabled',
  TF: 'trap',
  SF: 'sign',
  ZF: 'zero',
  AF: 'auxiliary carry',
  PF: 'parity',
  CF: 'carry',
  PG: 'paging',
  CD: 'cache disabled',
  NW: 'not write-through',
  AM: 'alignment mask',
  WP: 'write protect',
  NE: 'numeric error',
  ET: 'extension type',
  TS: 'task switched',
  EM: 'emulation of the x87',
  MP: 'monitor coprocessor',
  PE: 'protection enabled',
  PCE: 'RDPMC at every CPL',
  PGE: 'global pages',
  MCE: 'machine check',
  PAE: 'physical address extension',
  PSE: 'page size extensions',
  DE: 'debugging extensions',
  TSD: 'RDTSC at CPL 0 only',
  PVI: 'protected-mode virtual interrupts',
  VME: 'virtual-8086 extensions',
  PWT: 'page-level write-through',
  PCD: 'page-level cache disabled',
};

export const CR0_FIELDS: readonly ApicField[] = [
  b(31, 'PG'),
  b(30, 'CD'),
  b(29, 'NW'),
  f(28, 19, ''),
  b(18, 'AM'),
  b(17, ''),
  b(16, 'WP'),
  f(15, 6, ''),
  b(5, 'NE'),
  b(4, 'ET'),
  b(3, 'TS'),
  b(2, 'EM'),
  b(1, 'MP'),
  b(0, 'PE'),
];

export const CR3_FIELDS: readonly ApicField[] = [f(31, 12, 'page directory'), f(11, 5, ''), b(4, 'PCD'), b(3, 'PWT'), f(2, 0, '')];

export const CR4_FIELDS: readonly ApicField[] = [
  f(31, 9, ''),
  b(8, 'PCE'),
  b(7, 'PGE'),
  b(6, 'MCE'),
  b(5, 'PAE'),
  b(4, 'PSE'),
  b(3, 'DE'),
  b(2, 'TSD'),
  b(1, 'PVI'),
  b(0, 'VME'),
];

export const DR6_FIELDS: readonly ApicField[] = [
  f(31, 16, ''),
  b(15, 'BT'),
  b(14, 'BS'),
  b(13, 'BD'),
  f(12, 4, ''),
  b(3, 'B3'),
  b(2, 'B2'),
  b(1, 'B1'),
  b(0, 'B0'),
];

const KIND = ['execution', 'writes', 'port accesses', 'reads and writes'];
const LENGTH = ['1 byte', '2 bytes', '8 bytes', '4 bytes'];
export const DR7_FIELDS: readonly ApicField[] = [
  ...[3, 2, 1, 0].flatMap((n) => [f(19 + 4 * n, 18 + 4 * n, `LEN${n}`, LENGTH), f(17 + 4 * n, 16 + 4 * n, `R/W${n}`, KIND)]),
  f(15, 14, ''),
  b(13, 'GD'),
  f(12, 10, ''),
  b(9, 'GE'),
  b(8, 'LE'),
  ...[3, 2, 1, 0].flatMap((n) => [b(2 * n + 1, `G${n}`), b(2 * n, `L${n}`)]),
];

export const APICBASE_FIELDS: readonly ApicField[] = [
  f(31, 12, 'base'),
  b(11, 'EN', ['off', 'on']),
  b(10, 'EXTD', ['xAPIC', 'x2APIC']),
  b(9, ''),
  b(8, 'BSP', ['no', 'yes']),
  f(7, 0, ''),
];

const MEMORY_TYPES = ['UC', 'WC', 'reserved', 'reserved', 'WT', 'WP', 'WB', ...Array<string>(249).fill('reserved')];
export const MTRR_DEF_TYPE_FIELDS: readonly ApicField[] = [
  f(31, 12, ''),
  b(11, 'enable', ['off', 'on']),
  b(10, 'fixed ranges', ['off', 'on']),
  f(9, 8, ''),
  f(7, 0, 'type', MEMORY_TYPES),
];
