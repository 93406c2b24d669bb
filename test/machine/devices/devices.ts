/**
 * Every device with dummy wiring: the table that contract.test.ts goes through. A new device is one row.
 *
 * What a device drives (pins, deliveries) goes to `log`, so that the outputs of two copies can be compared. `inputs` are the things that can happen to
 * it besides register accesses: its input pins, and sequences that random accesses would hardly ever hit (an initialization).
 */
import type { Device, RegisterFacet } from '../../../src/machine/devices/device.ts';
import { PitCounter } from '../../../src/machine/devices/pit-counter.ts';
import { BhyvePitCounter } from '../../../src/machine/devices/pit-counter-bhyve.ts';
import { Vatpic } from '../../../src/machine/devices/vatpic.ts';
import { Vatpit } from '../../../src/machine/devices/vatpit.ts';
import { RULES_82093AA, Vioapic } from '../../../src/machine/devices/vioapic.ts';
import { Vpmtmr } from '../../../src/machine/devices/vpmtmr.ts';
import { Vrtc } from '../../../src/machine/devices/vrtc.ts';
import type { VirtualClock } from '../../../src/machine/time/clock.ts';
import { PLATFORM_DEVICES } from './devices-platform.ts';
import { VLAPIC_DEVICES } from './devices-vlapic.ts';
import type { Random } from './random.ts';

export interface Rig {
  readonly device: Device;
  /** What a bus would see, with the number of bytes that each answers. */
  readonly facets: readonly { readonly facet: RegisterFacet; readonly length: number }[];
  readonly inputs?: readonly ((random: Random) => void)[];
}

/** Notes an output: a name and its values. */
export type Log = (what: string, ...values: (number | boolean)[]) => void;

export interface DeviceRow {
  /** As a test title has it. */
  readonly title: string;
  /** The classes it covers: its own and those it is made of. */
  readonly classes: readonly unknown[];
  make(clock: VirtualClock, log: Log): Rig;
}

const vatpic =
  (strict: boolean): DeviceRow['make'] =>
  (_clock, log) => {
    const device = new Vatpic({ strict }, { intr: (level) => log('intr', level) });
    const initialize = (random: Random): void => {
      for (const chip of [device.master, device.slave]) {
        chip.write(0, 1, 0x11);
        chip.write(1, 1, random.below(32) * 8);
        chip.write(1, 1, 4);
        chip.write(1, 1, 1 | (random.below(16) << 1));
        chip.write(1, 1, random.below(4) === 0 ? random.below(256) : 0);
      }
    };
    return {
      device,
      facets: [device.master, device.slave, device.elcr].map((facet) => ({ facet, length: 2 })),
      inputs: [
        initialize,
        (random) => device.assert(random.below(16)),
        (random) => device.deassert(random.below(16)),
        (random) => device.pulse(random.below(16)),
        () => log('vector', device.hasPending ? device.acknowledge() : -1),
        () => log('vector', device.acknowledge()),
      ],
    };
  };

const vatpit =
  (strict: boolean): DeviceRow['make'] =>
  (clock, log) => {
    const device = new Vatpit({ strict }, { clock, irq: (level) => log('irq', level) });
    return {
      device,
      facets: [
        { facet: device.counters, length: 4 },
        { facet: device.portB, length: 1 },
      ],
      inputs: [
        (random) => {
          const counter = random.below(3);
          device.counters.write(3, 1, (counter << 6) | 0x30 | (random.below(6) << 1));
          device.counters.write(counter, 1, random.below(256));
          device.counters.write(counter, 1, random.pick([0, 1, random.below(256)]));
        },
      ],
    };
  };

const vrtc =
  (strict: boolean): DeviceRow['make'] =>
  (clock, log) => {
    const device = new Vrtc({ strict, startSeconds: 951_782_398 }, { clock, irq: (level) => log('irq', level) });
    return {
      device,
      facets: [{ facet: device.ports, length: 2 }],
      inputs: [
        (random) => {
          device.ports.write(0, 1, random.pick([random.below(14), random.below(256)]));
          if (random.below(2)) device.ports.write(1, 1, random.pick([random.below(256), random.below(16), 0xff]));
        },
      ],
    };
  };

export const DEVICES: readonly DeviceRow[] = [
  { title: 'vatpic', classes: [Vatpic], make: vatpic(false) },
  { title: 'vatpic (bhyve)', classes: [Vatpic], make: vatpic(true) },
  { title: 'vatpit', classes: [Vatpit, PitCounter], make: vatpit(false) },
  { title: 'vatpit (bhyve)', classes: [Vatpit, BhyvePitCounter], make: vatpit(true) },
  {
    title: 'vioapic',
    classes: [Vioapic],
    make(_clock, log) {
      const device = new Vioapic({ rules: { ...RULES_82093AA, eoiRegister: true, access: 'any' } }, (...message) =>
        log('deliver', ...message),
      );
      return {
        device,
        facets: [{ facet: device.mmio, length: 0x50 }],
        inputs: [
          (random) => {
            device.mmio.write(0, 4, random.below(0x40));
            device.mmio.write(0x10, 4, random.pick([random.word(), random.below(256), 0x8000 | random.below(256)]));
          },
          (random) => device.assert(random.below(26)),
          (random) => device.deassert(random.below(26)),
          (random) => device.pulse(random.below(24)),
          (random) => device.eoi(random.below(256)),
        ],
      };
    },
  },
  {
    title: 'vpmtmr',
    classes: [Vpmtmr],
    make(clock) {
      const device = new Vpmtmr({ bits: 24, strict: false }, clock);
      return { device, facets: [{ facet: device.timer, length: 4 }] };
    },
  },
  { title: 'vrtc', classes: [Vrtc], make: vrtc(false) },
  { title: 'vrtc (bhyve)', classes: [Vrtc], make: vrtc(true) },
  ...PLATFORM_DEVICES,
  ...VLAPIC_DEVICES,
];
