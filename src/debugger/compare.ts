/** Where two runs of one bootrom part: the first thing that a vCPU did, or that was done to it, otherwise than in the other run. */
import { ExitCode } from '../machine/ledger/exitcode.ts';
import { type ExitRecord, type IpiRecord, type LedgerReader, Outcome } from '../machine/ledger/records.ts';

/** One side of a parting; no exit: that run had ended, or the vCPU did nothing more. */
export interface Side {
  readonly exit: ExitRecord | undefined;
  readonly ipi: IpiRecord | undefined;
}

export interface Parting {
  readonly vcpu: number;
  /** Exits of that vCPU which both runs had alike before. */
  readonly alike: number;
  readonly a: Side;
  readonly b: Side;
  /** What differs: `outcome`, `value`, `targets`… */
  readonly what: readonly string[];
}

/** Exits that tell of the VMM's own ways rather than of the guest: run states, which the older profiles do not have. */
export const LEFT_ASIDE: readonly ExitCode[] = [ExitCode.RUN_STATE, ExitCode.BOGUS];

/** About 50 MB of records. */
const MAX_WAITING = 1 << 17;

const FIELDS = ['code', 'finalCode', 'address', 'size', 'write', 'value', 'valueHigh', 'eip', 'csBase', 'returned', 'outcome'] as const;

const NOTHING: Side = { exit: undefined, ipi: undefined };

function sameTargets(a: IpiRecord | undefined, b: IpiRecord | undefined): boolean {
  const [left, right] = [a?.targets ?? [], b?.targets ?? []];
  return (
    left.length === right.length &&
    left.every((t, i) => t.vcpu === right[i]?.vcpu && t.verdict === right[i]?.verdict && t.reason === right[i]?.reason)
  );
}

const alike = (a: Side, b: Side): boolean => {
  const [x, y] = [a.exit as ExitRecord, b.exit as ExitRecord];
  for (const f of FIELDS) if (x[f] !== y[f]) return false;
  return (a.ipi === undefined && b.ipi === undefined) || sameTargets(a.ipi, b.ipi);
};

function differences(a: Side, b: Side): string[] {
  if (a.exit === undefined || b.exit === undefined) return ['end'];
  const what: string[] = FIELDS.filter((f) => (a.exit as ExitRecord)[f] !== (b.exit as ExitRecord)[f]);
  if (!sameTargets(a.ipi, b.ipi)) what.push('targets');
  return what;
}

/** Sides in the order they came, from the oldest on. */
class Queue {
  private items: Side[] = [];
  private head = 0;
  get length(): number {
    return this.items.length - this.head;
  }
  get first(): Side | undefined {
    return this.items[this.head];
  }
  push(side: Side): void {
    this.items.push(side);
  }
  shift(): void {
    this.head++;
    if (this.head < 1024 || this.head * 2 < this.items.length) return;
    this.items = this.items.slice(this.head);
    this.head = 0;
  }
}

/** What is known of one vCPU. */
class Track {
  queues: readonly [Queue, Queue] = [new Queue(), new Queue()];
  /** The exit of either run in which the vCPU waits: not over yet. */
  readonly held: [Side | undefined, Side | undefined] = [undefined, undefined];
  alike = 0;
  parting: Parting | undefined;
  /** A queue was full: exits behind it are not known. */
  readonly cut: [boolean, boolean] = [false, false];
}

/**
 * Compares two runs while they run: told of every exit with its outcome, it keeps only those that the other run has not come to yet. It does not
 * matter which run is ahead, only that neither is for very long.
 */
export class Comparison {
  private readonly tracks = new Map<number, Track>();
  private readonly waiting: [number, number] = [0, 0];

  /** @param maxWaiting exits of one run, all vCPUs together, that wait for their like of the other one at most */
  constructor(private readonly maxWaiting = MAX_WAITING) {}

  /**
   * An exit of run 0 or 1 has an outcome. To be told in the order in which each vCPU had them, and again of an exit that a vCPU waited in.
   * @param exit kept, not changed
   */
  add(run: 0 | 1, exit: ExitRecord, ipi: IpiRecord | undefined): void {
    if (LEFT_ASIDE.includes(exit.code)) return;
    const track = this.track(exit.vcpu);
    if (track.parting !== undefined) return;
    const held = track.held[run];
    const side = { exit, ipi };
    // One that is followed by another has gone on, even when its record was dropped before it could say so.
    if (held?.exit !== undefined && held.exit.number !== exit.number) {
      this.queue(track, run, { exit: { ...held.exit, outcome: Outcome.resumed }, ipi: held.ipi });
    }
    track.held[run] = undefined;
    if (exit.outcome === Outcome.waits) track.held[run] = side;
    else this.queue(track, run, side);
  }

  /** Both runs are over: what the one has and the other has not is a parting. */
  finish(): void {
    for (const track of this.tracks.values()) {
      if (track.parting !== undefined) continue;
      for (const run of [0, 1] as const) {
        const held = track.held[run];
        track.held[run] = undefined;
        if (held !== undefined && track.parting === undefined) this.queue(track, run, held);
      }
      const [a, b] = [track.queues[0].first, track.queues[1].first];
      if (track.parting !== undefined || (a === undefined && b === undefined)) continue;
      if ((a === undefined && track.cut[0]) || (b === undefined && track.cut[1])) continue;
      this.part(track, a ?? NOTHING, b ?? NOTHING);
    }
  }

  /** The earliest parting known. */
  get parting(): Parting | undefined {
    let first: Parting | undefined;
    let firstTime = Number.POSITIVE_INFINITY;
    for (const { parting } of this.tracks.values()) {
      if (parting === undefined) continue;
      const time = Math.min(parting.a.exit?.timeNs ?? Number.POSITIVE_INFINITY, parting.b.exit?.timeNs ?? Number.POSITIVE_INFINITY);
      if (time < firstTime) [firstTime, first] = [time, parting];
    }
    return first;
  }

  /** Exits that both runs had alike so far, all vCPUs together. */
  get alike(): number {
    let sum = 0;
    for (const track of this.tracks.values()) sum += track.alike;
    return sum;
  }

  /** Was every exit compared, of the vCPUs that have not parted? No: one run was too far ahead of the other. */
  get complete(): boolean {
    for (const { parting, cut } of this.tracks.values()) if (parting === undefined && (cut[0] || cut[1])) return false;
    return true;
  }

  private track(vcpu: number): Track {
    let track = this.tracks.get(vcpu);
    if (track === undefined) this.tracks.set(vcpu, (track = new Track()));
    return track;
  }

  private queue(track: Track, run: 0 | 1, side: Side): void {
    if (track.cut[run]) return;
    const otherRun = run === 0 ? 1 : 0;
    const other = track.queues[otherRun];
    const theirs = other.first;
    if (theirs === undefined) {
      // One exit is always kept: it alone tells whether the other run goes on otherwise.
      if (this.waiting[run] >= this.maxWaiting && track.queues[run].length > 0) {
        track.cut[run] = true;
        return;
      }
      track.queues[run].push(side);
      this.waiting[run]++;
      return;
    }
    const [a, b] = run === 0 ? [side, theirs] : [theirs, side];
    if (alike(a, b)) {
      track.alike++;
      other.shift();
      this.waiting[otherRun]--;
    } else this.part(track, a, b);
  }

  private part(track: Track, a: Side, b: Side): void {
    const vcpu = (a.exit ?? b.exit)?.vcpu ?? 0;
    track.parting = { vcpu, alike: track.alike, a, b, what: differences(a, b) };
    for (const run of [0, 1] as const) {
      this.waiting[run] -= track.queues[run].length;
      track.held[run] = undefined;
    }
    track.queues = [new Queue(), new Queue()];
  }
}

/**
 * The earliest parting of two ledgers, or undefined when none of their exits differ.
 * @throws RangeError when either has dropped records: such runs are compared while they run, by a Comparison
 */
export function compareLedgers(a: LedgerReader, b: LedgerReader): Parting | undefined {
  const comparison = new Comparison(Number.POSITIVE_INFINITY);
  [a, b].forEach((ledger, run) => {
    if (ledger.firstExit > 1) throw new RangeError(`exits before e#${ledger.firstExit} were dropped: the ledgers cannot be compared`);
    for (let n = 1; n <= ledger.exitCount; n++) {
      const exit = ledger.exitAt(n);
      if (exit !== undefined) comparison.add(run as 0 | 1, exit, exit.ipi === 0 ? undefined : ledger.ipiAt(exit.ipi));
    }
  });
  comparison.finish();
  return comparison.parting;
}
