/**
 * A 64-bit hash over 32-bit words, as two lanes that mix differently. Not cryptographic: it tells states apart that differ by accident.
 *
 * Each step is a bijection of its lane, for the word as for what the lane held: two streams that differ in one word alone never agree.
 */
import { hex } from './bits.ts';

export class Hash {
  /** The two lanes, as int32. */
  low = 0x6a09e667 | 0;
  high = 0xbb67ae85 | 0;

  /** Starts anew. */
  reset(): void {
    this.low = 0x6a09e667 | 0;
    this.high = 0xbb67ae85 | 0;
  }
  word(w: number): void {
    const a = Math.imul(this.low ^ w, 0x9e3779b1);
    this.low = (a << 13) | (a >>> 19);
    const b = (this.high + Math.imul(w, 0x85ebca6b)) | 0;
    this.high = Math.imul((b << 11) | (b >>> 21), 0xc2b2ae35);
  }
  /** Words `first` to `first + count - 1`. */
  words(list: Int32Array, first: number, count: number): void {
    let a = this.low;
    let b = this.high;
    for (let i = first; i < first + count; i++) {
      const w = list[i] as number;
      a = Math.imul(a ^ w, 0x9e3779b1);
      a = (a << 13) | (a >>> 19);
      b = (b + Math.imul(w, 0x85ebca6b)) | 0;
      b = Math.imul((b << 11) | (b >>> 21), 0xc2b2ae35);
    }
    this.low = a;
    this.high = b;
  }
  /** Their number, then the bytes, four to a word. */
  bytes(list: Uint8Array): void {
    this.word(list.length);
    for (let i = 0; i < list.length; i += 4)
      this.word((list[i] as number) | ((list[i + 1] ?? 0) << 8) | ((list[i + 2] ?? 0) << 16) | ((list[i + 3] ?? 0) << 24));
  }
  /** Sixteen hexadecimal digits. */
  get text(): string {
    const a = mixed(this.low);
    const b = mixed(this.high ^ a);
    return hex(b >>> 0, 8) + hex((a ^ b) >>> 0, 8);
  }
}

/** The last step of MurmurHash3 (Appleby): every bit of the input moves about half of the output's. */
function mixed(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
