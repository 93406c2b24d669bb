/**
 * The instruction decoder of the VMM's instruction emulator (illumos `vmm_instruction_emul.c`: decode_prefixes … decode_moffset).
 *
 * It knows far less than a processor: only what its era's opcode table lists can be emulated on memory that is not RAM. It is not there to execute
 * anything (the processor does that), but to say whether bhyve would have, and of which linear address.
 */
import { hex } from '../base/bits.ts';
import type { Processor } from '../cpu/processor.ts';
import type { VieOpcode } from '../profiles/profile.ts';

/** What decoding an instruction came to. */
export const Decoded = {
  /** The emulator has a handler for it. */
  supported: 0,
  /** The opcode is in no table, or bytes are missing: VM_RUN exits with INST_EMUL. */
  unsupported: 1,
  /** The opcode is in a table, but its handler refuses this /digit: VM_RUN fails with EINVAL. */
  wrongDigit: 2,
} as const;
export type Decoded = (typeof Decoded)[keyof typeof Decoded];

/** An era's opcode list, arranged for lookup. Made once for each machine. */
export class VieTable {
  private readonly one: (VieOpcode | undefined)[] = new Array<VieOpcode | undefined>(256).fill(undefined);
  private readonly two: (VieOpcode | undefined)[] = new Array<VieOpcode | undefined>(256).fill(undefined);

  constructor(opcodes: readonly VieOpcode[]) {
    for (const entry of opcodes) {
      if (entry.map === 'one') this.one[entry.opcode] = entry;
      else if (entry.map === '0F') this.two[entry.opcode] = entry;
      // VEX forms exist in 64-bit and compatibility mode alone; this machine has neither yet.
    }
  }
  lookup(twoByte: boolean, opcode: number): VieOpcode | undefined {
    return (twoByte ? this.two : this.one)[opcode];
  }
}

const SS = 2;
const DS = 3;
/** Base and index registers of 16-bit addressing, by ModRM r/m. */
const BASE16 = [3, 3, 5, 5, 6, 7, 5, 3] as const;
const INDEX16 = [6, 7, 6, 7] as const;

/** One decoded instruction; reused. */
export class VieInstruction {
  entry: VieOpcode | undefined;
  twoByte = false;
  opcode = 0;
  /** ModRM reg of a group opcode, or -1. */
  digit = -1;
  repeat = false;
  private modrm = -1;
  private sib = -1;
  private displacement = 0;
  private segment = -1;
  private address32 = false;
  private at = 0;

  /**
   * Decodes `length` bytes (0..15).
   * @param code32 CS.D: are operands and addresses 32 bits without a prefix?
   */
  decode(table: VieTable, bytes: Uint8Array, length: number, code32: boolean): Decoded {
    this.entry = undefined;
    this.twoByte = this.repeat = false;
    this.opcode = 0;
    this.digit = this.modrm = this.sib = this.segment = -1;
    this.displacement = 0;
    this.address32 = code32;
    this.at = 0;
    this.prefixes(bytes, length, code32);
    if (this.at >= length) return Decoded.unsupported;
    this.opcode = bytes[this.at++] as number;
    if (this.opcode === 0x0f) {
      if (this.at >= length) return Decoded.unsupported;
      this.twoByte = true;
      this.opcode = bytes[this.at++] as number;
    }
    const entry = table.lookup(this.twoByte, this.opcode);
    if (entry === undefined) return Decoded.unsupported;
    this.entry = entry;
    switch (entry.operation) {
      case 'movs':
      case 'stos':
      case 'clts':
        return Decoded.supported;
      case 'movMoffs':
        return this.take(bytes, length, this.address32 ? 4 : 2) ? Decoded.supported : Decoded.unsupported;
    }
    if (this.at >= length) return Decoded.unsupported;
    this.modrm = bytes[this.at++] as number;
    if (!this.memoryOperand(bytes, length)) return Decoded.unsupported;
    if (entry.digits === undefined) return Decoded.supported;
    this.digit = (this.modrm >>> 3) & 7;
    return entry.digits.includes(this.digit) ? Decoded.supported : Decoded.wrongDigit;
  }

  /** Does the emulator compare the decoded linear address with that of the exit? */
  get checksLinear(): boolean {
    const operation = this.entry?.operation;
    return operation !== 'movs' && operation !== 'stos' && operation !== 'clts' && operation !== 'movCr';
  }

  /** The linear address of the memory operand, from the registers of the processor's selected vCPU. */
  linear(processor: Processor): number {
    const segment = this.segment >= 0 ? this.segment : this.defaultSegment();
    return (processor.segmentBase(segment) + this.offset(processor)) >>> 0;
  }

  /** The opcode as the manual writes it: `87`, `0F B1`, `83 /0`. */
  get name(): string {
    return `${this.twoByte ? '0F ' : ''}${hex(this.opcode, 2)}${this.digit >= 0 ? ` /${this.digit}` : ''}`;
  }

  private prefixes(bytes: Uint8Array, length: number, code32: boolean): void {
    for (; this.at < length; this.at++) {
      switch (bytes[this.at]) {
        case 0x66:
          break;
        case 0x67:
          this.address32 = !code32;
          break;
        case 0xf2:
        case 0xf3:
          this.repeat = true;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
          this.segment = ((bytes[this.at] as number) >>> 3) & 3;
          break;
        case 0x64:
        case 0x65:
          this.segment = (bytes[this.at] as number) - 0x60;
          break;
        default:
          return; // LOCK is not among them: F0 is taken for an opcode, and is in no table
      }
    }
  }

  /** SIB and displacement behind the ModRM byte; false when bytes are missing. */
  private memoryOperand(bytes: Uint8Array, length: number): boolean {
    const mod = this.modrm >>> 6;
    const rm = this.modrm & 7;
    if (mod === 3) return true;
    if (!this.address32) return this.take(bytes, length, mod === 1 ? 1 : mod === 2 || rm === 6 ? 2 : 0);
    if (rm === 4) {
      if (this.at >= length) return false;
      this.sib = bytes[this.at++] as number;
    }
    const base = rm === 4 ? this.sib & 7 : rm;
    return this.take(bytes, length, mod === 1 ? 1 : mod === 2 || base === 5 ? 4 : 0);
  }

  /** Takes a displacement of `size` bytes (0, 1, 2 or 4), sign-extended. */
  private take(bytes: Uint8Array, length: number, size: number): boolean {
    if (this.at + size > length) return false;
    let value = 0;
    for (let i = 0; i < size; i++) value |= (bytes[this.at++] as number) << (8 * i);
    this.displacement = size === 1 ? (value << 24) >> 24 : size === 2 ? (value << 16) >> 16 : value;
    return true;
  }

  private defaultSegment(): number {
    if (this.modrm < 0) return DS;
    const mod = this.modrm >>> 6;
    const rm = this.modrm & 7;
    if (!this.address32) return rm === 2 || rm === 3 || (rm === 6 && mod !== 0) ? SS : DS;
    const base = rm === 4 ? this.sib & 7 : rm;
    return base === 4 || (base === 5 && mod !== 0) ? SS : DS;
  }

  private offset(processor: Processor): number {
    if (this.modrm < 0) return this.address32 ? this.displacement >>> 0 : this.displacement & 0xffff;
    const mod = this.modrm >>> 6;
    const rm = this.modrm & 7;
    let sum = this.displacement;
    if (!this.address32) {
      if (!(rm === 6 && mod === 0)) {
        sum += processor.general(BASE16[rm] as number);
        const index = INDEX16[rm];
        if (index !== undefined) sum += processor.general(index);
      }
      return sum & 0xffff;
    }
    const base = rm === 4 ? this.sib & 7 : rm;
    if (!(base === 5 && mod === 0)) sum += processor.general(base);
    if (rm === 4) {
      const index = (this.sib >>> 3) & 7;
      if (index !== 4) sum += processor.general(index) * (1 << (this.sib >>> 6));
    }
    return sum >>> 0;
  }
}
