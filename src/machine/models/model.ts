/** What a machine model is: a whole PC, as tables of which chip hangs where, and the code that solders it together. */
import type { Stateful } from '../base/state.ts';
import type { Device } from '../devices/device.ts';
import type { Vatpic } from '../devices/vatpic.ts';
import type { Vioapic } from '../devices/vioapic.ts';
import type { Vlapic } from '../devices/vlapic.ts';
import type { PhysicalMemory } from '../memory/physical.ts';
import type { Clock } from '../time/clock.ts';
import type { MmioRange, PortRange } from '../vmm/bus.ts';
import type { InterruptLines } from '../vmm/interrupts.ts';
import type { Vm } from '../vmm/vm.ts';

/** Guest-physical memory, as far as a board wires it up. */
export type GuestMemory = Pick<PhysicalMemory, 'mapRam' | 'mapRom' | 'route' | 'readBytes' | 'writeBytes' | 'isBacked' | 'setA20'>;

export type ConsoleStream = 'serial' | 'debugcon';

/** What a model builds on. */
export interface Board {
  readonly vm: Vm;
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly cpus: number;
  /** RAM, in bytes. */
  readonly memoryBytes: number;
  readonly rom: Uint8Array;
  /** Time of day at power-on, in seconds since 1970. */
  readonly startSeconds: number;
  /** A byte for the person in front of the machine. */
  console(stream: ConsoleStream, byte: number): void;
}

/** One of the parts that make up a machine's state. */
export interface StatefulPart {
  readonly name: string;
  readonly part: Stateful;
}

/** The finished board. */
export interface Platform {
  readonly ports: readonly PortRange[];
  readonly mmio: readonly MmioRange[];
  /** Every chip but the local APICs. */
  readonly devices: readonly Device[];
  readonly pic: Vatpic;
  readonly ioapic: Vioapic;
  readonly vlapics: readonly Vlapic[];
  readonly lines: InterruptLines;
  /** State that lies between the chips. */
  readonly wires?: readonly StatefulPart[];
}

export interface MachineModel {
  /** As given on the command line. */
  readonly name: string;
  /** One sentence for a reader who does not know the machine. */
  readonly about: string;
  /** Frequency of every time-stamp counter, in Hz; a divisor or a multiple of 10^9. */
  readonly tscHz: number;
  build(board: Board): Platform;
}
