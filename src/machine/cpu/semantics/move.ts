/** Data movement and the stack (SDM vol. 1, "Data Transfer Instructions"). */
import type { Emitter } from '../../emitter/emitter.ts';
import { flagsFromWord, flagsWord } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import { add, and, c32, or, select, shrS, signExtend, type Size, sub, type Value, zeroExtend } from '../../emitter/value.ts';
import { RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, Segment, State } from '../../state/layout.ts';
import { Helper } from '../helpers.ts';

const words: { sizes: Size[] } = { sizes: [16, 32] };

define('mov', 'rr rm ri mr mi', 'w,r', (e) => e.write(0, e.read(1)));
define('lea', 'rm', 'w,r', (e) => e.write(0, e.operandOffset()), words);
define('xchg', 'rr rm mr', 'rw,rw', (e) => {
  const a = e.read(0);
  const b = e.read(1);
  e.write(0, b);
  e.write(1, a);
});
for (const from of [8, 16] as const) {
  define(`movzx${from}`, 'rr rm', 'w,r', (e) => e.write(0, e.read(1, from)), words);
  define(`movsx${from}`, 'rr rm', 'w,r', (e) => e.write(0, signExtend(e.read(1, from), from)), words);
}
for (let cc = 0; cc < 16; cc++) {
  define(`cmov${cc}`, 'rr rm', 'rw,r', (e) => e.write(0, select(e.condition(cc), e.read(1), e.read(0))), words);
  define(`set${cc}`, 'r m', 'w', (e) => e.write(0, e.condition(cc)), { sizes: [8] });
}
/** CBW, CWDE: the accumulator from its lower half. */
define(
  'cbw',
  '',
  '',
  (e) => {
    const half = (e.size / 2) as Size;
    e.setRegister(RAX, signExtend(e.reg(RAX, half), half), e.size);
  },
  words,
);
/** CWD, CDQ: rDX = the sign of rAX. */
define('cwd', '', '', (e) => e.setRegister(RDX, shrS(signExtend(e.reg(RAX), e.size), c32(31)), e.size), words);
/** XLAT: AL = byte at rBX + AL. */
define(
  'xlat',
  '',
  '',
  (e) => e.setRegister(RAX, e.load('operand', zeroExtend(add(e.reg(RBX, 32), e.reg(RAX, 8)), e.form.addressSize), 8), 8),
  {
    sizes: [8],
    strings: true,
  },
);

// ── The stack: its address size is that of SS ────────────────────────────────────────────────────────────────────────────────────────
const stacked = { ...words, stack: true };
export function push(e: Emitter, value: Value, size: Size = e.size): void {
  const sp = e.stackPointer(-size / 8);
  e.store('stack', sp, value, size);
  e.setStackPointer(sp);
}
export function pop(e: Emitter, size: Size = e.size, drop: Value = c32(0)): Value {
  const value = e.load('stack', e.stackPointer(), size);
  e.setStackPointer(zeroExtend(add(e.stackPointer(size / 8), drop), e.stackSize));
  return value;
}
define('push', 'r m i', 'r', (e) => push(e, e.read(0)), stacked);
/** A pop into rSP keeps the popped value: the later write wins. */
define('pop', 'r m', 'w', (e) => e.write(0, pop(e)), stacked);
/** Operand 0 is the slot of a selector. */
define('pushseg', 'r', 'r', (e) => push(e, e.read(0, 16)), stacked);
define('popseg', 'r', 'w', (e) => e.check(e.helper(Helper.loadSegment, e.slot(0), zeroExtend(pop(e), 16))), stacked);
const all = [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI];
define(
  'pusha',
  '',
  '',
  (e) => {
    all.forEach((r, i) => e.store('stack', e.stackPointer((-(i + 1) * e.size) / 8), e.reg(r), e.size));
    e.setStackPointer(e.stackPointer(-e.size));
  },
  stacked,
);
define(
  'popa',
  '',
  '',
  (e) => {
    [...all].reverse().forEach((r, i) => {
      const value = e.load('stack', e.stackPointer((i * e.size) / 8), e.size);
      if (r !== RSP) e.setRegister(r, value, e.size);
    });
    e.setStackPointer(e.stackPointer(e.size));
  },
  stacked,
);
/** ENTER with nesting level 0; operand 0 is the frame's size. */
define(
  'enter',
  'i',
  'r',
  (e) => {
    const sp = e.stackPointer(-e.size / 8);
    e.store('stack', sp, e.reg(RBP), e.size);
    const frame = sp;
    const end = zeroExtend(add(sp, sub(c32(0), e.read(0, 16))), e.stackSize);
    e.probeWrite('stack', end, e.size); // the processor touches the new top of stack
    e.setRegister(RBP, e.size === 16 ? zeroExtend(frame, 16) : e.stackSize === 16 ? sub(e.reg(RSP, 32), c32(e.size / 8)) : frame, e.size);
    e.setStackPointer(end);
  },
  stacked,
);
define(
  'leave',
  '',
  '',
  (e) => {
    const frame = e.reg(RBP, e.stackSize);
    e.setStackPointer(zeroExtend(add(frame, c32(e.size / 8)), e.stackSize));
    e.setRegister(RBP, e.load('stack', frame, e.size), e.size);
  },
  stacked,
);

// ── Flags on the stack and in AH ─────────────────────────────────────────────────────────────────────────────────────────────────────
const VM_RF = 0x30000;
define('pushf', '', '', (e) => push(e, or(or(flagsWord(e.oldFlags()), c32(2)), and(e.reg(State.systemSlot, 32), c32(~VM_RF)))), stacked);
define(
  'popf',
  '',
  '',
  (e) => {
    const word = pop(e);
    const status = e.helper(Helper.setFlags, word, c32(e.size));
    e.flags(flagsFromWord(word));
    e.check(status);
  },
  stacked,
);
const AH = RAX + 1;
define('lahf', '', '', (e) => e.setRegister(AH, or(and(flagsWord(e.oldFlags()), c32(0xd5)), c32(2)), 8), { sizes: [8] });
define('sahf', '', '', (e) => e.flags(flagsFromWord(or(and(e.reg(AH, 8), c32(0xd5)), and(flagsWord(e.oldFlags()), c32(0x800))))), {
  sizes: [8],
});

// ── Segment registers and far pointers: operand slots are those of selectors ─────────────────────────────────────────────────────────
define('movfromseg', 'rr', 'w,r', (e) => e.write(0, e.read(1, 16)), words);
define('movfromseg16', 'mr', 'w,r', (e) => e.write(0, e.read(1, 16), 16), { sizes: [16] });
define('movtoseg', 'rr rm', 'w,r', (e) => e.check(e.helper(Helper.loadSegment, e.slot(0), e.read(1))), { sizes: [16] });
for (const [name, segment] of [
  ['lds', Segment.DS],
  ['les', Segment.ES],
  ['lfs', Segment.FS],
  ['lgs', Segment.GS],
  ['lss', Segment.SS],
] as const)
  define(
    name,
    'rm',
    'w,r',
    (e) => {
      const offset = e.read(1);
      const selector = e.load('operand', e.operandOffset(c32(e.size / 8)), 16);
      const status = e.helper(Helper.loadSegment, c32(State.selectorSlot + segment * 4), selector, c32(1));
      e.write(0, offset);
      e.check(status);
    },
    words,
  );
