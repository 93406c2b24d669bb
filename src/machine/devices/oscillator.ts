/** Exact conversion between virtual time and the ticks of an oscillator: no drift, and the same on every host. */

const NS_PER_SECOND = 1_000_000_000;

/** Whole ticks of an oscillator of `hz` (1 to 9,000,000) in the first `ns` (0..2^53-1) nanoseconds. */
export const ticksAt = (ns: number, hz: number): number =>
  Math.floor(ns / NS_PER_SECOND) * hz + Math.floor(((ns % NS_PER_SECOND) * hz) / NS_PER_SECOND);

/** The first nanosecond at which `ticksAt` gives `tick`. */
export const nsOfTick = (tick: number, hz: number): number =>
  Math.floor(tick / hz) * NS_PER_SECOND + Math.ceil(((tick % hz) * NS_PER_SECOND) / hz);

/** The 8254's input clock in a PC: 14.31818 MHz ÷ 12. */
export const PIT_HZ = 1_193_182;
