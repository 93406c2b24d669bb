import { nsOfTick, PIT_HZ } from '../../../src/machine/devices/oscillator.ts';
import { Vatpit } from '../../../src/machine/devices/vatpit.ts';
import { VirtualClock } from '../../../src/machine/time/clock.ts';
import { elapseTo } from './elapse.ts';

/** When what happened on the interrupt pin, in ticks since power-on. */
export type Edge = [tick: number, level: boolean];

export function make(strict = false) {
  const clock = new VirtualClock(1);
  const edges: Edge[] = [];
  const pit = new Vatpit({ strict }, { clock, irq: (level) => void edges.push([Math.floor((clock.nowNs * PIT_HZ) / 1e9), level]) });
  return {
    clock,
    edges,
    pit,
    /** Lets time pass until tick `tick` since power-on. */
    at: (tick: number): void => elapseTo(clock, nsOfTick(tick, PIT_HZ)),
    control: (word: number) => pit.counters.write(3, 1, word),
    /** Writes a 16-bit count. */
    load(counter: number, count: number): void {
      pit.counters.write(counter, 1, count & 0xff);
      pit.counters.write(counter, 1, count >> 8);
    },
    write: (counter: number, byte: number) => pit.counters.write(counter, 1, byte),
    read: (counter: number) => pit.counters.read(counter, 1),
    /** Reads a 16-bit count, least significant byte first. */
    count(counter: number): number {
      const low = pit.counters.read(counter, 1);
      return low | (pit.counters.read(counter, 1) << 8);
    },
    out2: (): boolean => (pit.portB.read(0, 1) & 0x20) !== 0,
    gate2: (level: boolean) => pit.portB.write(0, 1, level ? 1 : 0),
    /** Latches and reads the status byte of a counter. */
    status(counter: number): number {
      pit.counters.write(3, 1, 0xe0 | (2 << counter));
      return pit.counters.read(counter, 1);
    },
  };
}

export const risingTicks = (edges: Edge[]): number[] => edges.filter(([, level]) => level).map(([tick]) => tick);
