/**
 * Bytes → one reused decoded instruction in plain integers. The only way the machine looks at iced-x86's decoder: each of its getters crosses into
 * WebAssembly, so they are read once, here, and never again on a hot path.
 */
import iced, { type Instruction } from 'iced-x86';

const { Code, Decoder, DecoderError, DecoderOptions, MemorySizeExt, Mnemonic, OpKind, Register, RegisterExt } = iced;

/** Operand kinds. */
export const Operand = { none: 0, register: 1, immediate: 2, memory: 3, nearBranch: 4, farBranch: 5 } as const;
export type Operand = (typeof Operand)[keyof typeof Operand];
/** Register classes. */
export const RegisterClass = { none: 0, general: 1, segment: 2, control: 3, debug: 4, other: 5 } as const;

/** What is said of each operand; only the first `operandCount` count. */
export interface DecodedOperand {
  kind: number;
  /** Register: its class, its number in encoding order (AH…BH: 0…3 with `high` set), its size in bits. */
  registerClass: number;
  register: number;
  high: boolean;
  /** Size in bits of a register or memory operand; 0 when the instruction gives none. */
  size: number;
  /** Immediate as i32 (sign-extended as the instruction does). */
  immediate: number;
}

export interface Insn {
  /** Bytes; 0 when there were too few of them. */
  length: number;
  valid: boolean;
  /** iced's code name, e.g. `Mov_r32_rm32`, and mnemonic in lower case, e.g. `mov`. */
  code: string;
  mnemonic: string;
  operandCount: number;
  readonly operands: readonly [DecodedOperand, DecodedOperand, DecodedOperand, DecodedOperand];
  /** Memory operand: base and index register number (-1: none), their size in bits (16 or 32) as address size, log2 of the scale, displacement. */
  base: number;
  index: number;
  addressSize: number;
  scale: number;
  displacement: number;
  /** Segment of the memory operand (or of string source), in encoding order ES CS SS DS FS GS. */
  segment: number;
  rep: boolean;
  repne: boolean;
  /** Near branch: target relative to the address given to decode(), signed. */
  target: number;
  /** Far branch: selector and offset. */
  farSelector: number;
  farOffset: number;
  /** Second immediate of ENTER. */
  immediate2: number;
  /** Bytes by which the stack pointer moves, signed. */
  stackIncrement: number;
}

/**
 * The processor decodes as a P6 does: a prefix makes no TZCNT, LZCNT or WBNOINVD of BSF, BSR and WBINVD (compilers emit `rep bsf` on purpose), and
 * 0F 18 to 0F 1F (ENDBR32, prefetches) are hints that do nothing.
 */
export const DECODER_OPTIONS =
  DecoderOptions.NoMPFX_0FBC | DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd | DecoderOptions.ForceReservedNop;

const codeNames = Code as unknown as Record<number, string>;
const mnemonicNames = Mnemonic as unknown as Record<number, string>;
const operand = (): DecodedOperand => ({ kind: 0, registerClass: 0, register: 0, high: false, size: 0, immediate: 0 });

function classify(o: DecodedOperand, r: number): void {
  o.high = false;
  o.size = RegisterExt.size(r) * 8;
  if (r >= Register.AL && r <= Register.R15) {
    o.registerClass = RegisterClass.general;
    if (r >= Register.AH && r <= Register.BH) {
      o.register = r - Register.AH;
      o.high = true;
    } else o.register = r >= Register.SPL && r <= Register.R15L ? r - Register.SPL + 4 : RegisterExt.number(r);
    return;
  }
  o.register = RegisterExt.number(r);
  o.registerClass = RegisterExt.isSegmentRegister(r)
    ? RegisterClass.segment
    : RegisterExt.isCR(r)
      ? RegisterClass.control
      : RegisterExt.isDR(r)
        ? RegisterClass.debug
        : RegisterClass.other;
}

const STRING_SOURCES = new Map<number, number>([
  [OpKind.MemorySegSI, 16],
  [OpKind.MemorySegESI, 32],
  [OpKind.MemorySegDI, 16],
  [OpKind.MemorySegEDI, 32],
  [OpKind.MemoryESDI, 16],
  [OpKind.MemoryESEDI, 32],
]);

export class InstructionDecoder {
  private readonly instruction: Instruction = new iced.Instruction();
  /** The instruction decoded last; overwritten by the next. */
  readonly insn: Insn = {
    length: 0,
    valid: false,
    code: 'INVALID',
    mnemonic: 'invalid',
    operandCount: 0,
    operands: [operand(), operand(), operand(), operand()],
    base: -1,
    index: -1,
    addressSize: 32,
    scale: 0,
    displacement: 0,
    segment: 3,
    rep: false,
    repne: false,
    target: 0,
    farSelector: 0,
    farOffset: 0,
    immediate2: 0,
    stackIncrement: 0,
  };

  /**
   * Decodes consecutive instructions of `bytes` and shows each to `visit`, until it answers false, the bytes are out or one is invalid.
   * @param bits 16 or 32
   * @param address what to take for the address of bytes[0]; branch targets are relative to 0
   */
  decode(bytes: Uint8Array, bits: 16 | 32, address: number, visit: (insn: Insn) => boolean): void {
    const decoder = new Decoder(bits, bytes, DECODER_OPTIONS);
    try {
      decoder.ip = BigInt(address);
      for (;;) {
        decoder.decodeOut(this.instruction);
        this.take(decoder.lastError === DecoderError.NoMoreBytes, address);
        if (!visit(this.insn) || !this.insn.valid) return;
      }
    } finally {
      decoder.free();
    }
  }

  private take(truncated: boolean, address: number): void {
    const i = this.instruction;
    const n = this.insn;
    n.length = truncated ? 0 : i.length;
    n.valid = !truncated && i.code !== Code.INVALID;
    if (!n.valid) {
      n.code = 'INVALID';
      n.mnemonic = 'invalid';
      n.operandCount = 0;
      return;
    }
    n.code = codeNames[i.code] as string;
    n.mnemonic = (mnemonicNames[i.mnemonic] as string).toLowerCase();
    n.rep = i.hasRepPrefix;
    n.repne = i.hasRepnePrefix;
    n.stackIncrement = i.stackPointerIncrement;
    n.operandCount = Math.min(i.opCount, 4);
    n.base = n.index = -1;
    n.addressSize = bitsOfCode(n.code);
    for (let k = 0; k < n.operandCount; k++) this.takeOperand(i, n, n.operands[k as 0 | 1 | 2 | 3], k, address);
  }

  private takeOperand(i: Instruction, n: Insn, o: DecodedOperand, k: number, address: number): void {
    const kind = i.opKind(k);
    const source = STRING_SOURCES.get(kind);
    if (kind === OpKind.Register) {
      o.kind = Operand.register;
      classify(o, i.opRegister(k));
    } else if (kind === OpKind.Memory) {
      o.kind = Operand.memory;
      o.size = MemorySizeExt.size(i.memorySize) * 8;
      this.takeMemory(i, n);
    } else if (source !== undefined) {
      o.kind = Operand.memory;
      o.size = MemorySizeExt.size(i.memorySize) * 8;
      n.addressSize = source;
      n.segment = RegisterExt.number(i.memorySegment);
    } else if (kind === OpKind.NearBranch16 || kind === OpKind.NearBranch32) {
      o.kind = Operand.nearBranch;
      o.size = kind === OpKind.NearBranch16 ? 16 : 32;
      // iced wraps 16-bit targets at 64 KiB; relative to a page they may be negative.
      const wrapped = Number(BigInt.asIntN(64, i.nearBranchTarget));
      n.target = kind === OpKind.NearBranch16 ? ((wrapped - address + 0x8000) & 0xffff) - 0x8000 + address : wrapped | 0;
    } else if (kind === OpKind.FarBranch16 || kind === OpKind.FarBranch32) {
      o.kind = Operand.farBranch;
      o.size = kind === OpKind.FarBranch16 ? 16 : 32;
      n.farSelector = i.farBranchSelector;
      n.farOffset = kind === OpKind.FarBranch16 ? i.farBranch16 : i.farBranch32;
    } else if (kind === OpKind.Immediate8_2nd) {
      o.kind = Operand.none; // it has a place of its own
      n.immediate2 = i.immediate8_2nd;
    } else {
      o.kind = Operand.immediate;
      o.size = 0;
      o.immediate = Number(BigInt.asIntN(32, i.immediate(k)));
    }
  }

  private takeMemory(i: Instruction, n: Insn): void {
    const base = i.memoryBase;
    const index = i.memoryIndex;
    n.segment = RegisterExt.number(i.memorySegment);
    n.scale = 31 - Math.clz32(i.memoryIndexScale);
    n.displacement = Number(BigInt.asIntN(32, i.memoryDisplacement));
    n.base = base === Register.None ? -1 : RegisterExt.number(base);
    n.index = index === Register.None ? -1 : RegisterExt.number(index);
    const register = base !== Register.None ? base : index;
    n.addressSize = register !== Register.None ? RegisterExt.size(register) * 8 : i.memoryDisplSize === 2 ? 16 : 32;
  }
}

/** Counting branches tell their address size by the counter in iced's code name. */
const bitsOfCode = (code: string): number => (/_CX$|^Jcxz/.test(code) ? 16 : 32);
