/**
 * Segment registers: descriptors fetched, checked and loaded (SDM vol. 3, "Protected-Mode Memory Management", "Protection"; the checks of MOV, POP
 * and LxS in vol. 2).
 */
import type { LinearMemory } from '../memory/linear.ts';
import { raise, Vector } from '../memory/fault.ts';
import { LDTR, Segment, State, TR } from '../state/layout.ts';
import { dplOf, Flag, Rights, type Window } from './window.ts';

/** The descriptor read last: one object. */
export interface Descriptor {
  selector: number;
  /** Linear address of the descriptor itself. */
  at: number;
  base: number;
  /** In bytes, inclusive. */
  limit: number;
  /** VMX format. */
  rights: number;
  low: number;
  high: number;
}

export class Segments {
  readonly descriptor: Descriptor = { selector: 0, at: 0, base: 0, limit: 0, rights: 0, low: 0, high: 0 };
  private readonly aside: Descriptor = { ...this.descriptor };

  constructor(
    readonly window: Window,
    readonly linear: LinearMemory,
  ) {}

  /** Reads the descriptor of a selector that is not null. @throws `vector`(selector) beyond the table's limit */
  fetch(selector: number, vector: number = Vector.GP): Descriptor {
    const { window, descriptor: d } = this;
    const local = (selector & 4) !== 0;
    const offset = selector & 0xfff8;
    const limit = local ? (window.rights(LDTR) & Rights.unusable ? -1 : window.limit(LDTR)) : window.view.getUint32(State.gdtrLimit, true);
    if (offset + 7 > limit) raise(vector, selector & 0xfffc);
    d.selector = selector;
    d.at = ((local ? window.base(LDTR) : window.view.getUint32(State.gdtrBase, true)) + offset) >>> 0;
    d.low = this.linear.read32(d.at);
    d.high = this.linear.read32((d.at + 4) >>> 0);
    d.base = ((d.low >>> 16) | ((d.high & 0xff) << 16) | (d.high & 0xff000000)) >>> 0;
    const raw = (d.low & 0xffff) | (d.high & 0xf0000);
    d.rights = (d.high >>> 8) & 0xf0ff;
    d.limit = d.rights & Rights.granular ? ((raw << 12) | 0xfff) >>> 0 : raw;
    return d;
  }
  /** A copy of the descriptor read last, while another is read: one object. */
  setAside(): Descriptor {
    return Object.assign(this.aside, this.descriptor);
  }
  /** Sets the accessed bit in the table, as a load does. It may fault: to be called before anything changes. */
  markAccessed(d: Descriptor): Descriptor {
    if (d.rights & Rights.accessed) return d;
    this.linear.write((d.at + 5) >>> 0, 1, (d.rights | Rights.accessed) & 0xff);
    d.rights |= Rights.accessed;
    return d;
  }

  /** MOV, POP, LxS to a data segment register or SS. */
  load(k: number, selector: number): void {
    const { window } = this;
    if (!window.protectedMode || window.system & Flag.VM) {
      window.setSegment(
        k,
        selector,
        (selector & 0xffff) << 4,
        window.limit(k),
        window.rights(k) & Rights.unusable ? 0x93 : window.rights(k),
      );
      return;
    }
    if (k === Segment.SS) return this.loadStack(selector, window.cpl);
    if ((selector & 0xfffc) === 0) return window.setSegment(k, selector, 0, 0, Rights.unusable);
    const d = this.fetch(selector);
    const code = (d.rights & Rights.code) !== 0;
    const rpl = selector & 3;
    if ((d.rights & Rights.segment) === 0 || (code && (d.rights & Rights.writable) === 0)) raise(Vector.GP, selector & 0xfffc);
    if (!(code && d.rights & Rights.conforming) && (rpl > dplOf(d.rights) || window.cpl > dplOf(d.rights)))
      raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    this.markAccessed(d);
    window.setSegment(k, selector, d.base, d.limit, d.rights);
  }
  private loadStack(selector: number, cpl: number): void {
    const d = this.markAccessed(this.checkStack(selector, cpl, Vector.GP));
    this.window.setSegment(Segment.SS, selector, d.base, d.limit, d.rights);
  }
  /** SS for privilege level `cpl`. @param vector #GP, or #TS when the selector comes from a TSS */
  checkStack(selector: number, cpl: number, vector: number): Descriptor {
    if ((selector & 0xfffc) === 0) raise(vector, vector === Vector.TS ? selector & 0xfffc : 0);
    const d = this.fetch(selector, vector);
    const kind = d.rights & (Rights.segment | Rights.code | Rights.writable);
    if ((selector & 3) !== cpl || dplOf(d.rights) !== cpl || kind !== (Rights.segment | Rights.writable)) raise(vector, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.SS, selector & 0xfffc);
    return d;
  }
  /** CS with the descriptor just fetched, at privilege level `cpl`. */
  commitCode(d: Descriptor, cpl: number): void {
    const { selector, base, limit } = d;
    this.markAccessed(d);
    this.window.cpl = cpl;
    this.window.setSegment(Segment.CS, (selector & 0xfffc) | cpl, base, limit, d.rights);
  }
  /** CS and SS together, with all checks made and the accessed bits set. */
  commitCodeAndStack(code: Descriptor, cpl: number, stack: Descriptor): void {
    const { selector, base, limit, rights } = stack;
    this.window.setSegment(Segment.SS, selector, base, limit, rights);
    this.commitCode(code, cpl);
  }
  /** Real-address mode's CS: selector and base only. */
  setRealCode(selector: number): void {
    const { window } = this;
    window.setSegment(Segment.CS, selector, (selector & 0xffff) << 4, window.limit(Segment.CS), window.rights(Segment.CS));
  }
  /** After a return to a less privileged level: data segments that it may not use become null. */
  dropPrivileged(): void {
    const { window } = this;
    for (const k of [Segment.ES, Segment.DS, Segment.FS, Segment.GS]) {
      const rights = window.rights(k);
      if (rights & Rights.unusable) continue;
      const conforming = (rights & Rights.code) !== 0 && (rights & Rights.conforming) !== 0;
      if (!conforming && dplOf(rights) < window.cpl) window.setSegment(k, 0, 0, 0, Rights.unusable);
    }
  }

  /** LLDT. */
  loadLocalTable(selector: number): void {
    if ((selector & 0xfffc) === 0) return this.window.setSegment(LDTR, selector, 0, 0, Rights.unusable);
    if (selector & 4) raise(Vector.GP, selector & 0xfffc);
    const d = this.fetch(selector);
    if ((d.rights & 0x1f) !== 2) raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    this.window.setSegment(LDTR, selector, d.base, d.limit, d.rights);
  }
  /** LTR: marks the task busy. */
  loadTask(selector: number): void {
    if ((selector & 0xfffc) === 0) raise(Vector.GP, 0);
    if (selector & 4) raise(Vector.GP, selector & 0xfffc);
    const d = this.fetch(selector);
    const type = d.rights & 0x1f;
    if (type !== 1 && type !== 9) raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    d.rights |= 2;
    this.linear.write((d.at + 5) >>> 0, 1, d.rights & 0xff);
    this.window.setSegment(TR, selector, d.base, d.limit, d.rights);
  }
}
