/**
 * The processor: runs the vCPUs' instructions with the two engines, one vCPU at a time, and leaves when the VMM is needed.
 *
 * Counts are exact: a run of `n` retires n instructions unless something ends it, and says how many. An exception that is delivered lasts as long as
 * an instruction, so a guest that faults for ever still makes time pass.
 */
import { Calls, GaveUp } from '../cpu/calls.ts';
import { Events, Source } from '../cpu/events.ts';
import { EventType, type ExitInfo, Offer, type Processor, Stop } from '../cpu/processor.ts';
import { readRegister, writeRegister } from '../cpu/register-names.ts';
import { RequestSlots } from '../cpu/requests.ts';
import { resetVcpu, startVcpu } from '../cpu/reset.ts';
import { Segments } from '../cpu/segments.ts';
import { Stack } from '../cpu/stack.ts';
import { SystemRegisters } from '../cpu/system.ts';
import { FarTransfer } from '../cpu/transfer.ts';
import { Flag, Window } from '../cpu/window.ts';
import type { Form, Forms } from '../emitter/form.ts';
import { guestFault, Vector } from '../memory/fault.ts';
import { LinearMemory } from '../memory/linear.ts';
import { Paging } from '../memory/paging.ts';
import { PhysicalMemory } from '../memory/physical.ts';
import { Context, homeOf, layOut, Leave, type MemoryLayout, Rec, Segment, Shadow, State } from '../state/layout.ts';
import { CodeLookup, Fresh, HELD } from './code-lookup.ts';
import { compiled } from './compiled.ts';
import { allForms } from './generate.ts';
import { MemoryAccess } from './memory-access.ts';
import { Records } from './record.ts';

export interface ExecutionOptions {
  vcpus: number;
  /** Multiple of 4096. */
  ramBytes: number;
  romBytes: number;
  /** The bytes of interpreter.wasm. */
  interpreter: Uint8Array;
  /** Time-stamp counter, when `retired` more instructions have been retired than the clock knows of. Below 2^53. */
  tsc: (retired: number) => number;
}

/** Handlers beyond the interpreter's own: compiled regions. */
const REGION_SLOTS = 256;
/** Added to the reason when onAccess asked for the stop. */
const STOP_NOW = 0x100;
/** More than any record's address. */
const RECORD_IDS = 0x4000000;

export class Execution implements Processor {
  readonly memory: WebAssembly.Memory;
  readonly layout: MemoryLayout;
  readonly physical: PhysicalMemory;
  readonly paging: Paging;
  readonly window: Window;
  readonly records: Records;
  readonly forms: Forms;
  readonly table: WebAssembly.Table;
  readonly imports: WebAssembly.Imports;
  readonly exit: ExitInfo = { port: 0, gpa: 0, gla: 0, msr: 0, size: 0, write: false, value: 0, valueHigh: 0, string: false, rep: false };
  readonly requests = new RequestSlots();
  readonly vcpuCount: number;
  selected = 0;
  retired = 0;
  alone = false;
  interruptWindow = false;
  pauseStops = false;

  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly enter: (record: number) => number;
  private readonly access: MemoryAccess;
  private readonly code: CodeLookup;
  private readonly calls: Calls;
  private readonly events: Events;
  private readonly stopId: number;
  private readonly tscAt: (retired: number) => number;
  onAccess: (() => number) | undefined;
  onException: ((vector: number, errorCode: number) => boolean) | undefined;
  /** onException asked for a stop. */
  private stopSoon = false;
  /** Instructions of this run that onAccess took account of. */
  private accounted = 0;
  /** Instructions retired, and budget, when generated code was entered. */
  private executedBefore = 0;
  private executeBudget = 0;
  /** The record at which execution is to leave, and the handler that belongs there; 0: none. */
  private stopRecord = 0;
  private stopHandler = 0;
  private gaveUp = 0;
  private eventTaken = false;
  private stopsBefore: ReadonlySet<number> = new Set();
  /** Linear address at which `run` stopped for a breakpoint, per vCPU; -1: none. */
  private readonly stoppedAt: Float64Array;
  /** Generation of the record that each vCPU's window names. */
  private readonly generations: Float64Array;
  private regions = 0;

  constructor(options: ExecutionOptions) {
    const { vcpus, ramBytes, romBytes } = options;
    this.vcpuCount = vcpus;
    this.tscAt = options.tsc;
    this.layout = layOut(vcpus, ramBytes, romBytes);
    this.memory = new WebAssembly.Memory({ initial: this.layout.totalBytes >>> 16 });
    this.view = new DataView(this.memory.buffer);
    this.bytes = new Uint8Array(this.memory.buffer);
    this.forms = allForms();
    this.physical = new PhysicalMemory(this.memory, this.layout);
    this.paging = new Paging(this.memory, this.layout, this.physical);
    this.window = new Window(this.memory);
    this.records = new Records(this.memory, this.layout, this.forms);
    const linear = new LinearMemory(this.paging, this.physical);
    const segments = new Segments(this.window, linear);
    const stack = new Stack(this.window, linear);
    const far = new FarTransfer(this.window, segments, stack);
    const system = new SystemRegisters(this.window, this.paging);
    this.events = new Events(this.window, segments, stack, far);
    this.code = new CodeLookup(this.exit, this.memory, this.layout, this.window, this.paging, this.physical, this.records);
    this.access = new MemoryAccess(this, this.memory, this.paging, this.physical, this.records);
    this.calls = new Calls(this, this.window, segments, far, this.events, system, this.paging);
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: this.forms.list.length + REGION_SLOTS });
    this.imports = {
      env: {
        memory: this.memory,
        table: this.table,
        access: this.access.access,
        store: this.access.store,
        lookup: this.code.lookup,
        helper: this.calls.call,
      },
    };
    const instance = new WebAssembly.Instance(compiled(options.interpreter), this.imports);
    this.enter = instance.exports.run as (record: number) => number;
    this.stopId = (this.forms.list.find((f) => f.definition.name === 'stop') as { id: number }).id;
    this.stoppedAt = new Float64Array(vcpus).fill(-1);
    this.generations = new Float64Array(vcpus);
    this.connect();
    for (let v = vcpus - 1; v >= 0; v--) {
      this.select(v);
      this.paging.flushFast(v);
      this.reset('RESET', 0);
    }
  }

  /** What must be noticed where. */
  private connect(): void {
    const { code, paging, physical, records, window } = this;
    window.onContext = () => paging.pointAtTables();
    paging.onDrop = (page) => code.dropPage(page);
    records.onInvalidate = () => code.dropAll();
    physical.observer = {
      writesTracked: () => paging.dropWrites(),
      pageReplaced: (page) => {
        if (records.holdsCode(page)) records.invalidatePage(page);
      },
      codeWritten: (host) => {
        if (records.touchesCode(host, 1) || records.touchesCode(host + 3, 1)) records.invalidatePage(host);
      },
      remapped: () => {
        for (let v = 0; v < this.vcpuCount; v++) paging.flushFast(v);
        records.clear();
      },
    };
  }
  // ── vCPUs ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  select(vcpu: number): void {
    if (vcpu !== this.selected) {
      // A record that is not kept is overwritten by the next that is decoded, for whichever vCPU.
      if (!this.records.keeps(this.view.getInt32(State.record, true))) this.view.setInt32(State.record, 0, true);
      this.bytes.copyWithin(homeOf(this.layout, this.selected), 0, State.size);
      this.bytes.copyWithin(0, homeOf(this.layout, vcpu), homeOf(this.layout, vcpu) + State.size);
      this.selected = vcpu;
    }
    this.paging.select(vcpu);
    this.code.select(vcpu);
  }
  reset(kind: 'RESET' | 'INIT', variant: number): void {
    resetVcpu(this.window, kind, variant);
    this.paging.flush(true);
  }
  startAt(vector: number): void {
    startVcpu(this.window, vector);
  }
  get eip(): number {
    return this.window.eip;
  }
  get csBase(): number {
    return this.window.base(Segment.CS);
  }
  get halted(): boolean {
    return this.view.getInt32(State.halted, true) !== 0;
  }
  get interruptible(): boolean {
    return (this.window.system & Flag.IF) !== 0 && this.view.getInt32(State.shadow, true) === 0;
  }
  get nmiAllowed(): boolean {
    return this.view.getInt32(State.nmiBlocked, true) === 0 && this.view.getInt32(State.shadow, true) === 0;
  }
  general(n: number): number {
    return this.window.reg32(n);
  }
  segmentBase(k: number): number {
    return this.window.base(k);
  }
  get instructionId(): number {
    const record = this.view.getInt32(State.record, true);
    const { generation } = this.records;
    if (record === 0 || this.generations[this.selected] !== generation || this.records.isTransient(record)) return 0;
    return generation * RECORD_IDS + record;
  }
  get code32(): boolean {
    return (this.window.context & Context.code32) !== 0;
  }
  register(name: string): number | undefined {
    return readRegister(this.window, name);
  }
  setRegister(name: string, value: number): boolean {
    const known = writeRegister(this.window, name, value);
    if (/^cr[034]$/i.test(name)) {
      this.window.updateRanges();
      this.paging.flush(true);
    }
    this.view.setInt32(State.record, 0, true);
    return known;
  }
  fetchBytes(into: Uint8Array): number {
    const linear = (this.csBase + this.eip) >>> 0;
    let done = 0;
    while (done < into.length) {
      const at = (linear + done) >>> 0;
      const gpa = this.paging.peek(at);
      const host = gpa < 0 ? 0 : this.physical.hostForRead(gpa);
      if (host === 0) return done;
      const here = Math.min(into.length - done, 4096 - (at & 0xfff));
      for (let i = 0; i < here; i++) into[done + i] = this.bytes[host + i] as number;
      done += here;
    }
    return done;
  }
  get breakpoints(): ReadonlySet<number> {
    return this.stopsBefore;
  }
  set breakpoints(linear: ReadonlySet<number>) {
    this.stopsBefore = linear;
    this.records.isBreakpoint = linear.size ? (at) => linear.has(at) : undefined;
    this.records.clear();
  }
  get onCode(): ((page: number) => boolean) | undefined {
    return this.code.onCode;
  }
  set onCode(asked: ((page: number) => boolean) | undefined) {
    this.code.onCode = asked;
    this.records.clear();
  }

  /** Drops what was derived for the selected vCPU: fast tables, jumps, the place in a run. After its state was put there from outside. */
  forget(): void {
    this.paging.flushFast(this.selected);
    this.code.forget();
    this.view.setInt32(State.record, 0, true);
    this.stoppedAt[this.selected] = -1;
    this.paging.pointAtTables();
  }

  // ── For the helpers ────────────────────────────────────────────────────────────────────────────────────────────────────────────
  giveUp(why: number): 0 {
    this.gaveUp = why;
    return 0;
  }
  tookEvent(): void {
    this.eventTaken = true;
  }
  /** An access to a device by the instruction at `record`, which is being executed: may the VMM answer it without an exit? */
  offer(record: number): boolean {
    if (record === 0 || this.onAccess === undefined) return false;
    const { view } = this;
    const form = this.forms.list[view.getUint16(record + Rec.form, true)] as Form;
    if (form.accesses !== 1 || form.control !== 'next') return false;
    view.setInt32(State.record, record, true);
    view.setInt32(State.eip, view.getInt32(State.registers + State.pageSlot, true) + view.getUint16(record + Rec.offset, true), true);
    const before = this.retired;
    this.retired =
      this.executedBefore + this.executeBudget - view.getInt32(State.budget, true) - view.getUint8(record + Rec.count) - this.accounted;
    const answer = this.onAccess();
    if (answer === Offer.declined) {
      this.retired = before;
      return false;
    }
    this.accounted += this.retired;
    this.retired = before;
    if (answer === Offer.stopAfter) this.putStop(record + Rec.size);
    return answer !== Offer.exit;
  }
  /** Makes execution leave when it comes to this record. */
  private putStop(record: number): void {
    const handler = this.view.getUint16(record + Rec.handler, true);
    this.stopRecord = record;
    this.stopHandler = handler;
    this.view.setUint16(record + Rec.handler, this.stopId, true);
  }
  tsc(): number {
    return this.tscAt(this.retired - this.accounted);
  }

  // ── Running ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  complete(): Stop {
    this.stoppedAt[this.selected] = this.linearEip();
    return this.run(1);
  }

  run(instructions: number): Stop {
    const stop = this.runOn(instructions);
    this.retired -= this.accounted;
    return stop;
  }
  private runOn(instructions: number): Stop {
    const { view } = this;
    this.retired = 0;
    this.accounted = 0;
    this.access.codeWritesAllowed = false;
    let stopNow = false;
    let onlyOne = false;
    let repeating = false;
    const startedAt = this.stoppedAt[this.selected] as number;
    this.stoppedAt[this.selected] = -1;
    this.stopSoon = false;
    while (this.retired < instructions && !this.stopSoon) {
      if (this.retired > 0 && this.interruptWindow && this.interruptible) return Stop.interruptWindow;
      const record = this.resume(this.retired === 0 && startedAt === this.linearEip() ? Fresh.take : Fresh.ask);
      if (record === -1) return Stop.tripleFault;
      if (record === -2) continue; // an exception was delivered
      if (record === -3) return Stop.breakpoint; // onCode wants to
      if (record === 0) return Stop.paging;
      const shadow = view.getInt32(State.shadow, true);
      const trap = (this.window.system & Flag.TF) !== 0;
      const before = this.retired;
      this.alone = onlyOne || shadow !== 0 || trap || this.retired + 1 === instructions;
      const stepping: boolean = startedAt === this.linearEip() && (before === 0 || repeating);
      if (this.alone || stepping) {
        if (shadow) view.setInt32(State.shadow, 0, true);
        this.alone = true;
      }
      onlyOne = false;
      this.eventTaken = false;
      const reason = this.execute(record, this.alone ? 1 : instructions - this.retired, stepping);
      if (this.access.codePages.length) this.codeWritten();
      this.access.codeWritesAllowed = false;
      const done = this.retired > before;
      repeating = stepping && done && view.getInt32(State.record, true) === record && this.repeatsAtBreakpoint(record);
      if (!done && shadow) view.setInt32(State.shadow, shadow, true);
      switch (reason) {
        case Leave.budget:
        case Leave.resume:
          break;
        case Leave.resume | STOP_NOW:
          stopNow = true;
          break;
        case Leave.helper: {
          const stop = this.handleGivenUp();
          if (stop >= 0) return stop as Stop;
          onlyOne = this.gaveUp === GaveUp.alone || this.gaveUp === GaveUp.codeWrite;
          if (stop === -2) return Stop.tripleFault;
          continue;
        }
        case Leave.stop:
          this.stoppedAt[this.selected] = this.linearEip();
          return Stop.breakpoint;
        case Leave.halt:
          view.setInt32(State.halted, 1, true);
          return Stop.hlt;
        case Leave.pause:
          if (this.pauseStops) return Stop.pause;
          break;
        default:
          if (!this.deliverFault(this.vectorOf(reason), reason === Leave.divide || reason === Leave.undefined ? -1 : 0))
            return Stop.tripleFault;
          continue;
      }
      if (trap && done && !this.eventTaken && (view.getInt32(State.shadow, true) & Shadow.stack) === 0 && !this.singleStepTrap())
        return Stop.tripleFault;
      if (stopNow) break;
    }
    if (repeating) this.stoppedAt[this.selected] = startedAt;
    return this.interruptWindow && this.interruptible ? Stop.interruptWindow : Stop.budget;
  }
  /** A repeated string instruction at which a breakpoint has stopped is not stopped at again by its own iterations. */
  private repeatsAtBreakpoint(record: number): boolean {
    return (
      this.view.getUint16(record + Rec.handler, true) === this.stopId &&
      this.forms.list[this.view.getUint16(record + Rec.form, true)]?.control === 'again'
    );
  }

  /** The record at the selected vCPU's EIP; 0 or less where there is none. */
  recordHere(): number {
    return this.resume(Fresh.take);
  }
  /** A free slot in the table of handlers; the oldest region's when all are taken: all records are dropped then. */
  takeRegionSlot(): number {
    if (this.regions === REGION_SLOTS) {
      this.regions = 0;
      this.records.clear();
    }
    return this.forms.list.length + this.regions++;
  }
  private linearEip(): number {
    return (this.csBase + this.eip) >>> 0;
  }
  /** The record to go on with; -1: shut down; -2: an exception was delivered instead; -3: onCode wants to stop; 0: nothing backs the memory. */
  private resume(fresh: Fresh): number {
    const { view } = this;
    const kept = view.getInt32(State.record, true);
    if (kept !== 0 && this.generations[this.selected] === this.records.generation) return kept;
    view.setInt32(State.record, 0, true);
    const known = this.code.known();
    if (known !== 0) {
      this.generations[this.selected] = this.records.generation;
      return known;
    }
    try {
      const record = this.code.find(this.window.eip, fresh);
      if (record === HELD) return -3;
      this.generations[this.selected] = this.records.generation;
      return record;
    } catch (fault) {
      if (fault !== guestFault) throw fault;
      return this.deliverFault(guestFault.vector, guestFault.errorCode) ? -2 : -1;
    }
  }
  /** Executes at most `budget` instructions from `record`; gives the reason why it left and counts what retired. */
  private execute(record: number, budget: number, ignoreBreakpoint: boolean): number {
    const { view } = this;
    const count = view.getUint8(record + Rec.count);
    const head = view.getUint16(record + Rec.handler, true);
    const stop = budget < count ? record + budget * Rec.size : 0;
    const saved = stop ? view.getUint16(stop + Rec.handler, true) : 0;
    view.setInt32(State.budget, budget - count, true);
    if (stop) view.setUint16(stop + Rec.handler, this.stopId, true);
    if (stop || ignoreBreakpoint)
      if (head !== this.stopId || ignoreBreakpoint) view.setUint16(record + Rec.handler, view.getUint16(record + Rec.form, true), true);
    this.executedBefore = this.retired;
    this.executeBudget = budget;
    const { clears } = this.records;
    this.enter(record);
    const stopped = this.stopRecord;
    this.stopRecord = 0;
    if (clears === this.records.clears) {
      // Otherwise other records lie there by now.
      if (stopped) view.setUint16(stopped + Rec.handler, this.stopHandler, true);
      if (stop) view.setUint16(stop + Rec.handler, saved, true);
      view.setUint16(record + Rec.handler, head, true);
    }
    const at = view.getInt32(State.record, true);
    this.retired += budget - view.getInt32(State.budget, true);
    if (at !== 0)
      view.setInt32(State.eip, view.getInt32(State.registers + State.pageSlot, true) + view.getUint16(at + Rec.offset, true), true);
    const reason = view.getInt32(State.reason, true);
    if (reason !== Leave.stop) return reason;
    if (stopped !== 0 && at === stopped) return Leave.resume | STOP_NOW;
    return stop !== 0 && at === stop ? Leave.budget : reason;
  }
  /** A helper or an access has given up. @returns a Stop, or -1 to go on, -2: shut down */
  private handleGivenUp(): number {
    const why = this.gaveUp;
    if (why >= 0) return why;
    if (why === GaveUp.fault) return this.deliverFault(guestFault.vector, guestFault.errorCode) ? -1 : -2;
    if (why === GaveUp.codeWrite) {
      this.access.codeWritesAllowed = true;
    }
    return -1;
  }
  private codeWritten(): void {
    const { codePages } = this.access;
    for (const page of codePages) this.records.invalidatePage(page);
    codePages.length = 0;
  }
  private vectorOf(reason: number): number {
    switch (reason) {
      case Leave.divide:
        return Vector.DE;
      case Leave.stackLimit:
        return Vector.SS;
      case Leave.operandLimit: {
        const segment = this.view.getUint8(this.view.getInt32(State.record, true) + Rec.segment);
        return segment === State.baseSlot + Segment.SS * 8 ? Vector.SS : Vector.GP;
      }
      case Leave.undefined:
        return Vector.UD;
      default:
        return Vector.GP;
    }
  }
  /** Tells of an exception at EIP. */
  private report(vector: number, errorCode: number): void {
    if (this.onException === undefined) return;
    const all = this.retired;
    this.retired = all - this.accounted;
    if (this.onException(vector, errorCode)) this.stopSoon = true;
    this.accounted = this.retired = all;
  }
  private deliverFault(vector: number, errorCode: number): boolean {
    this.report(vector, errorCode);
    this.retired++;
    this.view.setInt32(State.shadow, 0, true);
    return this.events.deliver(vector, Source.exception, errorCode);
  }
  private singleStepTrap(): boolean {
    this.report(Vector.DB, -1);
    const at = State.debug + 6 * 4;
    this.view.setInt32(at, this.view.getInt32(at, true) | 0x4000, true);
    return this.events.deliver(Vector.DB, Source.exception, -1);
  }

  inject(vector: number, type: number, errorCode = -1): Stop {
    this.view.setInt32(State.halted, 0, true);
    this.view.setInt32(State.shadow, 0, true);
    if (type === EventType.nmi) this.view.setInt32(State.nmiBlocked, 1, true);
    return this.events.deliver(vector, type === EventType.exception ? Source.exception : Source.hardware, errorCode)
      ? Stop.budget
      : Stop.tripleFault;
  }
}
