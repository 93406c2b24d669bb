/**
 * Copies of a ROM's code in the guest's memory: application processors begin below 1 MiB, so their first instructions lie in a copy that no line map
 * knows. A copy is recognised by its bytes, each time anew: what the guest overwrites, or a step back undoes, is no copy any more.
 */
import type { LineMap } from '../../assembly/linemap.ts';

/** Guest-physical memory without side effects: always `length` bytes in an array of their own, FFh where nothing is. */
export type ReadMemory = (address: number, length: number) => Uint8Array;

/** A copy is believed in when so many bytes agree, and as many of instructions. */
const ENOUGH = 8;
/** How far beyond a page's ends is compared, so that a copy that hardly reaches into the page is recognised. */
const REACH = 256;
/** Two stretches of one copy may lie so far apart: between them the guest has patched it. */
const PATCH = 16;
/** Bytes that begin more instructions than this tell nothing. */
const COMMON = 32;
/** Pages whose copies are remembered. */
const REMEMBERED = 1024;
const PAGE = 4096;

/** A stretch of memory that agrees with the image. */
interface Stretch {
  /** First address, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** What has to be added to an address for the offset in the image. */
  readonly delta: number;
}

interface Page {
  /** What was compared. */
  readonly bytes: Uint8Array;
  readonly stretches: readonly Stretch[];
}

/** Eight bytes as a number: equal for equal bytes, and hardly ever for others. */
const keyOf = (bytes: Uint8Array, at: number): number => {
  const low =
    (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
  const high = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8) | ((bytes[at + 6] as number) << 16);
  const last = (bytes[at + 7] as number) & 0x1f;
  return ((high ^ (last << 16)) & 0x1fffff) * 2 ** 32 + (low >>> 0);
};

const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false;
  const words = a.length >>> 2;
  const [x, y] = [new Int32Array(a.buffer, a.byteOffset, words), new Int32Array(b.buffer, b.byteOffset, words)];
  for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
  for (let i = words * 4; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

export class Copies {
  /** Pages, by number, in which code was executed, and their copies when that was told last. */
  private readonly watched = new Map<number, readonly Stretch[]>();
  /** In order of last use. */
  private readonly pages = new Map<number, Page>();
  /** Within `during`: pages that were compared already. */
  private compared: Set<number> | undefined;
  private starts: Map<number, number[]> | undefined;
  private readonly base: number;

  /** @param read guest-physical memory */
  constructor(
    private readonly image: Uint8Array,
    private readonly lines: LineMap,
    private readonly read: ReadMemory,
  ) {
    this.base = 2 ** 32 - image.length;
  }

  /** The offset in the image of what lies in a copy at `address`, if it does; addresses in the ROM itself are no copies. */
  original(address: number): number | undefined {
    if (address >= this.base) return undefined;
    for (const { from, to, delta } of this.page(address >>> 12).stretches) if (address >= from && address < to) return address + delta;
    return undefined;
  }

  /** Does the page at `address` hold any copy? */
  any(address: number): boolean {
    return address < this.base && this.page(address >>> 12).stretches.length > 0;
  }

  /** Addresses of the copies of the code at `offset` in the image, in pages in which code was executed. */
  copiesOf(offset: number): readonly number[] {
    const found = new Set<number>();
    for (const [number, told] of this.watched) {
      if (told.length === 0) continue; // should it hold copies by now, it will be told of when they are executed
      for (const { from, to, delta } of this.page(number).stretches) {
        const address = offset - delta;
        if (address >= from && address < to) found.add(address);
      }
    }
    return [...found];
  }

  /**
   * Code is executed in the page at `address`. Answers whether its copies are other ones than when it was last looked at: then addresses by
   * `copiesOf` are out of date.
   */
  executes(address: number): boolean {
    const number = address >>> 12;
    if (number * PAGE >= this.base) return false;
    const before = this.watched.get(number) ?? [];
    const after = this.page(number).stretches;
    this.watched.set(number, after);
    return (
      before.length !== after.length ||
      before.some((b, i) => b.from !== after[i]?.from || b.to !== after[i]?.to || b.delta !== after[i]?.delta)
    );
  }

  /** Does something during which the guest's memory stays as it is: each page is looked at once. */
  during<T>(work: () => T): T {
    if (this.compared !== undefined) return work();
    this.compared = new Set();
    try {
      return work();
    } finally {
      this.compared = undefined;
    }
  }

  private page(number: number): Page {
    const { pages, base } = this;
    const known = this.compared?.has(number) ? pages.get(number) : undefined;
    if (known !== undefined) return known;
    this.compared?.add(number);
    const first = Math.max(number * PAGE - REACH, 0);
    const bytes = this.read(first, Math.min(number * PAGE + PAGE + REACH, base) - first);
    let page = pages.get(number);
    pages.delete(number);
    if (page === undefined || !equal(page.bytes, bytes)) page = { bytes, stretches: this.search(bytes, first) };
    pages.set(number, page);
    if (pages.size > REMEMBERED)
      for (const oldest of pages.keys()) {
        pages.delete(oldest);
        break;
      }
    return page;
  }

  /** All stretches of `bytes`, which lie at `first`, that agree with the image. */
  private search(bytes: Uint8Array, first: number): Stretch[] {
    const starts = (this.starts ??= this.index());
    const found: Stretch[] = [];
    let free = 0;
    for (let at = 0; at + ENOUGH <= bytes.length; ) {
      const candidates = starts.get(keyOf(bytes, at));
      const best = candidates === undefined ? undefined : this.longest(bytes, at, free, candidates);
      if (best === undefined) {
        at++;
        continue;
      }
      const stretch = { from: first + best.from, to: first + best.to, delta: best.offset - best.from - first };
      const last = found.at(-1);
      if (last !== undefined && last.delta === stretch.delta && stretch.from - last.to <= PATCH)
        found[found.length - 1] = { ...last, to: stretch.to };
      else found.push(stretch);
      at = free = best.to;
    }
    return found;
  }
  /** Which of the code at `candidates` agrees best with what lies around `at`, not before `free`; undefined when two do alike, or none does. */
  private longest(
    bytes: Uint8Array,
    at: number,
    free: number,
    candidates: readonly number[],
  ): { from: number; to: number; offset: number } | undefined {
    const { image } = this;
    let best: { from: number; to: number; offset: number } | undefined;
    let most = ENOUGH - 1;
    for (const offset of candidates) {
      let to = at;
      while (to < bytes.length && offset + to - at < image.length && bytes[to] === image[offset + to - at]) to++;
      if (to - at < ENOUGH) continue; // only the key is the same
      let from = at;
      while (from > free && offset - (at - from) > 0 && bytes[from - 1] === image[offset - (at - from) - 1]) from--;
      if (to - from < most) continue;
      if (to - from === most) best = undefined;
      else if (this.holdsCode(offset - (at - from), offset + to - at)) best = { from, to, offset: offset - (at - from) };
      else continue;
      most = to - from;
    }
    return best;
  }
  /** Are enough of these bytes of the image instructions? */
  private holdsCode(from: number, to: number): boolean {
    let bytes = 0;
    for (let at = from; at < to; ) {
      const entry = this.lines.entryAt(at);
      const end = entry === null ? at + 1 : Math.min(entry.offset + entry.length, to);
      if (entry?.instruction) bytes += end - at;
      if (bytes >= ENOUGH) return true;
      at = end;
    }
    return false;
  }
  /** Offsets of the image at which instructions begin, by their bytes and those behind them. */
  private index(): Map<number, number[]> {
    const starts = new Map<number, number[]>();
    for (const { offset, instruction } of this.lines.entries) {
      if (!instruction || offset + ENOUGH > this.image.length) continue;
      const key = keyOf(this.image, offset);
      const list = starts.get(key);
      if (list === undefined) starts.set(key, [offset]);
      else list.push(offset);
    }
    for (const [key, list] of starts) if (list.length > COMMON) starts.delete(key);
    return starts;
  }
}
