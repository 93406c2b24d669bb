import { describe, expect, it } from 'vitest';
import { Access } from '../../../src/machine/devices/device.ts';
import { PM_TIMER_HZ, Vpmtmr } from '../../../src/machine/devices/vpmtmr.ts';
import { VirtualClock } from '../../../src/machine/time/clock.ts';

const make = (bits: 24 | 32, strict: boolean): { clock: VirtualClock; timer: Vpmtmr } => {
  const clock = new VirtualClock(1);
  return { clock, timer: new Vpmtmr({ bits, strict }, clock) };
};

describe('vpmtmr', () => {
  it('counts 3,579,545 ticks a second from 0', () => {
    const { clock, timer } = make(32, true);
    expect(timer.timer.read(0, 4)).toBe(0);
    clock.skipTo(1_000_000_000);
    expect(timer.timer.read(0, 4)).toBe(PM_TIMER_HZ);
    clock.skipTo(1_000_000_279);
    expect(timer.timer.read(0, 4)).toBe(PM_TIMER_HZ);
    clock.skipTo(1_000_000_280);
    expect(timer.timer.read(0, 4)).toBe(PM_TIMER_HZ + 1);
  });

  it('does not drift: a million seconds are a million times 3,579,545 ticks', () => {
    const { clock, timer } = make(32, true);
    clock.skipTo(1_000_000 * 1e9);
    expect(timer.timer.read(0, 4)).toBe((PM_TIMER_HZ * 1_000_000) % 2 ** 32);
  });

  it('wraps after 32 bits, and after 24 where it has only those', () => {
    const wide = make(32, false);
    const narrow = make(24, false);
    for (const { clock } of [wide, narrow]) clock.skipTo(5 * 1e9);
    expect(wide.timer.timer.read(0, 4)).toBe(5 * PM_TIMER_HZ);
    expect(narrow.timer.timer.read(0, 4)).toBe((5 * PM_TIMER_HZ) % 2 ** 24);
    wide.clock.skipTo(1200 * 1e9);
    expect(wide.timer.timer.read(0, 4)).toBe((1200 * PM_TIMER_HZ) % 2 ** 32);
  });

  it('goes to userspace in bhyve for anything but an IN of four bytes', () => {
    const { timer } = make(32, true);
    for (const size of [1, 2]) expect(timer.timer.read(0, size)).toBe(Access.toUserspace);
    for (const size of [1, 2, 4]) expect(timer.timer.write(0, size, 0)).toBe(Access.toUserspace);
    expect(timer.timer.peek?.(0, 2)).toBe(Access.toUserspace);
  });

  it('reads in parts, and ignores writes, as the register of a PC', () => {
    const { clock, timer } = make(32, false);
    clock.skipTo(3 * 1e9);
    const word = timer.timer.read(0, 4);
    expect(timer.timer.read(0, 2)).toBe(word & 0xffff);
    expect(timer.timer.read(2, 2)).toBe(word >>> 16);
    expect(timer.timer.read(1, 1)).toBe((word >>> 8) & 0xff);
    expect(timer.timer.write(0, 4, 0)).toBe(Access.ok);
    expect(timer.timer.read(0, 4)).toBe(word);
  });

  it('refuses the state of a timer of another width', () => {
    expect(() => make(32, true).timer.load(make(24, true).timer.save())).toThrow('vpmtmr.wide: found false, expected true');
  });
});
