import { describe, expect, it } from 'vitest';
import { nsOfTick, PIT_HZ } from '../../../src/machine/devices/oscillator.ts';
import { elapseTo } from './elapse.ts';
import { make, risingTicks } from './vatpit-rig.ts';

describe('8254 counts', () => {
  it('are loaded on the clock after they were written, and count down from there', () => {
    const { at, control, load, count } = make();
    at(100);
    control(0x34);
    load(0, 1000);
    at(101);
    expect(count(0)).toBe(1000);
    at(102);
    expect(count(0)).toBe(999);
    at(601);
    expect(count(0)).toBe(500);
  });

  it('a count of 0 counts 65536 in binary and 10000 in BCD', () => {
    const { at, control, load, count, edges } = make();
    control(0x34);
    load(0, 0);
    at(1);
    expect(count(0)).toBe(0);
    at(2);
    expect(count(0)).toBe(0xffff);
    at(65537);
    expect(risingTicks(edges)).toEqual([65537]);
    control(0x35);
    load(0, 0);
    at(65538);
    expect(count(0)).toBe(0);
    at(65539);
    expect(count(0)).toBe(0x9999);
  });

  it('read in BCD where the control word says so', () => {
    const { at, control, load, count } = make();
    control(0x31);
    load(0, 0x1234);
    at(1);
    expect(count(0)).toBe(0x1234);
    at(1 + 35);
    expect(count(0)).toBe(0x1199);
    at(1 + 1234 + 1);
    expect(count(0)).toBe(0x9999);
  });

  it('written as LSB only have an MSB of 0, and read as their LSB', () => {
    const { at, control, write, read } = make();
    control(0x14);
    write(0, 0x80);
    at(1);
    expect([read(0), read(0)]).toEqual([0x80, 0x80]);
    at(3);
    expect(read(0)).toBe(0x7e);
  });

  it('written as MSB only have an LSB of 0, and read as their MSB', () => {
    const { at, control, write, read } = make();
    control(0x24);
    write(0, 0x80);
    at(1);
    expect(read(0)).toBe(0x80);
    at(2);
    expect([read(0), read(0)]).toEqual([0x7f, 0x7f]);
  });

  it('are latched by a counter latch command until both bytes are read', () => {
    const { at, control, load, read, count } = make();
    control(0x34);
    load(0, 1000);
    at(1);
    control(0x00);
    at(301);
    control(0x00); // ignored: the first has not been read
    expect(read(0) | (read(0) << 8)).toBe(1000);
    expect(count(0)).toBe(700);
  });

  it('a new control word throws away what is latched', () => {
    const { at, control, load, read } = make();
    control(0x34);
    load(0, 1000);
    at(1);
    control(0x00);
    control(0x34);
    load(0, 0x2345);
    at(2);
    expect(read(0) | (read(0) << 8)).toBe(0x2345);
  });
});

describe('8254 read-back command', () => {
  it('latches the counts of several counters at once', () => {
    const { at, control, load, read } = make();
    for (const counter of [0, 1]) {
      control(0x34 | (counter << 6));
      load(counter, 1000 * (counter + 1));
    }
    at(101);
    control(0xd6);
    at(500);
    expect(read(0) | (read(0) << 8)).toBe(900);
    expect(read(1) | (read(1) << 8)).toBe(1900);
  });

  it('latches the status: OUT, null count and the control word as written', () => {
    const { at, control, load, status } = make();
    control(0x3e); // mode 3 with its don't-care bit
    expect(status(0)).toBe(0x80 | 0x40 | 0x3e);
    load(0, 10);
    expect(status(0)).toBe(0x80 | 0x40 | 0x3e);
    at(1);
    expect(status(0)).toBe(0x80 | 0x3e);
    at(6);
    expect(status(0)).toBe(0x3e);
  });

  it('of status and count gives the status first', () => {
    const { at, control, load, read } = make();
    control(0x30);
    load(0, 0x1234);
    at(1);
    control(0xc2);
    expect([read(0), read(0), read(0)]).toEqual([0x30, 0x34, 0x12]);
  });

  it('does not latch a status again before it was read', () => {
    const { at, control, load, read } = make();
    control(0x30);
    load(0, 10);
    at(1);
    control(0xe2);
    at(20);
    control(0xe2);
    expect(read(0)).toBe(0x30);
    control(0xe2);
    expect(read(0)).toBe(0xb0);
  });
});

describe('8254 mode 0, interrupt on terminal count', () => {
  it('OUT is low from the control word until N + 1 clocks after the count was written', () => {
    const { at, control, load, edges, status } = make();
    at(50);
    control(0x30);
    load(0, 100);
    expect(status(0) & 0x80).toBe(0);
    at(150);
    expect(status(0) & 0x80).toBe(0);
    at(151);
    expect(status(0) & 0x80).toBe(0x80);
    expect(edges).toEqual([
      [50, false],
      [151, true],
    ]);
  });

  it('goes on counting from FFFFh and interrupts once', () => {
    const { at, control, load, count, edges } = make();
    control(0x30);
    load(0, 10);
    at(12);
    expect(count(0)).toBe(0xffff);
    at(200_000);
    expect(risingTicks(edges)).toEqual([11]);
  });

  it('a new count starts it anew, and its first byte stops the old one', () => {
    const { at, control, load, write, edges } = make();
    control(0x30);
    load(0, 10);
    at(5);
    write(0, 20);
    at(40);
    expect(risingTicks(edges)).toEqual([]);
    write(0, 0);
    at(100);
    expect(risingTicks(edges)).toEqual([61]);
  });

  it('GATE low stops counting and does not touch OUT', () => {
    const { at, control, load, gate2, count, out2 } = make();
    gate2(true);
    control(0xb0);
    load(2, 100);
    at(51);
    gate2(false);
    at(1000);
    expect(count(2)).toBe(50);
    expect(out2()).toBe(false);
    gate2(true);
    at(1049);
    expect(out2()).toBe(false);
    at(1050);
    expect(out2()).toBe(true);
    gate2(false);
    expect(out2()).toBe(true);
  });

  it('a count written while GATE is low is loaded, and counted when GATE rises', () => {
    const { at, control, load, gate2, count } = make();
    control(0xb0);
    load(2, 100);
    at(20);
    expect(count(2)).toBe(100);
    gate2(true);
    at(30);
    expect(count(2)).toBe(90);
  });
});

describe('8254 mode 1, hardware retriggerable one-shot', () => {
  it('OUT falls on the clock after the trigger, for N clocks', () => {
    const { at, control, load, gate2, out2 } = make();
    control(0xb2);
    load(2, 10);
    at(20);
    expect(out2()).toBe(true);
    gate2(true);
    expect(out2()).toBe(true);
    at(21);
    expect(out2()).toBe(false);
    at(30);
    expect(out2()).toBe(false);
    at(31);
    expect(out2()).toBe(true);
  });

  it('a further trigger starts the pulse anew; GATE low does not end it', () => {
    const { at, control, load, gate2, out2 } = make();
    control(0xb2);
    load(2, 10);
    gate2(true);
    at(5);
    gate2(false);
    at(8);
    gate2(true);
    at(18);
    expect(out2()).toBe(false);
    at(19);
    expect(out2()).toBe(true);
  });

  it('a new count waits for the next trigger', () => {
    const { at, control, load, gate2, out2, status } = make();
    control(0xb2);
    load(2, 10);
    gate2(true);
    at(5);
    load(2, 100);
    expect(status(2) & 0x40).toBe(0x40);
    at(11);
    expect(out2()).toBe(true);
    gate2(false);
    gate2(true);
    at(12);
    expect(status(2) & 0x40).toBe(0);
    at(111);
    expect(out2()).toBe(false);
    at(112);
    expect(out2()).toBe(true);
  });
});

describe('8254 mode 2, rate generator', () => {
  it('OUT is low for the one clock in which the count is 1, every N clocks', () => {
    const { at, control, load, gate2, out2 } = make();
    gate2(true);
    control(0xb4);
    load(2, 5);
    const levels = [];
    for (let tick = 1; tick <= 12; tick++) {
      at(tick);
      levels.push(out2() ? 1 : 0);
    }
    expect(levels).toEqual([1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1]);
  });

  it('interrupts every N clocks, without drift', () => {
    const { at, control, load, edges } = make();
    control(0x34);
    load(0, 1193);
    at(1193 * 1000 + 1);
    expect(risingTicks(edges)).toEqual(Array.from({ length: 1000 }, (_, i) => 1193 * (i + 1) + 1));
  });

  it('interrupts 18 times in the first second with a count of 0', () => {
    const { clock, control, load, edges } = make();
    control(0x34);
    load(0, 0);
    elapseTo(clock, 1e9);
    expect(risingTicks(edges)).toHaveLength(18);
  });

  it('a new count takes effect at the end of the cycle', () => {
    const { at, control, load, count, edges, status } = make();
    control(0x34);
    load(0, 100);
    at(51);
    load(0, 30);
    expect(status(0) & 0x40).toBe(0x40);
    expect(count(0)).toBe(50);
    at(101);
    expect(status(0) & 0x40).toBe(0);
    expect(count(0)).toBe(30);
    at(162);
    expect(risingTicks(edges)).toEqual([101, 131, 161]);
  });

  it('GATE low sets OUT high and stops counting; its rise reloads the count', () => {
    const { at, control, load, gate2, out2, count } = make();
    gate2(true);
    control(0xb4);
    load(2, 10);
    at(10); // the count is 1
    expect(out2()).toBe(false);
    gate2(false);
    expect(out2()).toBe(true);
    at(100);
    expect(count(2)).toBe(1);
    gate2(true);
    at(101);
    expect(count(2)).toBe(10);
    at(110);
    expect(out2()).toBe(false);
  });

  it('mode 6 is mode 2, and a count of 1 counts as 2', () => {
    const { at, control, load, edges } = make();
    control(0x3c);
    load(0, 1);
    at(7);
    expect(risingTicks(edges)).toEqual([3, 5, 7]);
  });
});

describe('8254 mode 3, square wave', () => {
  it('OUT is high for half of an even count, and the count goes by two', () => {
    const { at, control, load, gate2, out2, count } = make();
    gate2(true);
    control(0xb6);
    load(2, 6);
    const seen = [];
    for (let tick = 1; tick <= 8; tick++) {
      at(tick);
      seen.push([count(2), out2() ? 1 : 0]);
    }
    expect(seen).toEqual([
      [6, 1],
      [4, 1],
      [2, 1],
      [6, 0],
      [4, 0],
      [2, 0],
      [6, 1],
      [4, 1],
    ]);
  });

  it('OUT is high for (N + 1) / 2 clocks of an odd count, and low for (N - 1) / 2', () => {
    const { at, control, load, gate2, out2, count } = make();
    gate2(true);
    control(0xb6);
    load(2, 5);
    const seen = [];
    for (let tick = 1; tick <= 7; tick++) {
      at(tick);
      seen.push([count(2), out2() ? 1 : 0]);
    }
    expect(seen).toEqual([
      [4, 1],
      [2, 1],
      [0, 1],
      [4, 0],
      [2, 0],
      [4, 1],
      [2, 1],
    ]);
  });

  it('drives the pin in a square wave', () => {
    const { at, control, load, edges } = make();
    control(0x36);
    load(0, 1000);
    at(2501);
    expect(edges).toEqual([
      [501, false],
      [1001, true],
      [1501, false],
      [2001, true],
      [2501, false],
    ]);
  });

  it('a new count takes effect at the end of the half cycle', () => {
    const { at, control, load, edges } = make();
    control(0x36);
    load(0, 1000);
    at(100);
    load(0, 10);
    at(520);
    expect(edges).toEqual([
      [501, false],
      [506, true],
      [511, false],
      [516, true],
    ]);
  });

  it('mode 7 is mode 3', () => {
    const { at, control, load, edges } = make();
    control(0x3e);
    load(0, 100);
    at(101);
    expect(edges).toEqual([
      [51, false],
      [101, true],
    ]);
  });
});

describe('8254 mode 4, software triggered strobe', () => {
  it('OUT strobes low for one clock, N + 1 clocks after the count was written, once', () => {
    const { at, control, load, gate2, out2 } = make();
    gate2(true);
    control(0xb8);
    load(2, 5);
    const levels = [];
    for (let tick = 1; tick <= 9; tick++) {
      at(tick);
      levels.push(out2() ? 1 : 0);
    }
    expect(levels).toEqual([1, 1, 1, 1, 1, 0, 1, 1, 1]);
    at(200_000);
    expect(out2()).toBe(true);
  });

  it('interrupts at the end of the strobe', () => {
    const { at, control, load, edges } = make();
    control(0x38);
    load(0, 5);
    at(100_000);
    expect(risingTicks(edges)).toEqual([7]);
  });

  it('a new count retriggers it, and GATE low holds it', () => {
    const { at, control, load, gate2, count } = make();
    gate2(true);
    control(0xb8);
    load(2, 100);
    at(50);
    load(2, 30);
    at(61);
    expect(count(2)).toBe(20);
    gate2(false);
    at(500);
    expect(count(2)).toBe(20);
  });
});

describe('8254 mode 5, hardware triggered strobe', () => {
  it('strobes N clocks after the load that a trigger brings', () => {
    const { at, control, load, gate2, out2 } = make();
    control(0xba);
    load(2, 5);
    at(20);
    gate2(true);
    const low = [];
    for (let tick = 21; tick <= 40; tick++) {
      at(tick);
      if (!out2()) low.push(tick);
    }
    expect(low).toEqual([26]);
  });
});

describe('8254 pin and alarms', () => {
  it('sets no alarm for counters 1 and 2, nor for counter 0 before it has a count', () => {
    const { clock, control, load } = make();
    for (const counter of [1, 2]) {
      control(0x34 | (counter << 6));
      load(counter, 2);
    }
    control(0x34);
    expect(clock.pending()).toEqual([]);
    load(0, 1000);
    expect(clock.pending()).toHaveLength(1);
  });

  it('is done with its alarms once a one-shot count has ended', () => {
    const { clock, at, control, load } = make();
    control(0x30);
    load(0, 1000);
    at(1001);
    expect(clock.pending()).toEqual([]);
  });

  it('makes one edge of those that it missed, and stays in phase', () => {
    const { clock, control, load, edges, at } = make();
    control(0x34);
    load(0, 100);
    clock.skipTo(nsOfTick(1050, PIT_HZ));
    clock.ring();
    expect(risingTicks(edges)).toEqual([1050]);
    at(1150);
    expect(risingTicks(edges)).toEqual([1050, 1101]);
  });

  it('a reset stops it and lets the pin fall', () => {
    const { pit, clock, control, load, edges, at } = make();
    control(0x34);
    load(0, 100);
    at(50);
    pit.reset();
    expect(edges).toEqual([[50, false]]);
    expect(clock.pending()).toEqual([]);
  });
});
