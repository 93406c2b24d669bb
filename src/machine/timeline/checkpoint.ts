/** Moments of a run, and what is kept of some of them. */
import type { LedgerMark } from '../ledger/ledger.ts';

/** A moment between two instructions. Later moments of a run are never less in any of the three. */
export interface Position {
  /** Instructions retired by all vCPUs. */
  readonly icount: number;
  /** Virtual time in ns. */
  readonly timeNs: number;
  /** Writes to the ledger and to consoles: tells moments apart between which no instruction retired. */
  readonly progress: number;
}

/** Are these the same moment? */
export const samePosition = (a: Position, b: Position): boolean =>
  a.icount === b.icount && a.timeNs === b.timeNs && a.progress === b.progress;

/** Is `a` the same moment as `b`, or an earlier one? */
export const notAfter = (a: Position, b: Position): boolean =>
  a.icount < b.icount || (a.icount === b.icount && a.timeNs <= b.timeNs && a.progress <= b.progress);

/** A moment that one can come back to. */
export interface Checkpoint extends Position {
  /** Inputs that had happened. */
  readonly inputs: number;
  /** How often the run had taken another course than before (an input, an edit) when this was taken. */
  readonly course: number;
}

/** What a page held; `zeros` takes no room. */
export type PageContent = Uint8Array | 'zeros';

const PAGE = 4096;
/** What an entry takes besides, about. */
const ENTRY = 40;

/** Contents of pages, by number. */
export class Pages {
  private readonly contents = new Map<number, PageContent>();
  /** What they take. */
  bytes = 0;

  has(page: number): boolean {
    return this.contents.has(page);
  }
  /** Keeps a page's content, unless there is one already: the first counts. */
  put(page: number, content: PageContent): void {
    if (this.contents.has(page)) return;
    this.contents.set(page, content);
    this.bytes += ENTRY + (content === 'zeros' ? 0 : PAGE);
  }
  /** Takes in those of `later`, the next interval: a page that only it has was not written in the earlier one. */
  absorb(later: Pages): void {
    for (const [page, content] of later.contents) this.put(page, content);
  }
  entries(): Iterable<[page: number, content: PageContent]> {
    return this.contents.entries();
  }
  numbers(): Iterable<number> {
    return this.contents.keys();
  }
}

/** A checkpoint whose state is at hand. */
export interface KeptCheckpoint extends Checkpoint {
  /** Is it the first moment with this icount, that at which a run of so many instructions ends? */
  readonly first: boolean;
  /** All parts but RAM and the ledger, encoded. */
  readonly parts: Uint8Array;
  readonly mark: LedgerMark;
  /**
   * What pages held at this moment, by number: all that were written between it and the next kept checkpoint (after the last: until the latest
   * moment the run has come to), and perhaps others.
   */
  readonly pages: Pages;
}

/** Bytes that a checkpoint takes. */
export const sizeOf = ({ parts, pages }: KeptCheckpoint): number => parts.length + pages.bytes;

export interface Thinning {
  /** So many of the newest checkpoints stay, whatever their distance. */
  readonly dense: number;
  /** Bytes that all of them may take. */
  readonly budgetBytes: number;
}

/** A gap between checkpoints may be this part of their age: what is long ago may take longer to come back to. */
const GAP_OF_AGE = 16;

/**
 * Which checkpoint to drop next, by index, or -1: those that stand too close for their age, oldest first; over budget, the one that is missed
 * least, and at last the oldest of all. Never the newest.
 * @param spared index of one that must stay
 */
export function victim(list: readonly KeptCheckpoint[], spared: number, { dense, budgetBytes }: Thinning): number {
  const newest = list.length - 1;
  const now = list[newest]?.icount ?? 0;
  const gapWithout = (i: number): number => (list[i + 1] as KeptCheckpoint).icount - (list[i - 1] as KeptCheckpoint).icount;
  const age = (i: number): number => now - (list[i] as KeptCheckpoint).icount;
  for (let i = 1; i < newest - dense; i++) if (i !== spared && gapWithout(i) * GAP_OF_AGE <= age(i)) return i;
  if (list.reduce((sum, checkpoint) => sum + sizeOf(checkpoint), 0) <= budgetBytes) return -1;
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 1; i < newest; i++) {
    const loss = gapWithout(i) / (age(i) + 1);
    if (i === spared || loss >= least) continue;
    least = loss;
    best = i;
  }
  return best >= 0 ? best : newest > 0 && spared !== 0 ? 0 : -1;
}
