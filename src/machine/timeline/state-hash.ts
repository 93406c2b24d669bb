/**
 * The state hash: one number for everything that a guest's future depends on, and for the ledger's past. RAM, vCPUs, translation TLBs, devices, clock,
 * run states, console counts, ledger position and digest; not fast tables, records or compiled code, which may vanish without the guest noticing.
 */
import { encodeState } from '../base/codec.ts';
import { Hash } from '../base/hash.ts';
import type { StateValue } from '../base/state.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import type { Hashable } from './subject.ts';

/** Parts that have a cheaper way than save(). */
const APART: ReadonlySet<string> = new Set(['memory', 'ledger']);

/** The state of every part but RAM and the ledger's records, as canonical bytes. */
export function encodeParts(machine: Hashable): Uint8Array {
  const parts: { [name: string]: StateValue } = {};
  for (const { name, part } of machine.stateful) if (!APART.has(name)) parts[name] = part.save();
  return encodeState(parts);
}

const PAGE_WORDS = 1024;

/** The hash of each page of RAM, kept until the page is written to. */
export class PageHashes {
  private readonly words: Int32Array;
  private readonly touched: Uint8Array;
  private readonly pages: number;
  private readonly low: Int32Array;
  private readonly high: Int32Array;
  /** 0: unknown, 1: known, 2: known to be all zeros. */
  private readonly known: Uint8Array;
  private readonly hash = new Hash();

  constructor(memory: PhysicalMemory) {
    this.words = memory.ramWords;
    this.touched = memory.touched;
    this.pages = memory.ramBytes / 4096;
    this.low = new Int32Array(this.pages);
    this.high = new Int32Array(this.pages);
    this.known = new Uint8Array(this.pages);
  }

  /** Page number `page` of RAM may have changed. */
  forget(page: number): void {
    this.known[page] = 0;
  }

  /** Adds all of RAM to `into`: number and hash of each page that is not all zeros. */
  add(into: Hash): void {
    const { known, low, high, hash, touched } = this;
    for (let page = 0; page < this.pages; page++) {
      if (touched[page] === 0) continue;
      if (known[page] === 0) {
        if (isZero(this.words, page * PAGE_WORDS)) known[page] = 2;
        else {
          hash.reset();
          hash.words(this.words, page * PAGE_WORDS, PAGE_WORDS);
          low[page] = hash.low;
          high[page] = hash.high;
          known[page] = 1;
        }
      }
      if (known[page] === 2) continue;
      into.word(page);
      into.word(low[page] as number);
      into.word(high[page] as number);
    }
  }
}

/** Are the 1024 words from `first` on all 0? */
export function isZero(words: Int32Array, first: number): boolean {
  for (let i = first; i < first + PAGE_WORDS; i += 4)
    if (((words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) | (words[i + 3] as number)) !== 0) return false;
  return true;
}

/**
 * Sixteen hexadecimal digits. Between two runs only; taking it changes nothing.
 * @param pages what is known of RAM already; without, all of RAM is read
 */
export function stateHash(machine: Hashable, pages = new PageHashes(machine.memory)): string {
  const hash = new Hash();
  hash.bytes(encodeParts(machine));
  hash.bytes(encodeState(machine.ledger.mark()));
  pages.add(hash);
  return hash.text;
}
