/** The stack as TypeScript uses it for far transfers and event delivery: nothing moves until commit(). */
import type { LinearMemory } from '../memory/linear.ts';
import { raise, Vector } from '../memory/fault.ts';
import { RSP, Segment } from '../state/layout.ts';
import { Rights, type Window } from './window.ts';

export class Stack {
  private base = 0;
  private limit = 0;
  private rights = 0;
  private pointer = 0;
  private user = false;
  /** Error code of #SS: the selector of a stack that is not yet loaded. */
  private errorCode = 0;
  private mask = 0xffffffff;

  constructor(
    private readonly window: Window,
    private readonly linear: LinearMemory,
  ) {}

  /** The current stack. */
  begin(): this {
    const { window } = this;
    return this.beginAt(window.base(Segment.SS), window.limit(Segment.SS), window.rights(Segment.SS), window.reg32(RSP / 8), window.cpl, 0);
  }
  /** Another stack, not yet loaded. @param errorCode what #SS says when there is no room */
  beginAt(base: number, limit: number, rights: number, pointer: number, cpl: number, errorCode: number): this {
    this.errorCode = errorCode;
    this.base = base;
    this.limit = limit;
    this.rights = rights;
    this.mask = rights & Rights.big ? 0xffffffff : 0xffff;
    this.pointer = pointer;
    this.user = cpl === 3;
    return this;
  }
  /** @param size bytes, 2 or 4 */
  push(size: number, value: number): void {
    const at = (this.offset - size) & this.mask;
    this.check(at >>> 0, size);
    this.linear.write((this.base + at) >>> 0, size, value, this.user);
    this.move(at);
  }
  pop(size: number): number {
    const value = this.peek(0, size);
    this.drop(size);
    return value;
  }
  /** The value `by` bytes above the top. */
  peek(by: number, size: number): number {
    const at = ((this.offset + by) & this.mask) >>> 0;
    this.check(at, size);
    return this.linear.read((this.base + at) >>> 0, size, this.user);
  }
  drop(bytes: number): void {
    this.move(this.offset + bytes);
  }
  /** Makes the pointer rSP's. */
  commit(): void {
    if (this.mask === 0xffff) this.window.setReg16(RSP / 8, this.pointer);
    else this.window.setReg32(RSP / 8, this.pointer);
  }
  private get offset(): number {
    return (this.pointer & this.mask) >>> 0;
  }
  private move(to: number): void {
    this.pointer = ((this.pointer & ~this.mask) | (to & this.mask)) >>> 0;
  }
  private check(at: number, size: number): void {
    const last = at + size - 1;
    const down = this.window.protectedMode && (this.rights & (Rights.code | Rights.expandDown)) === Rights.expandDown;
    const outside = down
      ? at <= this.limit || last > (this.rights & Rights.big ? 0xffffffff : 0xffff)
      : last > this.limit && this.limit !== 0xffffffff;
    if (outside || (this.rights & Rights.unusable) !== 0) raise(Vector.SS, this.errorCode);
  }
}
