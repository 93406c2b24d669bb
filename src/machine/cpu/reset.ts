/** Register values after RESET and INIT, as bhyve sets them (illumos vcpu_arch_reset; FreeBSD's and older libvmmapi's vcpu_reset). */
import { LDTR, Segment, State, TR } from '../state/layout.ts';
import type { Window } from './window.ts';

/** Which of the two: 0, the kernel's vcpu_arch_reset; 1, the library's vcpu_reset. */
export function resetVcpu(window: Window, kind: 'RESET' | 'INIT', variant: number): void {
  const { view } = window;
  for (let n = 0; n < 16; n++) window.setReg32(n, 0);
  window.setReg32(2, variant === 0 ? 0x600 : 0xf00);
  window.setControl(0, variant === 0 ? 0x60000010 : 0x20);
  window.setControl(3, 0);
  window.setControl(4, 0);
  if (variant === 0 || kind === 'RESET') {
    window.setControl(2, 0);
    for (let n = 0; n < 8; n++) view.setInt32(State.debug + n * 4, 0, true);
    view.setInt32(State.debug + 24, 0xffff0ff0, true);
    view.setInt32(State.debug + 28, 0x400, true);
  }
  window.eflags = 2;
  window.cpl = 0;
  for (const k of [Segment.ES, Segment.SS, Segment.DS, Segment.FS, Segment.GS]) window.setSegment(k, 0, 0, 0xffff, 0x93);
  window.setSegment(Segment.CS, 0xf000, 0xffff0000, 0xffff, 0x93);
  window.setSegment(LDTR, 0, 0, 0xffff, 0x82);
  window.setSegment(TR, 0, 0, variant === 0 ? 0xffff : 0, 0x8b);
  for (const at of [State.gdtrBase, State.idtrBase]) view.setInt32(at, 0, true);
  for (const at of [State.gdtrLimit, State.idtrLimit]) view.setInt32(at, 0xffff, true);
  for (const at of [State.shadow, State.nmiBlocked, State.halted]) view.setInt32(at, 0, true);
  window.updateRanges();
  window.eip = 0xfff0;
}
/** SIPI: CS = vector << 8 with base vector << 12; EIP 0. */
export function startVcpu(window: Window, vector: number): void {
  window.setSegment(Segment.CS, vector << 8, vector << 12, 0xffff, 0x93);
  window.eip = 0;
}
