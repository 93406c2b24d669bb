import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { Vatpic } from '../../../src/machine/devices/vatpic.ts';

interface Options {
  strict?: boolean;
  icw4?: number;
  slaveIcw4?: number;
}

/** A pair that is initialized as a PC's: vectors 08h and 70h, everything unmasked. */
function make({ strict = false, icw4 = 0x01, slaveIcw4 = 0x01 }: Options = {}) {
  const levels: boolean[] = [];
  const pic = new Vatpic({ strict }, { intr: (level) => void levels.push(level) });
  const init = (): void => {
    for (const [chip, base, cascade, last] of [
      [pic.master, 0x08, 0x04, icw4],
      [pic.slave, 0x70, 0x02, slaveIcw4],
    ] as const) {
      chip.write(0, 1, 0x11);
      chip.write(1, 1, base);
      chip.write(1, 1, cascade);
      chip.write(1, 1, last);
    }
  };
  init();
  const irr = (chip = pic.master): number => {
    chip.write(0, 1, 0x0a);
    return chip.read(0, 1);
  };
  const isr = (chip = pic.master): number => {
    chip.write(0, 1, 0x0b);
    return chip.read(0, 1);
  };
  const eoi = (chip = pic.master): number => chip.write(0, 1, 0x20);
  return { pic, levels, init, irr, isr, eoi };
}

describe.each([false, true])('8259A (bhyve: %s)', (strict) => {
  it('raises INTR for a request, and INTA takes it into service and gives its vector', () => {
    const { pic, levels, irr, isr } = make({ strict });
    pic.pulse(3);
    expect(pic.hasPending).toBe(true);
    expect(levels).toEqual([true]);
    expect([irr(), isr()]).toEqual([0x08, 0]);
    expect(pic.acknowledge()).toBe(0x0b);
    expect([irr(), isr()]).toEqual([0, 0x08]);
    expect(pic.hasPending).toBe(false);
    expect(levels).toEqual([true, false]);
  });

  it('ICW2 gives bits 7:3 of the vector', () => {
    const { pic } = make({ strict });
    pic.master.write(0, 1, 0x11);
    for (const word of [0x57, 0x04, 0x01]) pic.master.write(1, 1, word);
    pic.pulse(1);
    expect(pic.acknowledge()).toBe(0x51);
  });

  it('serves IR0 first and IR7 last', () => {
    const { pic, eoi } = make({ strict });
    for (const irq of [7, 5, 0, 3]) pic.pulse(irq);
    const order = [];
    while (pic.hasPending) {
      order.push(pic.acknowledge());
      eoi();
    }
    expect(order).toEqual([0x08, 0x0b, 0x0d, 0x0f]);
  });

  it('nests fully: while one is in service, only higher priorities interrupt', () => {
    const { pic, isr, eoi } = make({ strict });
    pic.pulse(4);
    pic.acknowledge();
    pic.pulse(6);
    pic.pulse(4);
    expect(pic.hasPending).toBe(false);
    pic.pulse(1);
    expect(pic.acknowledge()).toBe(0x09);
    expect(isr()).toBe(0x12);
    eoi();
    expect(isr()).toBe(0x10);
    expect(pic.hasPending).toBe(false);
    eoi();
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it('passes IRQ 8 to 15 on through IR2, and both chips need an EOI', () => {
    const { pic, irr, isr, eoi } = make({ strict });
    pic.pulse(12);
    expect(irr(pic.slave)).toBe(0x10);
    expect(irr()).toBe(0x04);
    expect(pic.acknowledge()).toBe(0x74);
    expect([isr(), isr(pic.slave)]).toEqual([0x04, 0x10]);
    pic.pulse(8);
    // the slave asks, but the master holds its level in service
    expect(pic.hasPending).toBe(false);
    eoi(pic.slave);
    eoi();
    expect(pic.acknowledge()).toBe(0x70);
  });

  it('IR2 lies between IRQ 1 and IRQ 3, and so do all of the slave', () => {
    const { pic, eoi } = make({ strict });
    for (const irq of [3, 15, 8, 1]) pic.pulse(irq);
    const order = [];
    while (pic.hasPending) {
      order.push(pic.acknowledge());
      eoi(pic.slave);
      eoi();
    }
    expect(order).toEqual([0x09, 0x70, 0x77, 0x0b]);
  });

  it('OCW1 masks inputs and reads back; a masked request is remembered', () => {
    const { pic, irr } = make({ strict });
    pic.master.write(1, 1, 0x08);
    expect(pic.master.read(1, 1)).toBe(0x08);
    pic.pulse(3);
    expect(pic.hasPending).toBe(false);
    expect(irr()).toBe(0x08);
    pic.master.write(1, 1, 0);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('ICW1 clears IMR and IRR, selects IRR and gives IR7 the lowest priority', () => {
    const { pic, init } = make({ strict });
    pic.master.write(1, 1, 0xff);
    pic.master.write(0, 1, 0x0b);
    pic.master.write(0, 1, 0xc3);
    pic.pulse(5);
    init();
    expect(pic.master.read(1, 1)).toBe(0);
    expect(pic.master.read(0, 1)).toBe(0);
    pic.pulse(0);
    pic.pulse(7);
    expect(pic.acknowledge()).toBe(0x08);
  });

  it('asks for nothing before it is initialized', () => {
    const levels: boolean[] = [];
    const pic = new Vatpic({ strict }, { intr: (level) => void levels.push(level) });
    pic.pulse(1);
    pic.master.write(0, 1, 0x20);
    expect(pic.hasPending).toBe(false);
    expect(levels).toEqual([]);
  });

  it('a specific EOI ends the level it names', () => {
    const { pic, isr } = make({ strict });
    pic.pulse(4);
    pic.acknowledge();
    pic.pulse(1);
    pic.acknowledge();
    pic.master.write(0, 1, 0x64);
    expect(isr()).toBe(0x02);
  });

  it('a non-specific EOI with nothing in service changes nothing', () => {
    const { isr, eoi } = make({ strict });
    eoi();
    expect(isr()).toBe(0);
  });

  it('a rotating non-specific EOI gives the level that it ends the lowest priority', () => {
    const { pic } = make({ strict });
    pic.pulse(4);
    pic.acknowledge();
    pic.master.write(0, 1, 0xa0);
    pic.pulse(4);
    pic.pulse(5);
    expect(pic.acknowledge()).toBe(0x0d);
  });

  it('a rotating specific EOI does so with the level it names', () => {
    const { pic, isr } = make({ strict });
    pic.pulse(6);
    pic.acknowledge();
    pic.master.write(0, 1, 0xe6);
    expect(isr()).toBe(0);
    pic.pulse(0);
    pic.pulse(7);
    expect(pic.acknowledge()).toBe(0x0f);
  });

  it('set priority names the lowest level without an EOI', () => {
    const { pic } = make({ strict });
    pic.master.write(0, 1, 0xc2);
    pic.pulse(0);
    pic.pulse(3);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('in automatic EOI mode nothing stays in service', () => {
    const { pic, isr } = make({ strict, icw4: 0x03 });
    pic.pulse(4);
    expect(pic.acknowledge()).toBe(0x0c);
    expect(isr()).toBe(0);
    pic.pulse(4);
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it('rotates in automatic EOI mode between OCW2 80h and 00h', () => {
    const { pic } = make({ strict, icw4: 0x03 });
    pic.master.write(0, 1, 0x80);
    pic.pulse(3);
    pic.acknowledge();
    pic.pulse(3);
    pic.pulse(4);
    expect(pic.acknowledge()).toBe(0x0c);
    pic.acknowledge();
    pic.master.write(0, 1, 0x00);
    pic.pulse(5);
    pic.acknowledge();
    pic.pulse(5);
    pic.pulse(6);
    // the last rotation left IR3 lowest: IR5 still comes before IR6
    expect(pic.acknowledge()).toBe(0x0d);
  });

  it('in special mask mode lower levels interrupt a masked one in service, and its EOI must be specific', () => {
    const { pic, isr, eoi } = make({ strict });
    pic.pulse(2 + 1);
    pic.acknowledge();
    pic.pulse(6);
    expect(pic.hasPending).toBe(false);
    pic.master.write(1, 1, 0x08);
    pic.master.write(0, 1, 0x68);
    expect(pic.acknowledge()).toBe(0x0e);
    eoi();
    expect(isr()).toBe(0x08);
    eoi();
    expect(isr()).toBe(0x08);
    pic.master.write(0, 1, 0x48);
    eoi();
    expect(isr()).toBe(0);
  });

  it('in special fully nested mode a slave in service does not lock out its own higher levels', () => {
    const { pic } = make({ strict, icw4: 0x11 });
    pic.pulse(12);
    expect(pic.acknowledge()).toBe(0x74);
    pic.pulse(9);
    expect(pic.acknowledge()).toBe(0x71);
  });

  it('polled, the next read gives 80h and the level, and is its acknowledge', () => {
    const { pic, isr, irr } = make({ strict });
    pic.pulse(5);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.peek?.(0, 1)).toBe(0x85);
    expect(pic.master.read(0, 1)).toBe(0x85);
    expect([irr(), isr()]).toEqual([0, 0x20]);
    pic.master.write(0, 1, 0x0c);
    expect(pic.master.read(1, 1)).toBe(0);
    expect(pic.master.read(1, 1)).toBe(0);
  });

  it('OCW3 selects ISR or IRR for all reads to come', () => {
    const { pic } = make({ strict });
    pic.pulse(5);
    pic.acknowledge();
    pic.master.write(0, 1, 0x0b);
    expect([pic.master.read(0, 1), pic.master.read(0, 1)]).toEqual([0x20, 0x20]);
    pic.master.write(0, 1, 0x08);
    expect(pic.master.read(0, 1)).toBe(0x20);
    pic.master.write(0, 1, 0x0a);
    expect(pic.master.read(0, 1)).toBe(0);
  });

  it('ELCR reads back, but not for IRQ 0, 1, 2, 8 and 13', () => {
    const { pic } = make({ strict });
    pic.elcr.write(0, 1, 0xff);
    pic.elcr.write(1, 1, 0xff);
    expect([pic.elcr.read(0, 1), pic.elcr.read(1, 1)]).toEqual([0xf8, 0xde]);
  });

  it('a level-triggered input asks again after its EOI while it is high, and stops when it falls', () => {
    const { pic, irr, eoi } = make({ strict });
    pic.elcr.write(0, 1, 0x20);
    pic.assert(5);
    expect(pic.acknowledge()).toBe(0x0d);
    eoi();
    expect(pic.hasPending).toBe(true);
    expect(pic.acknowledge()).toBe(0x0d);
    pic.deassert(5);
    eoi();
    expect(irr()).toBe(0);
    expect(pic.hasPending).toBe(false);
  });

  it('a line that two devices share stays high until both let go', () => {
    const { pic, irr, eoi } = make({ strict });
    pic.elcr.write(0, 1, 0x20);
    pic.assert(5);
    pic.assert(5);
    pic.deassert(5);
    pic.acknowledge();
    eoi();
    expect(irr()).toBe(0x20);
    pic.deassert(5);
    expect(irr()).toBe(0);
  });

  it('an edge that is gone before the acknowledge still counts', () => {
    const { pic } = make({ strict });
    pic.assert(3);
    pic.deassert(3);
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('gives the vector of IR7 when nothing is there to acknowledge', () => {
    const { pic } = make({ strict });
    expect(pic.acknowledge()).toBe(0x0f);
  });

  it('a reset forgets everything and lets INTR fall', () => {
    const { pic, levels } = make({ strict });
    pic.pulse(1);
    pic.reset();
    expect(levels).toEqual([true, false]);
    expect(pic.hasPending).toBe(false);
    expect(pic.master.read(0, 1)).toBe(0);
  });

  it('ignores inputs that do not exist', () => {
    const { pic } = make({ strict });
    pic.assert(16);
    pic.deassert(-1);
    expect(pic.hasPending).toBe(false);
  });
});

describe('a PC 8259A', () => {
  it('lets INTR fall when the request is masked', () => {
    const { pic, levels } = make();
    pic.pulse(3);
    pic.master.write(1, 1, 0xff);
    expect(levels).toEqual([true, false]);
  });

  it('a spurious interrupt sets no in-service bit', () => {
    const { pic, isr } = make();
    pic.elcr.write(0, 1, 0x20);
    pic.assert(5);
    pic.deassert(5);
    expect(pic.acknowledge()).toBe(0x0f);
    expect(isr()).toBe(0);
  });

  it("a spurious interrupt of the slave sets the master's bit for it only", () => {
    const { pic, isr } = make();
    pic.elcr.write(1, 1, 0x04);
    pic.assert(10);
    expect(pic.hasPending).toBe(true);
    // the line falls between the two INTA cycles' decisions: the master has latched the slave's edge
    pic.slave.write(1, 1, 0xff);
    expect(pic.acknowledge()).toBe(0x77);
    expect([isr(), isr(pic.slave)]).toEqual([0x04, 0]);
  });

  it('takes an edge-triggered input that stays high only once', () => {
    const { pic, eoi } = make();
    pic.assert(3);
    pic.acknowledge();
    eoi();
    expect(pic.hasPending).toBe(false);
  });

  it('goes without ICW4 when IC4 is 0, and without ICW3 when it is single', () => {
    const { pic } = make();
    pic.master.write(0, 1, 0x12);
    pic.master.write(1, 1, 0x20);
    pic.master.write(1, 1, 0xfb);
    expect(pic.master.read(1, 1)).toBe(0xfb);
    pic.assert(2);
    expect(pic.acknowledge()).toBe(0x22);
  });

  it('needs ICW3 but no ICW4 for ICW1 10h', () => {
    const { pic } = make();
    pic.master.write(0, 1, 0x10);
    for (const word of [0x20, 0x04, 0x5a]) pic.master.write(1, 1, word);
    expect(pic.master.read(1, 1)).toBe(0x5a);
  });

  it('ICW1 ends what is in service, and automatic EOI', () => {
    const { pic, init, isr } = make({ icw4: 0x01 });
    pic.pulse(3);
    pic.acknowledge();
    init();
    expect(isr()).toBe(0);
  });

  it('keeps a level-triggered request through ICW1 while the line is high', () => {
    const { pic, init } = make();
    pic.elcr.write(0, 1, 0x20);
    pic.assert(5);
    init();
    expect(pic.acknowledge()).toBe(0x0d);
  });

  it('notices in ELCR writes that a line is high', () => {
    const { pic, eoi } = make();
    pic.assert(5);
    pic.acknowledge();
    eoi();
    pic.elcr.write(0, 1, 0x20);
    expect(pic.hasPending).toBe(true);
  });

  it('in special mask mode the level in service does not interrupt itself', () => {
    const { pic } = make();
    pic.pulse(4);
    pic.acknowledge();
    pic.master.write(0, 1, 0x68);
    pic.pulse(4);
    expect(pic.hasPending).toBe(false);
  });

  it('an EOI does not switch rotation in automatic EOI mode', () => {
    const { pic } = make({ icw4: 0x03 });
    pic.master.write(0, 1, 0x80);
    pic.master.write(0, 1, 0x20);
    pic.pulse(3);
    pic.acknowledge();
    pic.pulse(3);
    pic.pulse(4);
    expect(pic.acknowledge()).toBe(0x0c);
  });

  it('answers a wide access byte by byte', () => {
    const { pic } = make();
    pic.pulse(3);
    pic.master.write(0, 2, 0x550a);
    expect(pic.master.read(0, 2)).toBe(0x5508);
    expect(pic.master.read(0, 4)).toBe(0xffff5508);
  });
});

describe("bhyve's vatpic", () => {
  it('sends every access that is not one byte to userspace', () => {
    const { pic } = make({ strict: true });
    for (const facet of [pic.master, pic.slave, pic.elcr]) {
      for (const size of [2, 4]) {
        expect(facet.read(0, size)).toBe(Access.toUserspace);
        expect(facet.peek?.(0, size)).toBe(Access.toUserspace);
        expect(facet.write(0, size, 0x11)).toBe(Access.toUserspace);
      }
    }
  });

  it('sends ICW1 without slave or without ICW4 to userspace, and is uninitialized then', () => {
    for (const icw1 of [0x10, 0x12, 0x13]) {
      const { pic } = make({ strict: true });
      expect(pic.master.write(0, 1, icw1)).toBe(Access.toUserspace);
      pic.pulse(1);
      expect(pic.hasPending).toBe(false);
    }
  });

  it('sends ICW4 without 8086 mode to userspace', () => {
    const { pic } = make({ strict: true });
    pic.master.write(0, 1, 0x11);
    pic.master.write(1, 1, 0x08);
    pic.master.write(1, 1, 0x04);
    expect(pic.master.write(1, 1, 0x00)).toBe(Access.toUserspace);
    expect(pic.master.write(1, 1, 0x01)).toBe(Access.ok);
    pic.pulse(1);
    expect(pic.hasPending).toBe(true);
  });

  it('keeps INTR up for a request that went away, and takes the spurious interrupt into service', () => {
    const { pic, levels, isr } = make({ strict: true });
    pic.pulse(3);
    pic.master.write(1, 1, 0xff);
    expect(levels).toEqual([true]);
    expect(pic.acknowledge()).toBe(0x0f);
    expect(isr()).toBe(0x80);
  });

  it('takes an edge-triggered input that stays high again after every EOI', () => {
    const { pic, eoi } = make({ strict: true });
    pic.assert(3);
    pic.acknowledge();
    eoi();
    expect(pic.acknowledge()).toBe(0x0b);
  });

  it('keeps ISR through an initialization', () => {
    const { pic, init, isr } = make({ strict: true });
    pic.pulse(3);
    pic.acknowledge();
    init();
    expect(isr()).toBe(0x08);
  });

  it('counts no line before it is initialized', () => {
    const pic = new Vatpic({ strict: true }, { intr: () => {} });
    pic.assert(3);
    expect(pic.save().master.counts[3]).toBe(0);
  });
});

it('inspection speaks in the words of the data sheet', () => {
  const { pic } = make();
  pic.assert(4);
  const master = pic.inspect().children?.[0];
  expect(master?.value).toBe('vectors 08h to 0Fh');
  expect(master?.children?.find((row) => row.name === 'IRR')?.value).toBe('10h (4)');
  expect(master?.children?.find((row) => row.name === 'inputs')?.value).toBe('IR4');
});
