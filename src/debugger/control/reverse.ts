/** Going back: by an instruction or a line of one vCPU, and to the latest earlier stop. */
import { type Checkpoint, notAfter, type Position, samePosition } from '../../machine/timeline/checkpoint.ts';
import { LinearBytes } from '../code/bytes.ts';
import type { Program } from '../code/program.ts';
import { isDelivery, type SessionStop } from '../session.ts';
import { flowOf } from './flow.ts';
import type { Runner } from './runner.ts';

/** A moment between two instructions of a vCPU: after one that it has retired, or after something was delivered to it. */
interface Boundary {
  readonly position: Position;
  /** Number of the event that was delivered; 0: an instruction was retired. */
  readonly event: number;
  /** Where the vCPU is then. */
  readonly linear: number;
}

/** How going back ended. `start`: it did not move, or only to the beginning of the recording. */
export type BackEnd = { readonly kind: 'back' } | { readonly kind: 'start' } | { readonly kind: 'asked' } | SessionStop;

const before = (a: Position, b: Position): boolean => notAfter(a, b) && !samePosition(a, b);

/** Instructions that are looked at for a line's beginning: at first, and at most. */
const LOOK_BACK = 128;
const LOOK_BACK_MOST = 1 << 20;

/** A stop on the way. */
type Found = Extract<SessionStop, { kind: 'breakpoint' }>;
/** Is it a stop because of what has happened, rather than before an instruction? Of two such at one moment, it is the earlier. */
const isExit = ({ hits }: Found): boolean => hits.some(({ breakpoint }) => breakpoint.trigger.kind !== 'instruction');

export class Reverse {
  constructor(
    private readonly runner: Runner,
    private readonly program: Program,
  ) {}

  // ── Steps ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** To before the last instruction of a vCPU. */
  async instruction(vcpu: number): Promise<BackEnd> {
    const { timeline, machine } = this.runner;
    const from = machine.schedule.ranAt(vcpu) - 1;
    if (from < timeline.earliest) return { kind: 'start' };
    const now = timeline.position;
    const ended = machine.end?.vcpu === vcpu;
    this.seekAfter(vcpu, from);
    const boundaries = this.trace(vcpu, now);
    const inside = ended && !samePosition((boundaries.at(-1) as Boundary).position, now);
    return this.arrive(boundaries.at(inside ? -1 : -2) ?? (boundaries[0] as Boundary), now);
  }

  /** To the beginning of the line that a vCPU executed last. */
  async line(vcpu: number): Promise<BackEnd> {
    const { timeline, machine } = this.runner;
    const ran = machine.schedule.ranAt(vcpu);
    if (ran - 1 < timeline.earliest) return { kind: 'start' };
    const now = timeline.moment;
    const ended = machine.end?.vcpu === vcpu; // in the middle of an instruction
    let latest = ran;
    for (let count = LOOK_BACK; ; count *= 8) {
      // Where it had slept for long, at once to before that.
      const from = Math.max(Math.min(ran - count, latest - LOOK_BACK), timeline.earliest);
      this.runner.seek(from);
      latest = machine.schedule.ranAt(vcpu);
      const boundaries = this.trace(vcpu, now);
      const last = boundaries.length - 1;
      const first = this.lineStart(vcpu, boundaries, last);
      const inside = first < last || (ended && !samePosition((boundaries[last] as Boundary).position, now));
      const target = inside ? first : this.lineStart(vcpu, boundaries, first - 1);
      if (target > 0 || from === timeline.earliest) return this.arrive(boundaries[Math.max(target, 0)] as Boundary, now);
      if (count >= LOOK_BACK_MOST) {
        this.seekAfter(vcpu, from);
        return this.arrive(this.trace(vcpu, now)[0] as Boundary, now);
      }
      if (!(await this.runner.breathe())) continue;
      this.runner.travel(() => timeline.restore(now));
      return { kind: 'asked' };
    }
  }
  /** Index of the boundary at which the line that boundary `index` lies in was begun. */
  private lineStart(vcpu: number, boundaries: readonly Boundary[], index: number): number {
    let at = index;
    while (at > 0 && this.goesOn(vcpu, boundaries[at - 1] as Boundary, boundaries[at] as Boundary)) at--;
    return at;
  }
  /** Does a line that was under way go on? */
  private goesOn(vcpu: number, a: Boundary, b: Boundary): boolean {
    const from = this.program.placeAt(a.linear);
    const to = this.program.placeAt(b.linear);
    if (from === undefined || to === undefined || from.line !== to.line || from.file !== to.file) return false;
    return b.linear > a.linear || (b.linear === a.linear && flowOf(new LinearBytes(this.runner.view, vcpu).read(a.linear, 4)) === 'repeat');
  }

  /** To `icount` instructions, or earlier: to just after the last that the vCPU had retired. What others have done since is undone as well. */
  private seekAfter(vcpu: number, icount: number): void {
    const { runner } = this;
    runner.seek(icount);
    const earlier = runner.machine.schedule.ranAt(vcpu);
    if (earlier > runner.timeline.earliest && earlier < icount) runner.seek(earlier);
  }

  /** What a vCPU does from the present on, up to a moment: where it is at first, and after each thing. Leaves the machine about there. */
  private trace(vcpu: number, until: Position): Boundary[] {
    const { machine, timeline, view, console } = this.runner;
    const { observers, schedule, ledger } = machine;
    const boundaries: Boundary[] = [];
    const add = (event: number): void => {
      const { position } = timeline;
      if (!notAfter(position, until)) return;
      const { eip, csBase } = view.position(vcpu);
      boundaries.push({ position, event, linear: (csBase + eip) >>> 0 });
    };
    this.runner.travel(() => {
      add(0);
      const { onExit, onIpi, onEvent } = observers;
      let event = 0;
      Object.assign(observers, { onExit: undefined, onIpi: undefined });
      observers.onEvent = (number) => {
        const record = ledger.eventAt(number);
        if (record === undefined || record.vcpu !== vcpu || !isDelivery(record)) return;
        event = number;
        machine.requestStop();
      };
      console.muted = true;
      try {
        for (let here = timeline.position; before(here, until) && machine.end === undefined; here = timeline.position) {
          const ran = schedule.ranAt(vcpu);
          event = 0;
          const came = timeline.run({ instructions: Math.max(until.icount - here.icount, 1), turnOf: vcpu });
          if (came === 'turn') timeline.run({ instructions: 1 });
          if (schedule.ranAt(vcpu) !== ran) add(0);
          else if (event !== 0) add(event);
          else if (came === 'alone') break;
        }
      } finally {
        console.muted = false;
        Object.assign(observers, { onExit, onIpi, onEvent });
      }
    });
    return boundaries;
  }

  private arrive({ position, event }: Boundary, from: Position): BackEnd {
    const { runner } = this;
    const { machine, timeline } = runner;
    runner.seek(position.icount);
    runner.travel(() => {
      if (event === 0) return;
      const { onEvent, onExit, onIpi } = machine.observers;
      Object.assign(machine.observers, { onExit: undefined, onIpi: undefined });
      let met = false;
      machine.observers.onEvent = (number) => {
        if (number !== event) return;
        met = true;
        machine.requestStop();
      };
      runner.console.muted = true;
      try {
        while (!met && notAfter(timeline.position, position)) timeline.run({ instructions: 1 });
      } finally {
        runner.console.muted = false;
        Object.assign(machine.observers, { onEvent, onExit, onIpi });
      }
    });
    this.recount();
    return samePosition(timeline.position, from) ? { kind: 'start' } : { kind: 'back' };
  }

  /** Sets the counts of the breakpoints to what they were at the present moment: where none depends on them, to what they were at the mark before it. */
  private recount(): void {
    const { runner } = this;
    const { engine, timeline, session } = runner;
    const [mark] = runner.marksBefore(timeline.position);
    if (mark === undefined) return;
    if (!runner.countsMatter) return runner.countAsAt(mark);
    const here = timeline.moment;
    runner.backTo(mark);
    let counts = engine.counts();
    this.silently(() => {
      while (before(timeline.position, here)) {
        session.run(Math.max(here.icount - timeline.position.icount, 1), Number.POSITIVE_INFINITY);
        if (notAfter(timeline.position, here)) counts = engine.counts();
      }
    });
    runner.travel(() => timeline.restore(here));
    engine.setCounts(counts);
  }

  // ── To an earlier stop ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param afterExits is what is shown later than the exits that have just happened? Then a stop at one of them is an earlier one */
  async toEarlierStop(afterExits: boolean): Promise<BackEnd> {
    const { runner } = this;
    const { timeline } = runner;
    const now = timeline.moment;
    const counts = runner.engine.counts();
    const cancelled = (): BackEnd => {
      runner.travel(() => timeline.restore(now));
      runner.engine.setCounts(counts);
      return { kind: 'asked' };
    };
    let limit: Position = now;
    for (;;) {
      const mark = runner.marksBefore(limit).find((candidate) => before(candidate, limit));
      if (mark === undefined) {
        runner.backTo(timeline.checkpoints[0] as Checkpoint);
        return { kind: 'start' };
      }
      const latest = limit === now;
      const counted = (position: Position, found: Found): boolean =>
        before(position, limit) || (samePosition(position, limit) && (!latest || (afterExits && isExit(found))));
      let stops = 0;
      runner.backTo(mark);
      const done = await this.scan(limit, (position, found) => {
        if (counted(position, found)) stops++;
        return false;
      });
      if (!done) return cancelled();
      if (stops > 0) {
        let stop: Found | undefined;
        runner.backTo(mark);
        await this.scan(limit, (position, found) => {
          if (counted(position, found)) stops--;
          if (stops === 0) stop = found;
          return stops === 0;
        });
        return stop ?? cancelled();
      }
      limit = { ...mark };
    }
  }

  /** Runs forward up to a moment, perhaps an instruction beyond it, and shows each stop. False: somebody wants the search to end. */
  private async scan(limit: Position, show: (position: Position, found: Found) => boolean): Promise<boolean> {
    const { timeline, session, machine } = this.runner;
    for (;;) {
      const { position } = timeline;
      if (!before(position, limit)) return true;
      let beyond = false;
      const stop = this.silently(() => {
        const left = Math.min(limit.icount - position.icount, STRETCH);
        beyond = left === 0;
        return session.run(Math.max(left, 1), Number.POSITIVE_INFINITY);
      });
      if (stop?.kind === 'breakpoint' && show(timeline.position, stop)) return true;
      if (stop === undefined && beyond) return true;
      if (machine.end !== undefined || stop?.kind === 'alone') return true;
      if (await this.runner.breathe()) return false;
    }
  }

  private silently<T>(work: () => T): T {
    const { console, session } = this.runner;
    console.muted = session.quiet = true;
    try {
      return work();
    } finally {
      console.muted = session.quiet = false;
    }
  }
}

/** Instructions between two breaths of a search. */
const STRETCH = 1_000_000;
