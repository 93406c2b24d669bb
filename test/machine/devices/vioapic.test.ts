import { describe, expect, it } from 'vitest';
import { RULES_82093AA, Vioapic, type VioapicRules } from '../../../src/machine/devices/vioapic.ts';

/** As illumos's bhyve has it today. */
const ILLUMOS: VioapicRules = {
  ...RULES_82093AA,
  pins: 32,
  version: 0x001f0011,
  selectMask: 0xffffffff,
  idMask: 0xff000000,
  rteResetHigh: 0x00010000,
};
const QEMU: VioapicRules = { ...RULES_82093AA, version: 0x00170020, eoiRegister: true, access: 'anySelect' };
const KVM: VioapicRules = { ...RULES_82093AA, version: 0x00170011, access: 'any' };

const MASKED = 0x10000;
const LEVEL = 0x8000;
const RIRR = 0x4000;

describe('looked at from outside', () => {
  it('every register is there, whatever the index register names, and that stays as it is', () => {
    const { ioapic, write, entry } = make(ILLUMOS);
    entry(2, 0x31, 3);
    write(0, 0x05000000);
    expect([0x00, 0x01, 0x02, 0x14, 0x15, 0x16].map((index) => ioapic.peekRegister(index))).toEqual([
      0x05000000, 0x001f0011, 0x05000000, 0x31, 0x03000000, 0x10000,
    ]);
    expect([0x03, 0x0f, 0x50, 0xff].map((index) => ioapic.peekRegister(index))).toEqual([0, 0, 0, 0]);
    expect(ioapic.selected).toBe(0);
  });
});

type Sent = [dest: number, destMode: number, deliveryMode: number, vector: number, level: boolean];

function make(rules: VioapicRules = RULES_82093AA) {
  const sent: Sent[] = [];
  const ioapic = new Vioapic({ rules }, (...message) => void sent.push(message));
  const write = (register: number, value: number): void => {
    ioapic.mmio.write(0, 4, register);
    ioapic.mmio.write(0x10, 4, value);
  };
  const read = (register: number): number => {
    ioapic.mmio.write(0, 4, register);
    return ioapic.mmio.read(0x10, 4);
  };
  /** Writes both halves of an entry, the high one first. */
  const entry = (pin: number, low: number, dest = 0): void => {
    write(0x11 + 2 * pin, dest * 2 ** 24);
    write(0x10 + 2 * pin, low);
  };
  return { ioapic, sent, write, read, entry, rte: (pin: number) => read(0x10 + 2 * pin) };
}

describe('registers', () => {
  it('are reached by writing their number to IOREGSEL and accessing IOWIN', () => {
    const { ioapic, read, write } = make();
    ioapic.mmio.write(0, 4, 0x12);
    expect(ioapic.mmio.read(0, 4)).toBe(0x12);
    write(0x12, MASKED | 0x55);
    expect(read(0x12)).toBe(MASKED | 0x55);
    expect(read(0x10)).toBe(MASKED);
  });

  it('ID keeps bits 27:24, and is 0 after reset', () => {
    const { read, write } = make();
    expect(read(0)).toBe(0);
    write(0, 0xffffffff);
    expect(read(0)).toBe(0x0f000000);
  });

  it('ID keeps its whole top byte in bhyve', () => {
    const { read, write } = make(ILLUMOS);
    write(0, 0xabcdef01);
    expect(read(0)).toBe(0xab000000);
  });

  it('ARB reads as the ID and cannot be written', () => {
    const { read, write } = make();
    write(0, 0x05000000);
    write(2, 0x0a000000);
    expect(read(2)).toBe(0x05000000);
  });

  it('VER tells the number of the last entry and the version, and cannot be written', () => {
    for (const [rules, version] of [
      [RULES_82093AA, 0x00170011],
      [ILLUMOS, 0x001f0011],
      [QEMU, 0x00170020],
    ] as const) {
      const { read, write } = make(rules);
      write(1, 0);
      expect(read(1)).toBe(version);
    }
  });

  it('every entry is masked after reset, with its stray bit 48 in bhyve', () => {
    const real = make();
    const bhyve = make(ILLUMOS);
    for (let pin = 0; pin < 24; pin++) expect([real.read(0x10 + 2 * pin), real.read(0x11 + 2 * pin)]).toEqual([0x10000, 0]);
    for (let pin = 0; pin < 32; pin++) expect([bhyve.read(0x10 + 2 * pin), bhyve.read(0x11 + 2 * pin)]).toEqual([0x10000, 0x10000]);
  });

  it('beyond the last entry read 0 and take nothing', () => {
    const { read, write } = make();
    write(0x10 + 2 * 24, 0x31);
    expect(read(0x10 + 2 * 24)).toBe(0);
    expect(read(0xff)).toBe(0);
    expect(read(3)).toBe(0);
  });

  it('delivery status and remote IRR of an entry are read-only', () => {
    const { rte, entry } = make();
    entry(4, MASKED | LEVEL | RIRR | 0x1000 | 0x44);
    expect(rte(4)).toBe(MASKED | LEVEL | 0x44);
  });

  it('take accesses of 32 bits at 00h and 10h; others read 0 and are dropped', () => {
    const { ioapic, read, write } = make(ILLUMOS);
    write(0x10, MASKED | 0x31);
    ioapic.mmio.write(0, 4, 0x10);
    for (const [offset, size] of [
      [0, 1],
      [0, 2],
      [0x10, 1],
      [0x10, 2],
      [4, 4],
      [0x20, 4],
      [0x40, 4],
    ] as const) {
      expect(ioapic.mmio.read(offset, size)).toBe(0);
      expect(ioapic.mmio.write(offset, size, 0x77)).toBe(0);
    }
    expect(ioapic.mmio.read(0, 4)).toBe(0x10);
    expect(read(0x10)).toBe(MASKED | 0x31);
  });

  it('IOREGSEL takes a byte where its rule says so, IOWIN where that one says any', () => {
    const qemu = make(QEMU);
    qemu.write(0, 0x03000000);
    qemu.ioapic.mmio.write(0, 1, 1);
    expect(qemu.ioapic.mmio.read(0x10, 4)).toBe(0x00170020);
    expect(qemu.ioapic.mmio.read(0x10, 1)).toBe(0);
    const kvm = make(KVM);
    kvm.ioapic.mmio.write(0, 1, 1);
    expect(kvm.ioapic.mmio.read(0x10, 1)).toBe(0x11);
    expect(kvm.ioapic.mmio.read(0x10, 2)).toBe(0x0011);
  });

  it('IOREGSEL reads back whole in bhyve, but only its low byte selects', () => {
    const { ioapic } = make(ILLUMOS);
    ioapic.mmio.write(0, 4, 0x12345601);
    expect(ioapic.mmio.read(0, 4)).toBe(0x12345601);
    expect(ioapic.mmio.read(0x10, 4)).toBe(0x001f0011);
  });
});

describe('an edge-triggered entry', () => {
  it('delivers its fields when the pin becomes asserted', () => {
    const { ioapic, sent, entry } = make();
    entry(4, 0x0934, 0xc3);
    ioapic.assert(4);
    expect(sent).toEqual([[0xc3, 1, 1, 0x34, false]]);
    entry(5, 0x0450, 2);
    ioapic.pulse(5);
    expect(sent[1]).toEqual([2, 0, 4, 0x50, false]);
  });

  it('delivers again only after the pin was deasserted', () => {
    const { ioapic, sent, entry } = make();
    entry(4, 0x34);
    ioapic.assert(4);
    ioapic.assert(4);
    ioapic.deassert(4);
    expect(sent).toHaveLength(1);
    ioapic.deassert(4);
    ioapic.assert(4);
    expect(sent).toHaveLength(2);
  });

  it('loses an edge that comes while it is masked', () => {
    const { ioapic, sent, entry } = make();
    entry(4, MASKED | 0x34);
    ioapic.pulse(4);
    entry(4, 0x34);
    expect(sent).toEqual([]);
  });

  it('sends the interrupt of a pin still asserted when it is unmasked, where the rule is rirrClear (FreeBSD)', () => {
    for (const [rule, count] of [
      ['rirrClear', 1],
      ['level', 0],
      ['levelRirrClear', 0],
    ] as const) {
      const { ioapic, sent, write } = make({ ...ILLUMOS, rteWriteAssertedPin: rule });
      ioapic.assert(4);
      write(0x18, 0x34);
      expect(sent).toHaveLength(count);
    }
  });

  it('has no remote IRR', () => {
    const { ioapic, rte, entry } = make();
    entry(4, 0x34);
    ioapic.assert(4);
    expect(rte(4) & RIRR).toBe(0);
  });
});

describe('a level-triggered entry', () => {
  it('sets remote IRR when it delivers, and EOI of its vector clears it', () => {
    const { ioapic, sent, rte, entry } = make();
    entry(9, LEVEL | 0x39, 1);
    ioapic.assert(9);
    expect(sent).toEqual([[1, 0, 0, 0x39, true]]);
    expect(rte(9) & RIRR).toBe(RIRR);
    ioapic.deassert(9);
    ioapic.eoi(0x38);
    expect(rte(9) & RIRR).toBe(RIRR);
    ioapic.eoi(0x39);
    expect(rte(9) & RIRR).toBe(0);
    expect(sent).toHaveLength(1);
  });

  it('delivers again at EOI while the pin is still asserted', () => {
    const { ioapic, sent, rte, entry } = make();
    entry(9, LEVEL | 0x39);
    ioapic.assert(9);
    ioapic.eoi(0x39);
    expect(sent).toHaveLength(2);
    expect(rte(9) & RIRR).toBe(RIRR);
  });

  it('is held back by remote IRR until EOI, except in bhyve of 2020', () => {
    for (const [levelResendBlocked, count] of [
      [true, 1],
      [false, 2],
    ] as const) {
      const { ioapic, sent, entry } = make({ ...ILLUMOS, levelResendBlocked });
      entry(9, LEVEL | 0x39);
      ioapic.pulse(9);
      ioapic.pulse(9);
      expect(sent).toHaveLength(count);
    }
  });

  it('sends the interrupt of an asserted pin when it is unmasked', () => {
    for (const rteWriteAssertedPin of ['level', 'levelRirrClear', 'rirrClear'] as const) {
      const { ioapic, sent, write } = make({ ...ILLUMOS, rteWriteAssertedPin });
      write(0x10 + 18, MASKED | LEVEL | 0x39);
      ioapic.assert(9);
      expect(sent).toEqual([]);
      write(0x10 + 18, LEVEL | 0x39);
      expect(sent).toHaveLength(1);
    }
  });

  it('is not sent again by a write while remote IRR is set', () => {
    for (const rteWriteAssertedPin of ['level', 'levelRirrClear', 'rirrClear'] as const) {
      const { ioapic, sent, entry } = make({ ...ILLUMOS, rteWriteAssertedPin });
      entry(9, LEVEL | 0x39);
      ioapic.assert(9);
      entry(9, LEVEL | 0x39);
      expect(sent).toHaveLength(1);
    }
  });

  it('shared by two devices stays asserted until both let go', () => {
    const { ioapic, sent, entry } = make();
    entry(9, LEVEL | 0x39);
    ioapic.assert(9);
    ioapic.assert(9);
    ioapic.deassert(9);
    ioapic.eoi(0x39);
    expect(sent).toHaveLength(2);
    ioapic.deassert(9);
    ioapic.eoi(0x39);
    expect(sent).toHaveLength(2);
  });

  it('loses remote IRR when it is made edge-triggered, where the rule says so', () => {
    for (const edgeSwitchClearsRirr of [true, false]) {
      const { ioapic, entry, rte } = make({ ...ILLUMOS, edgeSwitchClearsRirr });
      entry(9, LEVEL | 0x39);
      ioapic.pulse(9);
      entry(9, 0x39);
      expect(rte(9) & RIRR).toBe(edgeSwitchClearsRirr ? 0 : RIRR);
    }
  });

  it('an EOI reaches every entry with that vector', () => {
    const { ioapic, rte, entry } = make();
    for (const pin of [3, 9]) {
      entry(pin, LEVEL | 0x41);
      ioapic.pulse(pin);
    }
    ioapic.eoi(0x41);
    expect([rte(3) & RIRR, rte(9) & RIRR]).toEqual([0, 0]);
  });

  it('is ended by a write of its vector to the EOI register at 40h of version 20h', () => {
    const { ioapic, rte, entry } = make(QEMU);
    entry(9, LEVEL | 0x39);
    ioapic.pulse(9);
    ioapic.mmio.write(0x40, 4, 0x39);
    expect(rte(9) & RIRR).toBe(0);
    const old = make(ILLUMOS);
    old.entry(9, LEVEL | 0x39);
    old.ioapic.pulse(9);
    old.ioapic.mmio.write(0x40, 4, 0x39);
    expect(old.rte(9) & RIRR).toBe(RIRR);
  });
});

describe('pins', () => {
  it('that do not exist are ignored, and a count never falls below 0', () => {
    const { ioapic, sent, entry } = make();
    entry(4, 0x34);
    ioapic.assert(24);
    ioapic.assert(-1);
    ioapic.deassert(4);
    ioapic.deassert(4);
    ioapic.assert(4);
    expect(sent).toHaveLength(1);
  });

  it('are let go by a reset, which masks every entry', () => {
    const { ioapic, sent, entry, rte } = make();
    entry(9, LEVEL | 0x39);
    ioapic.assert(9);
    ioapic.reset();
    expect(rte(9)).toBe(MASKED);
    entry(9, LEVEL | 0x39);
    expect(sent).toHaveLength(1);
  });
});

it('inspection speaks in the words of the data sheet', () => {
  const { ioapic, entry } = make();
  entry(9, LEVEL | 0x2000 | 0x0939, 3);
  ioapic.assert(9);
  expect(ioapic.inspect().children?.find((row) => row.name === 'IOREDTBL9')?.value).toBe(
    'vector 39h, lowest priority, logical 03h, level, active low, remote IRR, asserted',
  );
});
