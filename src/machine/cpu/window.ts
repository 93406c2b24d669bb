/** Typed sight of the window: the state of the vCPU that runs, as TypeScript reads and writes it. */
import { Context, LDTR, RANGE_SIZE, SEGMENT_COUNT, Segment, State, TR } from '../state/layout.ts';

/** EFLAGS bits (SDM vol. 1, "EFLAGS Register"). */
export const Flag = {
  CF: 1,
  PF: 4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  VIF: 0x80000,
  VIP: 0x100000,
  ID: 0x200000,
} as const;
const ARITHMETIC = Flag.CF | Flag.PF | Flag.AF | Flag.ZF | Flag.SF | Flag.OF;
/** The flags kept in the window's system word. */
export const SYSTEM_FLAGS = Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.RF | Flag.VM | Flag.AC | Flag.VIF | Flag.VIP | Flag.ID;

export const Cr0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 16,
  NE: 32,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 0x80000000 | 0,
} as const;
export const Cr4 = { VME: 1, PVI: 2, TSD: 4, DE: 8, PSE: 16, PAE: 32, MCE: 64, PGE: 128, PCE: 256 } as const;

/** Access rights as VMX keeps them (SDM vol. 3, "Format of Access Rights"). */
export const Rights = {
  accessed: 1,
  writable: 2,
  expandDown: 4,
  conforming: 4,
  code: 8,
  segment: 0x10,
  present: 0x80,
  big: 0x4000,
  granular: 0x8000,
  unusable: 0x10000,
} as const;
export const dplOf = (rights: number): number => (rights >>> 5) & 3;

const SIGN = 0x80000000 | 0;

export class Window {
  readonly view: DataView;
  /** Called when the privilege level or the execution context changes. */
  onContext: () => void = () => {};

  constructor(readonly memory: WebAssembly.Memory) {
    this.view = new DataView(memory.buffer);
  }

  /** General register by number, 32 bits, u32. */
  reg32(n: number): number {
    return this.view.getUint32(State.registers + n * 8, true);
  }
  setReg32(n: number, value: number): void {
    this.view.setInt32(State.registers + n * 8, value, true);
    this.view.setInt32(State.registers + n * 8 + 4, 0, true);
  }
  setReg16(n: number, value: number): void {
    this.view.setInt16(State.registers + n * 8, value, true);
  }
  get eip(): number {
    return this.view.getUint32(State.eip, true);
  }
  set eip(value: number) {
    this.view.setInt32(State.eip, value, true);
    this.view.setInt32(State.record, 0, true);
  }
  /** CRn, u32. */
  control(n: 0 | 2 | 3 | 4): number {
    return this.view.getUint32(State.registers + State.controlSlot + (n === 0 ? 0 : (n - 1) * 8), true);
  }
  setControl(n: 0 | 2 | 3 | 4, value: number): void {
    this.view.setInt32(State.registers + State.controlSlot + (n === 0 ? 0 : (n - 1) * 8), value, true);
  }
  get protectedMode(): boolean {
    return (this.control(0) & Cr0.PE) !== 0;
  }
  get cpl(): number {
    return this.view.getInt32(State.cpl, true);
  }
  set cpl(value: number) {
    if (value === this.cpl) return;
    this.view.setInt32(State.cpl, value, true);
    this.updateContext();
  }

  // ── EFLAGS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  get system(): number {
    return this.view.getInt32(State.registers + State.systemSlot, true);
  }
  set system(value: number) {
    this.view.setInt32(State.registers + State.systemSlot, value & SYSTEM_FLAGS, true);
  }
  /** The whole of EFLAGS, with bit 1 set. */
  get eflags(): number {
    const { view } = this;
    const signLow = view.getInt32(State.sign, true);
    const signHigh = view.getInt32(State.sign + 4, true);
    const crossLow = view.getInt32(State.cross, true);
    const crossHigh = view.getInt32(State.cross + 4, true);
    const carry = view.getInt32(State.carry, true) & 1;
    const zero = view.getInt32(State.zero, true) | view.getInt32(State.zero + 4, true);
    let parity = signLow & 0xff;
    parity ^= parity >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return (
      this.system |
      2 |
      carry |
      (parity & 1 ? 0 : Flag.PF) |
      (crossLow & Flag.AF) |
      (zero ? 0 : Flag.ZF) |
      (signHigh < 0 ? Flag.SF : 0) |
      ((crossHigh < 0 ? 1 : 0) ^ carry ? Flag.OF : 0)
    );
  }
  set eflags(value: number) {
    this.system = value & ~ARITHMETIC;
    const { view } = this;
    const carry = value & 1;
    view.setInt32(State.carry, carry, true);
    view.setInt32(State.zero, value & Flag.ZF ? 0 : 1, true);
    view.setInt32(State.zero + 4, 0, true);
    view.setInt32(State.sign, value & Flag.PF ? 0 : 1, true);
    view.setInt32(State.sign + 4, value & Flag.SF ? SIGN : 0, true);
    view.setInt32(State.cross, value & Flag.AF, true);
    view.setInt32(State.cross + 4, ((value & Flag.OF) !== 0 ? 1 : 0) ^ carry ? SIGN : 0, true);
  }

  // ── Segments ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Selector of segment register k, or of LDTR, TR. */
  selector(k: number): number {
    return k === LDTR
      ? this.view.getUint32(State.ldtrSelector, true)
      : k === TR
        ? this.view.getUint32(State.trSelector, true)
        : this.view.getUint32(State.registers + State.selectorSlot + k * 4, true);
  }
  base(k: number): number {
    return k === LDTR
      ? this.view.getUint32(State.ldtrBase, true)
      : k === TR
        ? this.view.getUint32(State.trBase, true)
        : this.view.getUint32(State.registers + State.baseSlot + k * 8, true);
  }
  limit(k: number): number {
    return this.view.getUint32(State.segments + k * 8, true);
  }
  rights(k: number): number {
    return this.view.getInt32(State.segments + k * 8 + 4, true);
  }
  setSelector(k: number, selector: number): void {
    this.view.setInt32(
      k === LDTR ? State.ldtrSelector : k === TR ? State.trSelector : State.registers + State.selectorSlot + k * 4,
      selector & 0xffff,
      true,
    );
  }
  /** Loads a segment register with everything in its hidden part. Does not check anything. */
  setSegment(k: number, selector: number, base: number, limit: number, rights: number): void {
    const { view } = this;
    this.setSelector(k, selector);
    if (this.rights(k) === rights && this.base(k) === base >>> 0 && this.limit(k) === limit >>> 0) return;
    view.setInt32(k === LDTR ? State.ldtrBase : k === TR ? State.trBase : State.registers + State.baseSlot + k * 8, base, true);
    if (k < SEGMENT_COUNT) view.setInt32(State.registers + State.baseSlot + k * 8 + 4, 0, true);
    view.setInt32(State.segments + k * 8, limit, true);
    view.setInt32(State.segments + k * 8 + 4, rights, true);
    if (k >= SEGMENT_COUNT) return;
    this.updateRange(k);
    this.updateContext();
  }
  /** Derives which offsets may be read and written: 64-bit bounds, so that a limit of FFFFFFFFh lets accesses wrap. */
  updateRange(k: number): void {
    const rights = this.rights(k);
    const limit = this.limit(k);
    const at = State.ranges + k * RANGE_SIZE;
    const untyped = !this.protectedMode || (this.system & Flag.VM) !== 0;
    const usable = (rights & Rights.unusable) === 0;
    const code = (rights & Rights.code) !== 0;
    const readable = usable && (untyped || !code || (rights & Rights.writable) !== 0);
    const writable = usable && (untyped || (!code && (rights & Rights.writable) !== 0));
    const down = !code && (rights & Rights.expandDown) !== 0 && !untyped;
    const top = down ? (rights & Rights.big ? 0xffffffff : 0xffff) : limit;
    const bottom = down ? limit + 1 : 0;
    const wraps = !down && top === 0xffffffff;
    this.setRange(at, readable, bottom, wraps ? top + 8 : top);
    this.setRange(at + 16, writable, bottom, wraps ? top + 8 : top);
    if (k !== Segment.CS) return;
    const linkable = rights & Rights.big ? limit : Math.min(limit, 0xffff); // 16-bit branches wrap there
    this.view.setUint32(State.wholePages, Math.max(linkable - 4094, 0), true);
  }
  private setRange(at: number, allowed: boolean, bottom: number, top: number): void {
    const { view } = this;
    const lowest = allowed ? bottom : 0xffffffff;
    view.setUint32(at, lowest >>> 0, true);
    view.setUint32(at + 4, lowest > 0xffffffff ? 1 : 0, true);
    const highest = allowed ? top : 0;
    view.setUint32(at + 8, highest >>> 0, true);
    view.setUint32(at + 12, highest > 0xffffffff ? 1 : 0, true);
  }
  /** After a change of CR0.PE or EFLAGS.VM: types count, or no longer do. */
  updateRanges(): void {
    for (let k = 0; k < SEGMENT_COUNT; k++) this.updateRange(k);
    this.updateContext();
  }
  /** Derives the execution context. */
  updateContext(): void {
    const code = this.rights(Segment.CS);
    const stack = this.rights(Segment.SS);
    let context =
      (code & Rights.big ? Context.code32 : 0) | (stack & Rights.big ? Context.stack32 : 0) | (this.cpl === 3 ? Context.user : 0);
    if (
      context & Context.code32 &&
      context & Context.stack32 &&
      this.isFlat(Segment.CS, 0) &&
      this.isFlat(Segment.DS, 16) &&
      this.isFlat(Segment.ES, 16) &&
      this.isFlat(Segment.SS, 16)
    )
      context |= Context.flat;
    if (this.view.getInt32(State.context + 4, true) === context) return;
    this.view.setInt32(State.context, 0, true);
    this.view.setInt32(State.context + 4, context, true);
    this.onContext();
  }
  get context(): number {
    return this.view.getInt32(State.context + 4, true);
  }
  private isFlat(k: number, kind: number): boolean {
    const at = State.ranges + k * RANGE_SIZE + kind;
    const code = k === Segment.CS;
    return (
      this.base(k) === 0 &&
      (code ? this.limit(k) === 0xffffffff : this.view.getUint32(at, true) === 0 && this.view.getUint32(at + 12, true) === 1)
    );
  }
}
