import type { VirtualClock } from '../../../src/machine/time/clock.ts';

/** Lets virtual time pass until `ns`, ringing every alarm at its own moment. */
export function elapseTo(clock: VirtualClock, ns: number): void {
  while (clock.nextDueNs <= ns) {
    clock.skipTo(clock.nextDueNs);
    clock.ring();
  }
  clock.skipTo(ns);
}
