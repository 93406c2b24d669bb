import { expect, it } from 'vitest';
import { dateTimeOf, daysInMonth, secondsOf } from '../../../src/machine/devices/calendar.ts';

it("agrees with the host's calendar over eight thousand years", () => {
  for (let seconds = 0; seconds < 253_402_300_800; seconds += 86_400 * 97 + 12_345) {
    const host = new Date(seconds * 1000);
    const time = dateTimeOf(seconds);
    expect(time).toEqual({
      year: host.getUTCFullYear(),
      month: host.getUTCMonth() + 1,
      day: host.getUTCDate(),
      weekday: host.getUTCDay() + 1,
      hour: host.getUTCHours(),
      minute: host.getUTCMinutes(),
      second: host.getUTCSeconds(),
    });
    expect(secondsOf(time)).toBe(seconds);
  }
});

it('years divisible by 4 are leap years, but not 2100, though 2000 was', () => {
  expect([1999, 2000, 2024, 2100].map((year) => daysInMonth(year, 2))).toEqual([28, 29, 29, 28]);
});
