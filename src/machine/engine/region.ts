/**
 * Engine 2: regions. The same definitions, but record fields are constants and guest registers are wasm locals. A region is one function with the
 * signature of a handler, installed in the table; the head record of its run is patched to it. So entering and leaving a region is the same act as
 * going from one interpreted instruction to the next. This one holds one straight-line run.
 */
import { type Family, families, type Flags } from '../emitter/flags.ts';
import { FALL_THROUGH, type Form } from '../emitter/form.ts';
import {
  and,
  c32,
  c64,
  eq,
  eqz,
  getLocal,
  leS,
  leU,
  low,
  ltS,
  ltU,
  ne,
  or,
  shl,
  shrU,
  signExtend,
  type Size,
  type Value,
  widen,
  xor,
  zeroExtend,
} from '../emitter/value.ts';
import { buildModule, Code, I32, I64, Op } from '../emitter/wasm.ts';
import { Rec, State } from '../state/layout.ts';
import type { Execution } from './execution.ts';
import { flagsInWindow, HandlerEmitter, moduleImports, moduleTypes, registerInWindow } from './interpreter.ts';
import { liveness } from './record.ts';

/** Instructions that stay with the interpreter: a region ends before them. */
export const compiles = (form: Form): boolean =>
  !form.calls && form.control !== 'again' && form.control !== 'stop' && !['undefined', 'overlong', 'stop'].includes(form.definition.name);

/** Where the flags are, as far as is known while compiling. */
type Known = { where: 'window' } | { where: 'locals' } | { where: 'family'; family: Family; size: Size };

class RegionEmitter extends HandlerEmitter {
  /** Guest register → local, on first use. */
  private readonly registers: (number | undefined)[] = [];
  private readonly dirty = new Set<number>();
  private readonly zero = this.permanent(I64);
  private readonly sign = this.permanent(I64);
  private readonly cross = this.permanent(I64);
  private readonly carry = this.permanent(I32);
  /** Inputs of a family whose flags nobody has asked for yet. */
  private readonly a = this.permanent(I64);
  private readonly b = this.permanent(I64);
  private known: Known = { where: 'window' };
  private flagsLive = true;
  private record = 0;

  constructor(
    private readonly view: DataView,
    private readonly head: number,
    private readonly run: readonly Form[],
  ) {
    super(false);
  }

  // ── What a field of the record or a register is, here: a constant; a local ─────────────────────────────────────────────────────────
  protected override field8(offset: number): Value {
    return c32(this.view.getUint8(this.record + offset));
  }
  protected override field16(offset: number): Value {
    return c32(this.view.getUint16(this.record + offset, true));
  }
  protected override field32(offset: number): Value {
    return c32(this.view.getInt32(this.record + offset, true));
  }
  protected override immediateField(): Value {
    return c64(this.view.getBigInt64(this.record + Rec.immediate, true));
  }
  override register(slot: Value, size: Size): Value {
    const s = Number(slot.constant);
    if (s === State.zeroSlot) return size === 64 ? c64(0) : c32(0);
    if (s > State.zeroSlot) return registerInWindow(slot, size);
    const r = getLocal(I64, this.local(s >> 3));
    return size === 64 ? r : zeroExtend(low(s & 1 ? shrU(r, c64(8)) : r), size);
  }
  private local(r: number): number {
    const known = this.registers[r];
    if (known !== undefined) return known;
    const local = this.permanent(I64);
    this.registers[r] = local;
    return local;
  }
  protected override pushRecord(): void {
    this.code.i32(this.record);
  }
  protected override pushAccessor(): void {
    this.code.i32(0); // a stop put into the records would not be met
  }
  protected override pushCount(): void {
    this.code.i32(this.view.getUint8(this.record + Rec.count));
  }

  // ── Flags ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
  override keptFlags(): Flags {
    return this.flagsLive ? this.oldFlags() : { zero: c64(0), sign: c64(0), cross: c64(0), carry: c32(0) };
  }
  override oldFlags(): Flags {
    const { known } = this;
    if (known.where === 'window') return flagsInWindow();
    if (known.where === 'locals')
      return {
        zero: getLocal(I64, this.zero),
        sign: getLocal(I64, this.sign),
        cross: getLocal(I64, this.cross),
        carry: getLocal(I32, this.carry),
      };
    const { family, size } = known;
    const a = low(getLocal(I64, this.a));
    const b = low(getLocal(I64, this.b));
    return { ...families[family](a, b, size), lazy: { family, a, b, size } };
  }
  /** A comparison followed by its use becomes one wasm comparison. */
  override condition(cc: number): Value {
    const f = this.oldFlags();
    const invert = (v: Value): Value => (cc & 1 ? xor(v, c32(1)) : v);
    if (f.lazy?.family === 'sub') {
      const { a, b, size } = f.lazy;
      const [x, y] = [signExtend(a, size), signExtend(b, size)];
      switch (cc >> 1) {
        case 1:
          return invert(ltU(a, b));
        case 2:
          return cc & 1 ? ne(a, b) : eq(a, b);
        case 3:
          return invert(leU(a, b));
        case 6:
          return invert(ltS(x, y));
        case 7:
          return invert(leS(x, y));
      }
    } else if (f.lazy?.family === 'logic')
      switch (cc >> 1) {
        case 0:
        case 1:
          return c32(cc & 1);
        case 2:
        case 3:
          return invert(eqz(f.zero));
        case 4:
        case 6:
          return invert(ltS(f.sign, c64(0)));
        case 7:
          return invert(leS(f.sign, c64(0)));
      }
    return super.condition(cc);
  }

  protected override commit(): void {
    const sets: (() => void)[] = [];
    const assign = (local: number, v: Value): void => {
      this.push(v);
      sets.push(() => this.code.op(Op.localSet, local));
    };
    // Two writes may meet in one register (xchg bl, bh; pop sp): the later one on top.
    const final = new Map<number, Value>();
    for (const { slot, size, value } of this.writes) {
      const s = Number(slot.constant);
      if (s >= State.zeroSlot) {
        this.code.i32(0);
        this.push(value);
        sets.push(() => this.code.op(Op.i32Store, 2, State.registers + s));
        continue;
      }
      const r = s >> 3;
      const shift = s & 1 ? 8n : 0n;
      if (size >= 32) final.set(r, size === 64 ? value : zeroExtend(widen(value), 32));
      else {
        const mask = ((1n << BigInt(size)) - 1n) << shift;
        const old = final.get(r) ?? getLocal(I64, this.local(r));
        final.set(r, or(and(old, c64(~mask)), and(shl(widen(value), c64(shift)), c64(mask))));
      }
    }
    for (const [r, v] of final) {
      this.dirty.add(r);
      assign(this.local(r), v);
    }
    const f = this.newFlags;
    if (f && this.flagsLive) {
      if (f.lazy) {
        const { family, a, b, size } = f.lazy;
        assign(this.a, widen(a));
        assign(this.b, widen(b));
        this.known = { where: 'family', family, size };
      } else {
        assign(this.zero, f.zero);
        assign(this.sign, f.sign);
        assign(this.cross, f.cross);
        assign(this.carry, f.carry);
        this.known = { where: 'locals' };
      }
    }
    for (const set of sets.reverse()) set();
  }
  /** Registers and flags to the window. Emitted at each way out, after what has been committed so far. */
  protected override spill(): void {
    const c = this.code;
    for (const r of this.dirty) {
      c.i32(0);
      c.op(Op.localGet, this.local(r));
      c.op(Op.i64Store, 3, State.registers + r * 8);
    }
    if (this.known.where === 'window') return;
    const f = this.oldFlags();
    for (const name of ['zero', 'sign', 'cross', 'carry'] as const) {
      c.i32(0);
      this.push(f[name]);
      c.op(name === 'carry' ? Op.i32Store : Op.i64Store, 2, State[name]);
    }
  }
  protected override goOn(): void {} // the next instruction's code follows

  /** The body: instruction after instruction, until one that stays with the interpreter. */
  compile(): { locals: (typeof I32 | typeof I64)[]; code: Code } {
    const live = liveness(this.run);
    let done = false;
    for (let k = 0; k < this.run.length && !done; k++) {
      const form = this.run[k] as Form;
      this.record = this.head + k * Rec.size;
      this.flagsLive = live[k] as boolean;
      if (!compiles(form)) {
        this.goto(() => this.pushRecord());
        done = true;
      } else {
        this.handler(form);
        done =
          form.control === 'indirect' ||
          form.control === 'redirect' ||
          form.definition.name === 'jmp' ||
          form.definition.name === 'call' ||
          form.definition.name === FALL_THROUGH;
      }
    }
    this.code.u8(Op.unreachable);
    const body = this.code;
    this.code = new Code();
    this.registers.forEach((local, r) => {
      if (local === undefined) return;
      this.code.i32(0);
      this.code.op(Op.i64Load, 3, State.registers + r * 8);
      this.code.op(Op.localSet, local);
    });
    this.code.append(body);
    return { locals: this.locals, code: this.code };
  }
}

/** The forms of the run that begins at `head`, its closing pseudo-record included. */
export function runOf(execution: Execution, head: number): Form[] {
  const { view } = execution.window;
  const forms: Form[] = [];
  const count = view.getUint8(head + Rec.count);
  for (let k = 0; k < count; k++) forms.push(execution.forms.list[view.getUint16(head + k * Rec.size + Rec.form, true)] as Form);
  const after = execution.forms.list[view.getUint16(head + count * Rec.size + Rec.form, true)];
  if (after?.definition.name === FALL_THROUGH && view.getUint8(head + count * Rec.size + Rec.count) === 0) forms.push(after);
  return forms;
}

/**
 * Compiles the run that begins at record `head` and installs it in table slot `id` as that record's handler.
 * @returns the bytes of the module; undefined when the run begins with an instruction that stays with the interpreter
 */
export function compileRegion(execution: Execution, head: number, id: number): Uint8Array | undefined {
  const run = runOf(execution, head);
  if (!run[0] || !compiles(run[0]) || run[0].definition.name === FALL_THROUGH) return undefined;
  const { view } = execution.window;
  const region = new RegionEmitter(view, head, run).compile();
  const bytes = buildModule({ types: moduleTypes(), imports: moduleImports(), functions: [{ type: 0, ...region, export: 'region' }] });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), execution.imports);
  execution.table.set(id, instance.exports.region);
  view.setUint16(head + Rec.handler, id, true);
  return bytes;
}

/** Compiles the run at the selected vCPU's EIP. @returns the bytes of its module, or undefined when nothing there can be compiled */
export function compileHere(execution: Execution): Uint8Array | undefined {
  const slot = execution.takeRegionSlot(); // first: it may drop all records
  const head = execution.recordHere();
  return head > 0 ? compileRegion(execution, head, slot) : undefined;
}
