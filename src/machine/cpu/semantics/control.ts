/** Control transfer (SDM vol. 1, "Control Transfer Instructions"). Branch targets are cut to the operand size. */

import { define, FALL_THROUGH } from '../../emitter/form.ts';
import { and, c32, eqz, low, ne, or, shrU, type Size, sub, zeroExtend, c64 } from '../../emitter/value.ts';
import { Leave, RCX } from '../../state/layout.ts';
import { Helper } from '../helpers.ts';
import { pop, push } from './move.ts';

const sizes: Size[] = [16, 32];
const jumps = { sizes, control: true };
const calls = { sizes, control: true, stack: true };

define('jmp', 'i', 'r', (e) => e.jump(), jumps);
define('jmpi', 'r m', 'r', (e) => e.jumpTo(e.read(0)), jumps);
for (let cc = 0; cc < 16; cc++) define(`j${cc}`, 'i', 'r', (e) => e.jump(e.condition(cc)), jumps);
/** The count's width is the address size. */
const counting = { sizes, control: true, strings: true };
for (const [name, cc] of [
  ['loop', -1],
  ['loope', 4],
  ['loopne', 5],
] as const)
  define(
    name,
    'i',
    'r',
    (e) => {
      const left = zeroExtend(sub(e.reg(RCX, e.form.addressSize), c32(1)), e.form.addressSize);
      e.setRegister(RCX, left, e.form.addressSize);
      e.jump(cc < 0 ? ne(left, c32(0)) : and(ne(left, c32(0)), e.condition(cc)));
    },
    counting,
  );
define('jcxz', 'i', 'r', (e) => e.jump(eqz(e.reg(RCX, e.form.addressSize))), counting);
define(
  'call',
  'i',
  'r',
  (e) => {
    push(e, e.nextEip());
    e.jump();
  },
  calls,
);
define(
  'calli',
  'r m',
  'r',
  (e) => {
    const target = e.read(0);
    push(e, e.nextEip());
    e.jumpTo(target);
  },
  calls,
);
/** Operand 0: bytes to drop. */
define('ret', 'i', 'r', (e) => e.jumpTo(pop(e, e.size, e.read(0, 16))), calls);

// Far transfers are TypeScript's: descriptors, privilege, stack switches.
define(
  'jmpf',
  'i',
  'r',
  (e) => {
    const far = e.immediate(64); // selector : offset
    e.helper(Helper.farJump, low(shrU(far, c64(32))), low(far), c32(e.size));
    e.redirect();
  },
  { sizes },
);
define(
  'jmpfi',
  'm',
  'r',
  (e) => {
    const offset = e.read(0);
    e.helper(Helper.farJump, e.load('operand', e.operandOffset(c32(e.size / 8)), 16), offset, c32(e.size));
    e.redirect();
  },
  { sizes },
);
const withSize = (size: Size) => c32(size << 16);
define(
  'callf',
  'i',
  'r',
  (e) => {
    const far = e.immediate(64);
    e.helper(Helper.farCall, or(low(shrU(far, c64(32))), withSize(e.size)), low(far), e.nextEip());
    e.redirect();
  },
  { sizes },
);
define(
  'callfi',
  'm',
  'r',
  (e) => {
    const offset = e.read(0);
    e.helper(Helper.farCall, or(e.load('operand', e.operandOffset(c32(e.size / 8)), 16), withSize(e.size)), offset, e.nextEip());
    e.redirect();
  },
  { sizes },
);
define(
  'retf',
  'i',
  'r',
  (e) => {
    e.helper(Helper.farReturn, c32(e.size), e.read(0, 16));
    e.redirect();
  },
  { sizes },
);
define(
  'iret',
  '',
  '',
  (e) => {
    e.helper(Helper.interruptReturn, c32(e.size));
    e.redirect();
  },
  { sizes },
);
define(
  'int',
  'i',
  'r',
  (e) => {
    e.helper(Helper.softwareInterrupt, e.read(0, 8), e.nextEip());
    e.redirect();
  },
  { sizes: [32] },
);
define(
  'int3',
  '',
  '',
  (e) => {
    e.helper(Helper.softwareInterrupt, c32(3), e.nextEip());
    e.redirect();
  },
  { sizes: [32] },
);

define('nop', '', '', () => {}, { sizes: [32] });
define('pause', '', '', (e) => e.stop(Leave.pause), { sizes: [32] });
define(
  'hlt',
  '',
  '',
  (e) => {
    e.helper(Helper.privileged);
    e.stop(Leave.halt);
  },
  { sizes: [32] },
);
/** Stands where a slice ends or a breakpoint is. */
define('stop', '', '', (e) => e.faultIf(c32(1), Leave.stop), { sizes: [32] });
/** Longer than 15 bytes: #GP(0). */
define('overlong', '', '', (e) => e.faultIf(c32(1), Leave.codeLimit), { sizes: [32] });
define('undefined', '', '', (e) => e.faultIf(c32(1), Leave.undefined), { sizes: [32] });
define(FALL_THROUGH, 'i', 'r', (e) => e.fallThrough(), jumps);
