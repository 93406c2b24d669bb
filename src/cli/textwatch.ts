/** Waits for a text in a stream of bytes (Knuth, Morris, Pratt: one step for each byte, nothing is kept). */
export class TextWatch {
  private readonly bytes: Uint8Array;
  /** How long a prefix the text repeats at each place. */
  private readonly back: Uint32Array;
  private matched = 0;
  found = false;

  /** @param text at least one character; compared as UTF-8 */
  constructor(readonly text: string) {
    this.bytes = new TextEncoder().encode(text);
    this.back = new Uint32Array(this.bytes.length);
    for (let i = 1, k = 0; i < this.bytes.length; i++) {
      while (k > 0 && this.bytes[i] !== this.bytes[k]) k = this.back[k - 1] as number;
      if (this.bytes[i] === this.bytes[k]) k++;
      this.back[i] = k;
    }
  }

  /** Takes one byte; true when the text is found for the first time with it. */
  feed(byte: number): boolean {
    if (this.found) return false;
    while (this.matched > 0 && this.bytes[this.matched] !== byte) this.matched = this.back[this.matched - 1] as number;
    if (this.bytes[this.matched] === byte) this.matched++;
    this.found = this.matched === this.bytes.length;
    return this.found;
  }
}
