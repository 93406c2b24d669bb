/**
 * What of a ROM is code, and of which size, where no source says so: followed from the reset vector along the jumps and calls that the instructions
 * themselves name. A matter of the image alone, so it never changes.
 */
import { type Insn, InstructionDecoder, Operand } from '../../machine/isa/decoder.ts';

/** So many instructions are followed. */
const INSTRUCTIONS = 20_000;
const RESET_VECTOR = 0xfffffff0;
const RESET_BASE = 0xffff0000;
/** Below 1 MiB, where a PC shows the ROM's end once more, and the distance to that. */
const ALIAS = 0xe0000;
const ALIAS_END = 0x100000;
const ALIASED = 0xfff00000;
const LONGEST = 15;

const ENDS: readonly string[] = ['jmp', 'ret', 'retf', 'iret', 'iretd', 'ud2', 'invalid'];

interface Begin {
  readonly linear: number;
  readonly base: number;
  readonly bits: 16 | 32;
}

export class Trace {
  /** Instructions by their linear address in the ROM, with their size. */
  private readonly starts = new Map<number, 16 | 32>();
  /** Their addresses, in order. */
  private readonly ordered: readonly number[];
  private readonly first: number;

  constructor(private readonly image: Uint8Array) {
    this.first = 2 ** 32 - image.length;
    this.follow();
    this.ordered = [...this.starts.keys()].sort((a, b) => a - b);
  }

  /** Does an instruction begin at a linear address? */
  begins(linear: number): boolean {
    return this.starts.has(inRom(linear));
  }
  /** Size of the instruction that begins there, else of the nearest before it in that page, else after it; undefined where there is none. */
  bitsAt(linear: number): 16 | 32 | undefined {
    const there = inRom(linear);
    const exact = this.starts.get(there);
    if (exact !== undefined) return exact;
    let low = 0;
    let high = this.ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ordered[middle] as number) <= there) low = middle + 1;
      else high = middle;
    }
    for (const near of [this.ordered[low - 1], this.ordered[low]])
      if (near !== undefined && near >>> 12 === there >>> 12) return this.starts.get(near);
    return undefined;
  }

  private follow(): void {
    const decoder = new InstructionDecoder();
    const begins: Begin[] = [{ linear: RESET_VECTOR, base: RESET_BASE, bits: 16 }];
    for (let begin = begins.pop(); begin !== undefined && this.starts.size < INSTRUCTIONS; begin = begins.pop()) {
      const { base, bits } = begin;
      let linear = inRom(begin.linear);
      while (linear >= this.first && !this.starts.has(linear) && this.starts.size < INSTRUCTIONS) {
        const offset = linear - this.first;
        let insn: Insn | undefined;
        decoder.decode(this.image.subarray(offset, offset + LONGEST), bits, 0, (n) => {
          insn = n;
          return false;
        });
        if (insn === undefined || !insn.valid) break;
        this.starts.set(linear, bits);
        const to = this.target(insn, linear, base, bits);
        if (to !== undefined) begins.push(to);
        if (ENDS.includes(insn.mnemonic)) break;
        linear += insn.length;
      }
    }
  }
  /** Where a branch leads, if that is in sight. */
  private target(insn: Insn, linear: number, base: number, bits: 16 | 32): Begin | undefined {
    const [{ kind, size }] = insn.operands;
    if (insn.operandCount === 0) return undefined;
    if (kind === Operand.nearBranch) {
      // Offsets wrap at 64 KiB in 16-bit code: the base is a multiple of that, or the ROM's alias is.
      const offset = linear - inRom(base) + insn.target;
      return { linear: bits === 16 ? (inRom(base) + (offset & 0xffff)) >>> 0 : (linear + insn.target) >>> 0, base, bits };
    }
    if (kind !== Operand.farBranch) return undefined;
    // A far jump by a 32-bit offset out of 16-bit code is how one enters 32-bit code; by a 16-bit offset it is one of real mode.
    if (bits === 16 && size === 32) return { linear: insn.farOffset >>> 0, base: 0, bits: 32 };
    if (bits === 16) return { linear: insn.farSelector * 16 + (insn.farOffset & 0xffff), base: insn.farSelector * 16, bits };
    return size === 32 ? { linear: insn.farOffset >>> 0, base: 0, bits: 32 } : undefined;
  }
}

/** The place in the ROM that an address below 1 MiB shows. */
const inRom = (linear: number): number => (linear >= ALIAS && linear < ALIAS_END ? linear + ALIASED : linear);
