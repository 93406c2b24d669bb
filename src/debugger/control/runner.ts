/** Runs the machine for the debugger: in stretches of about 10 ms, with breaths between them in which messages get through, and with marks to go back to. */
import type { Machine } from '../../machine/machine.ts';
import { type Checkpoint, notAfter, type Position } from '../../machine/timeline/checkpoint.ts';
import type { Timeline } from '../../machine/timeline/timeline.ts';
import type { CodeWatch } from '../code/watch.ts';
import type { BreakpointEngine } from '../engine.ts';
import type { Host } from '../host.ts';
import type { Session, SessionStop } from '../session.ts';
import type { Subject } from '../subject.ts';
import type { ConsoleFeed } from './console-feed.ts';

/** Host milliseconds of a stretch. */
const STRETCH_MS = 10;
/** What a stretch may be, in instructions and in virtual ns. */
const FIRST_STRETCH = 4_000;
const FIRST_STRETCH_NS = 1_000_000;
/** A stretch may last longer than the one before by this much: a guest that begins to spin is slow of a sudden, and what is run back over is a stretch. */
const GROWTH = 1.25;
const LEAST = 1_000;
const MOST = 100_000_000;
const MOST_NS = 1e12;
/** Between two marks, in instructions or in host milliseconds, whichever comes first. */
const MARK_EVERY = 5_000_000;
const MARK_MS = 20;
/** Between two checkpoints on the way back, in host milliseconds, and the least instructions. */
const SEEK_MS = 5;
const SEEK_FIRST = 5_000;
const SEEK_LEAST = 1_000;
/** Where a checkpoint is left before the moment that was gone to, in instructions. */
const SEEK_NEAR = 5_000;
const PROGRESS_MS = 200;

/** Everything that running takes. */
export interface RunnerParts {
  readonly machine: Machine;
  readonly timeline: Timeline;
  readonly view: Subject;
  readonly session: Session;
  readonly engine: BreakpointEngine;
  readonly console: ConsoleFeed;
  readonly watch: CodeWatch;
  readonly host: Host;
  readonly onProgress: () => void;
  /** Before each stretch: breakpoints may have changed since the last. */
  readonly onStretch: () => void;
}

export class Runner {
  readonly machine: Machine;
  readonly timeline: Timeline;
  readonly view: Subject;
  readonly session: Session;
  readonly engine: BreakpointEngine;
  readonly console: ConsoleFeed;
  readonly watch: CodeWatch;
  readonly host: Host;
  /** Somebody wants the run, or the search, to end. */
  pausing = false;

  private readonly onProgress: () => void;
  private readonly onStretch: () => void;
  private stretch = FIRST_STRETCH;
  private stretchNs = FIRST_STRETCH_NS;
  private lastBreath = 0;
  private lastProgress = 0;
  private lastMark = 0;
  private seekStretch = SEEK_FIRST;
  /** How often each breakpoint had been fulfilled at a checkpoint. */
  private readonly counts = new WeakMap<Checkpoint, ReadonlyMap<number, number>>();

  constructor(parts: RunnerParts) {
    this.machine = parts.machine;
    this.timeline = parts.timeline;
    this.view = parts.view;
    this.session = parts.session;
    this.engine = parts.engine;
    this.console = parts.console;
    this.watch = parts.watch;
    this.host = parts.host;
    this.onProgress = parts.onProgress;
    this.onStretch = parts.onStretch;
    this.mark();
  }

  /** Before anything that runs. */
  begin(): void {
    this.pausing = false;
    this.session.unstop();
    this.lastBreath = this.lastProgress = this.host.now();
  }
  pause(): void {
    this.pausing = true;
    this.session.stop();
  }

  /**
   * Runs until there is something to tell.
   * @param turnOf come back as well where this vCPU is about to run
   * @param patience asked after each stretch: is it to go on?
   */
  async on(turnOf = -1, patience: () => boolean = () => true): Promise<SessionStop | undefined> {
    for (;;) {
      this.onStretch();
      const before = this.host.now();
      const stop = this.session.run(this.stretch, this.view.nowNs + this.stretchNs, turnOf);
      if (stop !== undefined && stop.kind !== 'time') return stop;
      this.adapt(this.host.now() - before);
      this.markNow();
      if (await this.breathe()) return { kind: 'asked' };
      if (!patience()) return undefined;
    }
  }
  private adapt(took: number): void {
    if (took < STRETCH_MS / 2) {
      this.stretch = Math.min(Math.ceil(this.stretch * GROWTH), MOST);
      this.stretchNs = Math.min(this.stretchNs * 2, MOST_NS);
    } else if (took > STRETCH_MS * 2) {
      this.stretch = Math.max(Math.floor(this.stretch / 2), LEAST);
      this.stretchNs = Math.max(Math.floor(this.stretchNs / 2), LEAST);
    }
  }

  /** Lets others have the thread, when it is time to. Tells whether the run is to end. */
  async breathe(): Promise<boolean> {
    const now = this.host.now();
    if (now - this.lastBreath < STRETCH_MS) return this.pausing;
    this.console.flush();
    if (now - this.lastProgress >= PROGRESS_MS) {
      this.lastProgress = now;
      this.onProgress();
    }
    await this.host.yield();
    this.lastBreath = this.host.now();
    return this.pausing;
  }

  // ── Marks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Remembers the present: a checkpoint with the counts of the breakpoints. */
  mark(): Checkpoint {
    const checkpoint = this.timeline.checkpoint();
    this.counts.set(checkpoint, this.engine.counts());
    return checkpoint;
  }
  private markNow(): void {
    const now = this.host.now();
    const [latest] = this.marksBefore(this.timeline.position);
    const far = latest === undefined || this.machine.clock.instructions - latest.icount >= MARK_EVERY;
    if (!far && (now - this.lastMark < MARK_MS || !this.isNews())) return;
    this.lastMark = now;
    this.mark();
  }
  /** Is the present the latest moment that the run has come to? Before that, marks are known. */
  private isNews(): boolean {
    return this.machine.clock.instructions === this.timeline.latest;
  }
  /** Marks not after a moment, latest first; any checkpoint is one while no breakpoint counts. */
  marksBefore(moment: Position): Checkpoint[] {
    const any = !this.countsMatter;
    return this.timeline.checkpoints.filter((mark) => (any || this.counts.has(mark)) && notAfter(mark, moment)).reverse();
  }
  /** Does it matter how often breakpoints were fulfilled? */
  get countsMatter(): boolean {
    return this.engine.breakpoints.some(({ hits }) => hits !== undefined);
  }

  /** To a mark; the breakpoints count on from there. */
  backTo(mark: Checkpoint): void {
    this.travel(() => this.timeline.restore(mark));
    this.countAsAt(mark);
  }
  /** The breakpoints count on from what they were at a mark, or, where they were not counted then, at the one before it. */
  countAsAt(mark: Checkpoint): void {
    const counted = this.timeline.checkpoints.filter((other) => this.counts.has(other) && notAfter(other, mark)).at(-1);
    if (counted !== undefined) this.engine.setCounts(this.counts.get(counted) as ReadonlyMap<number, number>);
  }

  /** To the first moment with so many instructions retired. On a long way to it checkpoints are left, so that the next time is a short one. */
  seek(icount: number): void {
    const { timeline, machine } = this;
    this.travel(() => {
      const { instructions } = machine.clock;
      const known = timeline.checkpoints.reduce((at, mark) => (mark.icount < icount ? Math.max(at, mark.icount) : at), timeline.earliest);
      const at = instructions <= icount ? Math.max(instructions, known) : known;
      // Whoever goes back now will go back a little further next.
      if (icount - at > 2 * SEEK_NEAR) {
        this.seekOn(at, icount - SEEK_NEAR);
        timeline.checkpoint();
      }
      timeline.goTo(icount);
    });
  }
  private seekOn(from: number, to: number): void {
    const { timeline, host } = this;
    for (let at = from; at < to; ) {
      const start = host.now();
      at = Math.min(to, at + this.seekStretch);
      timeline.goTo(at);
      const took = host.now() - start;
      if (took < SEEK_MS / 2) this.seekStretch *= 2;
      else if (took > SEEK_MS * 2) this.seekStretch = Math.max(Math.floor(this.seekStretch / 2), SEEK_LEAST);
      if (took >= SEEK_MS / 2 && at < to) timeline.checkpoint();
    }
  }

  /** Goes elsewhere in time: nothing stops it, and nobody is told of anything. */
  travel(work: () => void): void {
    this.watch.quietly(work);
    this.session.wentBack();
    this.onStretch();
  }
}
