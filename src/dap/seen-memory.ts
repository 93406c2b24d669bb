/** Which memory the client has read, under which references: when it changes, the client is told in the very words it asked with. */

export interface Seen {
  readonly reference: string;
  /** From the reference, in bytes. */
  readonly offset: number;
  readonly count: number;
}

/** A view that has been closed is never told of: only the newest are kept. */
const KEPT = 64;

export class SeenMemory {
  private readonly byReference = new Map<string, { from: number; to: number }>();

  read(reference: string, offset: number, count: number): void {
    if (count <= 0) return;
    const known = this.byReference.get(reference);
    this.byReference.delete(reference);
    this.byReference.set(reference, {
      from: Math.min(known?.from ?? offset, offset),
      to: Math.max(known?.to ?? offset + count, offset + count),
    });
    for (const oldest of this.byReference.keys()) {
      if (this.byReference.size <= KEPT) break;
      this.byReference.delete(oldest);
    }
  }

  *all(): Iterable<Seen> {
    for (const [reference, { from, to }] of this.byReference) yield { reference, offset: from, count: to - from };
  }
}
