/** What the engine is told of an instruction: operands in plain integers. */
import { describe, expect, it } from 'vitest';
import { type Insn, InstructionDecoder, Operand, RegisterClass } from '../../../src/machine/isa/decoder.ts';

const decoder = new InstructionDecoder();
function decode(bits: 16 | 32, bytes: number[], address = 0): Insn[] {
  const all: Insn[] = [];
  decoder.decode(Uint8Array.from(bytes), bits, address, (n) => {
    all.push(structuredClone(n));
    return true;
  });
  return all;
}
const first = (bits: 16 | 32, bytes: number[], address = 0): Insn => decode(bits, bytes, address)[0] as Insn;

describe('operands', () => {
  it('registers have class, number in encoding order, and size; AH to BH are 0 to 3 with `high`', () => {
    expect(first(32, [0x88, 0xe5]).operands[1]).toMatchObject({
      kind: Operand.register,
      registerClass: RegisterClass.general,
      register: 0,
      high: true,
      size: 8,
    });
    expect(first(32, [0x88, 0xe5]).operands[0]).toMatchObject({ register: 1, high: true });
    expect(first(32, [0x66, 0x89, 0xfe]).operands.slice(0, 2)).toMatchObject([
      { register: 6, size: 16 },
      { register: 7, size: 16 },
    ]);
    expect(first(32, [0x8e, 0xd8]).operands[0]).toMatchObject({ registerClass: RegisterClass.segment, register: 3 });
    expect(first(32, [0x0f, 0x22, 0xd8]).operands[0]).toMatchObject({ registerClass: RegisterClass.control, register: 3 });
    expect(first(32, [0x0f, 0x23, 0xf8]).operands[0]).toMatchObject({ registerClass: RegisterClass.debug, register: 7 });
  });
  it('memory has base, index, scale, displacement, segment and address size', () => {
    expect(first(32, [0x8b, 0x84, 0x8b, 0x78, 0x56, 0x34, 0xf2])).toMatchObject({
      base: 3,
      index: 1,
      scale: 2,
      displacement: 0xf2345678 | 0,
      segment: 3,
      addressSize: 32,
    });
    expect(first(32, [0x8b, 0x45, 0xfc])).toMatchObject({ base: 5, index: -1, displacement: -4, segment: 2 });
    expect(first(16, [0x8b, 0x42, 0x80])).toMatchObject({ base: 5, index: 6, displacement: 0xff80, segment: 2, addressSize: 16 });
    expect(first(16, [0x64, 0xa1, 0x34, 0x12])).toMatchObject({ base: -1, index: -1, displacement: 0x1234, segment: 4, addressSize: 16 });
    expect(first(16, [0x67, 0x8b, 0x03])).toMatchObject({ base: 3, addressSize: 32 });
  });
  it('immediates are sign-extended as the instruction does', () => {
    expect(first(32, [0x83, 0xc0, 0xff]).operands[1].immediate).toBe(-1);
    expect(first(32, [0xb8, 0xff, 0xff, 0xff, 0xff]).operands[1].immediate).toBe(-1);
    expect(first(32, [0x6a, 0x80]).operands[0].immediate).toBe(-128);
  });
  it('near branches are relative to the address given, and may lie before it', () => {
    expect(first(32, [0xeb, 0x05], 0x100).target).toBe(0x107);
    expect(first(32, [0xe9, 0xf0, 0xff, 0xff, 0xff], 0).target).toBe(-11);
    expect(first(16, [0xeb, 0xf0], 4).target).toBe(-10);
    expect(first(16, [0xe9, 0x00, 0x80], 0).target).toBe(3 - 0x8000);
  });
  it('far branches have selector and offset', () => {
    expect(first(32, [0xea, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00])).toMatchObject({ farSelector: 8, farOffset: 0x12345678 });
    expect(first(16, [0x9a, 0x34, 0x12, 0xcd, 0xab])).toMatchObject({ farSelector: 0xabcd, farOffset: 0x1234 });
  });
  it('string instructions tell their address size and the segment of the source', () => {
    expect(first(32, [0x2e, 0xa4])).toMatchObject({ mnemonic: 'movsb', addressSize: 32, segment: 1 });
    expect(first(32, [0x67, 0xab])).toMatchObject({ mnemonic: 'stosd', addressSize: 16 });
    expect(first(16, [0xf3, 0xa6])).toMatchObject({ mnemonic: 'cmpsb', rep: true, addressSize: 16, segment: 3 });
    expect(first(16, [0xf2, 0xae])).toMatchObject({ mnemonic: 'scasb', repne: true });
  });
  it('counting branches tell which counter they use', () => {
    expect(first(32, [0xe2, 0x00]).addressSize).toBe(32);
    expect(first(32, [0x67, 0xe2, 0x00]).addressSize).toBe(16);
    expect(first(16, [0x67, 0xe3, 0x00]).addressSize).toBe(32);
    expect(first(16, [0xe3, 0x00]).addressSize).toBe(16);
  });
  it('ENTER has both its immediates, PUSH the bytes it moves the stack pointer by', () => {
    expect(first(32, [0xc8, 0x10, 0x00, 0x02])).toMatchObject({ immediate2: 2 });
    expect(first(32, [0x66, 0x50]).stackIncrement).toBe(-2);
    expect(first(32, [0x50]).stackIncrement).toBe(-4);
  });
});

describe('ends', () => {
  it('consecutive instructions are shown until the bytes are out: then one of length 0', () => {
    expect(decode(32, [0x90, 0x40, 0xb8, 1, 2]).map((n) => n.length)).toEqual([1, 1, 0]);
  });
  it('an undefined opcode is shown and ends it', () => {
    const all = decode(32, [0x90, 0x0f, 0xff, 0x90]);
    expect(all.map((n) => n.valid)).toEqual([true, false]);
  });
});
