/** Which interval of a number line holds a point: ports, guest-physical addresses. Intervals never overlap. */

interface Interval<T> {
  readonly first: number;
  readonly last: number;
  readonly name: string;
  readonly value: T;
}

/** Two intervals were to share a point: says both names and both ranges. */
export class OverlapError extends Error {
  override readonly name = 'OverlapError';
}

const range = (first: number, last: number): string => `${first.toString(16).toUpperCase()}-${last.toString(16).toUpperCase()}`;

/** A sorted list of named, disjoint intervals. Built once; looked up without allocating. */
export class IntervalMap<T> {
  private readonly intervals: Interval<T>[] = [];
  /** The interval that answered last: most accesses come in runs. */
  private recent: Interval<T> | undefined;

  /**
   * Adds `size` points from `first` on.
   * @param first 0..2^52
   * @param size 1 or more
   * @throws OverlapError when a point is taken already, and when `size` is not positive.
   */
  add(first: number, size: number, name: string, value: T): void {
    const last = first + size - 1;
    if (!(size >= 1)) throw new OverlapError(`${name}: an interval of ${size} at ${range(first, first)} holds nothing`);
    const at = this.indexAfter(first);
    const before = this.intervals[at - 1];
    const after = this.intervals[at];
    const clash = before && before.last >= first ? before : after && after.first <= last ? after : undefined;
    if (clash) throw new OverlapError(`${name} at ${range(first, last)} overlaps ${clash.name} at ${range(clash.first, clash.last)}`);
    this.intervals.splice(at, 0, { first, last, name, value });
  }

  /** Is none of the `size` points from `first` on taken? */
  isFree(first: number, size: number): boolean {
    const at = this.indexAfter(first);
    const before = this.intervals[at - 1];
    const after = this.intervals[at];
    return (before === undefined || before.last < first) && (after === undefined || after.first > first + size - 1);
  }

  /** Takes the interval that starts at `first` away; without one there, nothing happens. */
  remove(first: number): void {
    const at = this.indexAfter(first) - 1;
    if (this.intervals[at]?.first === first) this.intervals.splice(at, 1);
    this.recent = undefined;
  }

  /** The value of the interval that holds `point`, or undefined. */
  find(point: number): T | undefined {
    const recent = this.recent;
    if (recent !== undefined && point >= recent.first && point <= recent.last) return recent.value;
    const interval = this.intervals[this.indexAfter(point) - 1];
    if (interval === undefined || point > interval.last) return undefined;
    this.recent = interval;
    return interval.value;
  }

  /** Every interval in ascending order: for the debugger's maps. */
  list(): readonly { readonly first: number; readonly last: number; readonly name: string; readonly value: T }[] {
    return this.intervals;
  }

  /** Index of the first interval that starts behind `point`. */
  private indexAfter(point: number): number {
    let low = 0;
    let high = this.intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.intervals[middle] as Interval<T>).first <= point) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
