/**
 * Linear to physical: 32-bit two-level paging with 4 MiB pages (SDM vol. 3, "32-Bit Paging") and the two TLB levels.
 *
 * The translation TLB is guest-visible state: filled only by architectural accesses in their order, replaced round robin, saved and hashed. The fast
 * tables that generated code probes are a subset of it, dropped whenever anything about them could have changed.
 */
import { FAST_EMPTY, FAST_ENTRIES, FAST_SIZE, type MemoryLayout, State, TLB_SETS, TLB_WAYS, tablesOf } from '../state/layout.ts';
import { raise, Vector } from './fault.ts';
import type { PhysicalMemory } from './physical.ts';

const P = 1;
const W = 2;
const U = 4;
/** Of the error code: a reserved bit was set. */
const RSVD = 8;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const CR0 = State.registers + State.controlSlot;
const CR2 = CR0 + 8;
const CR3 = CR0 + 16;
const CR4 = CR0 + 24;
const PG = 0x80000000 | 0;
const WP = 1 << 16;
/** Bits of a 4 MiB entry that must be 0: neither PSE-36 nor PAT is there. */
const LARGE_RESERVED = 0x3ff000;
const PSE = 1 << 4;
const PGE = 1 << 7;

/** So many entries of write tables are dropped one by one: code that changes itself fills few, and drops them all the time. */
const FEW_WRITES = 256;

export class Paging {
  /** Entries of the write tables, of all vCPUs, that were filled since all were dropped, as long as they are few. */
  private readonly filledWrites: number[] = [];
  private readonly view: DataView;
  private readonly words: Int32Array;

  constructor(
    memory: WebAssembly.Memory,
    private readonly layout: MemoryLayout,
    private readonly physical: PhysicalMemory,
  ) {
    this.view = new DataView(memory.buffer);
    this.words = new Int32Array(memory.buffer);
    this.tables = tablesOf(layout, 0);
  }

  /** Tables of the vCPU in the window. */
  private tlb = 0;
  private replace = 0;
  private tables: ReturnType<typeof tablesOf>;
  select(vcpu: number): void {
    this.tables = tablesOf(this.layout, vcpu);
    this.tlb = this.tables.tlb;
    this.replace = this.tables.replace;
    this.pointAtTables();
  }
  /** Sets the window's pointers, after a change of vCPU or privilege. */
  pointAtTables(): void {
    const user = this.view.getInt32(State.cpl, true) === 3;
    const { view, tables } = this;
    view.setInt32(State.readTable, user ? tables.userRead : tables.read, true);
    view.setInt32(State.writeTable, user ? tables.userWrite : tables.write, true);
    view.setInt32(State.jumpTable, tables.jump, true);
  }

  /**
   * The physical address of a linear one, as u32, for an access of this privilege.
   * @throws guestFault #PF, with CR2 set
   */
  translate(linear: number, write: boolean, user: boolean): number {
    const { view } = this;
    const cr0 = view.getInt32(CR0, true);
    if ((cr0 & PG) === 0) return (linear & this.physical.a20Mask) >>> 0;
    const entry = this.find(linear);
    if (entry >= 0) {
      const frame = this.words[(entry >>> 2) + 1] as number;
      const forbidden = (user && (frame & U) === 0) || (write && (frame & W) === 0 && (user || (cr0 & WP) !== 0));
      if (forbidden) this.fault(linear, P | (write ? W : 0) | (user ? U : 0));
      if (!write || frame & D) return (((frame & ~0xfff) | (linear & 0xfff)) & this.physical.a20Mask) >>> 0;
    }
    return ((this.walk(linear, write, user, cr0, entry) | (linear & 0xfff)) & this.physical.a20Mask) >>> 0;
  }
  /** The translation without any effect on the guest; -1 where there is none. For the debugger. */
  peek(linear: number): number {
    const { view, physical } = this;
    const reached = (address: number): number => (address & physical.a20Mask) >>> 0;
    if ((view.getInt32(CR0, true) & PG) === 0) return reached(linear);
    const entry = this.find(linear);
    if (entry >= 0) return reached(((this.words[(entry >>> 2) + 1] as number) & ~0xfff) | (linear & 0xfff));
    const pde = physical.read32(reached((view.getInt32(CR3, true) & ~0xfff) + ((linear >>> 22) << 2)));
    if ((pde & P) === 0) return -1;
    if (pde & PS && view.getInt32(CR4, true) & PSE) return reached((pde & 0xffc00000) | (linear & 0x3fffff));
    const pte = physical.read32(reached((pde & ~0xfff) + (((linear >>> 12) & 0x3ff) << 2)));
    return pte & P ? reached((pte & ~0xfff) | (linear & 0xfff)) : -1;
  }

  /** The entry that holds this page, or -1. */
  private find(linear: number): number {
    const tag = (linear & ~0xfff) | 1;
    let at = this.tlb + ((linear >>> 12) & (TLB_SETS - 1)) * TLB_WAYS * 8;
    for (let way = 0; way < TLB_WAYS; way++, at += 8) if (this.words[at >>> 2] === tag) return at;
    return -1;
  }
  private walk(linear: number, write: boolean, user: boolean, cr0: number, existing: number): number {
    const { physical, view } = this;
    const cr4 = view.getInt32(CR4, true);
    const request = (write ? W : 0) | (user ? U : 0);
    const pdeAt = (((view.getInt32(CR3, true) & ~0xfff) + ((linear >>> 22) << 2)) & physical.a20Mask) >>> 0;
    const pde = physical.read32(pdeAt);
    if ((pde & P) === 0) this.fault(linear, request);
    const large = (pde & PS) !== 0 && (cr4 & PSE) !== 0;
    const pteAt = large ? pdeAt : (((pde & ~0xfff) + (((linear >>> 12) & 0x3ff) << 2)) & physical.a20Mask) >>> 0;
    const pte = large ? pde : physical.read32(pteAt);
    if ((pte & P) === 0) this.fault(linear, request);
    if (large && pde & LARGE_RESERVED) this.fault(linear, P | RSVD | request);
    const rights = pde & pte & (W | U);
    if ((user && (rights & U) === 0) || (write && (rights & W) === 0 && (user || (cr0 & WP) !== 0))) this.fault(linear, P | request);
    if (!large && (pde & A) === 0) physical.write32(pdeAt, pde | A);
    const marked = pte | A | (write ? D : 0);
    if (marked !== (pte | 0)) physical.write32(pteAt, marked);
    const frame = large ? (pte & 0xffc00000) | (linear & 0x3ff000) : pte & ~0xfff;
    this.fill(linear, frame | rights | (large ? PS : 0) | (marked & D) | (cr4 & PGE ? marked & G : 0), existing);
    return frame;
  }
  private fill(linear: number, frame: number, existing: number): void {
    const set = (linear >>> 12) & (TLB_SETS - 1);
    let at = existing;
    if (at < 0) {
      const base = this.tlb + set * TLB_WAYS * 8;
      for (let way = 0; way < TLB_WAYS && at < 0; way++) if (this.words[(base + way * 8) >>> 2] === 0) at = base + way * 8;
      if (at < 0) {
        const pointer = (this.replace + set * 4) >>> 2;
        let way = this.words[pointer] as number;
        // The page that is being executed stays: jumps within it need no translation, and must not need one after a restore either.
        if (((this.words[(base + way * 8) >>> 2] as number) & ~0xfff) === this.executedPage()) way = (way + 1) % TLB_WAYS;
        this.words[pointer] = (way + 1) % TLB_WAYS;
        at = base + way * 8;
        this.dropFast((this.words[at >>> 2] as number) & ~0xfff);
      }
    }
    // A page walked anew for its first write may have another frame or other rights by now.
    if (existing >= 0 && ((this.words[(at >>> 2) + 1] as number) | D) !== (frame | D)) this.dropFast(linear & ~0xfff);
    this.words[at >>> 2] = (linear & ~0xfff) | 1;
    this.words[(at >>> 2) + 1] = frame;
  }
  /** Linear address of the code page, as the page slot and CS have it; an unaligned value when none is. */
  private executedPage(): number {
    return (
      (this.view.getInt32(State.registers + State.baseSlot + 8, true) + this.view.getInt32(State.registers + State.pageSlot, true)) | 0
    );
  }
  /** A page fault drops the translation it came from, so that software may raise rights without INVLPG. */
  private fault(linear: number, code: number): never {
    this.invalidatePage(linear);
    this.view.setUint32(CR2, linear >>> 0, true);
    return raise(Vector.PF, code);
  }

  // ── Fast tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Lets generated code reach this page without asking. `host`: address of the byte that answers `linear`. */
  fillFast(linear: number, host: number, write: boolean, user: boolean): void {
    const { tables } = this;
    const table = user ? (write ? tables.userWrite : tables.userRead) : write ? tables.write : tables.read;
    const at = table + (((linear >>> 12) & (FAST_ENTRIES - 1)) << 4);
    this.words[at >>> 2] = linear & ~0xfff;
    this.words[(at >>> 2) + 2] = host - linear;
    if (write && this.filledWrites.length < FEW_WRITES) this.filledWrites.push(at >>> 2);
  }
  /** Host address for `bytes` at `linear` if generated code could go there without asking, else 0. */
  fastHost(linear: number, bytes: number, write: boolean, user: boolean): number {
    const { tables } = this;
    const table = user ? (write ? tables.userWrite : tables.userRead) : write ? tables.write : tables.read;
    const at = (table + (((linear >>> 12) & (FAST_ENTRIES - 1)) << 4)) >>> 2;
    return this.words[at] === ((linear + bytes - 1) & ~0xfff) ? (linear + (this.words[at + 2] as number)) >>> 0 : 0;
  }
  private dropFast(page: number): void {
    const index = ((page >>> 12) & (FAST_ENTRIES - 1)) << 4;
    const { read } = this.tables;
    for (let table = read; table < read + 4 * FAST_SIZE; table += FAST_SIZE)
      if (this.words[(table + index) >>> 2] === page) this.words[(table + index) >>> 2] = FAST_EMPTY;
    this.onDrop(page);
  }
  /** Called when the translation of a page (-1: any) has gone: jump-table entries may have relied on it. */
  onDrop: (page: number) => void = () => {};
  /** Empties one vCPU's fast tables. */
  flushFast(vcpu: number): void {
    const { read } = tablesOf(this.layout, vcpu);
    for (let at = read >>> 2; at < (read + 4 * FAST_SIZE) >>> 2; at += 4) this.words[at] = FAST_EMPTY;
  }
  /** Takes a host page out of every vCPU's write tables. */
  dropWrites(): void {
    const { filledWrites, words } = this;
    if (filledWrites.length < FEW_WRITES) for (const at of filledWrites) words[at] = FAST_EMPTY;
    else
      for (let v = 0; v < this.layout.vcpus; v++) {
        const t = tablesOf(this.layout, v);
        for (const table of [t.write, t.userWrite])
          for (let at = table >>> 2; at < (table + FAST_SIZE) >>> 2; at += 4) words[at] = FAST_EMPTY;
      }
    filledWrites.length = 0;
  }

  // ── Invalidation by the guest (SDM vol. 3, "Invalidation of TLBs and Paging-Structure Caches") ───────────────────────────────────────
  /** INVLPG: of a 4 MiB page, all the pieces that are cached. */
  invalidatePage(linear: number): void {
    const entry = this.find(linear);
    if (entry >= 0) this.words[entry >>> 2] = this.words[(entry >>> 2) + 1] = 0;
    this.dropFast(linear & ~0xfff);
    if ((this.view.getInt32(CR4, true) & PSE) === 0) return;
    for (let at = this.tlb >>> 2; at < (this.tlb >>> 2) + TLB_SETS * TLB_WAYS * 2; at += 2) {
      const page = (this.words[at] as number) & ~0xfff;
      if (((this.words[at + 1] as number) & PS) === 0 || page >>> 22 !== linear >>> 22) continue;
      this.words[at] = this.words[at + 1] = 0;
      this.dropFast(page);
    }
  }
  /** A load of CR3 spares global pages; a change of CR0.PG, WP or CR4's paging bits does not. */
  flush(globalToo: boolean): void {
    for (let at = this.tlb; at < this.tlb + TLB_SETS * TLB_WAYS * 8; at += 8) {
      if (!globalToo && (this.words[(at >>> 2) + 1] as number) & G) continue;
      this.words[at >>> 2] = this.words[(at >>> 2) + 1] = 0;
    }
    const { read } = this.tables;
    for (let at = read >>> 2; at < (read + 4 * FAST_SIZE) >>> 2; at += 4) this.words[at] = FAST_EMPTY;
    this.onDrop(-1);
  }
}
