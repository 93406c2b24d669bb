/**
 * The ledger: every exit, every IPI with each of its targets, and every event, numbered from 1, in rings of typed arrays.
 *
 * Going back: `save`/`load` carry everything; `mark`/`rewind` carry only positions, totals and the digest, and suffice when one goes back along the
 * same run. Amendments made after a mark to records from before it are undone too (a target that took an IPI, an exit that was closed).
 */
import { checkState, type Stateful } from '../base/state.ts';
import { Digest } from './digest.ts';
import type { ExitCode } from './exitcode.ts';
import type {
  Answer,
  EventKind,
  EventRecord,
  ExitRecord,
  IpiRecord,
  IpiTarget,
  LedgerReader,
  LedgerWriter,
  Moment,
  RequestState,
} from './records.ts';
import { Outcome } from './records.ts';
import { BYTES_STRIDE, EventRing, ExitRing, IpiRing, type RingState } from './ring.ts';
import { Texts } from './texts.ts';
import { Reason, Verdict } from './verdict.ts';

export interface LedgerSize {
  /** Configured vCPUs, 1 or more: each IPI has that many targets. */
  readonly vcpus: number;
  /** Records held, powers of two. */
  readonly exits?: number;
  readonly ipis?: number;
  readonly events?: number;
}

/** Where the ledger stood: a few numbers, cheap enough to take at every checkpoint, and part of the state hash. */
export type LedgerMark = {
  exits: number;
  ipis: number;
  events: number;
  writes: number;
  texts: number;
  low: number;
  high: number;
  byCode: number[];
  byVerdict: number[];
  /** The newest exit of each vCPU, or 0. */
  newest: number[];
  /** Those of them that have not ended (a vCPU waits in HLT…): they may outlive their place in the ring until then. */
  open: { number: number; vcpu: number; record: number[] }[];
};

export type LedgerState = {
  kind: 'ledger';
  version: 1;
  vcpus: number;
  mark: LedgerMark;
  exits: RingState;
  ipis: RingState;
  events: RingState;
  texts: string[];
};

/** An exit record as it was before an amendment, kept when a mark lies between its opening and the amendment. */
interface Undo {
  write: number;
  number: number;
  finalCode: number;
  value: number;
  valueHigh: number;
  device: number;
  answer: number;
  returned: number;
  request: number;
  outcome: number;
  ipi: number;
  note: number;
  bytes: Uint8Array;
}

const CODES = 32;
const VERDICTS = 5;
/** Amendments across marks are rare (one per exit that was open at a mark); more than this are forgotten, oldest first. */
const MAX_UNDO = 4096;

export class Ledger implements LedgerWriter, LedgerReader, Stateful<LedgerState> {
  // Configuration.
  readonly vcpus: number;
  // State.
  private readonly exits: ExitRing;
  private readonly ipis: IpiRing;
  private readonly events: EventRing;
  private readonly texts = new Texts();
  private readonly digest = new Digest();
  private readonly byCode = new Float64Array(CODES);
  private readonly byVerdict = new Float64Array(VERDICTS);
  private writes = 0;
  /** The newest exit at the last mark: amending it or an older one needs an undo entry. */
  private sealed = 0;
  private readonly undo: Undo[] = [];
  private readonly newest: Float64Array;
  /** Exits whose record a rewind has put into a spare slot, that of their vCPU: the ring had dropped it since. 0: none. */
  private readonly aside: Float64Array;

  constructor(size: LedgerSize) {
    this.vcpus = size.vcpus;
    this.exits = new ExitRing(size.exits ?? 65_536, size.vcpus);
    this.newest = new Float64Array(size.vcpus);
    this.aside = new Float64Array(size.vcpus);
    this.ipis = new IpiRing(size.ipis ?? 16_384, size.vcpus);
    this.events = new EventRing(size.events ?? 65_536);
  }

  // ---- writing

  exit(moment: Readonly<Moment>, code: ExitCode, address: number, size: number, write: boolean): number {
    const e = this.exits;
    const s = e.begin(moment);
    e.code[s] = code;
    e.finalCode[s] = code;
    e.address[s] = address;
    e.size[s] = size;
    e.write[s] = write ? 1 : 0;
    e.value[s] = 0;
    e.valueHigh[s] = 0;
    e.device[s] = 0;
    e.answer[s] = 0;
    e.returned[s] = 0;
    e.request[s] = 0;
    e.outcome[s] = 0;
    e.ipi[s] = 0;
    e.note[s] = 0;
    e.bytes[s * BYTES_STRIDE] = 0;
    this.newest[moment.vcpu] = e.count;
    this.byCode[code] = (this.byCode[code] ?? 0) + 1;
    this.writes++;
    const { digest } = this;
    digest.word(moment.vcpu | (code << 8) | (size << 16) | (write ? 0x1000000 : 0));
    digest.number(moment.icount);
    digest.word(moment.eip);
    digest.number(address);
    return e.count;
  }

  exitBytes(exit: number, bytes: Uint8Array, offset: number, length: number): void {
    const s = this.amend(exit);
    if (s < 0) return;
    const n = Math.max(0, Math.min(length, BYTES_STRIDE - 1, bytes.length - offset));
    const to = s * BYTES_STRIDE;
    this.exits.bytes[to] = n;
    for (let i = 0; i < n; i++) this.exits.bytes[to + 1 + i] = bytes[offset + i] as number;
  }

  exitValue(exit: number, value: number, valueHigh: number): void {
    const s = this.amend(exit);
    if (s < 0) return;
    this.exits.value[s] = value;
    this.exits.valueHigh[s] = valueHigh;
  }

  exitAnswer(exit: number, answer: Answer, device: string, returned: number): void {
    const s = this.amend(exit);
    if (s < 0) return;
    const name = this.texts.intern(device);
    this.exits.answer[s] = answer;
    this.exits.device[s] = name;
    this.exits.returned[s] = returned;
  }

  exitOutcome(exit: number, finalCode: ExitCode, request: RequestState, outcome: Outcome, note: string): void {
    const s = this.amend(exit);
    if (s < 0) return;
    const text = this.texts.intern(note);
    this.exits.finalCode[s] = finalCode;
    this.exits.request[s] = request;
    this.exits.outcome[s] = outcome;
    this.exits.note[s] = text;
    this.digestOutcome(s, exit);
  }

  /** What has become of an exit goes into the digest with its outcome. */
  private digestOutcome(s: number, number: number): void {
    const { digest, exits: e } = this;
    digest.word(number);
    digest.word(
      (e.finalCode[s] as number) |
        ((e.request[s] as number) << 6) |
        ((e.outcome[s] as number) << 10) |
        ((e.answer[s] as number) << 14) |
        ((e.device[s] as number) << 18),
    );
    digest.word(e.value[s] as number);
    digest.word((e.note[s] as number) ^ ((e.returned[s] as number) << 16) ^ (e.valueHigh[s] as number));
  }

  ipi(moment: Readonly<Moment>, exit: number, icrLow: number, icrHigh: number): number {
    const r = this.ipis;
    const s = r.begin(moment);
    r.exit[s] = exit;
    r.icrLow[s] = icrLow;
    r.icrHigh[s] = icrHigh;
    const start = s * this.vcpus;
    const end = start + this.vcpus;
    for (let i = start; i < end; i++) {
      r.verdict[i] = Verdict.notAddressed;
      r.reason[i] = Reason.idMismatch;
      r.detail[i] = (i - start) << 24;
      r.takenNs[i] = -1;
      r.takenIcount[i] = -1;
      r.takenWrite[i] = -1;
    }
    this.byVerdict[Verdict.notAddressed] = (this.byVerdict[Verdict.notAddressed] as number) + this.vcpus;
    this.writes++;
    this.digestMoment(6, moment);
    this.digest.number(exit);
    this.digest.word(icrLow);
    this.digest.word(icrHigh);
    const number = r.count;
    if (exit !== 0) {
      const e = this.amend(exit);
      if (e >= 0) this.exits.ipi[e] = number;
    }
    return number;
  }

  ipiTarget(ipi: number, vcpu: number, verdict: Verdict, reason: Reason, detail: number): void {
    const r = this.ipis;
    const s = r.slot(ipi);
    if (s < 0 || vcpu < 0 || vcpu >= this.vcpus) return;
    const i = s * this.vcpus + vcpu;
    const before = r.verdict[i] as number;
    if (before !== verdict) {
      const totals = this.byVerdict;
      totals[before] = (totals[before] as number) - 1;
      totals[verdict] = (totals[verdict] as number) + 1;
      r.verdict[i] = verdict;
    }
    r.reason[i] = reason;
    r.detail[i] = detail;
    this.writes++;
    this.digest.word(8 | (vcpu << 8) | (verdict << 16) | (reason << 24));
    this.digest.word(detail ^ Math.imul(ipi, 0x9e3779b1));
  }

  ipiTaken(ipi: number, vcpu: number, timeNs: number, icount: number): void {
    const s = this.ipis.slot(ipi);
    this.writes++;
    this.digest.word(9 | (vcpu << 8));
    this.digest.number(ipi);
    this.digest.number(timeNs);
    this.digest.number(icount);
    if (s < 0 || vcpu < 0 || vcpu >= this.vcpus) return;
    const i = s * this.vcpus + vcpu;
    // It is taken once; what came first stands.
    if ((this.ipis.takenWrite[i] as number) >= 0) return;
    this.ipis.takenNs[i] = timeNs;
    this.ipis.takenIcount[i] = icount;
    this.ipis.takenWrite[i] = this.writes;
  }

  event(moment: Readonly<Moment>, kind: EventKind, value: number, detail: number): number {
    const v = this.events;
    const s = v.begin(moment);
    v.kind[s] = kind;
    v.value[s] = value;
    v.detail[s] = detail;
    this.writes++;
    this.digestMoment(10, moment);
    this.digest.word(kind);
    this.digest.word(value);
    this.digest.word(detail);
    return v.count;
  }

  private digestMoment(what: number, moment: Readonly<Moment>): void {
    const d = this.digest;
    d.word(what | (moment.vcpu << 8));
    d.number(moment.timeNs);
    d.number(moment.icount);
    d.word(moment.eip);
    d.word(moment.csBase);
  }

  /** Slot of an exit that is about to be amended, or -1; what it was is kept when a mark could be rewound to it. */
  private amend(exit: number): number {
    this.writes++;
    const s = this.slotOf(exit);
    if (s >= 0 && exit <= this.sealed) this.keep(exit, s);
    return s;
  }
  /** Slot of an exit that is held, or would be had the ledger never been rewound; else -1. */
  private slotOf(exit: number): number {
    const { exits } = this;
    const s = exits.slot(exit);
    if (s >= 0 || exit < 1 || exit > exits.count || exit <= exits.count - exits.capacity) return s;
    const vcpu = this.aside.indexOf(exit);
    return vcpu < 0 ? -1 : exits.capacity + vcpu;
  }

  private keep(number: number, s: number): void {
    const e = this.exits;
    if (this.undo.length >= MAX_UNDO) this.undo.shift();
    this.undo.push({
      write: this.writes,
      number,
      finalCode: e.finalCode[s] as number,
      value: e.value[s] as number,
      valueHigh: e.valueHigh[s] as number,
      device: e.device[s] as number,
      answer: e.answer[s] as number,
      returned: e.returned[s] as number,
      request: e.request[s] as number,
      outcome: e.outcome[s] as number,
      ipi: e.ipi[s] as number,
      note: e.note[s] as number,
      bytes: e.bytes.slice(s * BYTES_STRIDE, (s + 1) * BYTES_STRIDE),
    });
  }

  // ---- reading

  /** Records and amendments written so far: never less later in a run. */
  get writeCount(): number {
    return this.writes;
  }

  get exitCount(): number {
    return this.exits.count;
  }
  get ipiCount(): number {
    return this.ipis.count;
  }
  get eventCount(): number {
    return this.events.count;
  }
  newestExit(vcpu: number): number {
    return this.newest[vcpu] ?? 0;
  }
  get firstExit(): number {
    return this.exits.first;
  }
  get firstIpi(): number {
    return this.ipis.first;
  }
  get firstEvent(): number {
    return this.events.first;
  }

  exitAt(number: number): ExitRecord | undefined {
    const e = this.exits;
    const s = this.slotOf(number);
    if (s < 0) return undefined;
    const at = s * BYTES_STRIDE;
    // Field by field: with a spread of the moment this is 100 times slower in V8.
    return {
      vcpu: e.vcpu[s] as number,
      timeNs: e.timeNs[s] as number,
      icount: e.icount[s] as number,
      eip: e.eip[s] as number,
      csBase: e.csBase[s] as number,
      number,
      code: e.code[s] as ExitCode,
      finalCode: e.finalCode[s] as ExitCode,
      bytes: e.bytes.slice(at + 1, at + 1 + (e.bytes[at] as number)),
      address: e.address[s] as number,
      size: e.size[s] as number,
      write: e.write[s] === 1,
      value: e.value[s] as number,
      valueHigh: e.valueHigh[s] as number,
      device: this.texts.at(e.device[s] as number),
      answer: e.answer[s] as Answer,
      returned: e.returned[s] as number,
      request: e.request[s] as RequestState,
      outcome: e.outcome[s] as Outcome,
      ipi: e.ipi[s] as number,
      note: this.texts.at(e.note[s] as number),
    };
  }

  ipiAt(number: number): IpiRecord | undefined {
    const r = this.ipis;
    const s = r.slot(number);
    if (s < 0) return undefined;
    const targets: IpiTarget[] = [];
    for (let vcpu = 0, i = s * this.vcpus; vcpu < this.vcpus; vcpu++, i++) {
      targets.push({
        vcpu,
        verdict: r.verdict[i] as Verdict,
        reason: r.reason[i] as Reason,
        detail: r.detail[i] as number,
        takenNs: r.takenNs[i] as number,
        takenIcount: r.takenIcount[i] as number,
      });
    }
    return { ...r.moment(s), number, exit: r.exit[s] as number, icrLow: r.icrLow[s] as number, icrHigh: r.icrHigh[s] as number, targets };
  }

  eventAt(number: number): EventRecord | undefined {
    const v = this.events;
    const s = v.slot(number);
    if (s < 0) return undefined;
    return { ...v.moment(s), number, kind: v.kind[s] as EventKind, value: v.value[s] as number, detail: v.detail[s] as number };
  }

  exitsByCode(): ReadonlyMap<ExitCode, number> {
    const map = new Map<ExitCode, number>();
    this.byCode.forEach((n, code) => n > 0 && map.set(code as ExitCode, n));
    return map;
  }

  targetsByVerdict(): ReadonlyMap<Verdict, number> {
    const map = new Map<Verdict, number>();
    this.byVerdict.forEach((n, verdict) => n > 0 && map.set(verdict as Verdict, n));
    return map;
  }

  /** Sixteen hexadecimal digits over everything written so far, dropped records included: equal runs have equal digests. */
  get digestText(): string {
    return this.digest.text;
  }

  // ---- going back

  /**
   * Where the ledger stands now. When a run was rewound and comes past the place of a later mark again, take that mark anew before going on: only
   * amendments since the newest mark taken can be undone.
   */
  mark(): LedgerMark {
    this.sealed = this.exits.count;
    const { writes, byCode, byVerdict, digest } = this;
    return {
      exits: this.exits.count,
      ipis: this.ipis.count,
      events: this.events.count,
      writes,
      texts: this.texts.count,
      low: digest.low,
      high: digest.high,
      byCode: [...byCode],
      byVerdict: [...byVerdict],
      newest: [...this.newest],
      open: this.openExits(),
    };
  }
  private openExits(): LedgerMark['open'] {
    const open: LedgerMark['open'] = [];
    this.newest.forEach((number, vcpu) => {
      const s = this.slotOf(number);
      const outcome = this.exits.outcome[s];
      if (s < 0 || (outcome !== Outcome.open && outcome !== Outcome.waits)) return;
      const record = this.exits.copySlot(s);
      // Behind the instruction's bytes lies what the slot held before.
      const bytes = record.length - BYTES_STRIDE;
      record.fill(0, bytes + 1 + (record[bytes] as number));
      open.push({ number, vcpu, record });
    });
    return open;
  }

  /**
   * Goes back to a mark of this same run: later records are forgotten, amendments made since are undone. Records that were dropped since the mark
   * stay dropped (firstExit and the others say so), but for exits that had not ended at the mark; totals and digest are as they were.
   */
  rewind(mark: LedgerMark): void {
    this.checkMark(mark);
    checkState(mark.writes <= this.writes, 'ledger.mark.writes', mark.writes, `at most ${this.writes}: a mark of this run`);
    for (let last = this.undo.at(-1); last && last.write > mark.writes; last = this.undo.at(-1)) {
      this.undo.pop();
      this.restore(last);
    }
    this.exits.truncate(mark.exits);
    this.ipis.truncate(mark.ipis);
    this.events.truncate(mark.events);
    this.ipis.untake(mark.writes);
    this.loadMark(mark);
    this.texts.truncate(mark.texts);
  }

  private restore(was: Undo): void {
    const e = this.exits;
    const s = e.slot(was.number);
    if (s < 0) return;
    e.finalCode[s] = was.finalCode;
    e.value[s] = was.value;
    e.valueHigh[s] = was.valueHigh;
    e.device[s] = was.device;
    e.answer[s] = was.answer;
    e.returned[s] = was.returned;
    e.request[s] = was.request;
    e.outcome[s] = was.outcome;
    e.ipi[s] = was.ipi;
    e.note[s] = was.note;
    e.bytes.set(was.bytes, s * BYTES_STRIDE);
  }

  private checkMark(mark: LedgerMark): void {
    for (const key of ['exits', 'ipis', 'events', 'writes', 'texts'] as const) {
      checkState(Number.isSafeInteger(mark[key]) && mark[key] >= 0, `ledger.mark.${key}`, mark[key], 'a whole number');
    }
    checkState(mark.byCode.length === CODES, 'ledger.mark.byCode.length', mark.byCode.length, String(CODES));
    checkState(mark.byVerdict.length === VERDICTS, 'ledger.mark.byVerdict.length', mark.byVerdict.length, String(VERDICTS));
    checkState(mark.newest?.length === this.vcpus, 'ledger.mark.newest.length', mark.newest?.length, String(this.vcpus));
    for (const { number, vcpu } of mark.open)
      checkState(mark.newest[vcpu] === number && number > 0, 'ledger.mark.open', number, `the newest exit of vCPU ${vcpu}`);
  }

  private loadMark(mark: LedgerMark): void {
    this.writes = mark.writes;
    this.digest.low = mark.low;
    this.digest.high = mark.high;
    this.byCode.set(mark.byCode);
    this.byVerdict.set(mark.byVerdict);
    this.sealed = mark.exits;
    this.newest.set(mark.newest);
    this.aside.fill(0);
    for (const { number, vcpu, record } of mark.open) {
      const held = this.exits.slot(number);
      if (held < 0) this.aside[vcpu] = number;
      this.exits.pasteSlot(held < 0 ? this.exits.capacity + vcpu : held, record);
    }
  }

  /** Everything, rings included: some megabytes when they are full. Checkpoints along one run want mark() instead. */
  save(): LedgerState {
    const { vcpus, exits, ipis, events, texts } = this;
    return {
      kind: 'ledger',
      version: 1,
      vcpus,
      mark: this.mark(),
      exits: exits.save(),
      ipis: ipis.save(),
      events: events.save(),
      texts: texts.save(),
    };
  }

  load(state: LedgerState): void {
    checkState(state.kind === 'ledger' && state.version === 1, 'ledger', `${state.kind} ${state.version}`, 'ledger 1');
    checkState(state.vcpus === this.vcpus, 'ledger.vcpus', state.vcpus, String(this.vcpus));
    this.checkMark(state.mark);
    this.exits.check('ledger.exits', state.exits);
    this.ipis.check('ledger.ipis', state.ipis);
    this.events.check('ledger.events', state.events);
    Texts.check(state.texts);
    this.exits.load(state.exits);
    this.ipis.load(state.ipis);
    this.events.load(state.events);
    this.texts.load(state.texts);
    this.loadMark(state.mark);
    this.undo.length = 0;
  }
}
