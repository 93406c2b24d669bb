/** A running 64-bit digest over numbers, as two u32 halves: for comparing what two runs wrote. Not cryptographic. */
import { hex } from '../base/bits.ts';

const TWO_32 = 4294967296;

export class Digest {
  /** The two halves, as int32. */
  low = 0x2545f491 | 0;
  high = 0x4f6cdd1d | 0;

  /** Mixes in one 32-bit word. */
  word(x: number): void {
    let a = this.low ^ Math.imul(x, 0xcc9e2d51);
    a = Math.imul((a << 15) | (a >>> 17), 0x1b873593);
    let b = (this.high + x) | 0;
    b = Math.imul(((b << 13) | (b >>> 19)) ^ a, 0x85ebca6b);
    this.low = (a + 0xe6546b64) | 0;
    this.high = b ^ (b >>> 15);
  }

  /** Mixes in an integer of up to 53 bits, negative ones included. */
  number(n: number): void {
    this.word(n | 0);
    this.word(Math.floor(n / TWO_32) | 0);
  }

  /** Sixteen hexadecimal digits. */
  get text(): string {
    return hex(this.high >>> 0, 8) + hex(this.low >>> 0, 8);
  }
}
