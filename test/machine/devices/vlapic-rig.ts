/** Local APICs on a bench: a clock, a ledger, and in place of the VMM something that notes what it is asked. */
import type { InjectResult, VlapicWiring } from '../../../src/machine/devices/vlapic-wiring.ts';
import { Vlapic } from '../../../src/machine/devices/vlapic.ts';
import { Ledger } from '../../../src/machine/ledger/ledger.ts';
import type { IpiRecord, Moment } from '../../../src/machine/ledger/records.ts';
import { Reason, Verdict } from '../../../src/machine/ledger/verdict.ts';
import type { Profile } from '../../../src/machine/profiles/profile.ts';
import { VirtualClock } from '../../../src/machine/time/clock.ts';

export class Rig implements VlapicWiring {
  readonly clock: VirtualClock;
  readonly ledger: Ledger;
  readonly lapics: readonly Vlapic[];
  readonly moment: Moment = { vcpu: 0, timeNs: 0, icount: 0, eip: 0x1000, csBase: 0xf0000 };
  currentExit = 0;
  readonly inject: InjectResult = { verdict: Verdict.reached, reason: Reason.none, detail: 0 };
  readonly inactive = new Set<number>();
  /** What the VMM was asked, in order: `nmi 1`, `init 2`, `sipi 3 08`, `extint 0`, `spinup 1 9000`, `notify 1`, `eoi 31`. */
  readonly log: string[] = [];
  lastIpi = 0;

  constructor(
    profile: Profile,
    readonly vcpuCount = 4,
  ) {
    this.clock = new VirtualClock(1);
    this.ledger = new Ledger({ vcpus: vcpuCount, exits: 16, ipis: 1024, events: 16 });
    this.lapics = Array.from({ length: vcpuCount }, (_, id) => new Vlapic(id, this, profile));
    for (const lapic of this.lapics) lapic.peers = this.lapics;
  }

  at(id: number): Vlapic {
    return this.lapics[id] as Vlapic;
  }
  /** 32-bit write and read of a register; the write's Access code is given back. */
  w(id: number, offset: number, value: number): number {
    return this.at(id).write(offset, 4, value >>> 0);
  }
  r(id: number, offset: number): number {
    return this.at(id).read(offset, 4);
  }
  /** Sets SVR bit 8 everywhere. */
  enableAll(): this {
    for (const lapic of this.lapics) lapic.write(0xf0, 4, 0x1ff);
    return this;
  }
  /** Writes ICR high, then low; gives the IPI's record and the code of the low write. */
  ipi(sender: number, high: number, low: number): { code: number; record: IpiRecord } {
    this.w(sender, 0x310, high);
    const before = this.ledger.ipiCount;
    const code = this.w(sender, 0x300, low);
    if (this.ledger.ipiCount !== before + 1) throw new Error(`${this.ledger.ipiCount - before} IPI records of one ICR write`);
    return { code, record: this.ledger.ipiAt(before + 1) as IpiRecord };
  }
  /** Who was reached or merged, as a string of ids. */
  reached(record: IpiRecord): string {
    return record.targets
      .filter((t) => t.verdict === Verdict.reached || t.verdict === Verdict.merged)
      .map((t) => t.vcpu)
      .join('');
  }
  /** Lets time pass, ringing alarms as they fall due. */
  pass(ns: number): void {
    const end = this.clock.nowNs + ns;
    while (this.clock.nextDueNs <= end) {
      this.clock.skipTo(this.clock.nextDueNs);
      this.clock.ring();
    }
    this.clock.skipTo(end);
  }
  /** Delivers and ends whatever is pending at a vCPU; the vectors in order. */
  drain(id: number): number[] {
    const out: number[] = [];
    for (let vector = this.at(id).pendingInterrupt(); vector >= 0; vector = this.at(id).pendingInterrupt()) {
      this.at(id).accept(vector);
      out.push(vector);
      this.w(id, 0xb0, 0);
    }
    return out;
  }

  sentIpi(ipi: number): void {
    this.lastIpi = ipi;
  }
  isActive(vcpu: number): boolean {
    return !this.inactive.has(vcpu);
  }
  injectNmi(vcpu: number): void {
    this.answer(`nmi ${vcpu}`);
  }
  injectInit(vcpu: number): void {
    this.answer(`init ${vcpu}`);
  }
  injectSipi(vcpu: number, vector: number): void {
    this.answer(`sipi ${vcpu} ${vector.toString(16).padStart(2, '0')}`);
  }
  injectExtInt(vcpu: number): void {
    this.log.push(`extint ${vcpu}`);
  }
  requestSpinup(vcpu: number, rip: number): void {
    this.log.push(`spinup ${vcpu} ${rip.toString(16)}`);
  }
  notify(vcpu: number): void {
    this.log.push(`notify ${vcpu}`);
  }
  apicError(vcpu: number, bits: number, latched: number): void {
    this.log.push(`error ${vcpu} ${bits.toString(16)} ${latched.toString(16)}`);
  }
  eoi(vector: number): void {
    this.log.push(`eoi ${vector.toString(16)}`);
  }
  private answer(what: string): void {
    this.log.push(what);
    Object.assign(this.inject, { verdict: Verdict.reached, reason: Reason.none, detail: 0 });
  }
}
