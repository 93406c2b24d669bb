/** What a timeline needs of a machine; `Machine` has it all. */
import type { Stateful } from '../base/state.ts';
import type { Processor } from '../cpu/processor.ts';
import type { Device } from '../devices/device.ts';
import type { Vioapic } from '../devices/vioapic.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import type { VirtualClock } from '../time/clock.ts';
import type { End } from '../vmm/end.ts';
import type { Observers } from '../vmm/vm.ts';
import type { ConsoleCount } from './console-count.ts';

/** Why a run came back: see machine.ts. */
export type Ran = End | 'limit' | 'stopped' | 'breakpoint' | 'turn' | 'alone';

export interface Limit {
  /** At most so many instructions more, of all vCPUs together. */
  readonly instructions?: number;
  /** Until virtual time is so many ns. */
  readonly untilNs?: number;
  /** Until this vCPU is about to run. */
  readonly turnOf?: number;
}

/** What has a state and can tell it. */
export interface Hashable {
  readonly stateful: readonly { readonly name: string; readonly part: Stateful }[];
  readonly ledger: Ledger;
  readonly memory: PhysicalMemory;
}

export interface Rewindable extends Hashable {
  readonly clock: VirtualClock;
  readonly processor: Processor;
  readonly devices: readonly Device[];
  readonly vlapics: readonly Vlapic[];
  readonly platform: { readonly ioapic: Vioapic };
  readonly schedule: { runAlone(vcpu: number): void };
  readonly observers: Observers;
  readonly consoleCount: ConsoleCount;
  readonly end: End | undefined;
  onConsole: ((stream: never, byte: number) => void) | undefined;
  run(limit: Limit): Ran;
  requestStop(): void;
}
