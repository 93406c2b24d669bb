/** Opcodes that illumos's instruction emulator decodes for MMIO, by era. Anything else against a device ends the guest. */
import type { VieOpcode } from './profile.ts';

const one = (opcode: number, operation: VieOpcode['operation'], mnemonic: string, digits?: readonly number[]): VieOpcode =>
  digits ? { map: 'one', opcode, operation, mnemonic, digits } : { map: 'one', opcode, operation, mnemonic };
const two = (opcode: number, operation: VieOpcode['operation'], mnemonic: string, digits?: readonly number[]): VieOpcode =>
  digits ? { map: '0F', opcode, operation, mnemonic, digits } : { map: '0F', opcode, operation, mnemonic };

/** As of autumn 2020. */
export const VIE_2020: readonly VieOpcode[] = [
  one(0x03, 'add', 'add r, m'),
  one(0x0b, 'or', 'or r, m'),
  one(0x23, 'and', 'and r, m'),
  one(0x2b, 'sub', 'sub r, m'),
  one(0x39, 'cmp', 'cmp m, r'),
  one(0x3b, 'cmp', 'cmp r, m'),
  one(0x80, 'group1', 'or/and/cmp m8, imm8', [1, 4, 7]),
  one(0x81, 'group1', 'or/and/cmp m, imm', [1, 4, 7]),
  one(0x83, 'group1', 'or/and/cmp m, imm8', [1, 4, 7]),
  one(0x88, 'mov', 'mov m8, r8'),
  one(0x89, 'mov', 'mov m, r'),
  one(0x8a, 'mov', 'mov r8, m8'),
  one(0x8b, 'mov', 'mov r, m'),
  one(0x8f, 'pop', 'pop m', [0]),
  one(0xa1, 'movMoffs', 'mov eax, moffs'),
  one(0xa3, 'movMoffs', 'mov moffs, eax'),
  one(0xa4, 'movs', 'movsb'),
  one(0xa5, 'movs', 'movs'),
  one(0xaa, 'stos', 'stosb'),
  one(0xab, 'stos', 'stos'),
  one(0xc6, 'movImm', 'mov m8, imm8'),
  one(0xc7, 'movImm', 'mov m, imm'),
  one(0xf7, 'test', 'test m, imm', [0]),
  one(0xff, 'push', 'push m', [6]),
  two(0xae, 'clflush', 'clflush m8', [7]),
  two(0xb6, 'movzx', 'movzx r, m8'),
  two(0xb7, 'movzx', 'movzx r, m16'),
  two(0xba, 'bt', 'bt m, imm8', [4]),
  two(0xbe, 'movsx', 'movsx r, m8'),
  { map: 'VEX.0F38', opcode: 0xf7, operation: 'bextr', mnemonic: 'bextr r, m, r' },
];

/** Today: TEST m8, imm8 (2022-02), IMUL (2022-11), and the register instructions CLTS (2021-03) and MOV CR (2021-09) are decoded as well. */
export const VIE_NOW: readonly VieOpcode[] = [
  ...VIE_2020,
  one(0xf6, 'test', 'test m8, imm8', [0]),
  two(0x06, 'clts', 'clts'),
  two(0x20, 'movCr', 'mov r, cr'),
  two(0x22, 'movCr', 'mov cr, r'),
  two(0xaf, 'imul', 'imul r, m'),
];
