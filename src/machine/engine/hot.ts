/** Which forms are worth a place in the interpreter's one big function, which is slow to optimise: what compilers emit most, in flat 32-bit code. */
import { FALL_THROUGH, type Form } from '../emitter/form.ts';

const HOT32 = new RegExp(
  `^(mov|add|sub|cmp|test|and|or|xor|zero|lea|inc|dec|neg|not|shl|shr|sar|ror|rol|imul2|imul3|mul|push|pop|movzx8|movzx16|movsx8|movsx16|j\\d+|jmp|jmpi|call|calli|ret|leave|${FALL_THROUGH}|nop|cbw|cwd|adc|sbb|cmov\\d+|shrd|xchg)\\.32\\.`,
);
const HOT8 = /^(mov|cmp|test)\.8\.(rr|r[bm]|[bm]r|ri|[bm]i)\b|^set(4|5)\.8\.r/;

export const isHot = (f: Form): boolean => !f.segmented && f.addressSize === 32 && (HOT32.test(f.key) || HOT8.test(f.key));
