/**
 * The encoding index: every instruction form the assembler can write, as plain data.
 *
 * It is made at build time from iced-x86's opcode tables by `generate-encoding-index.ts`, in the operand order and with the mnemonics of the
 * NASM dialect, and read back here. The notation is the manual's: SDM volume 2, "Instruction Format" and "Interpreting the Instruction
 * Reference Pages".
 */

/** What an operand of a form accepts, and where it goes in the encoding. */
export interface OperandRule {
  /** The register class accepted, or '' if none. */
  readonly register: RegisterClass | '';
  /** The only register number accepted, or -1 for any of the class. */
  readonly fixed: number;
  /** Is a memory operand accepted? */
  readonly memory: boolean;
  /** Which immediate is accepted, or '' if none. */
  readonly immediate: ImmediateKind | '';
  /** Where a register number goes; memory always goes to `rm`, or for `moffs` behind the opcode. */
  readonly place: 'reg' | 'rm' | 'opcode' | 'moffs' | 'immediate' | 'none';
}

export type RegisterClass = 'r8' | 'r16' | 'r32' | 'sreg' | 'cr' | 'dr' | 'tr' | 'mm' | 'xmm' | 'st';

/** `s8w` and `s8d` are bytes sign-extended to a word or doubleword; `one` is the constant 1 of the shift group. */
export type ImmediateKind = 'i8' | 'i16' | 'i32' | 's8w' | 's8d' | 'one' | 'rel8' | 'rel16' | 'rel32' | 'far16' | 'far32';

const rule = (register: RegisterClass | '', place: OperandRule['place'], fixed = -1): OperandRule => ({
  register,
  fixed,
  memory: false,
  immediate: '',
  place,
});
const registerOrMemory = (register: RegisterClass): OperandRule => ({ register, fixed: -1, memory: true, immediate: '', place: 'rm' });
const immediate = (kind: ImmediateKind): OperandRule => ({ register: '', fixed: -1, memory: false, immediate: kind, place: 'immediate' });

/** Every operand rule under the short name that the index file uses. */
export const OPERAND_RULES: Readonly<Record<string, OperandRule>> = {
  r8: rule('r8', 'reg'),
  r16: rule('r16', 'reg'),
  r32: rule('r32', 'reg'),
  rm8: registerOrMemory('r8'),
  rm16: registerOrMemory('r16'),
  rm32: registerOrMemory('r32'),
  o8: rule('r8', 'opcode'),
  o16: rule('r16', 'opcode'),
  o32: rule('r32', 'opcode'),
  b8: rule('r8', 'rm'),
  b16: rule('r16', 'rm'),
  b32: rule('r32', 'rm'),
  m: { register: '', fixed: -1, memory: true, immediate: '', place: 'rm' },
  moffs: { register: '', fixed: -1, memory: true, immediate: '', place: 'moffs' },
  al: rule('r8', 'none', 0),
  cl: rule('r8', 'none', 1),
  ax: rule('r16', 'none', 0),
  cx: rule('r16', 'none', 1),
  dx: rule('r16', 'none', 2),
  eax: rule('r32', 'none', 0),
  ecx: rule('r32', 'none', 1),
  es: rule('sreg', 'none', 0),
  cs: rule('sreg', 'none', 1),
  ss: rule('sreg', 'none', 2),
  ds: rule('sreg', 'none', 3),
  fs: rule('sreg', 'none', 4),
  gs: rule('sreg', 'none', 5),
  sreg: rule('sreg', 'reg'),
  cr: rule('cr', 'reg'),
  dr: rule('dr', 'reg'),
  tr: rule('tr', 'reg'),
  mm: rule('mm', 'reg'),
  mmrm: registerOrMemory('mm'),
  mmb: rule('mm', 'rm'),
  xmm: rule('xmm', 'reg'),
  xmmrm: registerOrMemory('xmm'),
  xmmb: rule('xmm', 'rm'),
  xmm0: rule('xmm', 'none', 0),
  st0: rule('st', 'none', 0),
  sti: rule('st', 'opcode'),
  i8: immediate('i8'),
  i16: immediate('i16'),
  i32: immediate('i32'),
  s8w: immediate('s8w'),
  s8d: immediate('s8d'),
  one: { ...immediate('one'), place: 'none' },
  rel8: immediate('rel8'),
  rel16: immediate('rel16'),
  rel32: immediate('rel32'),
  far16: immediate('far16'),
  far32: immediate('far32'),
};

/** Bytes that an immediate takes in the encoding; a far pointer counts its selector. */
export const IMMEDIATE_BYTES: Readonly<Record<ImmediateKind, number>> = {
  i8: 1,
  i16: 2,
  i32: 4,
  s8w: 1,
  s8d: 1,
  one: 0,
  rel8: 1,
  rel16: 2,
  rel32: 4,
  far16: 4,
  far32: 6,
};

/** Bits of an operand that holds this immediate: what `byte`, `word` and `dword` in front of it are compared with. */
export const IMMEDIATE_BITS: Readonly<Record<ImmediateKind, number>> = {
  i8: 8,
  i16: 16,
  i32: 32,
  s8w: 16,
  s8d: 32,
  one: 8,
  rel8: 0,
  rel16: 16,
  rel32: 32,
  far16: 16,
  far32: 32,
};

/** ModR/M byte of a form: none, `/r`, or `/0`..`/7`. */
export const NO_MODRM = -1;
export const SLASH_R = 8;

/** One instruction form. */
export interface EncodingForm {
  readonly operands: readonly OperandRule[];
  /** Opcode bytes with the 0F escapes, without prefixes. */
  readonly opcode: Uint8Array;
  /** NO_MODRM, SLASH_R or 0..7. */
  readonly modrm: number;
  /** Operand size that the form needs, 16 or 32, or 0 if it takes none. */
  readonly operandSize: number;
  /** Address size that the form needs, 16 or 32, or 0 for the default or the memory operand's. */
  readonly addressSize: number;
  /** Mandatory prefix 66h, F2h, F3h, or 0. */
  readonly prefix: number;
  /** Bits of the memory operand, or 0 if any size may be written. */
  readonly memoryBits: number;
  /** Does the form begin with an FWAIT (9Bh)? */
  readonly wait: boolean;
  /** Does nothing but the mode (or o16, o32, or a size keyword) choose between this form and its sibling of the other operand size? */
  readonly defaultSized: boolean;
  /** Is it a jump or call through a far pointer in memory? */
  readonly far: boolean;
  /** A second set of bytes for an immediate that the source leaves out (AAM and AAD without operand), or empty. */
  readonly tail: Uint8Array;
}

/** Instruction forms by lower-case mnemonic, in order of preference at equal length. */
export interface EncodingIndex {
  readonly mnemonics: ReadonlyMap<string, readonly EncodingForm[]>;
}

/** The index as the build writes it to a JSON file. */
export interface EncodingIndexData {
  readonly version: number;
  readonly mnemonics: Readonly<Record<string, readonly EncodingFormData[]>>;
}

/** [operand rules, opcode in hex, modrm, operand size, address size, prefix, memory bits, flags (1 wait, 2 default-sized, 4 far), tail in hex] */
export type EncodingFormData = readonly [string, string, number, number, number, number, number, number, string];

export const ENCODING_INDEX_VERSION = 1;

const bytesOf = (hexadecimal: string): Uint8Array =>
  Uint8Array.from({ length: hexadecimal.length / 2 }, (_, i) => Number.parseInt(hexadecimal.slice(2 * i, 2 * i + 2), 16));

/**
 * The index from its JSON data.
 * @throws Error if the data is of another version or names an operand rule that is not known: the build is then inconsistent.
 */
export function loadEncodingIndex(data: EncodingIndexData): EncodingIndex {
  if (data.version !== ENCODING_INDEX_VERSION)
    throw new Error(`encoding index: found version ${data.version}, expected ${ENCODING_INDEX_VERSION}; build again`);
  const mnemonics = new Map<string, EncodingForm[]>();
  for (const [name, forms] of Object.entries(data.mnemonics)) {
    mnemonics.set(
      name,
      forms.map(([operands, opcode, modrm, operandSize, addressSize, prefix, memoryBits, flags, tail]) => ({
        operands: operands === '' ? [] : operands.split(',').map((kind) => ruleNamed(kind, name)),
        opcode: bytesOf(opcode),
        modrm,
        operandSize,
        addressSize,
        prefix,
        memoryBits,
        wait: (flags & 1) !== 0,
        defaultSized: (flags & 2) !== 0,
        far: (flags & 4) !== 0,
        tail: bytesOf(tail),
      })),
    );
  }
  return { mnemonics };
}

function ruleNamed(kind: string, mnemonic: string): OperandRule {
  const found = OPERAND_RULES[kind];
  if (found === undefined) throw new Error(`encoding index: ${mnemonic} names the operand rule '${kind}', which is not known; build again`);
  return found;
}
