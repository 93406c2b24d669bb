/**
 * Engine 1: the interpreter. One handler for each form, its operands read from the record; generated once, at build time.
 *
 * Hot forms are arms of one `br_table`; the others, and compiled regions, are functions in the table. Every function takes a record and answers the
 * next one, or 0 after having written to the window why it left.
 */
import { Emitter, Import, importNames, importTypes, loadOp, storeOp } from '../emitter/emitter.ts';
import type { Flags } from '../emitter/flags.ts';
import { FALL_THROUGH, type Form, type Forms } from '../emitter/form.ts';
import { c32, getLocal, low, peek, type Size, Value, zeroExtend } from '../emitter/value.ts';
import { buildModule, type FunctionBody, type FunctionType, I32, I64, type Label, Op } from '../emitter/wasm.ts';
import { JUMP_ENTRIES, Leave, Rec, State } from '../state/layout.ts';

/** The only parameter of every function: the record being executed. */
const P = 0;

const FLAG_FIELDS = [
  ['zero', Op.i64Store],
  ['sign', Op.i64Store],
  ['cross', Op.i64Store],
  ['carry', Op.i32Store],
] as const;

/** The flags as they lie in the window. */
export const flagsInWindow = (): Flags => {
  const wide = (offset: number): Value => peek(I64, Op.i64Load, 3, c32(0), offset);
  return { zero: wide(State.zero), sign: wide(State.sign), cross: wide(State.cross), carry: peek(I32, Op.i32Load, 2, c32(0), State.carry) };
};

/** A register in the window. */
export const registerInWindow = (slot: Value, size: Size): Value =>
  peek(
    size === 64 ? I64 : I32,
    loadOp(size),
    0,
    slot.constant !== undefined ? c32(0) : slot,
    State.registers + Number(slot.constant ?? 0n),
  );

export class HandlerEmitter extends Emitter {
  private loop: Label | undefined;
  private readonly p = getLocal(I32, P);
  /** The handler number in the loop of the hot forms. */
  readonly handlerLocal = this.permanent(I32);

  /** @param inLoop whether handlers branch to the dispatch loop, or return to it */
  constructor(private readonly inLoop: boolean) {
    super(1);
  }

  register(slot: Value, size: Size): Value {
    return registerInWindow(slot, size);
  }
  protected field8(offset: number): Value {
    return peek(I32, Op.i32Load8U, 0, this.p, offset);
  }
  protected field16(offset: number): Value {
    return peek(I32, Op.i32Load16U, 1, this.p, offset);
  }
  protected field32(offset: number): Value {
    return peek(I32, Op.i32Load, 2, this.p, offset);
  }
  protected immediateField(): Value {
    return peek(I64, Op.i64Load, 3, this.p, Rec.immediate);
  }
  oldFlags(): Flags {
    this.flagsRead = true;
    return flagsInWindow();
  }
  keptFlags(): Flags {
    this.flagsKept = true;
    return flagsInWindow();
  }

  /** Only runs the definition of a form, to learn about it. */
  dry(form: Form): void {
    this.begin(form);
  }
  /** Generates the handler of one form into `code`. */
  handler(form: Form, loop?: Label): void {
    this.loop = loop;
    this.begin(form);
    for (const effect of this.effects) effect();
    const { control } = this;
    if (control.kind === 'indirect') this.bind(control.target);
    if ((control.kind === 'direct' || control.kind === 'again') && control.when) this.bind(control.when);
    this.commit();
    this.transfer();
  }
  takeBody(type: number): FunctionBody {
    return { type, locals: this.locals, code: this.code };
  }

  /** All values are computed before the first is stored: push address and value of each, last first, then store; so the last write wins. */
  protected commit(): void {
    const c = this.code;
    const stores: [op: number, offset: number][] = [];
    for (const { slot, size, value } of this.writes.reverse()) {
      const wide = size === 32; // a 32-bit write clears the upper half
      this.push(slot.constant !== undefined ? c32(0) : slot);
      this.push(
        wide
          ? value.type === I64
            ? zeroExtend(value, 32)
            : new Value(I64, Op.i64ExtendU, [value])
          : size < 64 && value.type === I64
            ? low(value)
            : value,
      );
      stores.push([wide ? Op.i64Store : storeOp(size), State.registers + Number(slot.constant ?? 0n)]);
    }
    if (this.newFlags)
      for (const [name, op] of FLAG_FIELDS) {
        const v = this.newFlags[name];
        if (Number(v.imm) === State[name] && v.op >= Op.i32Load && v.op <= 0x35) continue; // stays as it is
        c.i32(0);
        this.push(v);
        stores.push([op, State[name]]);
      }
    for (const [op, offset] of stores.reverse()) c.op(op, 0, offset);
  }
  protected skip(): void {
    this.goto(() => this.nextRecord());
  }

  // What a region knows and the interpreter reads from the record.
  /** Leaves the address of the record on the stack. */
  protected pushRecord(): void {
    this.code.op(Op.localGet, P);
  }
  protected pushAccessor(): void {
    this.pushRecord();
  }
  /** Leaves the number of instructions from this one to the end of its run on the stack. */
  protected pushCount(): void {
    this.pushRecord();
    this.code.op(Op.i32Load8U, 0, Rec.count);
  }
  /** Emitted wherever control leaves this function: everything must be in the window then. */
  protected spill(): void {}
  protected abandon(reason: number): void {
    this.refund(0);
    this.leave(reason, () => this.pushRecord());
  }

  // ── Where to go next ───────────────────────────────────────────────────────────────────────────────────────────────────────────
  protected nextRecord(): void {
    this.pushRecord();
    this.code.i32(Rec.size);
    this.code.u8(Op.i32Add);
  }
  /** Continues with the record that `record` leaves on the stack. */
  protected goto(record: () => void): void {
    this.spill();
    record();
    if (!this.inLoop) return this.code.u8(Op.return);
    this.code.op(Op.localSet, P);
    this.code.br(this.loop as Label);
  }
  /** Leaves budget + what the run was charged for instructions not executed (all from this one on, less `executed`) on the stack. */
  private refunded(executed: number): void {
    const c = this.code;
    c.i32(0);
    c.op(Op.i32Load, 2, State.budget);
    this.pushCount();
    c.u8(Op.i32Add);
    if (executed) {
      c.i32(-executed);
      c.u8(Op.i32Add);
    }
  }
  private refund(executed: number): void {
    this.code.i32(0);
    this.refunded(executed);
    this.code.op(Op.i32Store, 2, State.budget);
  }
  private leave(reason: number, record: () => void): void {
    const c = this.code;
    this.spill();
    c.i32(0);
    record();
    c.op(Op.i32Store, 2, State.record);
    c.i32(0);
    c.i32(reason);
    c.op(Op.i32Store, 2, State.reason);
    c.i32(0);
    c.u8(Op.return);
  }
  /** To the record in `target`, at the head of a run or within one: charge the budget for the rest of that run, or stop if it does not suffice. */
  private enter(target: number, executed: number): void {
    const c = this.code;
    const budget = this.temp(I32);
    this.refunded(executed);
    c.op(Op.localTee, budget);
    c.op(Op.localGet, target);
    c.op(Op.i32Load8U, 0, Rec.count);
    c.u8(Op.i32LtS);
    c.open(Op.if);
    c.i32(0);
    c.op(Op.localGet, budget);
    c.op(Op.i32Store, 2, State.budget);
    this.leave(Leave.budget, () => c.op(Op.localGet, target));
    c.end();
    c.i32(0);
    c.op(Op.localGet, budget);
    c.op(Op.localGet, target);
    c.op(Op.i32Load8U, 0, Rec.count);
    c.u8(Op.i32Sub);
    c.op(Op.i32Store, 2, State.budget);
    this.goto(() => c.op(Op.localGet, target));
  }
  /** To the address in `eip`: by the jump table, else by asking TypeScript, which leaves 0 where there is nothing to execute. */
  private enterAddress(eip: number, executed: number): void {
    const c = this.code;
    const target = this.temp(I32);
    this.lookUp(eip, target);
    c.op(Op.localGet, target);
    c.u8(Op.i32Eqz);
    c.open(Op.if);
    this.leaveAt(Leave.budget, executed, () => c.op(Op.localGet, eip));
    c.end();
    this.enter(target, executed);
  }
  private lookUp(eip: number, target: number): void {
    emitLookUp(this.code, this.form.segmented, eip, target, this.temp(I32), this.temp(I32));
  }
  /** Leaves with the instruction executed and State.eip telling where to go on. */
  private leaveAt(reason: number, executed: number, eip: () => void): void {
    const c = this.code;
    c.i32(0);
    eip();
    c.op(Op.i32Store, 2, State.eip);
    this.refund(executed);
    this.leave(reason, () => c.i32(0));
  }
  protected transfer(): void {
    const c = this.code;
    const { control } = this;
    const executed = this.form.definition.name === FALL_THROUGH ? 0 : 1;
    switch (control.kind) {
      case 'next':
        return this.goOn();
      case 'stop':
        return this.leaveAt(control.reason, 1, () => this.push(this.nextEip()));
      case 'redirect':
        this.refund(1);
        return this.leave(Leave.resume, () => c.i32(0));
      case 'check':
        c.op(Op.localGet, control.status);
        c.i32(2);
        c.u8(Op.i32Eq);
        c.open(Op.if);
        this.leaveAt(Leave.resume, 1, () => this.push(this.nextEip()));
        c.end();
        return this.goOn();
      case 'indirect': {
        this.push(control.target);
        const eip = this.temp(I32);
        c.op(Op.localSet, eip);
        return this.enterAddress(eip, executed);
      }
      case 'again':
        this.push(control.when);
        c.open(Op.if);
        this.enter(P, 1); // only the interpreter repeats instructions
        c.end();
        return this.goto(() => this.nextRecord());
      case 'direct': {
        if (control.when) {
          this.push(control.when);
          c.open(Op.if);
        }
        const target = this.temp(I32);
        this.pushRecord();
        c.op(Op.i32Load, 2, Rec.link);
        c.op(Op.localTee, target);
        c.open(Op.if);
        this.enter(target, executed);
        c.end();
        const eip = this.temp(I32);
        this.push(executed ? this.branchTarget() : this.fallThroughTarget());
        c.op(Op.localSet, eip);
        this.enterAddress(eip, executed);
        if (control.when) {
          c.end();
          this.goOn();
        }
      }
    }
  }
  /** To the next instruction of the run. */
  protected goOn(): void {
    this.goto(() => this.nextRecord());
  }
  private fallThroughTarget(): Value {
    return new Value(I32, Op.i32Add, [this.register(c32(State.pageSlot), 32), this.field16(Rec.offset)]);
  }
}

/** Sets local `target` to the record for the address in local `eip` (0: none), and the page slot with it. `linear`, `entry`: scratch locals. */
export function emitLookUp(
  c: HandlerEmitter['code'],
  segmented: boolean,
  eip: number,
  target: number,
  linear: number,
  entry: number,
): void {
  c.op(Op.localGet, eip);
  if (segmented) {
    c.i32(0);
    c.op(Op.i32Load, 2, State.registers + State.baseSlot + 8);
    c.u8(Op.i32Add);
  }
  c.op(Op.localTee, linear);
  c.i32(4);
  c.u8(Op.i32Shl);
  c.i32((JUMP_ENTRIES - 1) << 4);
  c.u8(Op.i32And);
  c.i32(0);
  c.op(Op.i32Load, 2, State.jumpTable);
  c.u8(Op.i32Add);
  c.op(Op.localTee, entry);
  c.op(Op.i64Load, 3, 0);
  c.op(Op.localGet, linear);
  c.u8(Op.i64ExtendU);
  c.i32(0);
  c.op(Op.i64Load, 3, State.context);
  c.u8(Op.i64Or);
  c.u8(Op.i64Eq);
  if (segmented) {
    // An entry was made through a segment that held the whole page; this one may begin or end within it, or before it.
    c.op(Op.localGet, eip);
    c.op(Op.localGet, linear);
    c.i32(0xfff);
    c.u8(Op.i32And);
    c.u8(Op.i32Sub);
    c.i32(0);
    c.op(Op.i32Load, 2, State.wholePages);
    c.u8(Op.i32LtU);
    c.u8(Op.i32And);
  }
  c.open(Op.if, I32);
  c.i32(0);
  c.op(Op.localGet, eip);
  c.op(Op.localGet, linear);
  c.i32(0xfff);
  c.u8(Op.i32And);
  c.u8(Op.i32Sub);
  c.op(Op.i32Store, 2, State.registers + State.pageSlot);
  c.op(Op.localGet, entry);
  c.op(Op.i32Load, 2, 8);
  c.u8(Op.else);
  c.op(Op.localGet, eip);
  c.op(Op.call, Import.lookup);
  c.end();
  c.op(Op.localSet, target);
}

/** Learns from each definition what liveness and block building need to know about its forms. */
export function annotate(forms: Forms): void {
  for (const form of forms.list) {
    const e = new HandlerEmitter(false);
    e.dry(form);
    Object.assign(form, e.summary);
  }
}

/** The types every generated module declares: handlers first, then the imports'. */
export const moduleTypes = (): FunctionType[] =>
  [{ params: [I32], results: [I32] }, ...importTypes.map((params) => ({ params, results: [I32] }))] as FunctionType[];
export const moduleImports = (): [string, number][] => importNames.map((n, i) => [n, i + 1]);

/** The module: exports run(record) → 0, which executes until something makes it leave; handlers are in the imported table at index form.id. */
export function generateInterpreter(forms: Forms, hot: (form: Form) => boolean): Uint8Array {
  const { list } = forms;
  const functions: FunctionBody[] = [];
  const run = new HandlerEmitter(true);
  const c = run.code;
  const inline = list.map(hot);
  const n = inline.filter(Boolean).length;
  const loop = c.open(Op.loop);
  for (let i = 0; i <= n; i++) c.open(Op.block); // the outermost is the default
  c.op(Op.localGet, P);
  c.op(Op.i32Load16U, 1, Rec.handler);
  c.op(Op.localTee, run.handlerLocal);
  c.op(Op.brTable, list.length);
  let k = 0;
  for (const isHot of inline) c.u32(isHot ? k++ : n);
  c.u32(n);
  list.forEach((form, i) => {
    if (!inline[i]) return;
    c.end();
    run.handler(form, loop);
  });
  c.end();
  c.op(Op.localGet, P);
  c.op(Op.localGet, run.handlerLocal);
  c.op(Op.callIndirect, 0, 0);
  c.op(Op.localTee, P);
  c.br(loop, Op.brIf);
  c.i32(0);
  c.u8(Op.return);
  c.end();
  c.u8(Op.unreachable);
  functions.push({ ...run.takeBody(0), export: 'run' });
  list.forEach((form, i) => {
    const e = new HandlerEmitter(false);
    if (!inline[i]) e.handler(form);
    e.code.u8(Op.unreachable);
    functions.push(e.takeBody(0));
  });
  return buildModule({ types: moduleTypes(), imports: moduleImports(), functions, table: { size: list.length, first: 1 } });
}
