/**
 * The virtual clock: the only time there is inside the machine.
 *
 * Time is the count of instructions retired by all vCPUs: one instruction lasts 10 ns divided by the number of configured vCPUs (they run in turn,
 * but at once as the guest sees it). When every vCPU waits, time jumps to the next alarm. Everything is exact integer arithmetic: no drift, and
 * the same on every host.
 */
import { checkState, type Stateful } from '../base/state.ts';

/** What one instruction lasts on a machine with one vCPU, in ns. */
export const INSTRUCTION_NS = 10;

/** One pending event of a device; made once, when the device is built, and scheduled as often as needed. */
export interface Alarm {
  readonly name: string;
  /** When it is due, in ns; Infinity while it is not scheduled. */
  readonly dueNs: number;
  /** Calls back at `atNs` (absolute; in the past means at the next opportunity). Replaces what was scheduled. */
  schedule(atNs: number): void;
  cancel(): void;
}

/** What a device sees of time. */
export interface Clock {
  /** Virtual time in whole ns since power-on. */
  readonly nowNs: number;
  /** Makes an alarm. Only while the machine is being built: alarms are saved by the order in which they were made. */
  alarm(name: string, ring: () => void): Alarm;
}

class QueuedAlarm implements Alarm {
  dueNs = Number.POSITIVE_INFINITY;
  sequence = 0;
  constructor(
    readonly name: string,
    readonly ring: () => void,
    private readonly clock: VirtualClock,
  ) {}
  schedule(atNs: number): void {
    this.dueNs = Math.max(Math.ceil(atNs), 0);
    this.sequence = this.clock.nextSequence();
    this.clock.changed();
  }
  cancel(): void {
    this.dueNs = Number.POSITIVE_INFINITY;
    this.clock.changed();
  }
}

export type ClockState = {
  kind: 'clock';
  version: 1;
  idleNs: number;
  instructions: number;
  sequence: number;
  alarms: { name: string; dueNs: number; sequence: number }[];
};

/** The machine's clock and its queue of alarms, ordered by (time, sequence). */
export class VirtualClock implements Clock, Stateful<ClockState> {
  private readonly alarms: QueuedAlarm[] = [];
  private idleNs = 0;
  private retired = 0;
  private sequence = 0;
  /** The earliest alarm's time, or Infinity. */
  nextDueNs = Number.POSITIVE_INFINITY;

  /** @param vcpus configured vCPUs, 1 or more */
  constructor(private readonly vcpus: number) {}

  get nowNs(): number {
    return this.nowAfter(0);
  }
  /** What `nowNs` will be once `count` more instructions have retired. */
  nowAfter(count: number): number {
    return this.idleNs + Math.floor(((this.retired + count) * INSTRUCTION_NS) / this.vcpus);
  }
  /** Instructions retired by all vCPUs since power-on. */
  get instructions(): number {
    return this.retired;
  }
  alarm(name: string, ring: () => void): Alarm {
    const alarm = new QueuedAlarm(name, ring, this);
    this.alarms.push(alarm);
    return alarm;
  }
  /** Lets `count` instructions' time pass. Rings nothing: see ring(). */
  retire(count: number): void {
    this.retired += count;
  }
  /** Jumps to `ns` while nobody runs; never backwards. */
  skipTo(ns: number): void {
    if (ns > this.nowNs) this.idleNs += ns - this.nowNs;
  }
  /** How many instructions may retire before the next alarm is due: 0 when one is due now, Infinity when none is scheduled. */
  instructionsToNext(): number {
    if (this.nextDueNs === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    return Math.max(Math.ceil(((this.nextDueNs - this.idleNs) * this.vcpus) / INSTRUCTION_NS) - this.retired, 0);
  }
  /** Rings every alarm that is due, in order of (time, sequence), including those that ringing schedules for now. */
  ring(): void {
    const now = this.nowNs;
    while (this.nextDueNs <= now) {
      let first: QueuedAlarm | undefined;
      for (const a of this.alarms)
        if (a.dueNs <= now && (!first || a.dueNs < first.dueNs || (a.dueNs === first.dueNs && a.sequence < first.sequence))) first = a;
      if (!first) break;
      first.dueNs = Number.POSITIVE_INFINITY;
      this.changed();
      first.ring();
    }
  }
  /** The alarms that are scheduled, soonest first: for the debugger. */
  pending(): { name: string; dueNs: number }[] {
    return this.alarms
      .filter((a) => a.dueNs < Number.POSITIVE_INFINITY)
      .sort((a, b) => a.dueNs - b.dueNs || a.sequence - b.sequence)
      .map(({ name, dueNs }) => ({ name, dueNs }));
  }
  nextSequence(): number {
    return ++this.sequence;
  }
  changed(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const a of this.alarms) if (a.dueNs < next) next = a.dueNs;
    this.nextDueNs = next;
  }

  save(): ClockState {
    const { idleNs, retired: instructions, sequence, alarms } = this;
    return {
      kind: 'clock',
      version: 1,
      idleNs,
      instructions,
      sequence,
      alarms: alarms.map(({ name, dueNs, sequence }) => ({ name, dueNs, sequence })),
    };
  }
  load(state: ClockState): void {
    checkState(state.kind === 'clock' && state.version === 1, 'clock', `${state.kind} ${state.version}`, 'clock 1');
    checkState(state.alarms.length === this.alarms.length, 'clock.alarms.length', state.alarms.length, String(this.alarms.length));
    state.alarms.forEach((a, i) =>
      checkState(a.name === this.alarms[i]?.name, `clock.alarms[${i}].name`, a.name, String(this.alarms[i]?.name)),
    );
    this.idleNs = state.idleNs;
    this.retired = state.instructions;
    this.sequence = state.sequence;
    state.alarms.forEach((a, i) => Object.assign(this.alarms[i] as QueuedAlarm, { dueNs: a.dueNs, sequence: a.sequence }));
    this.changed();
  }
}
