/** Registers of the vCPU in the window by the names a debugger uses, u32. */
import { LDTR, Segment, State, TR } from '../state/layout.ts';
import type { Window } from './window.ts';

type Access = { get: (w: Window) => number; set: (w: Window, value: number) => void };

const registers = new Map<string, Access>();
const word = (name: string, offset: number): void => {
  registers.set(name, { get: (w) => w.view.getUint32(offset, true), set: (w, v) => w.view.setInt32(offset, v, true) });
};
['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'].forEach((name, n) => {
  const at = State.registers + n * 8;
  registers.set(`e${name}`, { get: (w) => w.reg32(n), set: (w, v) => w.setReg32(n, v) });
  registers.set(name, { get: (w) => w.reg32(n) & 0xffff, set: (w, v) => w.setReg16(n, v) });
  if (n < 4) {
    const letter = name[0] as string;
    registers.set(`${letter}l`, { get: (w) => w.view.getUint8(at), set: (w, v) => w.view.setUint8(at, v) });
    registers.set(`${letter}h`, { get: (w) => w.view.getUint8(at + 1), set: (w, v) => w.view.setUint8(at + 1, v) });
  }
});
registers.set('eip', {
  get: (w) => w.eip,
  set: (w, v) => {
    w.eip = v;
  },
});
registers.set('eflags', {
  get: (w) => w.eflags >>> 0,
  set: (w, v) => {
    w.eflags = v;
  },
});
registers.set('cpl', { get: (w) => w.cpl, set: () => {} });
for (const [name, k] of Object.entries({
  es: Segment.ES,
  cs: Segment.CS,
  ss: Segment.SS,
  ds: Segment.DS,
  fs: Segment.FS,
  gs: Segment.GS,
  ldtr: LDTR,
  tr: TR,
})) {
  registers.set(name, { get: (w) => w.selector(k), set: (w, v) => w.setSelector(k, v) });
  registers.set(`${name}.base`, { get: (w) => w.base(k), set: (w, v) => w.setSegment(k, w.selector(k), v, w.limit(k), w.rights(k)) });
  registers.set(`${name}.limit`, { get: (w) => w.limit(k), set: (w, v) => w.setSegment(k, w.selector(k), w.base(k), v, w.rights(k)) });
  registers.set(`${name}.access`, {
    get: (w) => w.rights(k) >>> 0,
    set: (w, v) => w.setSegment(k, w.selector(k), w.base(k), w.limit(k), v),
  });
}
for (const n of [0, 2, 3, 4] as const) registers.set(`cr${n}`, { get: (w) => w.control(n), set: (w, v) => w.setControl(n, v) });
for (let n = 0; n < 8; n++) word(`dr${n}`, State.debug + n * 4);
word('gdtr.base', State.gdtrBase);
word('gdtr.limit', State.gdtrLimit);
word('idtr.base', State.idtrBase);
word('idtr.limit', State.idtrLimit);

/** Every name there is, in the manual's order. */
export const registerNames: readonly string[] = [...registers.keys()];
export const readRegister = (window: Window, name: string): number | undefined => registers.get(name.toLowerCase())?.get(window);
/** Sets a register; false when the name is none. Control registers take effect as MOV to CRn would, unchecked. */
export function writeRegister(window: Window, name: string, value: number): boolean {
  const register = registers.get(name.toLowerCase());
  register?.set(window, value);
  return register !== undefined;
}
