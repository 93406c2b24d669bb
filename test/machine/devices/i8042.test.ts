import { describe, expect, it } from 'vitest';
import { I8042 } from '../../../src/machine/devices/i8042.ts';

function setUp() {
  const log = { irq: [] as boolean[], a20: [] as boolean[], resets: 0 };
  const kbc = new I8042({ interrupt: (level) => log.irq.push(level), a20: (level) => log.a20.push(level), reset: () => log.resets++ });
  const status = (): number => kbc.command.read(0, 1);
  const read = (): number => kbc.data.read(0, 1);
  const all = (): number[] => {
    const bytes: number[] = [];
    while (status() & 1 && bytes.length < 100) bytes.push(read());
    return bytes;
  };
  return {
    kbc,
    log,
    status,
    read,
    all,
    command: (value: number) => kbc.command.write(0, 1, value),
    data: (value: number) => kbc.data.write(0, 1, value),
  };
}

describe('8042 keyboard controller', () => {
  it('the self test AA answers 55 and sets the system flag', () => {
    const { status, command, all } = setUp();
    expect(status() & 0x04).toBe(0);
    command(0xaa);
    expect(all()).toEqual([0x55]);
    expect(status()).toBe(0x1c);
  });
  it('the interface tests AB and A9 answer 00', () => {
    const { command, all } = setUp();
    command(0xab);
    expect(all()).toEqual([0x00]);
    command(0xa9);
    expect(all()).toEqual([0x00]);
  });
  it('the status tells whether the last byte was a command', () => {
    const { status, command, data } = setUp();
    command(0xae);
    expect(status() & 0x08).toBe(0x08);
    data(0xf4);
    expect(status() & 0x08).toBe(0);
  });
  it('20 reads the command byte that 60 wrote; A7, A8, AD and AE change its disable bits', () => {
    const { command, data, read } = setUp();
    const commandByte = (): number => {
      command(0x20);
      return read();
    };
    command(0x60);
    data(0x45);
    expect(commandByte()).toBe(0x45);
    for (const [code, expected] of [
      [0xa7, 0x65],
      [0xad, 0x75],
      [0xa8, 0x55],
      [0xae, 0x45],
    ] as const) {
      command(code);
      expect(commandByte()).toBe(expected);
    }
  });
  it('A20 follows output port bit 1, written with D1 and read with D0, and is on after reset', () => {
    const { kbc, log, command, data, read } = setUp();
    kbc.reset();
    expect(log.a20).toEqual([true]);
    command(0xd1);
    data(0xcd);
    command(0xd0);
    expect(read()).toBe(0xcd);
    command(0xdf);
    command(0xdd);
    expect(log.a20).toEqual([true, false, true, false]);
    expect(log.resets).toBe(0);
  });
  it('FE pulses the reset line, and so does an output port without bit 0; FF does not', () => {
    const { log, command, data } = setUp();
    command(0xff);
    expect(log.resets).toBe(0);
    command(0xfe);
    expect(log.resets).toBe(1);
    command(0xd1);
    data(0x02);
    expect(log.resets).toBe(2);
  });
  it('what is sent to the auxiliary device that is not there times out', () => {
    const { command, data, status, read, log } = setUp();
    command(0x60);
    data(0x03);
    command(0xd4);
    data(0xff);
    expect(status() & 0x61).toBe(0x61);
    expect(read()).toBe(0xfe);
    expect(status() & 0x61).toBe(0);
    expect(log.irq).toEqual([]);
  });
  it('a keyboard held back by the command byte keeps its bytes until it is let on', () => {
    const { kbc, command, all } = setUp();
    command(0xad);
    kbc.receive(0x1e);
    expect(all()).toEqual([]);
    command(0xae);
    expect(all()).toEqual([0x1e]);
  });
  it('IRQ 1 makes an edge for every byte, and only when the command byte allows it', () => {
    const { kbc, log, command, data, read } = setUp();
    kbc.receive(0x1e);
    read();
    expect(log.irq).toEqual([]);
    command(0x60);
    data(0x01);
    kbc.receive(0x1e);
    kbc.receive(0x9e);
    expect(log.irq).toEqual([true]);
    read();
    expect(log.irq).toEqual([true, false, true]);
    read();
    expect(log.irq).toEqual([true, false, true, false]);
  });
});

describe('keyboard', () => {
  it.each([
    ['reset FF answers FA AA', [0xff], [0xfa, 0xaa]],
    ['disable F5 answers FA', [0xf5], [0xfa]],
    ['enable F4 answers FA', [0xf4], [0xfa]],
    ['echo EE answers EE', [0xee], [0xee]],
    ['LEDs ED answers FA, and its data FA', [0xed, 0x07], [0xfa, 0xfa]],
    ['rate F3 answers FA, and its data FA', [0xf3, 0x20], [0xfa, 0xfa]],
    ['scan code set F0 02 answers FA FA', [0xf0, 0x02], [0xfa, 0xfa]],
    ['an unknown command answers FE', [0x01], [0xfe]],
    ['a command instead of data is a command', [0xed, 0xf4], [0xfa, 0xfa]],
  ] as const)('%s', (_title, sent, answer) => {
    const { command, data, all } = setUp();
    command(0x60);
    data(0x00);
    for (const byte of sent) data(byte);
    expect(all()).toEqual([...answer]);
  });
  it('identify F2 answers FA AB 83, translated FA AB 41', () => {
    for (const [commandByte, last] of [
      [0x00, 0x83],
      [0x40, 0x41],
    ] as const) {
      const { command, data, all } = setUp();
      command(0x60);
      data(commandByte);
      data(0xf2);
      expect(all()).toEqual([0xfa, 0xab, last]);
    }
  });
  it('does not scan after F5, and does after F4', () => {
    const { kbc, data, all } = setUp();
    data(0xf5);
    kbc.receive(0x1e);
    expect(all()).toEqual([0xfa]);
    data(0xf4);
    kbc.receive(0x1e);
    expect(all()).toEqual([0xfa, 0x1e]);
  });
  it('holds 16 bytes at most', () => {
    const { kbc, command, all } = setUp();
    command(0xad);
    for (let i = 0; i < 1000; i++) kbc.receive(0x20);
    command(0xae);
    expect(all()).toHaveLength(16);
  });
  it('looking changes nothing', () => {
    const { kbc, data } = setUp();
    data(0xff);
    const before = kbc.save();
    expect(kbc.data.peek?.(0, 1)).toBe(0xfa);
    kbc.command.peek?.(0, 1);
    kbc.inspect();
    expect(kbc.save()).toEqual(before);
  });
});
