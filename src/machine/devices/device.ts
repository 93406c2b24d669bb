/**
 * The device contract.
 *
 * A chip is a register machine: it sees an offset, its pins and a clock; never the bus, the CPU, another chip or the host. How it hangs on a bus is
 * the model's business (`models/`). Facets are optional: absent means absent.
 *
 * In each device file: header (chip, data sheet, what is not implemented), register offsets in manual order, bit fields, `type XxxState`, `class Xxx`
 * with its fields in three labelled groups (static configuration, wiring, state), then read, write, pins, reset, save, load, inspect, helpers.
 * A guest can do anything: bad behaviour is an access result, never an exception.
 */
import type { Stateful, StateValue } from '../base/state.ts';

/**
 * What became of an access. A read gives its value (0..2^32-1) or one of the negative codes; a write gives `ok` or one of the negative codes.
 * The bus decides what a code means to the guest; all but `ok` are allocation-free on purpose.
 */
export const Access = {
  /** The write was taken. */
  ok: 0,
  /** There is no such register here: reads as all ones, writes are dropped. */
  absent: -1,
  /** bhyve's negative return: the handler wants the VMM to leave to userspace (illumos 13253 is about this code). Kernel devices only. */
  toUserspace: -2,
  /** bhyve's EINVAL: VM_RUN itself fails with that error. */
  invalid: -3,
} as const;

/** A range of ports or of memory that a device answers. `offset` is relative to the facet's start; `size` is 1, 2, 4 (memory also 8: two halves are split by the bus, so a device never sees 8). */
export interface RegisterFacet {
  /** Value 0..2^32-1, or a negative Access code. */
  read(offset: number, size: number): number;
  /** `value` is u32, already cut to `size` bytes. Gives Access.ok or a negative Access code. */
  write(offset: number, size: number, value: number): number;
  /** What read would give, without any side effect: for the debugger. Absent: the register cannot be looked at. */
  peek?(offset: number, size: number): number;
}

/** An output wire: called with the new level whenever it is driven (also when the level has not changed). */
export type Pin = (level: boolean) => void;

/** A row of a device's inspection tree. */
export interface InspectNode {
  readonly name: string;
  /** Shown as is: already formatted, in the manual's words. */
  readonly value: string;
  readonly children?: readonly InspectNode[];
}

export interface Device<S extends StateValue = StateValue> extends Stateful<S> {
  /** Lower case, unique in a machine: `vatpic`, `uart16550.com1`. */
  readonly name: string;
  /** Power-on reset. Cancels its alarms and drives its pins low. */
  reset(): void;
  /** A tree of the registers, read without side effects. */
  inspect?(): InspectNode;
}
