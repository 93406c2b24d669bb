import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { nsOfTick, PIT_HZ } from '../../../src/machine/devices/oscillator.ts';
import { elapseTo } from './elapse.ts';
import { make, risingTicks } from './vatpit-rig.ts';

describe('port 61h', () => {
  it('keeps bits 3:0, of which bit 0 gates counter 2', () => {
    const { pit } = make();
    expect(pit.portB.read(0, 1) & 0x0f).toBe(0);
    pit.portB.write(0, 1, 0xff);
    expect(pit.portB.read(0, 1) & 0xcf).toBe(0x0f);
  });

  it('toggles bit 4 every 18 ticks', () => {
    const { pit, at } = make();
    const bits = [];
    for (const tick of [0, 17, 18, 35, 36, 54]) {
      at(tick);
      bits.push((pit.portB.read(0, 1) >> 4) & 1);
    }
    expect(bits).toEqual([0, 0, 1, 1, 0, 1]);
  });

  it('measures 50 ms as firmware does: counter 2 in mode 0, gate, then bit 5', () => {
    const { clock, pit, control, load } = make();
    pit.portB.write(0, 1, 0);
    control(0xb0);
    load(2, 59659);
    const started = clock.nowNs;
    pit.portB.write(0, 1, 1);
    while (!(pit.portB.read(0, 1) & 0x20)) clock.skipTo(clock.nowNs + 100);
    expect(clock.nowNs - started).toBeGreaterThan(49_990_000);
    expect(clock.nowNs - started).toBeLessThan(50_010_000);
  });
});

describe('8254 accesses', () => {
  it('the control word register cannot be read', () => {
    expect(make().pit.counters.read(3, 1)).toBe(Access.absent);
  });

  it('a wide access goes byte by byte', () => {
    const { pit, control, at } = make();
    control(0x34);
    pit.counters.write(0, 1, 0xe8);
    pit.counters.write(0, 1, 0x03);
    at(1);
    expect(pit.counters.read(3, 2)).toBe(0xffff);
    expect(pit.counters.read(0, 1)).toBe(0xe8);
  });
});

describe("bhyve's vatpit", () => {
  it('sends a read of port 43h and every access that is not one byte to userspace', () => {
    const { pit } = make(true);
    expect(pit.counters.read(3, 1)).toBe(Access.toUserspace);
    expect(pit.counters.peek?.(3, 1)).toBe(Access.toUserspace);
    for (const size of [2, 4]) {
      expect(pit.counters.read(0, size)).toBe(Access.toUserspace);
      expect(pit.counters.write(0, size, 0)).toBe(Access.toUserspace);
    }
  });

  it('sends control words for LSB only, MSB only, mode 1, mode 5 and BCD to userspace', () => {
    const { control } = make(true);
    for (const word of [0x14, 0x24, 0x32, 0x3a, 0x31, 0x35, 0x94]) expect(control(word)).toBe(Access.toUserspace);
    for (const word of [0x30, 0x34, 0x36, 0x38, 0x3c, 0x3e, 0x00, 0xc2]) expect(control(word)).toBe(Access.ok);
  });

  it('interrupts every N ticks in modes 2 and 3, with pulses', () => {
    for (const word of [0x34, 0x36]) {
      const { control, load, edges, at } = make(true);
      control(word);
      load(0, 1000);
      at(3500);
      expect(edges).toEqual([
        [1000, true],
        [1000, false],
        [2000, true],
        [2000, false],
        [3000, true],
        [3000, false],
      ]);
    }
  });

  it('interrupts once in modes 0 and 4', () => {
    for (const word of [0x30, 0x38]) {
      const { control, load, edges, at } = make(true);
      control(word);
      load(0, 1000);
      at(100_000);
      expect(risingTicks(edges)).toEqual([1000]);
    }
  });

  it('treats a count of 0 as FFFFh when it is read, but does not interrupt for it', () => {
    const { control, load, count, edges, clock } = make(true);
    control(0x34);
    load(0, 0);
    expect(count(0)).toBe(0xffff);
    elapseTo(clock, 1e9);
    expect(edges).toEqual([]);
  });

  it('goes on interrupting under a new control word until a new count', () => {
    const { control, load, edges, at } = make(true);
    control(0x34);
    load(0, 1000);
    control(0x34);
    at(2000);
    expect(risingTicks(edges)).toEqual([1000, 2000]);
  });

  it('skips the interrupts that were missed', () => {
    const { clock, control, load, edges } = make(true);
    control(0x34);
    load(0, 100);
    clock.skipTo(nsOfTick(1050, PIT_HZ));
    clock.ring();
    expect(risingTicks(edges)).toEqual([1050]);
    elapseTo(clock, nsOfTick(1110, PIT_HZ));
    expect(risingTicks(edges)).toEqual([1050, 1100]);
  });

  it('counts down whatever the mode, and unlatched reads alternate LSB and MSB', () => {
    const { control, load, at, read, count } = make(true);
    control(0x36);
    load(0, 1000);
    at(400);
    expect([read(0), read(0), read(0)]).toEqual([600 & 0xff, 600 >> 8, 600 & 0xff]);
    control(0x00);
    at(500);
    expect(count(0)).toBe(600);
  });

  it('gives a latched count LSB first, once', () => {
    const { control, load, at, count } = make(true);
    control(0x34);
    load(0, 1000);
    at(100);
    control(0x00);
    at(200);
    control(0x00);
    expect(count(0)).toBe(900);
    expect(count(0)).toBe(800);
  });

  it('starts a counter that was never loaded at 100 Hz when it is read, but not when the debugger looks', () => {
    const { pit, count, clock } = make(true);
    elapseTo(clock, 5_000_000);
    const before = pit.save();
    expect(pit.counters.peek?.(0, 1)).toBe(11932 & 0xff);
    expect(pit.save()).toEqual(before);
    expect(count(0)).toBe(11932);
    elapseTo(clock, 6_000_000);
    expect(count(0)).toBe(11932 - 1193);
  });

  it('has OUT and null count in its status, and nothing else', () => {
    const { control, load, at, status } = make(true);
    control(0x30);
    expect(status(0)).toBe(0xc0); // never loaded: bhyve takes the terminal count for reached
    load(0, 100);
    expect(status(0)).toBe(0);
    at(100);
    expect(status(0)).toBe(0x80);
  });

  it('shows OUT2 in bit 5 of port 61h in mode 0 only, ignores GATE and writes', () => {
    const { pit, control, load, at } = make(true);
    control(0xb0);
    load(2, 100);
    expect(pit.portB.write(0, 1, 0x0f)).toBe(Access.ok);
    expect(pit.portB.read(0, 1)).toBe(0);
    at(99);
    expect(pit.portB.read(0, 1)).toBe(0);
    at(100);
    expect(pit.portB.read(0, 1)).toBe(0x20);
    control(0xb6);
    load(2, 100);
    at(1000);
    expect(pit.portB.read(0, 1)).toBe(0);
  });
});

it('inspection speaks in the words of the data sheet', () => {
  const { pit, control, load, at } = make();
  control(0x36);
  load(0, 1000);
  at(1);
  const counter = pit.inspect().children?.[0];
  expect(counter?.value).toBe('mode 3, square wave');
  expect(counter?.children?.find((row) => row.name === 'count')?.value).toBe('03E8h');
});
