/** The rows of devices.ts for the chips around the processor, the interrupt controllers and the timers: serial port, keyboard, PCI, firmware's ports. */
import { AcpiPm } from '../../../src/machine/devices/acpipm.ts';
import { ResetControl } from '../../../src/machine/devices/cf9.ts';
import { Debugcon } from '../../../src/machine/devices/debugcon.ts';
import { Access, type RegisterFacet } from '../../../src/machine/devices/device.ts';
import { FwCfg } from '../../../src/machine/devices/fwcfg.ts';
import { HostBridge } from '../../../src/machine/devices/hostbridge.ts';
import { I440fx } from '../../../src/machine/devices/i440fx.ts';
import { I8042 } from '../../../src/machine/devices/i8042.ts';
import { IsaDebugExit } from '../../../src/machine/devices/isadebug.ts';
import { Lpc } from '../../../src/machine/devices/lpc.ts';
import { ConfigSpace, PciHost, type PciFunction } from '../../../src/machine/devices/pci.ts';
import { Piix3 } from '../../../src/machine/devices/piix3.ts';
import { Piix4Pm } from '../../../src/machine/devices/piix4pm.ts';
import { Port92 } from '../../../src/machine/devices/port92.ts';
import { Uart16550 } from '../../../src/machine/devices/uart16550.ts';
import type { DeviceRow } from './devices.ts';
import type { Random } from './random.ts';

/** A function's configuration space as a bus would see it. */
const config = (fn: PciFunction): { facet: RegisterFacet; length: number } => {
  const read = (offset: number, size: number): number => ((offset & 3) + size > 4 ? Access.absent : fn.configRead(offset, size));
  return {
    length: 256,
    facet: {
      read,
      peek: read,
      write(offset, size, value) {
        if ((offset & 3) + size > 4) return Access.absent;
        fn.configWrite(offset, size, value);
        return Access.ok;
      },
    },
  };
};

/** Big-endian words in guest memory. */
const putWords = (ram: Uint8Array, at: number, ...words: number[]): void =>
  words.forEach((word, i) => new DataView(ram.buffer).setUint32(at + 4 * i, word));

export const PLATFORM_DEVICES: readonly DeviceRow[] = [
  {
    title: 'uart16550',
    classes: [Uart16550],
    make(_clock, log) {
      const device = new Uart16550('uart16550.com1', { transmit: (byte) => log('sent', byte), interrupt: (level) => log('irq', level) });
      return {
        device,
        facets: [{ facet: device, length: 8 }],
        inputs: [
          (random) => device.receive(random.below(256)),
          (random) => device.write(3, 1, random.below(128)),
          (random) => device.write(1, 1, random.below(16)),
        ],
      };
    },
  },
  {
    title: 'i8042',
    classes: [I8042],
    make(_clock, log) {
      let a20 = true;
      const device = new I8042({ interrupt: (level) => log('irq', level), a20: (level) => void (a20 = level), reset: () => log('reset') });
      return {
        device,
        facets: [
          { facet: device.data, length: 1 },
          { facet: device.command, length: 1 },
        ],
        inputs: [
          () => log('a20', a20),
          (random) => device.receive(random.below(256)),
          (random) => device.command.write(0, 1, random.pick([0x20, 0x60, 0xaa, 0xad, 0xae, 0xd0, 0xd1, 0xd2, 0xd4])),
          (random) => device.data.write(0, 1, random.pick([0xed, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xff, random.below(256)])),
        ],
      };
    },
  },
  {
    title: 'port92',
    classes: [Port92],
    make(_clock, log) {
      let a20 = false;
      const device = new Port92({ a20: (level) => void (a20 = level), reset: () => log('reset') });
      return { device, facets: [{ facet: device, length: 1 }], inputs: [() => log('a20', a20)] };
    },
  },
  {
    title: 'debugcon',
    classes: [Debugcon],
    make(_clock, log) {
      const device = new Debugcon('debugcon', { transmit: (byte) => log('sent', byte) });
      return { device, facets: [{ facet: device, length: 1 }] };
    },
  },
  {
    title: 'isadebug',
    classes: [IsaDebugExit],
    make(_clock, log) {
      const device = new IsaDebugExit({ exit: (status) => log('exit', status) });
      return { device, facets: [{ facet: device, length: 2 }] };
    },
  },
  {
    title: 'cf9',
    classes: [ResetControl],
    make(_clock, log) {
      const device = new ResetControl({ reset: (hard) => log('reset', hard) });
      return { device, facets: [{ facet: device, length: 1 }] };
    },
  },
  {
    title: 'acpipm',
    classes: [AcpiPm],
    make(_clock, log) {
      const device = new AcpiPm(
        { softOff: 5, acpiEnable: 0xa0, acpiDisable: 0xa1 },
        { sci: (level) => log('sci', level), softOff: () => log('off') },
      );
      return {
        device,
        facets: [
          { facet: device, length: 6 },
          { facet: device.smiCommand, length: 1 },
        ],
        inputs: [() => device.powerButton(), (random) => device.smiCommand.write(0, 1, random.pick([0xa0, 0xa1]))],
      };
    },
  },
  {
    title: 'fwcfg',
    classes: [FwCfg],
    make(_clock, log) {
      const ram = new Uint8Array(0x1000);
      const device = new FwCfg(
        {
          dma: true,
          items: new Map([[5, Uint8Array.of(4, 0)]]),
          files: [{ name: 'etc/e820', bytes: Uint8Array.from({ length: 40 }, (_, i) => i) }],
        },
        {
          read: (gpa, length) => (gpa + length <= ram.length ? ram.slice(gpa, gpa + length) : undefined),
          write(gpa, bytes) {
            if (gpa + bytes.length > ram.length) return false;
            log('memory', gpa, ...bytes);
            ram.set(bytes, gpa);
            return true;
          },
        },
      );
      const transfer = (random: Random): void => {
        putWords(
          ram,
          0,
          (random.pick([0, 1, 5, 0x19, 0x20, 0x99]) << 16) | random.below(32),
          random.pick([random.below(64), 0xffffffff]),
          random.below(8) ? 0 : random.word(),
          random.below(0xf00),
        );
        device.dma.write(4, 4, 0);
      };
      return {
        device,
        facets: [
          { facet: device.ports, length: 2 },
          { facet: device.dma, length: 8 },
        ],
        inputs: [transfer, (random) => device.ports.write(0, 2, random.pick([0, 5, 0x19, 0x20]))],
      };
    },
  },
  {
    title: 'pci',
    classes: [PciHost],
    make() {
      const device = new PciHost({
        functions: new Map([[0, { configRead: (register, size) => (register * 0x01010101) % 2 ** (8 * size), configWrite: () => {} }]]),
      });
      return {
        device,
        facets: [
          { facet: device.address, length: 4 },
          { facet: device.data, length: 4 },
        ],
        inputs: [(random) => device.address.write(0, 4, (0x80000000 | random.below(0x200)) >>> 0)],
      };
    },
  },
  {
    title: 'i440fx',
    classes: [I440fx, ConfigSpace],
    make(_clock, log) {
      // What memory was told last, of each segment: a copy that loads must have told it the same.
      const segments = new Map<number, number>();
      let open = false;
      const device = new I440fx(0x11001af4, {
        shadow: (start, _length, readsRam, writesRam) => void segments.set(start, (readsRam ? 1 : 0) | (writesRam ? 2 : 0)),
        smramOpen(level) {
          open = level;
        },
      });
      device.reset();
      return {
        device,
        facets: [config(device)],
        inputs: [
          (random) => device.configWrite(0x59 + random.below(7), 1, random.word() & 0xff),
          (random) => device.configWrite(0x72, 1, random.word() & 0xff),
          () => log('memory', open, ...[...segments].sort(([a], [b]) => a - b).flat()),
        ],
      };
    },
  },
  {
    title: 'piix3',
    classes: [Piix3, ConfigSpace],
    make(_clock, log) {
      const device = new Piix3({ interrupt: (irq, level) => log('irq', irq, level) });
      return {
        device,
        facets: [config(device)],
        inputs: [
          (random) => device.pirq(random.below(4), random.below(2) === 1),
          (random) => device.configWrite(0x60 + random.below(4), 1, random.pick([random.below(16), 0x80])),
        ],
      };
    },
  },
  {
    title: 'piix4pm',
    classes: [Piix4Pm, ConfigSpace],
    make(_clock, log) {
      let block = '';
      const device = new Piix4Pm({
        pmBlock(base, enabled) {
          block = `${base} ${enabled}`;
        },
      });
      device.reset();
      return {
        device,
        facets: [config(device)],
        inputs: [
          (random) => device.configWrite(0x40, 4, random.word()),
          (random) => device.configWrite(0x80, 1, random.below(2)),
          () => log(`block ${block}`),
        ],
      };
    },
  },
  {
    title: 'hostbridge',
    classes: [HostBridge, ConfigSpace],
    make() {
      const device = new HostBridge();
      return { device, facets: [config(device)] };
    },
  },
  {
    title: 'lpc',
    classes: [Lpc, ConfigSpace],
    make() {
      const device = new Lpc();
      return { device, facets: [config(device)] };
    },
  },
];
