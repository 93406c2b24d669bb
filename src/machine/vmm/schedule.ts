/**
 * Who runs, for how long: the vCPUs in turn, a slice of instructions each, varied only by the seed. When every vCPU waits, time jumps to the next
 * alarm. Where a run is cut by a limit leaves no trace: the slice goes on where it stopped.
 */
import { checkState, type Stateful } from '../base/state.ts';
import { EventKind } from '../ledger/records.ts';
import { INSTRUCTION_NS } from '../time/clock.ts';
import type { InterruptLines } from './interrupts.ts';
import { SuspendHow } from './runstate.ts';
import { nextAlarm, nextWakingNs, whyStuck } from './stuck.ts';
import type { Userspace } from './userspace.ts';
import { type Vcpu, Waiting } from './vcpu.ts';
import type { Vm } from './vm.ts';
import { RunResult, type VmRun } from './vmrun.ts';

/** Instructions in a turn, where nothing else is asked for. */
export const DEFAULT_SLICE = 10_000;
/** After so many alarms in a row that woke nobody, it is asked again whether any can… */
const ASK_EVERY = 1024;
/** …and from then on, each so many alarms, time goes on to the next that can… */
const PASS_EVERY = 16;
/** …and after so many, none is believed to. */
const GIVE_UP = 1_000_000;

/** Why `run` came back. `turn`: it is the turn of the vCPU that was asked for; `alone`: the only vCPU that may run waits, and nothing that is armed can wake it. */
export const RunStop = { ended: 0, limit: 1, stopped: 2, breakpoint: 3, turn: 4, alone: 5 } as const;
export type RunStop = (typeof RunStop)[keyof typeof RunStop];

export interface ScheduleConfig {
  /** Instructions in a turn, 1 or more. */
  readonly slice: number;
  /** 0: all slices are equal; else they vary between half and one and a half of it, in an order that the seed (u32) fixes. */
  readonly seed: number;
}

export type ScheduleState = {
  kind: 'schedule';
  version: 2;
  current: number;
  left: number;
  random: number;
  fruitless: number;
  idling: boolean;
  only: number;
  ran: Float64Array;
};

/** The run loop of the whole machine. */
export class Schedule implements Stateful<ScheduleState> {
  // state
  /** The vCPU whose turn it is. The others enter VM_RUN before the first one starts, as their threads do. */
  private current: number;
  /** Instructions left of its turn. */
  private left: number;
  private random: number;
  /** Alarms in a row that woke nobody. */
  private fruitless = 0;
  /** Time ran out while every vCPU waited, before the next alarm. */
  private idling = false;
  /** The only vCPU that may run, outside of all turns; -1: each has its turn. */
  private only = -1;
  /** Instructions retired by all vCPUs when each had retired its latest; 0: it has retired none. */
  private readonly ran: Float64Array;

  constructor(
    private readonly vm: Vm,
    private readonly kernel: VmRun,
    private readonly userspace: Userspace,
    private readonly lines: InterruptLines,
    readonly config: ScheduleConfig,
  ) {
    this.random = config.seed >>> 0;
    this.ran = new Float64Array(vm.vcpuCount);
    this.current = vm.vcpuCount > 1 ? 1 : 0;
    this.left = this.nextSlice();
  }

  /** The vCPU whose turn it is, or the only one that may run. */
  get currentVcpu(): number {
    return this.only >= 0 ? this.only : this.current;
  }
  /** The only vCPU that may run, or -1. */
  get alone(): number {
    return this.only;
  }
  /** From now on only this vCPU runs, while time passes for all; -1: each has its turn again, and goes on where that was interrupted. */
  runAlone(vcpu: number): void {
    this.only = vcpu;
    this.fruitless = 0;
    this.idling = false;
  }
  /** Instructions retired by all vCPUs just after this one had retired its latest; 0: it has retired none. */
  ranAt(vcpu: number): number {
    return this.ran[vcpu] as number;
  }
  /** Can this vCPU go on now, when its turn comes: neither asleep nor missing? */
  isRunnable(vcpu: number): boolean {
    return this.runnable(this.vm.vcpu(vcpu));
  }

  /**
   * Runs until `instructions` more have retired, virtual time has reached `untilNs`, somebody asked for a stop, or the machine has ended.
   * Both limits may be Infinity.
   * @param turnOf stop as well where this vCPU is about to run, before it does; -1: none
   */
  run(instructions: number, untilNs: number, turnOf = -1): RunStop {
    const { vm } = this;
    const { clock, vcpuCount } = vm;
    const end = clock.instructions + instructions;
    let asleep = 0;
    for (;;) {
      if (vm.end !== undefined) return RunStop.ended;
      if (vm.stopRequested) {
        vm.stopRequested = false;
        return RunStop.stopped;
      }
      if (clock.instructions >= end || clock.nowNs >= untilNs) return RunStop.limit;
      if (this.idling) {
        // Nobody's turn passes for a second time, unless an input has woken somebody meanwhile.
        this.idling = false;
        if (!vm.vcpus.some((other) => this.runnable(other))) {
          this.idle(untilNs);
          continue;
        }
      }
      const v = vm.vcpu(this.currentVcpu);
      if (!this.runnable(v)) {
        if (this.only >= 0) {
          if (!this.idleAlone(v, untilNs)) return RunStop.alone;
          continue;
        }
        this.turn(v);
        if (++asleep < vcpuCount) continue;
        asleep = 0;
        this.idle(untilNs);
        continue;
      }
      asleep = 0;
      if (v.id === turnOf) return RunStop.turn;
      const byTime =
        untilNs === Number.POSITIVE_INFINITY ? untilNs : Math.max(Math.floor(((untilNs - clock.nowNs) * vcpuCount) / INSTRUCTION_NS), 1);
      const stop = this.enter(v, Math.min(this.only >= 0 ? Number.POSITIVE_INFINITY : this.left, end - clock.instructions, byTime));
      if (stop !== undefined) return stop;
    }
  }

  save(): ScheduleState {
    const { current, left, random, fruitless, idling, only, ran } = this;
    return { kind: 'schedule', version: 2, current, left, random, fruitless, idling, only, ran: ran.slice() };
  }
  load(state: ScheduleState): void {
    const { current, left, random, fruitless, idling, only, ran } = state;
    const { vcpuCount } = this.vm;
    checkState(state.kind === 'schedule' && state.version === 2, 'schedule', `${state.kind} ${state.version}`, 'schedule 2');
    checkState(this.vm.vcpus[current] !== undefined, 'schedule.current', current, `0 to ${vcpuCount - 1}`);
    checkState(only === -1 || this.vm.vcpus[only] !== undefined, 'schedule.only', only, `-1 to ${vcpuCount - 1}`);
    checkState(ran instanceof Float64Array && ran.length === vcpuCount, 'schedule.ran', ran, `${vcpuCount} numbers`);
    checkState(
      ran.every((at) => Number.isSafeInteger(at) && at >= 0),
      'schedule.ran',
      String(ran),
      'whole numbers from 0',
    );
    checkState(Number.isSafeInteger(left) && left >= 0, 'schedule.left', left, 'a whole number from 0');
    checkState(random === random >>> 0, 'schedule.random', random, 'an unsigned 32-bit number');
    checkState(Number.isSafeInteger(fruitless) && fruitless >= 0, 'schedule.fruitless', fruitless, 'a whole number from 0');
    checkState(typeof idling === 'boolean', 'schedule.idling', idling, 'true or false');
    this.current = current;
    this.left = left;
    this.random = random;
    this.fruitless = fruitless;
    this.idling = idling;
    this.only = only;
    this.ran.set(ran);
  }

  /** One stay of `v` in VM_RUN, with the visits to userspace that it takes. */
  private enter(v: Vcpu, budget: number): RunStop | undefined {
    const { vm, kernel, userspace } = this;
    const { clock } = vm;
    const start = clock.instructions;
    let result = kernel.run(v, budget);
    while (result === RunResult.exit) {
      userspace.handle(v);
      if (vm.end !== undefined) break;
      result = kernel.run(v, start + budget - clock.instructions);
    }
    const retired = clock.instructions - start;
    if (retired > 0) {
      this.fruitless = 0;
      this.ran[v.id] = clock.instructions;
    }
    if (this.only < 0) this.left -= retired;
    switch (result) {
      case RunResult.waits:
      case RunResult.paused:
        if (this.only < 0) this.turn(v);
        break;
      case RunResult.failed:
        userspace.runFailed(v);
        break;
      case RunResult.panicked:
        userspace.panicked(v);
        break;
      case RunResult.breakpoint:
        return RunStop.breakpoint;
      default:
        if (this.left <= 0 && this.only < 0) this.turn(v);
    }
    return undefined;
  }

  private runnable(v: Vcpu): boolean {
    if (!v.active) return false;
    if (this.vm.suspendHow !== SuspendHow.NONE || v.waiting === Waiting.none) return true;
    if (!v.poked) return false;
    v.poked = this.vm.mayWake(v);
    return v.poked;
  }

  /** The next vCPU's turn. */
  private turn(v: Vcpu): void {
    this.kernel.yieldTurn(v);
    this.current = (this.current + 1) % this.vm.vcpuCount;
    this.left = this.nextSlice();
  }

  /** Every vCPU waits: on to the next alarm, or to the end of all things. */
  private idle(untilNs: number): void {
    const { vm } = this;
    const { clock } = vm;
    // When many alarms have woken nobody, those that cannot are passed over now and then, and ring late: a timer of a few ns must not hold up the others.
    const passOver = this.fruitless >= ASK_EVERY && this.fruitless % PASS_EVERY === 0;
    const due = passOver ? Math.max(nextWakingNs(vm, this.lines), clock.nextDueNs) : clock.nextDueNs;
    if (due === Number.POSITIVE_INFINITY || (this.fruitless % ASK_EVERY === 0 && !this.restsOnly())) {
      const vcpus = whyStuck(vm, this.lines);
      if (vcpus !== undefined)
        return this.stuck(vcpus, 'nothing can happen any more: every vCPU waits, and nothing that is armed can wake one');
    }
    if (this.fruitless >= GIVE_UP) {
      const vcpus = vm.vcpus.map((v) => `vCPU${v.id} was not woken by any of the last ${GIVE_UP} timer events`);
      return this.stuck(vcpus, `every vCPU waits, and ${GIVE_UP} timer events in a row woke none`);
    }
    clock.skipTo(Math.min(due, untilNs));
    if (due > untilNs) {
      this.idling = true;
      return;
    }
    clock.ring();
    this.fruitless++;
  }

  /** The only vCPU that may run waits: on to the next alarm. False: none that is armed can wake it. */
  private idleAlone(v: Vcpu, untilNs: number): boolean {
    const { clock } = this.vm;
    if (this.fruitless >= GIVE_UP || nextAlarm(this.vm, this.lines, v) === Number.POSITIVE_INFINITY) return false;
    const due = clock.nextDueNs;
    clock.skipTo(Math.min(due, untilNs));
    if (due > untilNs) return true;
    clock.ring();
    this.fruitless++;
    return true;
  }

  /** Has this idleness just begun, with a vCPU that takes interrupts? That is a guest at rest: the question can wait for a while. */
  private restsOnly(): boolean {
    if (this.fruitless > 0) return false;
    for (const v of this.vm.vcpus) if (v.waiting === Waiting.hlt && v.interruptsEnabled) return true;
    return false;
  }

  private stuck(vcpus: string[], sentence: string): void {
    const { vm } = this;
    const v = vm.vcpu(0);
    vm.event(v, EventKind.stuck, 0, 0);
    vm.end = { ...this.userspace.place(v, v.exit, sentence), kind: 'stuck', vcpus };
  }

  private nextSlice(): number {
    const { slice, seed } = this.config;
    if (seed === 0) return slice;
    // xorshift32 (Marsaglia 2003)
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x >>> 0;
    return Math.max(Math.ceil(slice / 2) + (this.random % slice), 1);
  }
}
