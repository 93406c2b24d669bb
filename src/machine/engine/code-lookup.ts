/**
 * Where code lies: from EIP to the record to execute, with the jump tables (one per vCPU) that generated code looks into first.
 *
 * A jump-table entry stands for a translation in the TLB and for a limit check that was passed; it goes when either could have changed.
 */
import type { ExitInfo } from '../cpu/processor.ts';
import type { Window } from '../cpu/window.ts';
import { guestFault, raise, Vector } from '../memory/fault.ts';
import type { Paging } from '../memory/paging.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import { JUMP_ENTRIES, type MemoryLayout, Segment, State, tablesOf } from '../state/layout.ts';
import type { Records } from './record.ts';

const NO_TAG = 0xffffffff;
/** So many jump-table entries are emptied one by one: code that changes itself has few, and empties the table all the time. */
const FEW_JUMPS = 256;

/** What `find` does where no code is decoded yet and somebody wants to know: goes on, asks, or leaves it to a later call. */
export const Fresh = { take: 0, ask: 1, leave: 2 } as const;
export type Fresh = (typeof Fresh)[keyof typeof Fresh];
/** `find` was told not to go on, or has left it to a later call. */
export const HELD = -1;

export class CodeLookup {
  private readonly view: DataView;
  /** For each vCPU: linear pages (by number) that its jump-table entries rely on. */
  private readonly pages: Set<number>[] = [];
  /** The jump-table entries that were filled since the table was empty, as long as they are few. */
  private readonly filled: number[][] = [];
  private selected = 0;
  /** Asked before code is decoded where none is; see Processor. */
  onCode: ((page: number) => boolean) | undefined;
  /** The selected vCPU's jump table. */
  private table = 0;

  /** @param exit gets the guest-physical address where there is nothing to execute */
  constructor(
    private readonly exit: ExitInfo,
    memory: WebAssembly.Memory,
    private readonly layout: MemoryLayout,
    private readonly window: Window,
    private readonly paging: Paging,
    private readonly physical: PhysicalMemory,
    private readonly records: Records,
  ) {
    this.view = new DataView(memory.buffer);
    for (let v = 0; v < layout.vcpus; v++) {
      this.pages.push(new Set());
      this.filled.push(new Array<number>(FEW_JUMPS).fill(0)); // all of the table is to be emptied first
      this.empty(v);
    }
  }

  select(vcpu: number): void {
    this.selected = vcpu;
    this.table = tablesOf(this.layout, vcpu).jump;
  }

  /** Import `lookup`: 0 where there is nothing to execute; run() finds out why. */
  readonly lookup = (eip: number): number => {
    if (this.records.full) return 0; // what is being executed must not be dropped from under it
    try {
      const record = this.find(eip >>> 0, Fresh.leave);
      return record > 0 ? record : 0;
    } catch (fault) {
      if (fault !== guestFault) throw fault;
      return 0;
    }
  };
  /** The record to execute at `eip`; 0: nobody backs that memory (exit.gpa); HELD. @throws guestFault */
  find(eip: number, fresh: Fresh): number {
    const { view, window, paging } = this;
    const base = window.base(Segment.CS);
    const limit = window.limit(Segment.CS);
    const pageSlot = view.getInt32(State.registers + State.pageSlot, true);
    view.setInt32(State.registers + State.pageSlot, 1, true); // no page is being executed now: none is spared by the TLB
    if (eip > limit) raise(Vector.GP, 0);
    const linear = (base + eip) >>> 0;
    const user = window.cpl === 3;
    const gpa = paging.translate(linear, false, user);
    const host = this.physical.hostForRead(gpa);
    if (host === 0) {
      this.exit.gpa = gpa;
      return 0;
    }
    if (this.onCode !== undefined && fresh !== Fresh.take && !this.records.touchesCode(host, 1)) {
      if (fresh === Fresh.leave || this.onCode((gpa & ~0xfff) >>> 0)) {
        view.setInt32(State.registers + State.pageSlot, pageSlot, true); // as if nobody had asked
        return HELD;
      }
    }
    const offset = linear & 0xfff;
    const next = (linear - offset + 4096) >>> 0;
    const wraps = !this.isWholePage(eip - offset);
    this.nextPage = next;
    const record = this.records.at(host, window.context, linear, Math.min(limit - eip + 1, 4096), wraps, this.secondHost);
    if (record < 0) raise(Vector.GP, 0);
    if (record === 0) {
      this.exit.gpa = paging.translate(next, false, user);
      return 0;
    }
    view.setInt32(State.registers + State.pageSlot, eip - offset, true);
    if (this.records.addedCode) {
      this.records.addedCode = false;
      paging.dropWrites();
    }
    if (wraps) return record;
    const entry = this.table + ((linear & (JUMP_ENTRIES - 1)) << 4);
    view.setInt32(entry, linear, true);
    view.setInt32(entry + 4, view.getInt32(State.context + 4, true), true);
    view.setInt32(entry + 8, record, true);
    const filled = this.filled[this.selected] as number[];
    if (filled.length < FEW_JUMPS) filled.push(entry);
    (this.pages[this.selected] as Set<number>).add(linear >>> 12);
    if (offset > 4096 - 16) (this.pages[this.selected] as Set<number>).add(next >>> 12); // the instruction may reach into it
    return record;
  }

  private nextPage = 0;
  /** Host address of the page after the one being looked up. @throws guestFault */
  private readonly secondHost = (): number => this.physical.hostForRead(this.paging.translate(this.nextPage, false, this.window.cpl === 3));

  /** The record that the jump table has for EIP, or 0. */
  known(): number {
    const { view, window } = this;
    const { eip } = window;
    const linear = (window.base(Segment.CS) + eip) >>> 0;
    const entry = this.table + ((linear & (JUMP_ENTRIES - 1)) << 4);
    if (
      view.getUint32(entry, true) !== linear ||
      view.getInt32(entry + 4, true) !== window.context ||
      !this.isWholePage(eip - (linear & 0xfff))
    )
      return 0;
    view.setInt32(State.registers + State.pageSlot, eip - (linear & 0xfff), true);
    return view.getInt32(entry + 8, true);
  }
  /** Does the code page with this page slot lie wholly in the code segment? */
  private isWholePage(slot: number): boolean {
    return slot >>> 0 < this.view.getUint32(State.wholePages, true);
  }

  // ── Forgetting ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** A translation of the selected vCPU has gone: of the page with this linear address, or (-1) of any. */
  dropPage(page: number): void {
    if (page === -1 || this.pages[this.selected]?.has(page >>> 12)) this.flush(this.selected);
  }
  /** Records have died. */
  dropAll(): void {
    for (let v = 0; v < this.layout.vcpus; v++) this.flush(v);
  }
  /** Everything of the selected vCPU. */
  forget(): void {
    this.flush(this.selected);
  }
  private flush(v: number): void {
    if (this.pages[v]?.size) this.empty(v);
  }
  private empty(v: number): void {
    const filled = this.filled[v] as number[];
    if (filled.length < FEW_JUMPS) for (const entry of filled) this.view.setUint32(entry + 4, NO_TAG, true);
    else {
      const at = tablesOf(this.layout, v).jump;
      for (let i = 0; i < JUMP_ENTRIES; i++) this.view.setUint32(at + i * 16 + 4, NO_TAG, true);
    }
    filled.length = 0;
    this.pages[v]?.clear();
  }
}
