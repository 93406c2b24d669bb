/**
 * Writes one instruction from its form and operands: prefixes, opcode, ModR/M, SIB, displacement, immediate (SDM volume 2, chapter "Instruction
 * Format"). Which form to take is the assembler's decision; the bytes of the form are decided here.
 */
import { type EncodingForm, IMMEDIATE_BYTES, NO_MODRM, SLASH_R } from './encoding-index.ts';

/** A memory operand, ready to be written: the parts of ModR/M and SIB, and the displacement. */
export interface EffectiveAddress {
  readonly addressBits: 16 | 32;
  /** mod and r/m of the ModR/M byte, its reg field 0. */
  readonly modrm: number;
  /** The SIB byte, or -1. */
  readonly sib: number;
  readonly displacement: number;
  readonly displacementBytes: 0 | 1 | 2 | 4;
  /** No base and no index: could also be written as a bare offset. */
  readonly absolute: boolean;
}

/** What an address is made of; register numbers as the manual counts them, -1 for none. */
export interface AddressParts {
  readonly addressBits: 16 | 32;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  /** A displacement width in bits asked for in the source, or 0 for the shortest. */
  readonly forcedBits: number;
  /** Is the displacement an address, so that its final value must not decide the width? */
  readonly relocatable: boolean;
  /** Keep `reg*2` as index*2 instead of base + index? */
  readonly noSplit: boolean;
}

const SP = 4;
const BP = 5;
const SCALE_BITS = new Map([
  [1, 0],
  [2, 1],
  [4, 2],
  [8, 3],
]);

/** The bytes of an address, or a sentence that says why there are none (SDM volume 2, "Addressing-Mode Encoding of ModR/M and SIB Bytes"). */
export function effectiveAddress(parts: AddressParts): EffectiveAddress | string {
  return parts.addressBits === 16 ? address16(parts) : address32(parts);
}

function address16(parts: AddressParts): EffectiveAddress | string {
  const displacement = (parts.displacement << 16) >> 16;
  let { base, index } = parts;
  if (base < 0 && index < 0) return { addressBits: 16, modrm: 6, sib: -1, displacement, displacementBytes: 2, absolute: true };
  if (index >= 0 && parts.scale !== 1) return 'a 16-bit address cannot scale a register';
  if (base < 0) [base, index] = [index, -1];
  if (base === 6 || base === 7) [base, index] = [index, base];
  const rm = RM16.get(base * 16 + index);
  if (rm === undefined) return 'a 16-bit address takes bx or bp, plus si or di';
  return withDisplacement(16, rm, -1, displacement, parts, rm !== 6);
}

/** r/m by base * 16 + index, with -1 for none. */
const RM16 = new Map([
  [3 * 16 + 6, 0],
  [3 * 16 + 7, 1],
  [5 * 16 + 6, 2],
  [5 * 16 + 7, 3],
  [-16 + 6, 4],
  [-16 + 7, 5],
  [5 * 16 - 1, 6],
  [3 * 16 - 1, 7],
]);

function address32(parts: AddressParts): EffectiveAddress | string {
  const displacement = parts.displacement | 0;
  let { base, index, scale } = parts;
  if (base < 0 && index < 0) return { addressBits: 32, modrm: 5, sib: -1, displacement, displacementBytes: 4, absolute: true };
  if (base < 0 && scale === 1 && !parts.noSplit) [base, index] = [index, -1];
  // [reg*2] is shorter as [reg+reg], and 3, 5, 9 can only be written that way.
  if (base < 0 && index !== SP && ((scale === 2 && !parts.noSplit) || scale === 3 || scale === 5 || scale === 9)) {
    base = index;
    scale -= 1;
  }
  if (index === SP && scale === 1) [base, index] = [index, base];
  if (index === SP) return 'esp cannot be an index';
  if (index < 0) scale = 1;
  const ss = SCALE_BITS.get(scale);
  if (ss === undefined) return `a register cannot be scaled by ${scale}`;
  if (index < 0 && base !== SP) return withDisplacement(32, base, -1, displacement, parts, base !== BP);
  const indexField = index < 0 ? SP : index;
  if (base < 0)
    return { addressBits: 32, modrm: 4, sib: (ss << 6) | (indexField << 3) | 5, displacement, displacementBytes: 4, absolute: false };
  return withDisplacement(32, 4, (ss << 6) | (indexField << 3) | base, displacement, parts, base !== BP);
}

function withDisplacement(
  addressBits: 16 | 32,
  rm: number,
  sib: number,
  displacement: number,
  parts: AddressParts,
  mayOmit: boolean,
): EffectiveAddress {
  const wide = addressBits === 16 ? 2 : 4;
  const free = parts.forcedBits === 0 && !parts.relocatable;
  if (free && displacement === 0 && mayOmit) return { addressBits, modrm: rm, sib, displacement, displacementBytes: 0, absolute: false };
  if (parts.forcedBits === 8 || (free && displacement >= -128 && displacement <= 127))
    return { addressBits, modrm: 0x40 | rm, sib, displacement, displacementBytes: 1, absolute: false };
  return { addressBits, modrm: 0x80 | rm, sib, displacement, displacementBytes: wide, absolute: false };
}

/** One operand as its bytes need it. */
export interface EncoderOperand {
  /** Register number, for a register. */
  readonly register: number;
  readonly memory: EffectiveAddress | null;
  /** The low 32 bits of an immediate, the displacement of a branch, or the offset of a far pointer. */
  readonly value: number;
  /** Selector of a far pointer. */
  readonly selector: number;
}

/** Prefixes that the source asks for. */
export interface Prefixes {
  /** F2h, F3h or 0. */
  readonly repeat: number;
  readonly lock: boolean;
  /** Segment register number 0..5 (es cs ss ds fs gs), or -1. */
  readonly segment: number;
  /** 16, 32 or 0. */
  readonly operandSize: number;
  /** 16, 32 or 0. */
  readonly addressSize: number;
}

export const SEGMENT_PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

const memoryOf = (operands: readonly EncoderOperand[]): EffectiveAddress | null => {
  for (const operand of operands) if (operand.memory !== null) return operand.memory;
  return null;
};

const needsOperandPrefix = (form: EncodingForm, bits: number, prefixes: Prefixes): boolean => {
  const wanted = prefixes.operandSize === 0 ? form.operandSize : prefixes.operandSize;
  return wanted !== 0 && wanted !== bits;
};

const needsAddressPrefix = (form: EncodingForm, operands: readonly EncoderOperand[], bits: number, prefixes: Prefixes): boolean => {
  const wanted = memoryOf(operands)?.addressBits ?? (form.addressSize === 0 ? prefixes.addressSize : form.addressSize);
  return wanted !== 0 && wanted !== bits;
};

/** Bytes that `encode` will write: it does not depend on the value of an immediate or a branch. */
export function encodedLength(form: EncodingForm, operands: readonly EncoderOperand[], bits: 16 | 32, prefixes: Prefixes): number {
  let length = form.opcode.length + form.tail.length;
  if (form.wait) length++;
  if (prefixes.repeat !== 0) length++;
  if (prefixes.lock) length++;
  if (prefixes.segment >= 0) length++;
  if (needsOperandPrefix(form, bits, prefixes)) length++;
  if (needsAddressPrefix(form, operands, bits, prefixes)) length++;
  if (form.prefix !== 0) length++;
  if (form.modrm !== NO_MODRM) length++;
  for (let i = 0; i < form.operands.length; i++) {
    const rule = form.operands[i];
    if (rule === undefined) continue;
    if (rule.immediate !== '') length += IMMEDIATE_BYTES[rule.immediate];
    const memory = operands[i]?.memory ?? null;
    if (memory === null) continue;
    length += rule.place === 'moffs' ? memory.addressBits / 8 : (memory.sib >= 0 ? 1 : 0) + memory.displacementBytes;
  }
  return length;
}

/** Appends the bytes of one instruction to `out`. Values are cut to their field; the caller warns. */
export function encode(form: EncodingForm, operands: readonly EncoderOperand[], bits: 16 | 32, prefixes: Prefixes, out: number[]): void {
  if (form.wait) out.push(0x9b);
  if (prefixes.repeat !== 0) out.push(prefixes.repeat);
  if (prefixes.lock) out.push(0xf0);
  if (prefixes.segment >= 0) out.push(SEGMENT_PREFIXES[prefixes.segment] ?? 0x3e);
  if (needsOperandPrefix(form, bits, prefixes)) out.push(0x66);
  if (needsAddressPrefix(form, operands, bits, prefixes)) out.push(0x67);
  if (form.prefix !== 0) out.push(form.prefix);

  let opcodeRegister = 0;
  let reg = -1;
  let rm = -1;
  let address: EffectiveAddress | null = null;
  for (let i = 0; i < form.operands.length; i++) {
    const rule = form.operands[i];
    const operand = operands[i];
    if (rule === undefined || operand === undefined) continue;
    if (rule.place === 'reg') reg = operand.register;
    else if (rule.place === 'opcode') opcodeRegister = operand.register;
    else if (rule.place === 'rm') {
      if (operand.memory !== null) address = operand.memory;
      else rm = operand.register;
    }
  }
  for (let i = 0; i < form.opcode.length; i++) out.push((form.opcode[i] ?? 0) + (i === form.opcode.length - 1 ? opcodeRegister : 0));
  if (form.modrm !== NO_MODRM) {
    if (form.modrm !== SLASH_R) reg = form.modrm;
    if (reg < 0) reg = 0;
    if (address !== null) {
      out.push(address.modrm | (reg << 3));
      if (address.sib >= 0) out.push(address.sib);
      little(address.displacement, address.displacementBytes, out);
    } else out.push(0xc0 | (reg << 3) | (rm < 0 ? (form.modrm === SLASH_R ? reg : 0) : rm));
  }
  for (let i = 0; i < form.operands.length; i++) {
    const rule = form.operands[i];
    const operand = operands[i];
    if (rule === undefined || operand === undefined) continue;
    if (rule.place === 'moffs' && operand.memory !== null) little(operand.memory.displacement, operand.memory.addressBits / 8, out);
    if (rule.immediate === '') continue;
    if (rule.immediate === 'far16' || rule.immediate === 'far32') {
      little(operand.value, rule.immediate === 'far16' ? 2 : 4, out);
      little(operand.selector, 2, out);
    } else little(operand.value, IMMEDIATE_BYTES[rule.immediate], out);
  }
  for (const byte of form.tail) out.push(byte);
}

function little(value: number, bytes: number, out: number[]): void {
  for (let i = 0; i < bytes; i++) out.push((value >>> (8 * i)) & 0xff);
}
