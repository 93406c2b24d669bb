/**
 * The emitter: what an instruction's definition is written against.
 *
 * A definition reads operands, computes Values, and says what is to be written. Nothing it writes to registers or flags takes effect before the whole
 * definition has run ("commit"); only guest memory is touched in order. So a fault in the middle leaves the instruction undone by construction,
 * operands may alias freely, and `xchg` needs no temporary. Where an operand lives is known only to the two engines.
 */
import { FAST_ENTRIES, Leave, Rec, RSP, Segment, State } from '../state/layout.ts';
import { condition, type Family, families, type Flags } from './flags.ts';
import type { Form, Summary } from './form.ts';
import { add, and, c32, c64, constant, getLocal, gtU, low, ltU, or, peek, shl, type Size, type Value, widen, zeroExtend } from './value.ts';
import { Code, I32, I64, Op, type Type } from './wasm.ts';

export type Control =
  | { kind: 'next' }
  /** Leaves for good reason after the instruction. */
  | { kind: 'stop'; reason: number }
  | { kind: 'direct'; when?: Value | undefined }
  | { kind: 'indirect'; target: Value }
  | { kind: 'again'; when: Value }
  /** TypeScript has set State.eip. */
  | { kind: 'redirect' }
  /** Leaves when a helper said so. */
  | { kind: 'check'; status: number };

/** Which segment an address is in: the memory operand's own, ES of string instructions, the stack. */
export type Place = 'operand' | 'es' | 'stack';

/** Function imports of every generated module, in this order. All answer i32. */
export const Import = { access: 0, store: 1, lookup: 2, helper: 3 } as const;
export const importNames = ['access', 'store', 'lookup', 'helper'];
/** access(linear, size | write, record), store(linear, size, low, high, record), lookup(eip), helper(id, a, b, c). The record is 0 where a stop cannot be put behind it. */
export const importTypes: Type[][] = [[I32, I32, I32], [I32, I32, I32, I32, I32], [I32], [I32, I32, I32, I32]];

const LOADS: Record<Size, number> = { 8: Op.i32Load8U, 16: Op.i32Load16U, 32: Op.i32Load, 64: Op.i64Load };
const STORES: Record<Size, number> = { 8: Op.i32Store8, 16: Op.i32Store16, 32: Op.i32Store, 64: Op.i64Store };
export const loadOp = (size: Size): number => LOADS[size];
export const storeOp = (size: Size): number => STORES[size];

export abstract class Emitter {
  code = new Code();
  form!: Form;
  protected locals: Type[] = [];
  private free: number[] = [];
  private taken: number[] = [];
  protected effects: (() => void)[] = [];
  protected writes: { slot: Value; size: Size; value: Value }[] = [];
  protected newFlags: Flags | undefined;
  protected control: Control = { kind: 'next' };
  private updated: ({ linear: Value; host: Value } | undefined)[] = [];
  private memory = false;
  private calls = false;
  private accesses = 0;
  protected flagsRead = false;
  protected flagsKept = false;

  constructor(protected readonly params: number) {}

  // ── For definitions: operands and registers ────────────────────────────────────────────────────────────────────────────────────
  get size(): Size {
    return this.form.size;
  }
  /** wasm type of an operand. */
  get type(): Type {
    return this.size === 64 ? I64 : I32;
  }
  /** A constant of the operand type. */
  value(n: bigint | number): Value {
    return constant(this.type, n);
  }
  /** Cuts a value to the operand size. */
  narrow(v: Value): Value {
    return zeroExtend(v, this.size);
  }
  isMemory(i: number): boolean {
    return this.form.kinds[i] === 'm' || this.form.kinds[i] === 'b';
  }
  isImmediate(i: number): boolean {
    return this.form.kinds[i] === 'i';
  }
  /** Operand i, zero-extended from `size`. */
  read(i: number, size: Size = this.size): Value {
    if (this.isImmediate(i)) return this.immediate(size);
    if (!this.isMemory(i)) return this.register(this.slot(i), size);
    return this.form.access[i] === 'rw'
      ? this.loadForUpdate(i, this.operandOffset(), size)
      : this.load('operand', this.operandOffset(), size);
  }
  /** Writes operand i; bits above the operand size are ignored. */
  write(i: number, value: Value, size: Size = this.size): void {
    if (!this.isMemory(i)) return this.setRegister(this.slot(i), value, size);
    const update = this.updated[i];
    if (update) this.storeUpdated(update, value, size);
    else this.store('operand', this.operandOffset(), value, size);
  }
  /** Reads a memory operand that will be written as well, at an offset of its own (bit strings). */
  readAt(i: number, offset: Value, size: Size = this.size): Value {
    return this.form.access[i] === 'rw' ? this.loadForUpdate(i, offset, size) : this.load('operand', offset, size);
  }
  /** The slot of register operand i. */
  slot(i: number): Value {
    return this.field8(Rec.operand + i);
  }
  immediate(size: Size = this.size): Value {
    const v = this.immediateField();
    return size === 64 ? v : zeroExtend(low(v), size);
  }
  setRegister(slot: Value | number, value: Value, size: Size): void {
    value.uses++;
    this.writes.push({ slot: typeof slot === 'number' ? c32(slot) : slot, size, value });
  }
  /** A register by its slot. */
  reg(slot: number, size: Size = this.size): Value {
    return this.register(c32(slot), size);
  }
  /** EIP of the next instruction. */
  nextEip(): Value {
    return add(this.register(c32(State.pageSlot), 32), add(this.field16(Rec.offset), this.field8(Rec.length)));
  }
  /** EIP of the branch target, cut to the operand size. */
  branchTarget(): Value {
    return zeroExtend(add(this.register(c32(State.pageSlot), 32), low(this.immediateField())), this.size === 16 ? 16 : 32);
  }

  // ── Memory ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  /** Offset of the memory operand in its segment, plus `extra`, wrapped to the address size. */
  operandOffset(extra?: Value): Value {
    const { addressSize, kinds } = this.form;
    let ea = add(this.register(this.field8(Rec.base), 32), this.field32(Rec.disp));
    if (kinds.includes('m')) ea = add(ea, shl(this.register(this.field8(Rec.index), 32), this.field8(Rec.scale)));
    return zeroExtend(extra ? add(ea, extra) : ea, addressSize);
  }
  /** Linear address of the memory operand; no limit is checked. */
  operandLinear(): Value {
    const offset = this.operandOffset();
    return this.form.segmented ? add(offset, this.register(this.field8(Rec.segment), 32)) : offset;
  }
  load(place: Place, offset: Value, size: Size): Value {
    const type = size === 64 ? I64 : I32;
    const local = this.temp(type);
    const linear = this.linear(place, offset, size, false);
    this.effect([linear], () => {
      this.translate(linear, size, false);
      this.code.op(loadOp(size), 0, 0);
      this.code.op(Op.localSet, local);
    });
    return getLocal(type, local);
  }
  store(place: Place, offset: Value, value: Value, size: Size): void {
    const linear = this.linear(place, offset, size, true);
    this.effect([linear, value], () => {
      this.bind(value);
      const entry = this.probe(linear, size, true);
      const c = this.code;
      c.open(Op.if);
      this.storeSlow(linear, value, size);
      c.u8(Op.else);
      this.hostAddress(linear, entry);
      this.push(value);
      c.op(storeOp(size), 0, 0);
      c.end();
    });
  }
  /** Faults now if `size` bits at `offset` cannot be written. */
  probeWrite(place: Place, offset: Value, size: Size): void {
    const linear = this.linear(place, offset, size, true);
    const host = this.temp(I32);
    this.effect([linear], () => {
      this.translate(linear, size, true, true);
      this.code.op(Op.localSet, host);
    });
  }
  get stackSize(): 16 | 32 {
    return this.form.stackSize;
  }
  /** Stack pointer plus `by`, wrapped to the stack's address size. */
  stackPointer(by = 0): Value {
    return zeroExtend(add(this.reg(RSP, this.stackSize), c32(by)), this.stackSize);
  }
  setStackPointer(value: Value): void {
    this.setRegister(RSP, value, this.stackSize);
  }

  // ── Flags ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  flags(f: Flags): void {
    for (const v of [f.zero, f.sign, f.cross, f.carry]) v.uses++;
    if (f.lazy) for (const v of [f.lazy.a, f.lazy.b]) v.uses++;
    this.newFlags = f;
  }
  /** Sets the flags of a family; `r` is the result, if it is at hand. */
  flagsOf(family: Family, a: Value, b: Value, r?: Value): void {
    this.flags({ ...families[family](a, b, this.size, r), lazy: { family, a, b, size: this.size } });
  }
  /** The flags before this instruction, for use. */
  abstract oldFlags(): Flags;
  /** The flags before this instruction, only to be handed on in flags(): free where nobody sees the new ones. */
  abstract keptFlags(): Flags;
  /** The flags this instruction is about to set. */
  flagsToBe(): Flags {
    return this.newFlags ?? this.oldFlags();
  }
  /** Condition code 0..15, as i32 0 or 1. */
  condition(cc: number): Value {
    return condition(this.oldFlags(), cc);
  }

  // ── Giving up, calling, going on ───────────────────────────────────────────────────────────────────────────────────────────────
  /** Gives up the instruction, leaving everything as before it, when `when` is not zero. */
  faultIf(when: Value, reason: number): void {
    this.effect([when], () => {
      this.push(when);
      this.code.open(Op.if);
      this.abandon(reason);
      this.code.end();
    });
  }
  /** Calls a TypeScript helper: 0 gives the instruction up, 1 goes on, 2 asks to leave after it (see check()). Gives the local with its answer. */
  helper(id: number, a: Value = c32(0), b: Value = c32(0), c: Value = c32(0)): number {
    this.calls = true;
    const status = this.temp(I32);
    this.effect([a, b, c], () => {
      this.code.i32(id);
      for (const v of [a, b, c]) this.push(v);
      this.code.op(Op.call, Import.helper);
      this.code.op(Op.localTee, status);
      this.giveUpIfZero();
    });
    return status;
  }
  /** Ends the instruction with nothing written, as if it had been executed (a repeated string instruction with a count of zero). */
  skipIf(when: Value): void {
    this.effect([when], () => {
      this.push(when);
      this.code.open(Op.if);
      this.skip();
      this.code.end();
    });
  }
  /** What a helper has left in the scratch area, as i32. */
  scratch(offset = 0): Value {
    const local = this.temp(I32);
    this.effect([], () => {
      this.code.i32(0);
      this.code.op(Op.i32Load, 2, State.scratch + offset);
      this.code.op(Op.localSet, local);
    });
    return getLocal(I32, local);
  }
  /** Goes to the branch target of this instruction (when `when` is not zero). */
  jump(when?: Value): void {
    if (when) when.uses++;
    if (this.form.segmented) this.checkTarget(this.branchTarget(), when);
    this.control = { kind: 'direct', when };
  }
  /** Falls into what follows in memory: the end of a run. */
  fallThrough(): void {
    this.control = { kind: 'direct' };
  }
  /** Goes to a computed EIP. */
  jumpTo(target: Value): void {
    target.uses++;
    if (this.form.segmented) this.checkTarget(target);
    this.control = { kind: 'indirect', target };
  }
  /** Executes this instruction once more when `when` is not zero. */
  again(when: Value): void {
    when.uses++;
    this.control = { kind: 'again', when };
  }
  stop(reason: number): void {
    this.control = { kind: 'stop', reason };
  }
  redirect(): void {
    this.control = { kind: 'redirect' };
  }
  check(status: number): void {
    this.control = { kind: 'check', status };
  }
  private checkTarget(target: Value, when?: Value): void {
    const outside = gtU(target, peek(I32, Op.i32Load, 2, c32(0), State.segments + Segment.CS * 8));
    this.faultIf(when ? and(when, outside) : outside, Leave.codeLimit);
  }

  // ── For the two engines ────────────────────────────────────────────────────────────────────────────────────────────────────────
  abstract register(slot: Value, size: Size): Value;
  protected abstract field8(offset: number): Value;
  protected abstract field16(offset: number): Value;
  protected abstract field32(offset: number): Value;
  protected abstract immediateField(): Value;
  protected abstract commit(): void;
  protected abstract skip(): void;
  /** Leaves the record on the stack for the slow path of memory accesses, or 0. */
  protected abstract pushAccessor(): void;
  /** Leaves the generated code with this instruction not executed. */
  protected abstract abandon(reason: number): void;

  /** Runs the definition of a form: collects effects, writes and control. */
  protected begin(form: Form): void {
    this.form = form;
    this.effects = [];
    this.writes = [];
    this.updated = [];
    this.newFlags = undefined;
    this.control = { kind: 'next' };
    this.memory = this.calls = this.flagsRead = this.flagsKept = false;
    this.accesses = 0;
    this.free.push(...this.taken);
    this.taken = [];
    form.definition.emit(this);
  }
  get summary(): Summary {
    return {
      memory: this.memory,
      readsFlags: this.flagsRead,
      keepsFlags: this.flagsKept,
      writesFlags: !!this.newFlags,
      control: this.control.kind,
      calls: this.calls,
      accesses: this.accesses,
    };
  }
  /** A local for this instruction only. */
  protected temp(type: Type): number {
    const i = this.free.findIndex((l) => this.locals[l - this.params] === type);
    const local = i >= 0 ? (this.free.splice(i, 1)[0] as number) : this.params + this.locals.push(type) - 1;
    this.taken.push(local);
    return local;
  }
  protected permanent(type: Type): number {
    return this.params + this.locals.push(type) - 1;
  }
  protected effect(uses: Value[], emit: () => void): void {
    for (const v of uses) v.uses++;
    this.effects.push(emit);
    this.memory = true;
  }
  /** Emits code that leaves v on the stack; what is used twice goes into a local on the way. */
  protected push(v: Value): void {
    const c = this.code;
    if (v.local >= 0) return c.op(Op.localGet, v.local);
    if (v.op === Op.i32Const || v.op === Op.i64Const) {
      c.u8(v.op);
      return c.s64(v.imm);
    }
    if (v.op === Op.localGet) return c.op(Op.localGet, Number(v.imm));
    for (const a of v.args) this.push(a);
    c.u8(v.op);
    if (v.op >= Op.i32Load && v.op <= 0x35) {
      c.u32(v.align);
      c.u32(Number(v.imm));
    }
    if (v.uses > 1) {
      v.local = this.temp(v.type);
      c.op(Op.localTee, v.local);
    }
  }
  /** Computes v now, so that later code (in a branch, or after the commit) finds it in a local. */
  protected bind(v: Value): void {
    if (v.local >= 0 || v.op === Op.i32Const || v.op === Op.i64Const || v.op === Op.localGet) return;
    v.uses = 1;
    this.push(v);
    v.local = this.temp(v.type);
    this.code.op(Op.localSet, v.local);
  }

  /** The linear address of `offset`: in segmented forms with the limit checked and the base added. */
  private linear(place: Place, offset: Value, size: Size, write: boolean): Value {
    this.accesses++;
    if (!this.form.segmented) return offset;
    const fixed = place === 'es' ? Segment.ES : Segment.SS;
    const slot = place === 'operand' ? this.field8(Rec.segment) : c32(State.baseSlot + fixed * 8);
    const at = State.ranges - State.baseSlot * 4 + (write ? 16 : 0);
    const bound = (offset8: number): Value => peek(I64, Op.i64Load, 3, shl(slot, c32(2)), at + offset8);
    const wide = widen(offset);
    const outside = or(ltU(wide, bound(0)), gtU(add(wide, c64(size / 8 - 1)), bound(8)));
    this.faultIf(outside, place === 'operand' ? Leave.operandLimit : place === 'es' ? Leave.esLimit : Leave.stackLimit);
    return add(offset, this.register(slot, 32));
  }
  /** Emits the look into the fast table: leaves "missed" on the stack, answers the local with the entry's address. */
  private probe(linear: Value, size: Size, write: boolean): number {
    const c = this.code;
    const entry = this.temp(I32);
    this.bind(linear);
    this.push(linear);
    c.i32(8);
    c.u8(Op.i32ShrU);
    c.i32((FAST_ENTRIES - 1) << 4);
    c.u8(Op.i32And);
    c.i32(0);
    c.op(Op.i32Load, 2, write ? State.writeTable : State.readTable);
    c.u8(Op.i32Add);
    c.op(Op.localTee, entry);
    c.op(Op.i32Load, 2, 0);
    this.push(linear);
    if (size > 8) {
      c.i32(size / 8 - 1);
      c.u8(Op.i32Add);
    }
    c.i32(-4096);
    c.u8(Op.i32And);
    c.u8(Op.i32Ne);
    return entry;
  }
  private hostAddress(linear: Value, entry: number): void {
    this.push(linear);
    this.code.op(Op.localGet, entry);
    this.code.op(Op.i32Load, 2, 8);
    this.code.u8(Op.i32Add);
  }
  private giveUpIfZero(): void {
    this.code.u8(Op.i32Eqz);
    this.code.open(Op.if);
    this.abandon(Leave.helper);
    this.code.end();
  }
  /** Leaves a host address on the stack: RAM, or the scratch area, where the slow path has put what a device or a page crossing gave. */
  private translate(linear: Value, size: Size, write: boolean, onlyProbe = false): void {
    const c = this.code;
    const entry = this.probe(linear, size, write);
    const host = this.temp(I32);
    this.hostAddress(linear, entry); // in vain after a miss, but off the critical path
    c.op(Op.localSet, host);
    c.open(Op.if);
    this.push(linear);
    c.i32(size | (write ? 1 : 0) | (onlyProbe ? 2 : 0));
    this.pushAccessor();
    c.op(Op.call, Import.access);
    c.op(Op.localTee, host);
    this.giveUpIfZero();
    c.end();
    c.op(Op.localGet, host);
  }
  private storeSlow(linear: Value, value: Value, size: Size): void {
    const c = this.code;
    this.push(linear);
    c.i32(size);
    if (value.type === I64) {
      this.push(value);
      c.u8(0xa7);
      this.push(value);
      c.i64(32n);
      c.u8(0x88);
      c.u8(0xa7);
    } else {
      this.push(value);
      c.i32(0);
    }
    this.pushAccessor();
    c.op(Op.call, Import.store);
    this.giveUpIfZero();
  }
  /** Reads a memory operand after a check for writing, and keeps the host address for the write. */
  private loadForUpdate(i: number, offset: Value, size: Size): Value {
    const type = size === 64 ? I64 : I32;
    const local = this.temp(type);
    const host = this.temp(I32);
    const linear = this.linear('operand', offset, size, true);
    this.effect([linear], () => {
      this.translate(linear, size, true);
      this.code.op(Op.localTee, host);
      this.code.op(loadOp(size), 0, 0);
      this.code.op(Op.localSet, local);
    });
    this.updated[i] = { linear, host: getLocal(I32, host) };
    return getLocal(type, local);
  }
  private storeUpdated({ linear, host }: { linear: Value; host: Value }, value: Value, size: Size): void {
    this.effect([value], () => {
      const c = this.code;
      this.bind(value);
      this.push(host);
      c.i32(State.scratch);
      c.u8(Op.i32Eq);
      c.open(Op.if);
      this.storeSlow(linear, value, size);
      c.u8(Op.else);
      this.push(host);
      this.push(value);
      c.op(storeOp(size), 0, 0);
      c.end();
    });
  }
}
