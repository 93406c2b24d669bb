/**
 * The local APIC timer: initial count, current count, divide configuration. Intel SDM vol. 3, "APIC Timer".
 *
 * Counts run at base / divisor; all arithmetic is exact in integers below 2^53. One tick of 134,217,728 Hz lasts 1,953,125 / 2^18 ns.
 * Not modelled: TSC-deadline mode (no profile offers it).
 */
import type { Profile } from '../profiles/profile.ts';
import type { Alarm, Clock } from '../time/clock.ts';
import { timerShift } from '../x86/apic.ts';
import { checkBoolean, checkInteger } from './validate.ts';

/** 2 to the power of n, -30 to 30: exact. */
const powerOf2 = (n: number): number => (n >= 0 ? 1 << n : 1 / (1 << -n));

/** A tick of the undivided base lasts numerator / 2^power ns. */
const TICK = {
  134217728: { numerator: 1_953_125, power: 18 },
  1000000000: { numerator: 1, power: 0 },
} as const;

export type VlapicTimerState = { initial: number; divide: number; running: boolean; fireNs: number; periodNs: number };

export class VlapicTimer {
  // Static configuration.
  private readonly numerator: number;
  private readonly power: number;
  private readonly divideMask: number;
  private readonly clamped: boolean;
  // Wiring.
  private readonly alarm: Alarm;
  // State.
  /** Initial count register. */
  initial = 0;
  /** Divide configuration register, as stored. */
  divide = 0;
  running = false;
  /** When the count reaches 0; meaningful while running. */
  private fireNs = 0;
  /** Length of the next period: follows writes of either register at once, but counts only from the next load. */
  private periodNs = 0;

  /**
   * @param periodic is the mode periodic? Asked at expiry, so that a switch while counting is honoured
   * @param expired the count has reached 0
   */
  constructor(
    private readonly clock: Clock,
    name: string,
    profile: Profile,
    private readonly periodic: () => boolean,
    private readonly expired: () => void,
  ) {
    const { numerator, power } = TICK[profile.rules['timer.freq']];
    this.numerator = numerator;
    this.power = power;
    this.divideMask = profile.rules['timer.dcr.mask'];
    this.clamped = profile.rules['timer.dcr.whileRunning'] === 'nextLoadClamped';
    this.alarm = clock.alarm(name, () => this.ring());
  }

  /** Writes the initial count: starts a period now; 0 stops. */
  writeInitial(value: number): void {
    this.initial = value;
    this.start();
  }

  /** Writes the divide configuration. What counts already goes on until its next load, though the current count is told at the new rate. */
  writeDivide(value: number): void {
    this.divide = (value & this.divideMask) >>> 0;
    this.periodNs = this.interval(this.initial);
  }

  /** (Re)starts a whole period from the initial count. */
  start(): void {
    this.periodNs = this.interval(this.initial);
    if (this.initial === 0) {
      this.stop();
      return;
    }
    this.running = true;
    this.fireNs = this.clock.nowNs + this.periodNs;
    this.alarm.schedule(this.fireNs);
  }

  stop(): void {
    this.running = false;
    this.alarm.cancel();
  }

  /** The current count register: 0 when stopped or expired. */
  current(): number {
    if (!this.running) return 0;
    const left = this.fireNs - this.clock.nowNs;
    if (left <= 0) return 0;
    const scale = powerOf2(this.power - timerShift(this.divide));
    const whole = Math.floor(left / this.numerator);
    const count = Math.floor(whole * scale) + Math.floor(((left - whole * this.numerator) * scale) / this.numerator);
    return Math.min(count, this.clamped ? this.initial : 0xffffffff);
  }

  /** When the count reaches 0, in ns; Infinity while stopped. */
  get dueNs(): number {
    return this.running ? this.fireNs : Number.POSITIVE_INFINITY;
  }

  /** What `count` ticks last at the present divisor, in whole ns. */
  interval(count: number): number {
    return Math.floor(count * this.numerator * powerOf2(timerShift(this.divide) - this.power));
  }

  reset(): void {
    this.stop();
    this.initial = 0;
    this.divide = 0;
    this.fireNs = 0;
    this.periodNs = 0;
  }

  private ring(): void {
    this.expired();
    if (!this.periodic() || this.initial === 0) {
      this.running = false;
      return;
    }
    const now = this.clock.nowNs;
    // More than a whole period late: the missed ticks are one, and periods count from now.
    this.fireNs = now - this.fireNs > this.periodNs ? now + this.periodNs : this.fireNs + this.periodNs;
    this.alarm.schedule(this.fireNs);
  }

  save(): VlapicTimerState {
    const { initial, divide, running, fireNs, periodNs } = this;
    return { initial, divide, running, fireNs, periodNs };
  }

  /** Throws a StateError unless `state` can be loaded. */
  check(what: string, state: VlapicTimerState): void {
    checkInteger(`${what}.initial`, state.initial, 0, 0xffffffff);
    checkInteger(`${what}.divide`, state.divide, 0, 0xffffffff);
    checkBoolean(`${what}.running`, state.running);
    checkInteger(`${what}.fireNs`, state.fireNs, 0, Number.MAX_SAFE_INTEGER);
    checkInteger(`${what}.periodNs`, state.periodNs, 0, Number.MAX_SAFE_INTEGER);
  }

  /** The alarm itself is put back by the clock. */
  load(state: VlapicTimerState): void {
    this.initial = state.initial;
    this.divide = state.divide;
    this.running = state.running;
    this.fireNs = state.fireNs;
    this.periodNs = state.periodNs;
  }
}
