/** Bytes → the text of an instruction, in the NASM dialect, with numbers as they are shown everywhere: hexadecimal, upper case, with an h behind. */
import iced from 'iced-x86';
import { DECODER_OPTIONS } from './decoder.ts';

const { Code, Decoder, DecoderError, Formatter, FormatterSyntax } = iced;

const LONGEST = 15;

export interface FormattedInstruction {
  /** Bytes, 1 to 15. */
  readonly length: number;
  /** `mov dword [FEE00300h], 000C4500h`. */
  readonly text: string;
}

/** Keeps memory of iced's own: one for all is enough (`instructionFormatter`). */
class InstructionFormatter {
  private readonly instruction = new iced.Instruction();
  private readonly formatter = new Formatter(FormatterSyntax.Nasm);

  constructor() {
    const { formatter } = this;
    formatter.hexPrefix = '';
    formatter.hexSuffix = 'h';
    formatter.uppercaseHex = true;
    formatter.addLeadingZeroToHexNumbers = false;
    formatter.leadingZeros = true;
    formatter.branchLeadingZeros = true;
    formatter.displacementLeadingZeros = false;
    formatter.showBranchSize = false;
    formatter.spaceAfterOperandSeparator = true;
  }

  /** Length of the instruction that begins at each of the first `count` bytes; 0 where there is none, or more bytes would be needed. */
  lengths(bytes: Uint8Array, bits: 16 | 32, count: number): Uint8Array {
    const lengths = new Uint8Array(count);
    const decoder = new Decoder(bits, bytes, DECODER_OPTIONS);
    try {
      for (let at = 0; at < Math.min(count, bytes.length); at++) {
        decoder.position = at;
        decoder.decodeOut(this.instruction);
        if (decoder.lastError === DecoderError.None) lengths[at] = this.instruction.length;
      }
      return lengths;
    } finally {
      decoder.free();
    }
  }

  /**
   * The instruction at the beginning of `bytes`; undefined when there is none, or more bytes would be needed.
   * @param address u32, of bytes[0]: branch targets are shown as addresses (16-bit ones by their low 16 bits)
   */
  format(bytes: Uint8Array, bits: 16 | 32, address: number): FormattedInstruction | undefined {
    const decoder = new Decoder(bits, bytes.length > LONGEST ? bytes.subarray(0, LONGEST) : bytes, DECODER_OPTIONS);
    try {
      decoder.ip = BigInt(address);
      decoder.decodeOut(this.instruction);
      const { code, length } = this.instruction;
      if (decoder.lastError !== DecoderError.None || code === Code.INVALID || length === 0) return undefined;
      return { length, text: this.formatter.format(this.instruction) };
    } finally {
      decoder.free();
    }
  }
}

let shared: InstructionFormatter | undefined;
/** The formatter. */
export const instructionFormatter = (): InstructionFormatter => (shared ??= new InstructionFormatter());
