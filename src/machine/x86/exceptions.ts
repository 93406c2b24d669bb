/** The processor's own exceptions. Intel SDM vol. 3, "Exception and Interrupt Reference". */
import { hex } from '../base/bits.ts';

/** Mnemonic by vector, without the #; '' where the manual has none. Vector 2 is the NMI. */
const MNEMONICS = [
  'DE', 'DB', 'NMI', 'BP', 'OF', 'BR', 'UD', 'NM', 'DF', '', 'TS', 'NP', 'SS', 'GP', 'PF', '', 'MF', 'AC', 'MC', 'XM', 'VE', 'CP',
] as const; // biome-ignore format: read as one row

const NAMES: Readonly<Record<string, string>> = {
  DE: 'divide error',
  DB: 'debug',
  BP: 'breakpoint',
  OF: 'overflow',
  BR: 'BOUND range exceeded',
  UD: 'invalid opcode',
  NM: 'device not available',
  DF: 'double fault',
  TS: 'invalid TSS',
  NP: 'segment not present',
  SS: 'stack-segment fault',
  GP: 'general protection',
  PF: 'page fault',
  MF: 'x87 floating-point error',
  AC: 'alignment check',
  MC: 'machine check',
  XM: 'SIMD floating-point exception',
  VE: 'virtualization exception',
  CP: 'control protection',
};

/** Vectors whose exceptions push an error code. */
const WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17, 21]);

/** Vector of a mnemonic in any case, with or without #; undefined for a name that is none. */
export function exceptionNamed(name: string): number | undefined {
  const wanted = name.replace(/^#/, '').toUpperCase();
  const vector = wanted === '' ? -1 : MNEMONICS.indexOf(wanted as never);
  return vector < 0 ? undefined : vector;
}

/** Mnemonics of all exceptions and the NMI, without #, in the order of their vectors. */
export const EXCEPTION_MNEMONICS: readonly string[] = MNEMONICS.filter((name) => name !== '');

/** `#GP`, `NMI`; for a vector that has no name `vector 0F`. */
export function exceptionMnemonic(vector: number): string {
  const name = MNEMONICS[vector] ?? '';
  return name === '' ? `vector ${hex(vector, 2)}` : name === 'NMI' ? name : `#${name}`;
}

/** `general protection`; '' for a vector that has no name. */
export const exceptionWords = (vector: number): string => NAMES[MNEMONICS[vector] ?? ''] ?? '';

export const pushesErrorCode = (vector: number): boolean => WITH_ERROR_CODE.has(vector);

const TABLES = ['GDT', 'IDT', 'LDT', 'IDT'] as const;

/** What an error code says: `selector 0010 in the GDT`, `a write to a page that is not present, at CPL 3`, `0`. SDM vol. 3, "Error Code". */
export function errorCodeWords(vector: number, errorCode: number): string {
  if (vector === 14) {
    const kind = errorCode & 0x10 ? 'an instruction fetch from' : errorCode & 2 ? 'a write to' : 'a read of';
    const page = errorCode & 8 ? 'a page with a reserved bit set' : errorCode & 1 ? 'a page that forbids it' : 'a page that is not present';
    return `${kind} ${page}, ${errorCode & 4 ? 'at CPL 3' : 'by the supervisor'}`;
  }
  if (errorCode === 0) return '0';
  const external = errorCode & 1 ? ', while an external event was delivered' : '';
  const table = TABLES[(errorCode >>> 1) & 3];
  return table === 'IDT'
    ? `vector ${hex((errorCode >>> 3) & 0xff, 2)} of the IDT${external}`
    : `selector ${hex(errorCode & 0xfff8, 4)} in the ${table}${external}`;
}
