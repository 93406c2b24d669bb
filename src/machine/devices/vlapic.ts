/**
 * The virtual local APIC, in xAPIC mode, as bhyve's VMM has it (illumos `vlapic.c`), under the rules of a profile.
 * Intel SDM vol. 3, "Local APIC". Split by subject: vlapic-icr (IPIs), vlapic-lvt (local sources, errors), vlapic-timer, vlapic-deliver (I/O APIC
 * and MSI), vlapic-inspect, vlapic-poke (the debugger's edits).
 *
 * Not implemented: x2APIC mode. The guest cannot enter it under any profile so far; APICBASE.EXTD is answered as each profile does.
 */
import { truncate } from '../base/bits.ts';
import { checkState } from '../base/state.ts';
import { Reason, Verdict } from '../ledger/verdict.ts';
import type { Profile } from '../profiles/profile.ts';
import { APIC_BASE_ADDRESS, APICBASE, Apic, FIRST_LEGAL_VECTOR, Lvt, MSR_APICBASE, SVR_ENABLE, DfrModel } from '../x86/apic.ts';
import { ICR_DELIVERY_STATUS } from '../x86/icr.ts';
import { Access, type Device, type InspectNode, type RegisterFacet } from './device.ts';
import type { InjectResult, VlapicWiring } from './vlapic-wiring.ts';
import { BootState, flattenIcrTable, sendIcr } from './vlapic-icr.ts';
import { inspectVlapic } from './vlapic-inspect.ts';
import { fireLvt, LVT_COUNT, LVT_MASKS, LvtIndex, lvtIndexAt, triggerLvt } from './vlapic-lvt.ts';
import { pokeVlapic, whyNotPoked } from './vlapic-poke.ts';
import { VlapicTimer, type VlapicTimerState } from './vlapic-timer.ts';
import { clearVector, hasVector, highestVector, setVector } from './vlapic-vectors.ts';
import { checkBytes, checkInteger, checkKind, checkWords } from './validate.ts';

/** Answers of readMsr and writeMsr: illumos's `vm_msr_result_t`, and the "to userspace" of the profiles before it. */
export const MsrResult = { ok: 0, gp: 1, unhandled: 2, toUserspace: 3 } as const;
export type MsrResult = (typeof MsrResult)[keyof typeof MsrResult];

/** APICBASE bits that nobody may change: 7:0 and 9 reserved, BSP, EXTD. */
const APICBASE_FIXED = 0x2ff | APICBASE.BSP | APICBASE.EXTD;

/** Boot states are kept for every id a VM could have, also where no vCPU is configured. */
const ALL_IDS = 256;

export type VlapicState = {
  kind: 'vlapic';
  version: 1;
  id: number;
  apicBase: number;
  tpr: number;
  ppr: number;
  ldr: number;
  dfr: number;
  svr: number;
  esr: number;
  esrPending: number;
  icrLow: number;
  icrHigh: number;
  lvt: Uint32Array;
  isr: Uint32Array;
  tmr: Uint32Array;
  irr: Uint32Array;
  irrIpi: Float64Array;
  bootState: number;
  absentBootStates: Uint8Array;
  timer: VlapicTimerState;
};

export class Vlapic implements Device<VlapicState>, RegisterFacet {
  // Static configuration.
  readonly name: string;
  readonly maxVcpus: number;
  /** The ICR table, flat; see vlapic-icr.ts. */
  readonly icrTable: ReturnType<typeof flattenIcrTable>;
  /** Does a level-triggered IPI set the TMR bit at its target? */
  readonly ipiSetsTmr: boolean;
  private readonly tmrOnAccept: boolean;
  private readonly latchesDisabled: boolean;
  private readonly pprAtCheck: boolean;
  private readonly worksDisabled: boolean;
  private readonly strictAccess: boolean;

  // Wiring.
  /** All local APICs of the machine, by vCPU: set once all are built. */
  peers: readonly Vlapic[] = [];
  /** The answer of the last setIrr or matches (its detail) of this local APIC. */
  readonly result: InjectResult = { verdict: Verdict.reached, reason: Reason.none, detail: 0 };
  readonly timer: VlapicTimer;
  /** The high half of the last MSR read; 0 for all there are. */
  msrHigh = 0;
  /** The low half of the last MSR read. */
  msrLow = 0;

  // State.
  /** IA32_APIC_BASE, low half; the high one is 0. */
  apicBase = 0;
  tpr = 0;
  ppr = 0;
  ldr = 0;
  dfr = 0;
  svr = 0;
  esr = 0;
  /** Errors since the last ESR write. */
  esrPending = 0;
  icrLow = 0;
  icrHigh = 0;
  readonly lvt = new Uint32Array(LVT_COUNT);
  readonly isr = new Uint32Array(8);
  readonly tmr = new Uint32Array(8);
  readonly irr = new Uint32Array(8);
  /** The IPI that set each IRR bit; 0: none did. */
  readonly irrIpi = new Float64Array(256);
  /** BootState, in profiles without run states. */
  private bootState: number = BootState.INIT;
  private readonly absentBootStates = new Uint8Array(ALL_IDS);

  /** @param id the vCPU, which is also the APIC ID: 0 to 254 */
  constructor(
    readonly id: number,
    readonly wiring: VlapicWiring,
    readonly profile: Profile,
  ) {
    const { rules } = profile;
    this.name = `vlapic.${id}`;
    this.maxVcpus = profile.maxVcpus;
    this.icrTable = flattenIcrTable(profile);
    this.ipiSetsTmr = rules['icr.fixed.level.tmr'] === 'tmrSet';
    this.tmrOnAccept = rules['tmr.update'] === 'beforeIrr';
    this.latchesDisabled = rules['icr.fixed.swDisabled'] === 'latched';
    this.pprAtCheck = rules['ppr.fresh'] === 'pendingCheck';
    this.worksDisabled = rules['mmio.whenDisabled'] === 'works';
    this.strictAccess = rules['mmio.write.align'] === 'einval';
    const periodic = (): boolean => ((this.lvt[LvtIndex.TIMER] as number) & Lvt.PERIODIC) !== 0;
    this.timer = new VlapicTimer(wiring.clock, `${this.name}.timer`, profile, periodic, () => fireLvt(this, LvtIndex.TIMER));
    this.reset();
  }

  /** RESET. */
  reset(): void {
    this.resetRegisters();
    this.bootState = this.id === 0 ? BootState.RUNNING : BootState.INIT;
    this.absentBootStates.fill(BootState.INIT);
  }

  /** INIT, as far as the profile lets it touch the local APIC. Interrupts that were waiting here are lost. */
  init(): void {
    if (this.profile.rules['init.lapic.scope'] !== 'none') this.resetRegisters();
  }

  private resetRegisters(): void {
    this.timer.reset();
    this.apicBase = (APIC_BASE_ADDRESS | APICBASE.EN | (this.id === 0 ? APICBASE.BSP : 0)) >>> 0;
    this.tpr = 0;
    this.ppr = 0;
    this.ldr = 0;
    this.dfr = 0xffffffff;
    this.svr = 0xff;
    this.esr = 0;
    this.esrPending = 0;
    this.icrLow = 0;
    this.icrHigh = 0;
    this.lvt.fill(Lvt.MASKED);
    this.isr.fill(0);
    this.tmr.fill(0);
    this.irr.fill(0);
    this.irrIpi.fill(0);
  }

  /** APICBASE.EN. */
  get hardwareEnabled(): boolean {
    return (this.apicBase & APICBASE.EN) !== 0;
  }
  /** SVR bit 8. */
  get softwareEnabled(): boolean {
    return (this.svr & SVR_ENABLE) !== 0;
  }
  /** APICBASE.BSP. */
  get isBsp(): boolean {
    return (this.apicBase & APICBASE.BSP) !== 0;
  }

  // ---- MMIO: the 4 KiB page at APIC_BASE_ADDRESS

  read(offset: number, size: number): number {
    if (!this.worksDisabled && !this.hardwareEnabled) return truncate(0xffffffff, size);
    const lane = offset & 0xf;
    if (lane === 0) return truncate(this.register(offset), size);
    // Elsewhere than at the register's first byte: within four bytes the old handler forgets the lane and today's shifts the wrong way.
    if (lane >= 4) return this.strictAccess ? Access.invalid : 0;
    const value = this.register(offset & ~0xf);
    return truncate(this.strictAccess ? value : value << (8 * lane), size);
  }

  write(offset: number, size: number, value: number): number {
    if (!this.worksDisabled && !this.hardwareEnabled) return Access.ok;
    if (size !== 4 || (offset & 0xf) !== 0) return this.strictAccess ? Access.invalid : Access.ok;
    return this.setRegister(offset, value);
  }

  /** Reading a local APIC register never changes it. */
  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }

  /** Value of the register at `offset`, a multiple of 16; 0 for what is write-only or absent. */
  private register(offset: number): number {
    switch (offset) {
      case Apic.ID:
        return (this.id << 24) >>> 0;
      case Apic.VERSION:
        return this.profile.apicVersion;
      case Apic.TPR:
        return this.tpr;
      case Apic.PPR:
        return this.ppr;
      case Apic.LDR:
        return this.ldr;
      case Apic.DFR:
        return this.dfr;
      case Apic.SVR:
        return this.svr;
      case Apic.ESR:
        return this.esr;
      case Apic.ICR_LO:
        return this.icrLow;
      case Apic.ICR_HI:
        return this.icrHigh;
      case Apic.TICR:
        return this.timer.initial;
      case Apic.TCCR:
        return this.timer.current();
      case Apic.TDCR:
        return this.timer.divide;
    }
    if (offset >= Apic.ISR && offset < Apic.ESR) {
      const map = offset < Apic.TMR ? this.isr : offset < Apic.IRR ? this.tmr : this.irr;
      return map[(offset >>> 4) & 7] as number;
    }
    const index = lvtIndexAt(offset);
    return index < 0 ? 0 : (this.lvt[index] as number);
  }

  /** Writes the register at `offset`, a multiple of 16; read-only and absent ones ignore it. */
  setRegister(offset: number, value: number): number {
    switch (offset) {
      case Apic.TPR:
        this.tpr = value & 0xff;
        this.updatePpr();
        return Access.ok;
      case Apic.EOI:
        this.endOfInterrupt();
        return Access.ok;
      case Apic.LDR:
        this.ldr = (value & 0xff000000) >>> 0;
        return Access.ok;
      case Apic.DFR:
        this.dfr = (value | 0x0fffffff) >>> 0;
        return Access.ok;
      case Apic.SVR:
        this.writeSvr(value);
        return Access.ok;
      case Apic.ESR:
        this.esr = this.esrPending;
        this.esrPending = 0;
        return Access.ok;
      case Apic.ICR_LO:
        this.icrLow = (value & ~ICR_DELIVERY_STATUS) >>> 0;
        return sendIcr(this);
      case Apic.ICR_HI:
        this.icrHigh = (value & this.profile.rules['icr.hi.mask']) >>> 0;
        return Access.ok;
      case Apic.TICR:
        this.timer.writeInitial(value);
        return Access.ok;
      case Apic.TDCR:
        this.timer.writeDivide(value);
        return Access.ok;
    }
    const index = lvtIndexAt(offset);
    if (index >= 0) {
      const kept = value & (LVT_MASKS[index] as number);
      this.lvt[index] = this.softwareEnabled || this.profile.rules['svr.disable.lvt'] === 'nothing' ? kept : kept | Lvt.MASKED;
    }
    return Access.ok;
  }

  /** Software disable stops the timer and masks every LVT; software enable restarts a periodic timer from its initial count. A one-shot is lost. */
  private writeSvr(value: number): void {
    const { rules } = this.profile;
    const before = this.svr;
    this.svr = (value & rules['svr.bits']) >>> 0;
    if (((before ^ this.svr) & SVR_ENABLE) === 0) return;
    const stopsTimer = rules['svr.disable.timer'] === 'stopped';
    if (this.softwareEnabled) {
      if (stopsTimer && (this.lvt[LvtIndex.TIMER] as number) & Lvt.PERIODIC) this.timer.start();
      return;
    }
    if (stopsTimer) this.timer.stop();
    if (rules['svr.disable.lvt'] === 'masksForced') for (let i = 0; i < LVT_COUNT; i++) this.lvt[i] = (this.lvt[i] as number) | Lvt.MASKED;
  }

  // ---- MSRs

  /** RDMSR of IA32_APIC_BASE or of 800h-BFFh. The value is left in msrLow and msrHigh. */
  readMsr(msr: number): MsrResult {
    this.msrLow = 0;
    this.msrHigh = 0;
    if (msr !== MSR_APICBASE) return this.x2apicMsr(msr);
    this.msrLow = this.apicBase;
    return MsrResult.ok;
  }

  /** WRMSR of IA32_APIC_BASE or of 800h-BFFh. */
  writeMsr(msr: number, low: number, high: number): MsrResult {
    if (msr !== MSR_APICBASE) return this.x2apicMsr(msr);
    const changed = (low ^ this.apicBase) >>> 0;
    if (changed === 0 && high === 0) return MsrResult.ok;
    const { rules } = this.profile;
    if (changed & APICBASE_FIXED) return rules['apicbase.fixedBits'] === 'toUserspace' ? MsrResult.toUserspace : MsrResult.gp;
    if (high !== 0 || changed & APICBASE.ADDRESS)
      return rules['apicbase.relocate'] === 'toUserspace' ? MsrResult.toUserspace : MsrResult.gp;
    if (rules['apicbase.en.change'] !== 'allowed') return rules['apicbase.en.change'] === 'gp' ? MsrResult.gp : MsrResult.toUserspace;
    this.apicBase = low >>> 0;
    return MsrResult.ok;
  }

  /** The x2APIC MSRs outside x2APIC mode: some VMMs answer 0 and ignore writes. */
  private x2apicMsr(msr: number): MsrResult {
    const { rules } = this.profile;
    if (msr < 0x800 || msr > 0xbff) return MsrResult.unhandled;
    const answer = msr < 0x900 ? rules['x2msr.inXapic'] : rules['x2msr.inXapic.upper'];
    return answer === 'zero' ? MsrResult.ok : answer === 'gp' ? MsrResult.gp : MsrResult.unhandled;
  }

  /** CR8: the priority class of TPR. */
  get cr8(): number {
    return this.tpr >>> 4;
  }
  /** MOV to CR8. False: the value is above Fh and the guest gets #GP. */
  setCr8(value: number): boolean {
    if (value >>> 4 !== 0 && this.profile.rules['cr8.range'] === 'gp') return false;
    this.tpr = (value & 0xf) << 4;
    this.updatePpr();
    return true;
  }

  // ---- Interrupts

  /**
   * A fixed interrupt arrives. The verdict is given back; with reason and detail it is in `result`.
   * @param ipi number of the IPI that brought it, or 0
   */
  setIrr(vector: number, level: boolean, ipi: number): Verdict {
    const { result } = this;
    if (vector < FIRST_LEGAL_VECTOR) return this.refuse(Reason.vectorBelow16, vector);
    if (!this.hardwareEnabled) return this.refuse(Reason.hardwareDisabled, this.apicBase);
    if (!this.softwareEnabled && !this.latchesDisabled) return this.refuse(Reason.softwareDisabled, this.svr);
    if (this.tmrOnAccept) {
      if (level) setVector(this.tmr, vector);
      else clearVector(this.tmr, vector);
    }
    result.reason = Reason.none;
    result.detail = 0;
    if (hasVector(this.irr, vector)) {
      result.verdict = Verdict.merged;
    } else {
      setVector(this.irr, vector);
      this.irrIpi[vector] = ipi;
      result.verdict = Verdict.reached;
    }
    return result.verdict;
  }

  private refuse(reason: Reason, detail: number): Verdict {
    this.result.verdict = Verdict.refused;
    this.result.reason = reason;
    this.result.detail = detail;
    return Verdict.refused;
  }

  /** The highest vector that may be delivered now, or -1. Under the old profiles this is also where PPR is brought up to date. */
  pendingInterrupt(): number {
    if (this.pprAtCheck) this.updatePpr();
    const vector = highestVector(this.irr);
    return vector >= 0 && (vector & 0xf0) > (this.ppr & 0xf0) ? vector : -1;
  }

  /** The vCPU takes `vector`, which pendingInterrupt() gave: IRR to ISR. The IPI behind it is told to the ledger at the wiring's present moment. */
  accept(vector: number): void {
    clearVector(this.irr, vector);
    setVector(this.isr, vector);
    if (!this.pprAtCheck && (vector & 0xf0) > (this.ppr & 0xf0)) this.ppr = vector & 0xf0;
    const ipi = this.irrIpi[vector] as number;
    if (ipi === 0) return;
    this.irrIpi[vector] = 0;
    const { moment, ledger } = this.wiring;
    ledger.ipiTaken(ipi, this.id, moment.timeNs, moment.icount);
  }

  /** PPR from TPR and the highest vector in service ("Task and Processor Priorities"). */
  updatePpr(): void {
    this.ppr = this.priority();
  }
  private priority(): number {
    const inService = highestVector(this.isr);
    const isrClass = inService < 0 ? 0 : inService & 0xf0;
    return (this.tpr & 0xf0) >= isrClass ? this.tpr : isrClass;
  }

  private endOfInterrupt(): void {
    const vector = highestVector(this.isr);
    if (vector < 0) return;
    clearVector(this.isr, vector);
    this.updatePpr();
    if (hasVector(this.tmr, vector)) this.wiring.eoi(vector);
  }

  /** A local source (timer, LINT pin, sensor) raises its line. */
  fireLvt(index: LvtIndex): void {
    triggerLvt(this, index);
  }

  /**
   * Does a destination byte name this local APIC? Reason.none if so; else why not, with the register value behind it in `result.detail`.
   * FFh is everybody in either mode.
   */
  matches(destination: number, logical: boolean): Reason {
    const { result } = this;
    result.detail = 0;
    if (destination === 0xff && (!logical || this.profile.rules['dest.logical.FF'] === 'allActive')) return Reason.none;
    if (!logical) {
      result.detail = (this.id << 24) >>> 0;
      return this.id === destination ? Reason.none : Reason.idMismatch;
    }
    const mine = this.ldr >>> 24;
    const model = this.dfr >>> 28;
    if (model !== DfrModel.FLAT && model !== DfrModel.CLUSTER) {
      result.detail = this.dfr;
      return Reason.dfrInvalid;
    }
    result.detail = this.ldr;
    if (mine === 0) return Reason.ldrZero;
    if (model === DfrModel.FLAT) return (mine & destination) !== 0 ? Reason.none : Reason.ldrMismatch;
    const everyCluster = destination >>> 4 === 0xf && this.profile.rules['dest.logical.clusterF'] === 'everyCluster';
    return (everyCluster || mine >>> 4 === destination >>> 4) && (mine & destination & 0xf) !== 0 ? Reason.none : Reason.ldrMismatch;
  }

  // ---- TMR from the I/O APIC's redirection entries (profiles whose TMR is not set on accept)

  clearTmr(): void {
    this.tmr.fill(0);
  }
  /** One level-triggered redirection entry names this local APIC. */
  markLevel(vector: number): void {
    if (vector >= FIRST_LEGAL_VECTOR && vector <= 0xff) setVector(this.tmr, vector);
  }

  // ---- Boot states (profiles without run states)

  /** Boot state of a vCPU by id, configured or not. */
  bootStateOf(vcpu: number): number {
    return this.peers[vcpu]?.bootState ?? (this.absentBootStates[vcpu] as number);
  }
  setBootStateOf(vcpu: number, state: number): void {
    const peer = this.peers[vcpu];
    if (peer) peer.bootState = state;
    else this.absentBootStates[vcpu] = state;
  }

  // ---- For the debugger

  /** Why the debugger cannot change the register at `offset`, in one sentence; undefined: it can. */
  whyNotPoked(offset: number): string | undefined {
    return whyNotPoked(offset);
  }
  /** Changes what the register at `offset` holds; see vlapic-poke.ts. */
  poke(offset: number, value: number): void {
    pokeVlapic(this, offset, value);
  }

  /** Why `vector` waits, or that it does not; looks only. */
  whyHeld(vector: number): Held {
    const ppr = this.pprAtCheck ? this.priority() : this.ppr;
    const inService = highestVector(this.isr);
    const first = highestVector(this.irr);
    const ipi = this.irrIpi[vector] as number;
    const byTpr = (this.tpr & 0xf0) >= (inService < 0 ? 0 : inService & 0xf0);
    const base = { vector, ppr, tpr: this.tpr, inService, first, ipi, by: byTpr ? 'TPR' : 'ISR' } as const;
    if (!hasVector(this.irr, vector)) return { ...base, state: 'notPending' };
    if ((vector & 0xf0) <= (ppr & 0xf0)) return { ...base, state: 'priority' };
    return { ...base, state: first === vector ? 'deliverable' : 'behind' };
  }

  inspect(): InspectNode {
    return inspectVlapic(this);
  }

  save(): VlapicState {
    const {
      id,
      apicBase,
      tpr,
      ppr,
      ldr,
      dfr,
      svr,
      esr,
      esrPending,
      icrLow,
      icrHigh,
      lvt,
      isr,
      tmr,
      irr,
      irrIpi,
      bootState,
      absentBootStates,
      timer,
    } = this;
    return {
      kind: 'vlapic',
      version: 1,
      id,
      apicBase,
      tpr,
      ppr,
      ldr,
      dfr,
      svr,
      esr,
      esrPending,
      icrLow,
      icrHigh,
      lvt: lvt.slice(),
      isr: isr.slice(),
      tmr: tmr.slice(),
      irr: irr.slice(),
      irrIpi: irrIpi.slice(),
      bootState,
      absentBootStates: absentBootStates.slice(),
      timer: timer.save(),
    };
  }

  load(state: VlapicState): void {
    const what = this.name;
    checkKind(state, 'vlapic', 1);
    checkInteger(`${what}.id`, state.id, this.id, this.id);
    for (const key of ['apicBase', 'ldr', 'dfr', 'svr', 'esr', 'esrPending', 'icrLow', 'icrHigh'] as const)
      checkInteger(`${what}.${key}`, state[key], 0, 0xffffffff);
    checkState(((state.apicBase ^ this.apicBase) & ~APICBASE.EN) === 0, `${what}.apicBase`, state.apicBase, 'the present one but for EN');
    for (const key of ['tpr', 'ppr'] as const) checkInteger(`${what}.${key}`, state[key], 0, 0xff);
    checkInteger(`${what}.bootState`, state.bootState, BootState.INIT, BootState.RUNNING);
    checkWords(`${what}.lvt`, state.lvt, LVT_COUNT);
    for (const key of ['isr', 'tmr', 'irr'] as const) {
      checkWords(`${what}.${key}`, state[key], 8);
      checkState(((state[key][0] as number) & 0xffff) === 0, `${what}.${key}[0]`, state[key][0] as number, 'no vector below 16');
    }
    checkState(state.irrIpi instanceof Float64Array && state.irrIpi.length === 256, `${what}.irrIpi`, state.irrIpi, '256 numbers');
    checkBytes(`${what}.absentBootStates`, state.absentBootStates, ALL_IDS);
    this.timer.check(`${what}.timer`, state.timer);
    this.apicBase = state.apicBase;
    this.tpr = state.tpr;
    this.ppr = state.ppr;
    this.ldr = state.ldr;
    this.dfr = state.dfr;
    this.svr = state.svr;
    this.esr = state.esr;
    this.esrPending = state.esrPending;
    this.icrLow = state.icrLow;
    this.icrHigh = state.icrHigh;
    this.lvt.set(state.lvt);
    this.isr.set(state.isr);
    this.tmr.set(state.tmr);
    this.irr.set(state.irr);
    this.irrIpi.set(state.irrIpi);
    this.bootState = state.bootState;
    this.absentBootStates.set(state.absentBootStates);
    this.timer.load(state.timer);
  }
}

/** Why a vector waits. */
export interface Held {
  readonly vector: number;
  /** `notPending`: its IRR bit is clear; `deliverable`: next to be taken; `behind`: `first` goes before it; `priority`: its class is not above PPR's. */
  readonly state: 'notPending' | 'deliverable' | 'behind' | 'priority';
  readonly ppr: number;
  readonly tpr: number;
  /** What PPR comes from. */
  readonly by: 'TPR' | 'ISR';
  /** The highest vectors in ISR and IRR, or -1. */
  readonly inService: number;
  readonly first: number;
  /** The IPI that brought it, or 0. */
  readonly ipi: number;
}
