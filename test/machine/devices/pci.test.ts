import { describe, expect, it } from 'vitest';
import { ResetControl } from '../../../src/machine/devices/cf9.ts';
import { HostBridge } from '../../../src/machine/devices/hostbridge.ts';
import { I440fx } from '../../../src/machine/devices/i440fx.ts';
import { Lpc } from '../../../src/machine/devices/lpc.ts';
import { ConfigSpace, devfn, PciHost, type PciFunction } from '../../../src/machine/devices/pci.ts';
import { Piix3 } from '../../../src/machine/devices/piix3.ts';
import { Piix4Pm } from '../../../src/machine/devices/piix4pm.ts';

const QEMU = 0x11001af4;

function host(functions: ReadonlyMap<number, PciFunction>) {
  const resets: boolean[] = [];
  const pci = new PciHost({ functions, resetControl: new ResetControl({ reset: (hard) => resets.push(hard) }) });
  const at = (device: number, fn: number, register: number): void =>
    void pci.address.write(0, 4, (0x80000000 | (devfn(device, fn) << 8) | (register & 0xfc)) >>> 0);
  return {
    pci,
    resets,
    read: (device: number, fn: number, register: number, size: number): number => {
      at(device, fn, register);
      return pci.data.read(register & 3, size);
    },
    write: (device: number, fn: number, register: number, size: number, value: number): void => {
      at(device, fn, register);
      pci.data.write(register & 3, size, value);
    },
  };
}

describe('configuration mechanism #1', () => {
  const bus = () => host(new Map([[devfn(0, 0), new I440fx(QEMU, { shadow: () => {} })]]));

  it('reads a register in parts of 1, 2 and 4 bytes', () => {
    const { read } = bus();
    expect([read(0, 0, 0, 4), read(0, 0, 2, 2), read(0, 0, 1, 1), read(0, 0, 3, 1)]).toEqual([0x12378086, 0x1237, 0x80, 0x12]);
  });
  it('a function that is not there reads as all ones', () => {
    const { read } = bus();
    expect([read(1, 0, 0, 4), read(0, 1, 0, 2), read(31, 7, 8, 1)]).toEqual([0xffffffff, 0xffff, 0xff]);
  });
  it('so does another bus', () => {
    const { pci } = bus();
    pci.address.write(0, 4, 0x80010000);
    expect(pci.data.read(0, 4)).toBe(0xffffffff);
  });
  it('CONFIG_DATA is not there while the enable bit is clear', () => {
    const { pci } = bus();
    pci.address.write(0, 4, 0x00000000);
    expect([pci.data.read(0, 4), pci.data.write(0, 4, 0)]).toEqual([-1, -1]);
  });
  it('an access that would cross the doubleword is not there', () => {
    const { pci } = bus();
    pci.address.write(0, 4, 0x80000000);
    expect(pci.data.read(2, 4)).toBe(-1);
  });
  it('CONFIG_ADDRESS reads back with its reserved bits clear, and takes doublewords only', () => {
    const { pci } = bus();
    pci.address.write(0, 4, 0xffffffff);
    expect(pci.address.read(0, 4)).toBe(0x80fffffc);
    expect([pci.address.write(0, 2, 0), pci.address.read(0, 1)]).toEqual([-1, -1]);
    expect(pci.address.read(0, 4)).toBe(0x80fffffc);
  });
  it('a byte access to CF9h is to the reset control register, which resets when bit 2 rises', () => {
    const { pci, resets } = bus();
    pci.address.write(1, 1, 0x02);
    expect([pci.address.read(1, 1), resets.length]).toEqual([0x02, 0]);
    pci.address.write(1, 1, 0x06);
    pci.address.write(1, 1, 0x06);
    expect(resets).toEqual([true]);
    pci.address.write(1, 1, 0x00);
    pci.address.write(1, 1, 0x04);
    expect(resets).toEqual([true, false]);
  });
});

describe('configuration space', () => {
  it('changes only writable bits, and clears those that are cleared by a 1', () => {
    const space = new ConfigSpace([{ register: 4, size: 4, value: 0xff00_1234, writable: 0x0000_00f0, clearable: 0x0f00_0000 }]);
    space.write(4, 4, 0xffff_ffff);
    expect(space.get(4, 4)).toBe(0xf000_12f4);
    space.write(6, 2, 0x0000);
    expect(space.get(4, 4)).toBe(0xf000_12f4);
  });
  it('has no base address registers unless they are given: sizing one reads 0', () => {
    const { read, write } = host(new Map([[0, new Lpc()]]));
    for (let bar = 0x10; bar <= 0x24; bar += 4) {
      write(0, 0, bar, 4, 0xffffffff);
      expect(read(0, 0, bar, 4)).toBe(0);
    }
  });
});

describe('440FX host bridge', () => {
  function bridge() {
    const calls: string[] = [];
    const smram: boolean[] = [];
    const chip = new I440fx(QEMU, {
      shadow: (start, length, r, w) => calls.push(`${start.toString(16)}+${length.toString(16)} ${r ? 'r' : '-'}${w ? 'w' : '-'}`),
      smramOpen: (level) => smram.push(level),
    });
    return { chip, calls, smram };
  }

  it('is 8086:1237, class 0600, with the subsystem it is given', () => {
    const { chip } = bridge();
    expect([chip.configRead(0, 4), chip.configRead(0x0a, 2), chip.configRead(0x2c, 4), chip.configRead(0x0e, 1)]).toEqual([
      0x12378086,
      0x0600,
      QEMU,
      0,
    ]);
  });
  it('after reset the whole of C0000-FFFFF reads ROM and takes no writes', () => {
    const { chip, calls } = bridge();
    chip.reset();
    expect(calls).toHaveLength(13);
    expect(calls.every((c) => c.endsWith('--'))).toBe(true);
    expect(Array.from({ length: 7 }, (_, i) => chip.configRead(0x59 + i, 1))).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });
  it('the upper half of PAM0 is F0000-FFFFF', () => {
    const { chip, calls } = bridge();
    chip.configWrite(0x59, 1, 0x30);
    chip.configWrite(0x59, 1, 0x10);
    chip.configWrite(0x59, 1, 0x10);
    expect(calls).toEqual(['f0000+10000 rw', 'f0000+10000 r-']);
  });
  it('PAM1 to PAM6 are twelve segments of 16 KiB from C0000 to EFFFF, lower half first', () => {
    const { chip, calls } = bridge();
    for (let i = 0; i < 6; i++) chip.configWrite(0x5a + i, 1, 0x21);
    expect(calls).toEqual(Array.from({ length: 12 }, (_, i) => `${(0xc0000 + 0x4000 * i).toString(16)}+4000 ${i % 2 ? '-w' : 'r-'}`));
  });
  it('two doubleword writes, as firmware makes them, open everything', () => {
    const { chip, calls } = bridge();
    chip.configWrite(0x58, 4, 0x33333000);
    chip.configWrite(0x5c, 4, 0x33333333);
    expect(chip.configRead(0x58, 4)).toBe(0x33333000);
    expect(calls).toHaveLength(13);
    expect(calls.every((c) => c.endsWith('rw'))).toBe(true);
  });
  it('SMRAM is open with D_OPEN and G_SMRAME, until D_LCK closes it for good', () => {
    const { chip, smram } = bridge();
    expect(chip.configRead(0x72, 1)).toBe(0x02);
    chip.configWrite(0x72, 1, 0x4a);
    expect(smram).toEqual([true]);
    chip.configWrite(0x72, 1, 0x1a);
    chip.configWrite(0x72, 1, 0x4a);
    expect([chip.configRead(0x72, 1), smram]).toEqual([0x1a, [true, false]]);
    chip.configWrite(0x72, 1, 0x00);
    expect(chip.configRead(0x72, 1)).toBe(0x1a);
  });
  it('tells its memory where every segment goes after a load', () => {
    const a = bridge();
    a.chip.configWrite(0x59, 1, 0x30);
    const b = bridge();
    b.chip.load(a.chip.save());
    expect(b.calls[0]).toBe('f0000+10000 rw');
    expect(b.calls).toHaveLength(13);
  });
  it('refuses a saved state of another function', () => {
    const { chip } = bridge();
    const state = chip.save();
    state.config[0] = 0;
    expect(() => chip.load(state)).toThrow(/i440fx.config\[0\]/);
  });
});

describe('PIIX3 ISA bridge', () => {
  function bridge() {
    const irqs: string[] = [];
    return { irqs, chip: new Piix3({ interrupt: (irq, level) => irqs.push(`${irq}${level ? '+' : '-'}`) }) };
  }
  it('is 8086:7000, class 0601, multi-function', () => {
    const { chip } = bridge();
    expect([chip.configRead(0, 4), chip.configRead(0x0a, 2), chip.configRead(0x0e, 1)]).toEqual([0x70008086, 0x0601, 0x80]);
  });
  it('routes no PCI interrupt after reset', () => {
    const { chip, irqs } = bridge();
    expect(chip.configRead(0x60, 4)).toBe(0x80808080);
    for (let line = 0; line < 4; line++) chip.pirq(line, true);
    expect(irqs).toEqual([]);
  });
  it('drives the ISA interrupt of its routing register', () => {
    const { chip, irqs } = bridge();
    chip.configWrite(0x60, 1, 10);
    chip.pirq(0, true);
    chip.pirq(0, true);
    chip.pirq(0, false);
    expect(irqs).toEqual(['10+', '10-']);
  });
  it('holds a shared interrupt until the last line lets go', () => {
    const { chip, irqs } = bridge();
    chip.configWrite(0x60, 2, 0x0b0b);
    chip.pirq(0, true);
    chip.pirq(1, true);
    chip.pirq(0, false);
    expect(irqs).toEqual(['11+']);
    chip.pirq(1, false);
    expect(irqs).toEqual(['11+', '11-']);
  });
  it('moves an asserted line when its routing changes', () => {
    const { chip, irqs } = bridge();
    chip.configWrite(0x63, 1, 10);
    chip.pirq(3, true);
    chip.configWrite(0x63, 1, 11);
    chip.configWrite(0x63, 1, 0x8b);
    expect(irqs).toEqual(['10+', '10-', '11+', '11-']);
  });
  it('never drives 0, 1, 2, 8 or 13', () => {
    const { chip, irqs } = bridge();
    chip.pirq(0, true);
    for (const irq of [0, 1, 2, 8, 13]) chip.configWrite(0x60, 1, irq);
    expect(irqs).toEqual([]);
  });
});

describe('PIIX4 power management function', () => {
  it('is 8086:7113, class 0680, with interrupt pin A', () => {
    const chip = new Piix4Pm({ pmBlock: () => {} });
    expect([chip.configRead(0, 4), chip.configRead(0x0a, 2), chip.configRead(0x3d, 1)]).toEqual([0x71138086, 0x0680, 1]);
  });
  it('opens the PM block where PMBASE says once PMIOSE is set', () => {
    const calls: string[] = [];
    const chip = new Piix4Pm({ pmBlock: (base, enabled) => calls.push(`${base.toString(16)} ${enabled}`) });
    chip.reset();
    chip.configWrite(0x40, 4, 0xb001);
    chip.configWrite(0x80, 1, 0x01);
    chip.configWrite(0x40, 4, 0xffffffff);
    expect(calls).toEqual(['0 false', 'b000 false', 'b000 true', 'ffc0 true']);
    expect(chip.configRead(0x40, 4)).toBe(0xffc1);
  });
  it('says that system management mode has been seen to', () => {
    expect(new Piix4Pm({ pmBlock: () => {} }).configRead(0x58, 4) & 0x02000000).not.toBe(0);
  });
});

describe("bhyve's bridges", () => {
  it('are 1275:1275 and 8086:7000', () => {
    expect([new HostBridge().configRead(0, 4), new Lpc().configRead(0, 4)]).toEqual([0x12751275, 0x70008086]);
  });
  it('the host bridge has one capability: PCI Express, root port', () => {
    const bridge = new HostBridge();
    const at = bridge.configRead(0x34, 1);
    expect(bridge.configRead(6, 2) & 0x10).toBe(0x10);
    expect([bridge.configRead(at, 1), bridge.configRead(at + 1, 1), (bridge.configRead(at + 2, 2) >> 4) & 0xf]).toEqual([0x10, 0, 4]);
  });
  it('the LPC bridge routes nothing after reset', () => {
    const lpc = new Lpc();
    expect([lpc.configRead(0x60, 4), lpc.configRead(0x68, 4)]).toEqual([0x80808080, 0x80808080]);
  });
});
