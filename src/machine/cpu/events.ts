/**
 * Events through the IDT: interrupts and exceptions (SDM vol. 3, "Interrupt and Exception Handling"; real-address mode: "Interrupt and Exception
 * Handling in Real-Address Mode"). Task gates are not implemented: they raise #GP.
 */
import { guestFault, raise, Vector } from '../memory/fault.ts';
import { Segment, State } from '../state/layout.ts';
import type { Segments } from './segments.ts';
import type { Stack } from './stack.ts';
import type { FarTransfer } from './transfer.ts';
import { dplOf, Flag, Rights, type Window } from './window.ts';

/** Where an event comes from: it decides about the gate's DPL and the EXT bit of error codes. */
export const Source = { software: 0, hardware: 1, exception: 2 } as const;

/** Faults restart their instruction and push RF, so that it is not stopped by an instruction breakpoint again (SDM vol. 3, "Resume flag"). */
const isFault = (vector: number, source: number): boolean =>
  source === Source.exception && vector !== Vector.DB && vector !== Vector.BP && vector !== Vector.OF && vector !== Vector.DF;

/** Exceptions that combine to a double fault (SDM vol. 3, "Interrupt 8—Double Fault Exception"). */
const contributory = (vector: number): boolean => vector === Vector.DE || (vector >= Vector.TS && vector <= Vector.GP);

export class Events {
  /** Told of exceptions met on the way. */
  onException: (vector: number, errorCode: number) => void = () => {};

  constructor(
    private readonly window: Window,
    private readonly segments: Segments,
    private readonly stack: Stack,
    private readonly far: FarTransfer,
  ) {}

  /**
   * Delivers an event whose return address is State.eip, and the exceptions met on the way.
   * @param errorCode -1: none
   * @returns false: the processor shut down (a fault while delivering a double fault)
   */
  deliver(vector: number, source: number, errorCode: number): boolean {
    const { eip } = this.window;
    let [current, origin, code] = [vector, source, errorCode];
    let first = -1;
    for (;;) {
      try {
        this.through(current, origin, code, eip);
        return true;
      } catch (fault) {
        if (fault !== guestFault) throw fault;
        this.window.eip = eip;
        if (current === Vector.DF && origin === Source.exception) return false;
        const second = guestFault.vector;
        const met = origin === Source.exception ? current : first;
        const doubled =
          met >= 0 &&
          ((contributory(met) && contributory(second)) || (met === Vector.PF && (contributory(second) || second === Vector.PF)));
        first = second;
        current = doubled ? Vector.DF : second;
        code = doubled
          ? 0
          : guestFault.errorCode < 0
            ? -1
            : guestFault.errorCode | (origin === Source.software || guestFault.vector === Vector.PF ? 0 : 1);
        origin = Source.exception;
        this.onException(current, code);
      }
    }
  }

  /** Delivers one event; a fault on the way is thrown. */
  deliverOnce(vector: number, source: number): void {
    this.through(vector, source, -1, this.window.eip);
  }
  private through(vector: number, source: number, errorCode: number, eip: number): void {
    if (this.window.protectedMode) this.throughGate(vector, source, errorCode, eip);
    else this.throughVector(vector, eip);
  }
  private throughVector(vector: number, eip: number): void {
    const { window, stack } = this;
    const { view } = window;
    if (vector * 4 + 3 > view.getUint32(State.idtrLimit, true)) raise(Vector.GP, -1);
    const entry = this.segments.linear.read32((view.getUint32(State.idtrBase, true) + vector * 4) >>> 0);
    stack.begin();
    stack.push(2, window.eflags);
    stack.push(2, window.selector(Segment.CS));
    stack.push(2, eip);
    stack.commit();
    window.system = window.system & ~(Flag.IF | Flag.TF | Flag.AC | Flag.RF);
    this.segments.setRealCode(entry >>> 16);
    window.eip = entry & 0xffff;
  }
  private throughGate(vector: number, source: number, errorCode: number, eip: number): void {
    const { window, segments, stack } = this;
    const { view } = window;
    const where = vector * 8 + 2;
    if (vector * 8 + 7 > view.getUint32(State.idtrLimit, true)) raise(Vector.GP, where);
    const at = (view.getUint32(State.idtrBase, true) + vector * 8) >>> 0;
    const low = segments.linear.read32(at);
    const high = segments.linear.read32((at + 4) >>> 0);
    const type = (high >>> 8) & 0x1f;
    if (type !== 6 && type !== 7 && type !== 14 && type !== 15) raise(Vector.GP, where);
    if (source === Source.software && ((high >>> 13) & 3) < window.cpl) raise(Vector.GP, where);
    if ((high & 0x8000) === 0) raise(Vector.NP, where);
    const size = type & 8 ? 4 : 2;
    const selector = low >>> 16;
    const target = (low & 0xffff) | (size === 4 ? high & 0xffff0000 : 0);
    if ((selector & 0xfffc) === 0) raise(Vector.GP, 0);
    const d = segments.fetch(selector);
    const dpl = dplOf(d.rights);
    if ((d.rights & 0x18) !== 0x18 || dpl > window.cpl) raise(Vector.GP, selector & 0xfffc);
    if ((d.rights & Rights.present) === 0) raise(Vector.NP, selector & 0xfffc);
    const inner = (d.rights & Rights.conforming) === 0 && dpl < window.cpl;
    const level = inner ? dpl : window.cpl;
    const flags = window.eflags | (isFault(vector, source) ? Flag.RF : 0);
    const code = inner ? segments.setAside() : d;
    const oldStack = window.selector(Segment.SS);
    const oldPointer = window.reg32(4);
    if (inner) {
      this.far.innerStack(level);
      const s = segments.markAccessed(segments.checkStack(this.far.innerSelector, level, Vector.TS));
      stack.beginAt(s.base, s.limit, s.rights, this.far.innerPointer, level, s.selector & 0xfffc);
      stack.push(size, oldStack);
      stack.push(size, oldPointer);
    } else stack.begin();
    stack.push(size, flags);
    stack.push(size, window.selector(Segment.CS));
    stack.push(size, eip);
    if (errorCode >= 0) stack.push(size, errorCode);
    if (target >>> 0 > code.limit) raise(Vector.GP, 0);
    segments.markAccessed(code);
    if (inner) segments.commitCodeAndStack(code, level, segments.descriptor);
    else segments.commitCode(code, level);
    stack.commit();
    window.system = window.system & ~((type & 1 ? 0 : Flag.IF) | Flag.TF | Flag.NT | Flag.RF | Flag.VM);
    window.eip = target >>> 0;
  }
}
