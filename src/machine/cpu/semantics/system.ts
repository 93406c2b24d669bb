/** Flags, ports and the system instructions (SDM vol. 1, "Flag Control", "I/O" and "System Instructions"). The rare ones are TypeScript's. */
import { withCarry } from '../../emitter/flags.ts';
import { define } from '../../emitter/form.ts';
import { and, c32, flip, or, type Size, sub } from '../../emitter/value.ts';
import { RAX, State } from '../../state/layout.ts';
import { Helper } from '../helpers.ts';

const one: { sizes: Size[] } = { sizes: [32] };
const words: { sizes: Size[] } = { sizes: [16, 32] };
const DF = 1 << 10;

define('clc', '', '', (e) => e.flags(withCarry(e.keptFlags(), c32(0))), one);
define('stc', '', '', (e) => e.flags(withCarry(e.keptFlags(), c32(1))), one);
define('cmc', '', '', (e) => e.flags(withCarry(e.keptFlags(), flip(e.oldFlags().carry))), one);
define('cld', '', '', (e) => e.setRegister(State.systemSlot, and(e.reg(State.systemSlot, 32), c32(~DF)), 32), one);
define('std', '', '', (e) => e.setRegister(State.systemSlot, or(e.reg(State.systemSlot, 32), c32(DF)), 32), one);
define('salc', '', '', (e) => e.setRegister(RAX, sub(c32(0), e.oldFlags().carry), 8), { sizes: [8] });
define('cli', '', '', (e) => e.check(e.helper(Helper.clearInterrupts)), one);
define('sti', '', '', (e) => e.check(e.helper(Helper.setInterrupts)), one);

/** The port is DX or an immediate; the value is in the accumulator. */
define('in', 'rr ri', 'w,r', (e) => {
  e.helper(Helper.input, e.isImmediate(1) ? e.immediate(8) : e.read(1, 16), c32(e.size));
  e.write(0, e.scratch());
});
define('out', 'rr ir', 'r,r', (e) => {
  e.helper(Helper.output, e.isImmediate(0) ? e.immediate(8) : e.read(0, 16), c32(e.size), e.reg(RAX));
});

define('cpuid', '', '', (e) => void e.helper(Helper.cpuid), one);
define('rdmsr', '', '', (e) => void e.helper(Helper.readMsr), one);
define('wrmsr', '', '', (e) => e.check(e.helper(Helper.writeMsr)), one);
define('rdtsc', '', '', (e) => void e.helper(Helper.readTsc), one);
define('clts', '', '', (e) => void e.helper(Helper.clearTaskSwitched), one);
define('wbinvd', '', '', (e) => void e.helper(Helper.privileged), one);
define(
  'movfromcr',
  'rr',
  'w,r',
  (e) => {
    e.helper(Helper.privileged);
    e.write(0, e.read(1));
  },
  one,
);
/** Operand 0 is the slot of the control register. */
define('movtocr', 'rr', 'w,r', (e) => e.check(e.helper(Helper.writeControl, e.slot(0), e.read(1))), one);
/** The immediate is the number of the debug register. */
define(
  'movfromdr',
  'ri',
  'w,r',
  (e) => {
    e.helper(Helper.readDebug, e.immediate(8));
    e.write(0, e.scratch());
  },
  one,
);
define('movtodr', 'ir', 'r,r', (e) => e.check(e.helper(Helper.writeDebug, e.immediate(8), e.read(1))), one);
/** Loads of system registers: the privilege is checked before the operand is read. */
for (const [name, helper] of [
  ['lmsw', Helper.loadMachineStatus],
  ['lldt', Helper.loadLdt],
  ['ltr', Helper.loadTask],
] as const)
  define(
    name,
    'r m',
    'r',
    (e) => {
      e.helper(Helper.privileged);
      e.check(e.helper(helper, e.read(0)));
    },
    { sizes: [16] },
  );
define('smsw', 'r', 'w', (e) => e.write(0, e.reg(State.controlSlot, e.size)), words);
define('smsw16', 'm', 'w', (e) => e.write(0, e.reg(State.controlSlot, 16)), { sizes: [16] });
for (const [name, helper] of [
  ['lgdt', Helper.loadGdt],
  ['lidt', Helper.loadIdt],
] as const)
  define(
    name,
    'm',
    'r',
    (e) => {
      e.helper(Helper.privileged);
      const limit = e.read(0, 16);
      const base = e.load('operand', e.operandOffset(c32(2)), 32);
      e.check(e.helper(helper, limit, e.size === 16 ? and(base, c32(0xffffff)) : base));
    },
    words,
  );
for (const [name, which] of [
  ['sgdt', 0],
  ['sidt', 1],
] as const)
  define(
    name,
    'm',
    'w',
    (e) => {
      e.helper(Helper.readSystem, c32(which));
      const limit = e.scratch(0);
      const base = e.scratch(4);
      e.store('operand', e.operandOffset(), limit, 16);
      e.store('operand', e.operandOffset(c32(2)), base, 32);
    },
    words,
  );
for (const [name, which] of [
  ['sldt', 2],
  ['str', 3],
] as const) {
  define(
    name,
    'r',
    'w',
    (e) => {
      e.helper(Helper.readSystem, c32(which));
      e.write(0, e.scratch());
    },
    words,
  );
  define(
    `${name}16`,
    'm',
    'w',
    (e) => {
      e.helper(Helper.readSystem, c32(which));
      e.write(0, e.scratch());
    },
    { sizes: [16] },
  );
}
/** Checked afterwards: it may be the translation of this very code that goes. */
define('invlpg', 'm', 'r', (e) => e.check(e.helper(Helper.invalidatePage, e.operandLinear())), { sizes: [8] });
