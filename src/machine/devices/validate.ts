/** Checks of saved device states: each names the field, the value found and what would be right (base/state.ts). */
import { checkState, type StateValue } from '../base/state.ts';

/** Throws a StateError unless `found` is an integer from `low` to `high`. */
export function checkInteger(what: string, found: unknown, low: number, high: number): void {
  const ok = Number.isInteger(found) && (found as number) >= low && (found as number) <= high;
  checkState(ok, what, found as StateValue, `an integer from ${low} to ${high}`);
}

/** Throws a StateError unless `found` is true or false. */
export function checkBoolean(what: string, found: unknown): void {
  checkState(typeof found === 'boolean', what, found as StateValue, 'true or false');
}

/** Throws a StateError unless `found` is a Uint8Array of `length` bytes. */
export function checkBytes(what: string, found: unknown, length: number): void {
  checkState(found instanceof Uint8Array && found.length === length, what, describe(found), `${length} bytes`);
}

/** Throws a StateError unless `found` is a Uint32Array of `length` words. */
export function checkWords(what: string, found: unknown, length: number): void {
  checkState(found instanceof Uint32Array && found.length === length, what, describe(found), `${length} words of 32 bits`);
}

/** Throws a StateError unless the state says that it is `kind` in `version`. */
export function checkKind(state: unknown, kind: string, version: number): void {
  const record = typeof state === 'object' && state !== null ? (state as { kind?: StateValue; version?: StateValue }) : {};
  checkState(
    record.kind === kind && record.version === version,
    kind,
    `${String(record.kind)} ${String(record.version)}`,
    `${kind} ${version}`,
  );
}

const describe = (found: unknown): StateValue =>
  ArrayBuffer.isView(found) ? `${found.constructor.name} of ${found.byteLength} bytes` : (found as StateValue);
