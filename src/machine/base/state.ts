/**
 * Saved state: what every stateful part of the machine hands out and takes back.
 *
 * A state is a plain record: numbers, strings, booleans, typed arrays, arrays and records of these. It names its kind and version, so that a
 * checkpoint can be told apart from another's; `encodeState` gives it one canonical byte form, which is what gets hashed.
 */

export type StateValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int32Array
  | Float64Array
  | readonly StateValue[]
  | { readonly [key: string]: StateValue };

/** Something whose whole state can be taken out and put back. */
export interface Stateful<S extends StateValue = StateValue> {
  /** The whole state. Takes every field by destructuring, so that a new field does not compile until it is decided upon. */
  save(): S;
  /** Puts a saved state back. Validates all of it before anything changes; throws a StateError that names the field otherwise. */
  load(state: S): void;
}

/** A saved state that cannot be taken: says which field of what, the value found and what would be right. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

/** Throws a StateError unless `ok`. */
export function checkState(ok: boolean, what: string, found: StateValue | undefined, right: string): asserts ok {
  if (!ok) throw new StateError(`${what}: found ${typeof found === 'number' ? found : JSON.stringify(found)}, expected ${right}`);
}
