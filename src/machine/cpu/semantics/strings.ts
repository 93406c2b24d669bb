/**
 * String instructions (SDM vol. 1, "String Instructions"). One element for each step; a repeated one goes again until the count is out, so that a
 * fault, an exit or an interrupt between elements finds exact registers. Each element counts as one instruction.
 */
import type { Emitter } from '../../emitter/emitter.ts';
import { condition } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import { add, and, c32, eqz, ne, select, shl, shrU, type Size, sub, type Value, zeroExtend } from '../../emitter/value.ts';
import { RAX, RCX, RDI, RDX, RSI, State } from '../../state/layout.ts';
import { Helper } from '../helpers.ts';

const E = 4;
const NE = 5;

/** +n or -n bytes, by the direction flag. */
function step(e: Emitter): Value {
  const bytes = e.size / 8;
  const direction = and(shrU(e.reg(State.systemSlot, 32), c32(10)), c32(1));
  return sub(c32(bytes), shl(direction, c32(bytes === 1 ? 1 : bytes === 2 ? 2 : 3)));
}
const pointer = (e: Emitter, r: number): Value => e.reg(r, e.form.addressSize);
const advance = (e: Emitter, r: number, by: Value): void =>
  e.setRegister(r, zeroExtend(add(pointer(e, r), by), e.form.addressSize), e.form.addressSize);

/** Defines `name`, and `rep.name` which ends when the count is out or, with `whileCondition`, when the condition no longer holds. */
function string(name: string, body: (e: Emitter, repeated: boolean) => void, sizes: Size[], compares = false): void {
  const traits = { sizes, strings: true };
  define(name, '', '', (e) => body(e, false), traits);
  const repeat = (e: Emitter, cc?: number): void => {
    const count = pointer(e, RCX);
    e.skipIf(eqz(count));
    body(e, true);
    const left = zeroExtend(sub(count, c32(1)), e.form.addressSize);
    e.setRegister(RCX, left, e.form.addressSize);
    const more = ne(left, c32(0));
    if (cc === undefined) return e.again(more);
    // The flags change with the last element only: a fault before it finds those from before the instruction.
    const result = e.flagsToBe();
    const again = and(more, condition(result, cc));
    const old = e.keptFlags();
    const last = (f: 'zero' | 'sign' | 'cross' | 'carry'): Value => select(again, old[f], result[f]);
    e.flags({ zero: last('zero'), sign: last('sign'), cross: last('cross'), carry: last('carry') });
    e.again(again);
  };
  if (compares) {
    define(`repe.${name}`, '', '', (e) => repeat(e, E), traits);
    define(`repne.${name}`, '', '', (e) => repeat(e, NE), traits);
  } else define(`rep.${name}`, '', '', (e) => repeat(e), traits);
}
const plain: Size[] = [8, 16, 32];
string(
  'movs',
  (e) => {
    const by = step(e);
    e.store('es', pointer(e, RDI), e.load('operand', pointer(e, RSI), e.size), e.size);
    advance(e, RSI, by);
    advance(e, RDI, by);
  },
  plain,
);
string(
  'stos',
  (e) => {
    e.store('es', pointer(e, RDI), e.reg(RAX), e.size);
    advance(e, RDI, step(e));
  },
  plain,
);
string(
  'lods',
  (e) => {
    e.setRegister(RAX, e.load('operand', pointer(e, RSI), e.size), e.size);
    advance(e, RSI, step(e));
  },
  plain,
);
string(
  'scas',
  (e) => {
    const value = e.load('es', pointer(e, RDI), e.size);
    e.flagsOf('sub', e.reg(RAX), value);
    advance(e, RDI, step(e));
  },
  plain,
  true,
);
string(
  'cmps',
  (e) => {
    const by = step(e);
    const a = e.load('operand', pointer(e, RSI), e.size);
    e.flagsOf('sub', a, e.load('es', pointer(e, RDI), e.size));
    advance(e, RSI, by);
    advance(e, RDI, by);
  },
  plain,
  true,
);
const REP = 0x100;
string(
  'ins',
  (e, repeated) => {
    const to = pointer(e, RDI);
    e.probeWrite('es', to, e.size); // a fault must not cost the port its datum
    e.helper(Helper.stringInput, e.reg(RDX, 16), c32(e.size | (repeated ? REP : 0)));
    e.store('es', to, e.scratch(), e.size);
    advance(e, RDI, step(e));
  },
  plain,
);
string(
  'outs',
  (e, repeated) => {
    const value = e.load('operand', pointer(e, RSI), e.size);
    e.helper(Helper.stringOutput, e.reg(RDX, 16), c32(e.size | (repeated ? REP : 0)), value);
    advance(e, RSI, step(e));
  },
  plain,
);
