/** Is a number on the stack a return address? The bytes before it are a CALL then. */
import { InstructionDecoder, Operand } from '../../machine/isa/decoder.ts';
import type { LinearBytes } from './bytes.ts';
import type { Program } from './program.ts';

/** A CALL that ends where a return address points. */
export interface Call {
  /** Linear address of it. */
  readonly linear: number;
  /** Bytes of the offset that it pushes: 2 or 4; a far one pushes as many for CS. */
  readonly size: 2 | 4;
  readonly far: boolean;
  /** Linear address of what it calls, where the instruction itself says it (not for far calls). */
  readonly target: number | undefined;
}

/** Lengths that a CALL may have, prefixes included: most likely ones first. */
const LENGTHS = [5, 3, 2, 6, 7, 4, 8, 9] as const;
const LONGEST = 9;
const PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67];

/** Could the bytes from `at` on be a CALL? Spares the decoder most of what lies on a stack. */
function mayBegin(bytes: Uint8Array, at: number): boolean {
  let i = at;
  while (i < bytes.length && PREFIXES.includes(bytes[i] as number)) i++;
  const opcode = bytes[i];
  if (opcode === 0xe8 || opcode === 0x9a) return true;
  const digit = ((bytes[i + 1] ?? 0) >> 3) & 7;
  return opcode === 0xff && (digit === 2 || digit === 3);
}

/** The one repetition of what the source put around a linear address. */
export function unitAround(program: Program, linear: number): { readonly linear: number; readonly length: number } | undefined {
  const statement = program.statementAt(linear);
  if (statement === undefined) return undefined;
  const before = (linear - statement.linear) % statement.unit;
  return { linear: linear - before, length: statement.unit };
}

/** Keeps memory of its own: one for all is enough. */
let decoder: InstructionDecoder | undefined;

/** Finds CALLs. */
export class Calls {
  constructor(
    private readonly program: Program,
    private readonly memory: LinearBytes,
  ) {}

  /** The CALL that ends right before `eip` of the segment at `csBase`; undefined: there is none. */
  before(eip: number, csBase: number, bits: 16 | 32): Call | undefined {
    const behind = (csBase + eip) >>> 0;
    const first = (behind - LONGEST) >>> 0;
    const bytes = this.memory.read(first, LONGEST);
    // Where the memory begins within these bytes there is no reading up to it.
    if (bytes.length < LONGEST) return this.nearBeginning(eip, csBase, bits, behind);
    return this.among(bytes, eip, csBase, bits);
  }
  private nearBeginning(eip: number, csBase: number, bits: 16 | 32, behind: number): Call | undefined {
    for (let length = LONGEST - 1; length >= 2; length--) {
      const bytes = this.memory.read((behind - length) >>> 0, length);
      if (bytes.length === length) return this.among(bytes, eip, csBase, bits);
    }
    return undefined;
  }

  private among(bytes: Uint8Array, eip: number, csBase: number, bits: 16 | 32): Call | undefined {
    const behind = (csBase + eip) >>> 0;
    const known = unitAround(this.program, (behind - 1) >>> 0);
    for (const length of LENGTHS) {
      if (length > bytes.length || !mayBegin(bytes, bytes.length - length)) continue;
      const linear = (behind - length) >>> 0;
      // The source says where instructions begin.
      if (known !== undefined && (known.linear !== linear || known.length !== length)) continue;
      const call = this.decode(bytes.subarray(bytes.length - length), linear, eip - length, csBase, bits);
      if (call !== undefined) return call;
    }
    return undefined;
  }
  private decode(bytes: Uint8Array, linear: number, eip: number, csBase: number, bits: 16 | 32): Call | undefined {
    let call: Call | undefined;
    decoder ??= new InstructionDecoder();
    decoder.decode(bytes, bits, 0, (insn) => {
      if (!insn.valid || insn.length !== bytes.length || insn.mnemonic !== 'call') return false;
      // iced names the sizes: Call_rel32_32, Call_rm16, Call_ptr1632, Call_m1616.
      const wide = insn.code.endsWith('32');
      const offset = (eip + insn.target) >>> 0;
      const direct = insn.operands[0].kind === Operand.nearBranch;
      const target = direct ? (csBase + (wide ? offset : offset & 0xffff)) >>> 0 : undefined;
      call = { linear, size: wide ? 4 : 2, far: /_(ptr|m)16/.test(insn.code), target };
      return false;
    });
    return call;
  }
}
