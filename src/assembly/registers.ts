/** The register names of the source language. */
import type { RegisterClass } from '../machine/isa/encoding-index.ts';

export interface Register {
  readonly name: string;
  readonly class: RegisterClass;
  readonly number: number;
  /** Width in bits, or 0 where it does not matter to operand sizes. */
  readonly bits: number;
}

const NAMES: readonly (readonly [RegisterClass, number, string])[] = [
  ['r8', 8, 'al cl dl bl ah ch dh bh'],
  ['r16', 16, 'ax cx dx bx sp bp si di'],
  ['r32', 32, 'eax ecx edx ebx esp ebp esi edi'],
  ['sreg', 16, 'es cs ss ds fs gs'],
  ['cr', 0, 'cr0 cr1 cr2 cr3 cr4 cr5 cr6 cr7'],
  ['dr', 0, 'dr0 dr1 dr2 dr3 dr4 dr5 dr6 dr7'],
  ['tr', 0, 'tr0 tr1 tr2 tr3 tr4 tr5 tr6 tr7'],
  ['mm', 64, 'mm0 mm1 mm2 mm3 mm4 mm5 mm6 mm7'],
  ['xmm', 128, 'xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7'],
  ['st', 80, 'st0 st1 st2 st3 st4 st5 st6 st7'],
];

/** Registers by lower-case name. */
export const REGISTERS: ReadonlyMap<string, Register> = new Map(
  NAMES.flatMap(([cls, bits, names]) => names.split(' ').map((name, number) => [name, { name, class: cls, number, bits }] as const)),
);

/** Registers that only 64-bit code has: named in an error instead of being taken for a symbol. */
export const isLongModeRegister = (name: string): boolean =>
  /^(r(ax|bx|cx|dx|si|di|bp|sp|ip)|r([89]|1[0-5])[bwd]?|[sd]il|[sb]pl|[xy]mm([89]|1[0-5])|ymm[0-7]|zmm\d+)$/.test(name);
