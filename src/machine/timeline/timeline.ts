/**
 * Going back: checkpoints of a machine, and re-execution from them to any instruction.
 *
 * A checkpoint holds every part's state, and for RAM the pages written since, as they were (copied before their first write, so that nothing is
 * copied twice and nothing that was not written). Going back to one puts all those pages back, from the latest interval to the earliest; going
 * forward is always execution, which repeats itself exactly. The ledger goes back by its marks, a console by its count of bytes.
 *
 * While a timeline exists, run the machine through it: it stops where checkpoints are due and lets logged inputs happen again.
 */
import { decodeState } from '../base/codec.ts';
import type { StateValue } from '../base/state.ts';
import {
  type Checkpoint,
  type KeptCheckpoint,
  notAfter,
  type PageContent,
  Pages,
  type Position,
  samePosition,
  sizeOf,
  type Thinning,
  victim,
} from './checkpoint.ts';
import { applyInput, checkInput, type Input, InputLog, type LoggedInput } from './inputs.ts';
import { encodeParts, isZero, PageHashes, stateHash } from './state-hash.ts';
import type { Limit, Ran, Rewindable } from './subject.ts';

export interface TimelineOptions extends Partial<Thinning> {
  /** Instructions between automatic checkpoints; default 5 million. Infinity: none are taken. */
  readonly every?: number;
  /** After a long way to a moment in the past, a checkpoint is left so many instructions before it, for the next step back; default 250,000. */
  readonly stepEvery?: number;
  /** Inputs of a recorded run, to happen again. */
  readonly inputs?: readonly LoggedInput[];
}

const MEBIBYTE = 1 << 20;
const DEFAULTS = { every: 5_000_000, stepEvery: 250_000, dense: 64, budgetBytes: 256 * MEBIBYTE };

/** A moment that cannot be gone to, or a run that does not repeat itself: one sentence. */
export class TimelineError extends Error {
  override readonly name = 'TimelineError';
}

export class Timeline {
  // static configuration
  private readonly options: Required<Omit<TimelineOptions, 'inputs'>>;

  // state
  /** In order of time; the newest is the last. There is always one. */
  private kept: KeptCheckpoint[] = [];
  /** Index of the last one that is not after the present. */
  private current = 0;
  /** The latest moment the run has come to. */
  private furthest: Position;
  /** Where the timeline left the machine; if it is elsewhere now, somebody else ran it. */
  private left: Position;
  /** Is the present the first moment with its icount? */
  private first: boolean;
  private readonly log: InputLog;
  /** Where the run has taken another course, in order of happening. */
  private readonly courses: { readonly at: Position; readonly inputs: number }[] = [];
  private readonly hashes: PageHashes;
  private readonly words: Int32Array;

  /**
   * Begins at the machine's present moment, before which there is no going back.
   * @throws InputError for a recorded input that the machine cannot take
   */
  constructor(
    private readonly machine: Rewindable,
    options: TimelineOptions = {},
  ) {
    const { inputs = [], ...rest } = options;
    this.options = { ...DEFAULTS, ...rest };
    for (const { input } of inputs) checkInput(machine, input);
    this.log = new InputLog(inputs);
    this.hashes = new PageHashes(machine.memory);
    this.words = machine.memory.ramWords;
    this.left = this.furthest = this.position;
    this.first = machine.clock.instructions === 0;
    machine.memory.onFirstWrite = (page) => this.firstWrite(page);
    this.begin();
  }

  /** The present. */
  get position(): Position {
    const { clock, ledger, consoleCount } = this.machine;
    return { icount: clock.instructions, timeNs: clock.nowNs, progress: ledger.writeCount + consoleCount.total };
  }
  /** The earliest moment that can be gone back to, and the latest that the run has come to, in instructions. */
  get earliest(): number {
    return this.oldest.icount;
  }
  get latest(): number {
    return Math.max(this.furthest.icount, this.machine.clock.instructions);
  }
  /** Inputs that have happened or are to happen again, for keeping: with the machine's options, all that it takes to repeat the run. */
  get inputs(): readonly LoggedInput[] {
    return this.log.entries();
  }
  /** The checkpoints at hand, oldest first, and the bytes they take. */
  get checkpoints(): readonly Checkpoint[] {
    return this.kept;
  }
  get bytes(): number {
    return this.kept.reduce((sum, checkpoint) => sum + sizeOf(checkpoint), 0);
  }

  /** The state hash, faster than without a timeline: only pages written since the last time are read. */
  hash(): string {
    const hash = stateHash(this.machine, this.hashes);
    this.machine.memory.trackWrites();
    return hash;
  }

  /** Stops tracking; the machine goes on without. */
  dispose(): void {
    this.machine.memory.onFirstWrite = undefined;
  }

  // ── Onward ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Runs on, as the machine's own run does, and takes checkpoints on the way. */
  run(limit: Limit = {}): Ran {
    const { clock } = this.machine;
    const { instructions = Number.POSITIVE_INFINITY, untilNs = Number.POSITIVE_INFINITY, turnOf = -1 } = limit;
    this.notice();
    const goal = clock.instructions + instructions;
    for (;;) {
      this.meet(false);
      if (clock.instructions >= goal || clock.nowNs >= untilNs) return this.machine.end ?? 'limit';
      const ran = this.leg(Math.min(goal, this.nextStop()), untilNs, turnOf);
      if (ran !== 'limit') return ran;
    }
  }

  /** Lets something come in from outside, now. A future that was known is forgotten. @throws InputError when the machine cannot take it */
  input(input: Input): void {
    checkInput(this.machine, input);
    this.notice();
    this.forgetFuture();
    this.log.add(this.position, input);
    applyInput(this.machine, input);
    this.left = this.furthest = this.position;
  }

  // ── Back ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The present, for `restore`, without anything being kept of it: coming back is re-execution from the checkpoint before it. */
  get moment(): Checkpoint {
    this.notice();
    return { ...this.position, inputs: this.log.applied, course: this.courses.length };
  }

  /** Remembers the present. */
  checkpoint(): Checkpoint {
    this.notice();
    const here = this.kept[this.current] as KeptCheckpoint;
    const { position } = this;
    if (samePosition(here, position) && here.inputs === this.log.applied) return here;
    return this.keep();
  }

  /**
   * To a moment that was remembered, whichever way it lies.
   * @throws TimelineError when the run no longer comes there, or it is before the earliest moment
   */
  restore(checkpoint: Checkpoint): void {
    this.notice();
    const left = this.courses.slice(checkpoint.course).some(({ at, inputs }) => !notAfter(checkpoint, at) || checkpoint.inputs > inputs);
    if (left)
      throw new TimelineError(
        `instruction ${checkpoint.icount}: the run has taken another course since that checkpoint, by an input or an edit before it`,
      );
    if (!notAfter(this.oldest, checkpoint)) throw this.tooEarly(checkpoint.icount);
    const index = this.kept.findIndex((k) => samePosition(k, checkpoint) && k.inputs === checkpoint.inputs);
    if (index >= 0 && index <= this.current && notAfter(checkpoint, this.position)) return this.putBack(index);
    this.silently(() => {
      this.seek(checkpoint.icount);
      this.meetUntil(checkpoint);
    });
  }

  /**
   * To the first moment with `icount` instructions retired: before any event that follows the last of them. Later than the latest moment, this is
   * a run, which ends early if the machine does.
   * @throws TimelineError for a count that is none, or before the earliest moment
   */
  goTo(icount: number): void {
    if (!Number.isSafeInteger(icount) || icount < 0) throw new TimelineError(`instruction ${icount}: it must be a whole number from 0`);
    this.notice();
    if (icount < this.earliest) throw this.tooEarly(icount);
    const known = Math.min(icount, this.latest);
    this.silently(() => this.seek(known));
    while (this.machine.clock.instructions < icount && this.machine.end === undefined)
      if (this.run({ instructions: icount - this.machine.clock.instructions }) === 'alone') return;
  }

  /**
   * `instructions` back (default 1), at most to the earliest moment.
   * @throws TimelineError for a count that is none
   */
  back(instructions = 1): void {
    if (!Number.isSafeInteger(instructions) || instructions < 0)
      throw new TimelineError(`${instructions} instructions back: it must be a whole number from 0`);
    this.goTo(Math.max(this.machine.clock.instructions - instructions, this.earliest));
  }

  // ── Moving ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Where the next leg has to end: at a checkpoint or an input that is known, or where a checkpoint is due. */
  private nextStop(): number {
    const { kept, current, log } = this;
    const input = log.next?.at.icount ?? Number.POSITIVE_INFINITY;
    const next = kept[current + 1];
    if (next !== undefined) return Math.min(next.icount, input);
    const due = (kept[current] as KeptCheckpoint).icount + this.options.every;
    return Math.min(input, Math.max(due, this.furthest.icount, this.machine.clock.instructions + 1));
  }
  /** Runs the machine until `icount` or `untilNs`, and notes where that was. */
  private leg(icount: number, untilNs: number, turnOf = -1): Ran {
    const { machine } = this;
    const from = machine.clock.instructions;
    const ran = machine.run({ instructions: Math.max(icount - from, 1), untilNs, turnOf });
    this.first = ran === 'limit' && machine.clock.instructions === icount && icount > from;
    this.arrived();
    return ran;
  }
  private arrived(): void {
    this.left = this.position;
    if (notAfter(this.furthest, this.left)) this.furthest = this.left;
  }
  /** Has somebody else run the machine? Then what that did to the future is found out. */
  private notice(): void {
    const { position, left } = this;
    if (samePosition(position, left)) return;
    this.first = false;
    if (!notAfter(left, position)) {
      // It was loaded from elsewhere: another history.
      this.courses.push({ at: { icount: -1, timeNs: -1, progress: -1 }, inputs: 0 });
      this.log.forgetFuture();
      this.furthest = this.left = position;
      this.begin();
      return;
    }
    const next = this.kept[this.current + 1];
    // The pages of checkpoints run past went to the present one, which is right for it, but not for them.
    if (next !== undefined && notAfter(next, position)) this.truncate();
    const missed = this.log.next;
    if (missed !== undefined && notAfter(missed.at, position)) this.forgetFuture();
    this.arrived();
  }
  /** What is to happen at this very moment: inputs that come again, checkpoints that are met or due. */
  private meet(silent: boolean): void {
    for (;;) {
      const { position, log, machine } = this;
      const input = log.next;
      const next = this.kept[this.current + 1];
      if (next !== undefined && next.icount < position.icount) throw this.parted(next.icount);
      if (next?.icount === position.icount && next.inputs <= log.applied) {
        if (samePosition(next, position)) this.pass(next);
        else this.drop(this.current + 1); // it lies between two instructions, and is not worth a halt there
        continue;
      }
      if (input !== undefined && input.at.icount <= position.icount) {
        if (!samePosition(input.at, position)) this.creep(input.at, silent);
        applyInput(machine, input.input);
        log.applied++;
        this.arrived();
        continue;
      }
      const here = this.kept[this.current] as KeptCheckpoint;
      if (next === undefined && this.first && position.icount - here.icount >= this.options.every && samePosition(position, this.furthest))
        this.keep();
      return;
    }
  }
  /** The run has come to a checkpoint again. */
  private pass(next: KeptCheckpoint): void {
    const { low, high, writes } = this.machine.ledger.mark();
    if (low !== next.mark.low || high !== next.mark.high || writes !== next.mark.writes) throw this.parted(next.icount);
    this.current++;
    this.first = next.first;
    this.machine.memory.trackWrites(); // what was written before counts no more
  }
  /** On to a moment with the present icount, in the smallest steps there are: from one thing that the machine tells to the next. */
  private creep(to: Position, silent: boolean): void {
    const { machine } = this;
    const { observers, onConsole } = machine;
    const { onExit, onIpi, onEvent } = observers;
    const halting =
      <A extends unknown[]>(told: ((...args: A) => void) | undefined) =>
      (...args: A): void => {
        if (!silent) told?.(...args);
        machine.requestStop();
      };
    observers.onExit = halting(onExit);
    observers.onIpi = halting(onIpi);
    observers.onEvent = halting(onEvent);
    machine.onConsole = halting(onConsole);
    try {
      let halts = 0;
      for (let here = this.position; !samePosition(here, to); ) {
        this.leg(to.icount, here.timeNs < to.timeNs ? to.timeNs : Number.POSITIVE_INFINITY);
        // An instruction breakpoint and a stop asked for before may each halt it once where it stands.
        halts = samePosition(here, this.position) ? halts + 1 : 0;
        here = this.position;
        if (halts > 2 || !notAfter(here, to)) throw this.parted(to.icount);
      }
    } finally {
      Object.assign(observers, { onExit, onIpi, onEvent });
      machine.onConsole = onConsole;
    }
  }
  /** To the first moment with `icount` instructions, by the nearest way. Within what is known. */
  private seek(icount: number): void {
    const { clock } = this.machine;
    if (icount < clock.instructions || (icount === clock.instructions && !this.first)) {
      let index = this.current;
      const before = (k: KeptCheckpoint): boolean => k.icount < icount || (k.icount === icount && k.first);
      while (index > 0 && !before(this.kept[index] as KeptCheckpoint)) index--;
      this.putBack(index);
      const step = icount - this.options.stepEvery;
      if (clock.instructions < step - this.options.stepEvery) {
        this.replay(step);
        if (clock.instructions === step) this.keep();
      }
    }
    this.replay(icount);
  }
  private replay(icount: number): void {
    const { clock } = this.machine;
    while (clock.instructions < icount && this.machine.end === undefined) {
      this.meet(true);
      this.leg(Math.min(icount, this.nextStop()), Number.POSITIVE_INFINITY);
    }
  }
  /** From the first moment with its icount on to the checkpoint itself. */
  private meetUntil(checkpoint: Checkpoint): void {
    const { log, machine } = this;
    for (let input = log.next; input !== undefined && log.applied < checkpoint.inputs; input = log.next) {
      this.creep(input.at, true);
      applyInput(machine, input.input);
      log.applied++;
      this.arrived();
    }
    this.creep(checkpoint, true);
  }
  /** Nobody is told what they were told before. */
  private silently(work: () => void): void {
    const { machine } = this;
    const { observers, onConsole } = machine;
    const { onExit, onIpi, onEvent } = observers;
    Object.assign(observers, { onExit: undefined, onIpi: undefined, onEvent: undefined });
    machine.onConsole = undefined;
    try {
      work();
    } finally {
      Object.assign(observers, { onExit, onIpi, onEvent });
      machine.onConsole = onConsole;
    }
  }

  // ── Checkpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  private get oldest(): KeptCheckpoint {
    return this.kept[0] as KeptCheckpoint;
  }
  /** The first checkpoint of a history. */
  private begin(): void {
    this.kept = [];
    this.current = -1;
    this.keep();
  }
  /** Makes a checkpoint of the present, behind the current one. */
  private keep(): KeptCheckpoint {
    const { machine, log, first } = this;
    const pages = new Pages();
    // Where the future is known already, the pages it writes are among those that the current checkpoint has kept.
    const here = this.kept[this.current];
    if (here !== undefined && (this.current < this.kept.length - 1 || !samePosition(this.position, this.furthest)))
      for (const page of here.pages.numbers()) pages.put(page, this.content(page));
    const checkpoint = {
      ...this.position,
      inputs: log.applied,
      course: this.courses.length,
      first,
      parts: encodeParts(machine),
      mark: machine.ledger.mark(),
      pages,
    };
    this.current++;
    this.kept.splice(this.current, 0, checkpoint);
    machine.memory.trackWrites();
    this.thin();
    return checkpoint;
  }
  private content(page: number): PageContent {
    return isZero(this.words, page * 1024) ? 'zeros' : this.machine.memory.ramPage(page).slice();
  }
  /** A page is about to be written for the first time since writes were tracked. */
  private firstWrite(page: number): void {
    this.hashes.forget(page);
    const { pages } = this.kept[this.current] as KeptCheckpoint;
    if (!pages.has(page)) pages.put(page, this.content(page));
  }
  /** Back to checkpoint `index`, which is not after the present. */
  private putBack(index: number): void {
    const { machine, log } = this;
    const to = this.kept[index] as KeptCheckpoint;
    const pages = new Pages();
    for (let i = index; i <= this.current; i++) pages.absorb((this.kept[i] as KeptCheckpoint).pages);
    for (const [page, content] of pages.entries()) {
      this.hashes.forget(page);
      machine.memory.replacePage(page, content);
    }
    machine.ledger.rewind(to.mark);
    const parts = decodeState(to.parts) as { [name: string]: StateValue };
    for (const { name, part } of machine.stateful) if (name in parts) part.load(parts[name] as StateValue);
    machine.memory.trackWrites();
    this.current = index;
    log.applied = to.inputs;
    this.first = to.first;
    this.left = this.position;
  }
  private drop(index: number): void {
    if (index === 0) this.kept.shift();
    else {
      (this.kept[index - 1] as KeptCheckpoint).pages.absorb((this.kept[index] as KeptCheckpoint).pages);
      this.kept.splice(index, 1);
    }
    if (index <= this.current) this.current--;
  }
  private thin(): void {
    const { dense, budgetBytes } = this.options;
    for (;;) {
      const index = victim(this.kept, this.current, { dense, budgetBytes });
      if (index < 0) return;
      this.drop(index);
    }
  }
  /** Checkpoints after the present are void. */
  private truncate(): void {
    this.kept.length = this.current + 1;
  }
  /** The run takes another course from here. */
  private forgetFuture(): void {
    this.truncate();
    if (samePosition(this.position, this.furthest) && this.log.next === undefined) return;
    this.log.forgetFuture();
    this.courses.push({ at: this.position, inputs: this.log.applied });
    this.furthest = this.position;
  }

  private tooEarly(icount: number): TimelineError {
    return new TimelineError(`instruction ${icount}: the earliest moment that is kept is instruction ${this.earliest}`);
  }
  private parted(icount: number): TimelineError {
    return new TimelineError(`the run does not repeat itself: it has parted from the earlier one before instruction ${icount}`);
  }
}
