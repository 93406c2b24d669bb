/** Check of a saved queue of bytes (a FIFO's contents, oldest first). */
import { checkState, type StateValue } from '../base/state.ts';
import { checkInteger } from './validate.ts';

/** Throws a StateError unless `found` is a list of at most `depth` bytes. */
export function checkQueue(what: string, found: unknown, depth: number): void {
  checkState(Array.isArray(found) && found.length <= depth, what, found as StateValue, `a list of at most ${depth} bytes`);
  (found as unknown[]).forEach((byte, i) => checkInteger(`${what}[${i}]`, byte, 0, 0xff));
}
