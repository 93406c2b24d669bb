/** Where each line of the source went: offsets in the image to lines, and back. */

export interface LineEntry {
  /** Of its first byte, from the beginning of the image. */
  readonly offset: number;
  /** Bytes, at least 1. A repetition by `times` is one entry. */
  readonly length: number;
  /** Bytes of one repetition: the length of the instruction, for code. Where repetitions differ in length it is that of the entry. */
  readonly unit: number;
  /** 1-based. */
  readonly line: number;
  /** Code rather than data? */
  readonly instruction: boolean;
  /** The mode it was assembled for. */
  readonly bits: 16 | 32;
}

export class LineMap {
  readonly file: string;
  readonly #entries: readonly LineEntry[];
  readonly #firstByLine = new Map<number, LineEntry>();

  /** `entries` in order of offset, without overlap. */
  constructor(file: string, entries: readonly LineEntry[]) {
    this.file = file;
    this.#entries = entries;
    for (const entry of entries) if (!this.#firstByLine.has(entry.line)) this.#firstByLine.set(entry.line, entry);
  }

  get entries(): readonly LineEntry[] {
    return this.#entries;
  }

  /** The entry that covers an offset, or null. */
  entryAt(offset: number): LineEntry | null {
    let low = 0;
    let high = this.#entries.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle] as LineEntry;
      if (offset < entry.offset) high = middle - 1;
      else if (offset >= entry.offset + entry.length) low = middle + 1;
      else return entry;
    }
    return null;
  }

  /** File and line of an offset in the image, or null if no line put a byte there. */
  lineAt(offset: number): { file: string; line: number } | null {
    const entry = this.entryAt(offset);
    return entry === null ? null : { file: this.file, line: entry.line };
  }

  /** The offset of the first byte that a line gave, or null if it gave none. */
  firstOffset(line: number): number | null {
    return this.#firstByLine.get(line)?.offset ?? null;
  }

  /** The entry of the first line at or after `line` that holds an instruction, which is where a breakpoint on `line` belongs; or null. */
  nextInstruction(line: number): LineEntry | null {
    let best: LineEntry | null = null;
    for (const entry of this.#firstByLine.values())
      if (entry.instruction && entry.line >= line && (best === null || entry.line < best.line)) best = entry;
    return best;
  }
}
