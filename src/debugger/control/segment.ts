/** Setting a segment register by its selector: what else of it changes, as when the guest loads it. */
import { hex } from '../../machine/base/bits.ts';
import type { Input } from '../../machine/timeline/inputs.ts';
import { DebuggerError } from '../error.ts';
import type { Subject } from '../subject.ts';

const SEGMENTS: ReadonlySet<string> = new Set(['es', 'cs', 'ss', 'ds', 'fs', 'gs']);
const PROTECTED_MODE = 1;
const VIRTUAL_8086 = 1 << 17;

// Access rights, in the format of a descriptor's second word from bit 8 on.
const PRESENT = 0x80;
const CODE_OR_DATA = 0x10;
const CODE = 8;
const WRITABLE = 2;
const ACCESSED = 1;
const GRANULAR = 0x8000;
const UNUSABLE = 0x10000;

export const isSegment = (name: string): boolean => SEGMENTS.has(name.toLowerCase());

/** The edits that load a segment register. Throws a DebuggerError for a selector that the vCPU could not load, and says why. */
export function loadSegment(view: Subject, vcpu: number, name: string, selector: number): Input[] {
  const segment = name.toLowerCase();
  const set = (register: string, value: number): Input => ({ kind: 'register', vcpu, name: register, value: value >>> 0 });
  const all = (base: number, limit: number, access: number): Input[] => [
    set(segment, selector),
    set(`${segment}.limit`, limit),
    set(`${segment}.access`, access),
    set(`${segment}.base`, base),
  ];
  const refuse = (why: string): never => {
    throw new DebuggerError(`${segment.toUpperCase()} of vCPU${vcpu} cannot be ${hex(selector, 4)}h: ${why}.`);
  };
  if (selector > 0xffff) refuse('a selector has 16 bits');
  const cr0 = view.register(vcpu, 'cr0') ?? 0;
  const eflags = view.register(vcpu, 'eflags') ?? 0;
  if ((cr0 & PROTECTED_MODE) === 0 || (eflags & VIRTUAL_8086) !== 0) return [set(segment, selector), set(`${segment}.base`, selector << 4)];
  const cpl = view.register(vcpu, 'cpl') ?? 0;
  if ((selector & 0xfffc) === 0) {
    if (segment === 'cs' || segment === 'ss') refuse('it is null');
    return all(0, 0, UNUSABLE);
  }
  const table = (selector & 4) === 0 ? 'gdtr' : 'ldtr';
  const offset = selector & 0xfff8;
  const limit = view.register(vcpu, `${table}.limit`) ?? 0;
  if (offset + 7 > limit) refuse(`it lies beyond the end of the ${table === 'gdtr' ? 'GDT' : 'LDT'} (limit ${hex(limit, 4)}h)`);
  const at = ((view.register(vcpu, `${table}.base`) ?? 0) + offset) >>> 0;
  const low = view.peek(vcpu, at, 4) ?? refuse(`its descriptor at ${hex(at, 8)}h cannot be read`);
  const high = view.peek(vcpu, (at + 4) >>> 0, 4) ?? refuse(`its descriptor at ${hex(at, 8)}h cannot be read`);
  const access = ((high >>> 8) & 0xf0ff) | ACCESSED;
  const kind = `its descriptor at ${hex(at, 8)}h`;
  if ((access & CODE_OR_DATA) === 0) refuse(`${kind} is a system descriptor`);
  if ((access & PRESENT) === 0) refuse(`${kind} is not present`);
  const code = (access & CODE) !== 0;
  if (segment === 'cs' && !code) refuse(`${kind} is a data segment`);
  if (segment === 'ss' && (code || (access & WRITABLE) === 0)) refuse(`${kind} is no writable data segment`);
  if (segment !== 'cs' && segment !== 'ss' && code && (access & WRITABLE) === 0) refuse(`${kind} is a code segment that cannot be read`);
  if ((segment === 'cs' || segment === 'ss') && ((selector & 3) !== cpl || ((access >>> 5) & 3) !== cpl))
    refuse(`the vCPU runs at privilege level ${cpl}, and that would change it`);
  const base = ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0;
  const raw = (low & 0xffff) | (high & 0xf0000);
  return all(base, access & GRANULAR ? ((raw << 12) | 0xfff) >>> 0 : raw, access);
}
