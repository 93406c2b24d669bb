/**
 * Far transfers: JMP, CALL, RET, IRET between segments and privilege levels (SDM vol. 2, their pages; vol. 3, "Privilege Level Checking When
 * Transferring Program Control Between Code Segments"). Task gates, task switches, call gates to inner levels and virtual-8086 mode are not
 * implemented: they raise #GP.
 */
import { raise, Vector } from '../memory/fault.ts';
import { Segment, State, TR, RSP } from '../state/layout.ts';
import type { Descriptor, Segments } from './segments.ts';
import type { Stack } from './stack.ts';
import { dplOf, Flag, Rights, SYSTEM_FLAGS, type Window } from './window.ts';

const nonCode = Rights.segment | Rights.code;

export class FarTransfer {
  constructor(
    private readonly window: Window,
    private readonly segments: Segments,
    private readonly stack: Stack,
  ) {}

  private get untyped(): boolean {
    return !this.window.protectedMode || (this.window.system & Flag.VM) !== 0;
  }
  /** A code segment a jump or call from the current level may enter; its level stays. */
  private checkedCode(selector: number): Descriptor {
    if ((selector & 0xfffc) === 0) raise(Vector.GP, 0);
    const d = this.segments.fetch(selector);
    if ((d.rights & nonCode) !== nonCode) raise(Vector.GP, selector & 0xfffc);
    const dpl = dplOf(d.rights);
    const { cpl } = this.window;
    if (d.rights & Rights.conforming ? dpl > cpl : (selector & 3) > cpl || dpl !== cpl) raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    return d;
  }
  private checkOffset(offset: number, limit: number): void {
    if (offset > limit) raise(Vector.GP, 0);
  }

  /** @param size operand size in bits */
  jump(selector: number, offset: number, size: number): void {
    const { window } = this;
    const target = size === 16 ? offset & 0xffff : offset >>> 0;
    if (this.untyped) {
      this.checkOffset(target, window.limit(Segment.CS));
      this.segments.setRealCode(selector);
    } else {
      const d = this.checkedCode(selector);
      this.checkOffset(target, d.limit);
      this.segments.commitCode(d, window.cpl);
    }
    window.eip = target;
  }
  call(selector: number, offset: number, size: number, nextEip: number): void {
    const { window, stack } = this;
    const target = size === 16 ? offset & 0xffff : offset >>> 0;
    const bytes = size / 8;
    const d = this.untyped ? undefined : this.checkedCode(selector);
    this.checkOffset(target, d ? d.limit : window.limit(Segment.CS));
    stack.begin();
    stack.push(bytes, window.selector(Segment.CS));
    stack.push(bytes, nextEip);
    if (d) this.segments.commitCode(d, window.cpl);
    else this.segments.setRealCode(selector);
    stack.commit();
    window.eip = target;
  }
  /** @param drop bytes of parameters to drop */
  return(size: number, drop: number): void {
    const { window, stack } = this;
    const bytes = size / 8;
    stack.begin();
    const target = stack.pop(bytes);
    const selector = stack.pop(bytes) & 0xffff;
    stack.drop(drop);
    if (this.untyped) {
      this.checkOffset(target, window.limit(Segment.CS));
      stack.commit();
      this.segments.setRealCode(selector);
    } else this.returnTo(selector, target, bytes, drop);
    window.eip = target;
  }
  /** The protected-mode part of RET and IRET, with selector and EIP popped: to the same level, or to an outer one with its stack. */
  private returnTo(selector: number, target: number, bytes: number, drop: number): void {
    const { window, stack, segments } = this;
    const level = selector & 3;
    if ((selector & 0xfffc) === 0) raise(Vector.GP, 0);
    const d = segments.fetch(selector);
    const bad =
      (d.rights & nonCode) !== nonCode ||
      level < window.cpl ||
      (d.rights & Rights.conforming ? dplOf(d.rights) > level : dplOf(d.rights) !== level);
    if (bad) raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    this.checkOffset(target, d.limit);
    if (level === window.cpl) {
      segments.commitCode(d, level);
      return stack.commit();
    }
    const pointer = stack.pop(bytes);
    const stackSelector = stack.pop(bytes) & 0xffff;
    const code = segments.setAside();
    const outer = segments.markAccessed(segments.checkStack(stackSelector, level, Vector.GP));
    segments.commitCodeAndStack(segments.markAccessed(code), level, outer);
    if (window.rights(Segment.SS) & Rights.big) window.setReg32(RSP / 8, pointer + drop);
    else window.setReg16(RSP / 8, pointer + drop);
    segments.dropPrivileged();
  }
  /** IRET. Gives up NMI blocking in any case. */
  interruptReturn(size: number): void {
    const { window, stack } = this;
    const bytes = size / 8;
    window.view.setInt32(State.nmiBlocked, 0, true);
    if (!this.untyped && window.system & Flag.NT) raise(Vector.GP, 0); // a nested task: not implemented
    if (window.system & Flag.VM) raise(Vector.GP, 0);
    stack.begin();
    const target = stack.pop(bytes);
    const selector = stack.pop(bytes) & 0xffff;
    const flags = stack.pop(bytes);
    const level = window.cpl;
    if (this.untyped) {
      this.checkOffset(target, window.limit(Segment.CS));
      stack.commit();
      this.segments.setRealCode(selector);
      this.restoreFlags(flags, size, 0);
    } else {
      if (size === 32 && flags & Flag.VM && level === 0) raise(Vector.GP, 0);
      this.returnTo(selector, target, bytes, 0);
      this.restoreFlags(flags, size, level);
    }
    window.eip = target;
  }
  /** RF is not taken: it would hold instruction breakpoints off, which there are none of. */
  private restoreFlags(flags: number, size: number, level: number): void {
    const { window } = this;
    const old = window.eflags;
    let changeable: number = (SYSTEM_FLAGS & ~(Flag.VM | Flag.VIF | Flag.VIP | Flag.RF)) | 0xcd5;
    if (size === 16) changeable &= 0xffff;
    if (level > 0) changeable &= ~Flag.IOPL;
    if (level > (old & Flag.IOPL) >>> 12) changeable &= ~Flag.IF;
    window.eflags = (old & ~changeable) | (flags & changeable);
  }
  /** SS:ESP of an inner level from the current TSS; left in `innerSelector`, `innerPointer`. */
  innerStack(level: number): void {
    const { window } = this;
    const rights = window.rights(TR);
    const wide = (rights & 8) !== 0;
    const at = wide ? 4 + level * 8 : 2 + level * 4;
    if (rights & Rights.unusable || at + (wide ? 5 : 3) > window.limit(TR)) raise(Vector.TS, window.selector(TR) & 0xfffc);
    const base = (window.base(TR) + at) >>> 0;
    const { linear } = this.segments;
    this.innerPointer = wide ? linear.read32(base) : linear.read16(base);
    this.innerSelector = linear.read16((base + (wide ? 4 : 2)) >>> 0);
  }
  innerPointer = 0;
  innerSelector = 0;
}
