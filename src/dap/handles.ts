/** Numbers that stand for things between two stops. A number is given once in a session: an old one is told from a wrong one. */
import { DebuggerError } from '../debugger/error.ts';

export class Handles<T> {
  private first = 1;
  private next = 1;
  private readonly things = new Map<number, T>();

  /** @param what one of them in words: `frame` */
  constructor(private readonly what: string) {}

  create(thing: T): number {
    this.things.set(this.next, thing);
    return this.next++;
  }

  /** Throws a DebuggerError for a number that stands for nothing, or no longer. */
  get(handle: number): T {
    const thing = this.things.get(handle);
    if (thing !== undefined) return thing;
    if (handle > 0 && handle < this.first) throw new DebuggerError(`The ${this.what} ${handle} was of an earlier stop.`);
    throw new DebuggerError(`There is no ${this.what} ${handle}.`);
  }

  /** All that were given stand for nothing from now on. */
  reset(): void {
    this.things.clear();
    this.first = this.next;
  }
}
