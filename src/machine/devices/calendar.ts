/** The proleptic Gregorian calendar, without the host's: seconds since 1970-01-01 00:00:00 UTC and their fields. */

export const SECONDS_PER_DAY = 86_400;

/** Broken-down time. `month` 1..12, `day` 1..31, `weekday` 1 (Sunday) to 7, as the MC146818 counts them. */
export interface DateTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

/** Days in a month (1..12) of a year. */
export const daysInMonth = (year: number, month: number): number => (month === 2 && isLeap(year) ? 29 : (MONTH_DAYS[month - 1] ?? 0));

/** Days from year 0 to the first of January of `year`. */
const daysBeforeYear = (year: number): number => {
  const past = year - 1;
  return past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400) + 366;
};
const EPOCH_DAYS = daysBeforeYear(1970);

/** Seconds since 1970 of a date and time that is valid; years from 1970. */
export function secondsOf(time: Omit<DateTime, 'weekday'>): number {
  let days = daysBeforeYear(time.year) - EPOCH_DAYS + time.day - 1;
  for (let month = 1; month < time.month; month++) days += daysInMonth(time.year, month);
  return days * SECONDS_PER_DAY + time.hour * 3600 + time.minute * 60 + time.second;
}

/** The date and time of `seconds` (0..2^40) since 1970. */
export function dateTimeOf(seconds: number): DateTime {
  let days = Math.floor(seconds / SECONDS_PER_DAY);
  const rest = seconds % SECONDS_PER_DAY;
  const weekday = ((days + 4) % 7) + 1;
  let year = 1970 + Math.floor(days / 366);
  while (daysBeforeYear(year + 1) - EPOCH_DAYS <= days) year++;
  days -= daysBeforeYear(year) - EPOCH_DAYS;
  let month = 1;
  for (; days >= daysInMonth(year, month); month++) days -= daysInMonth(year, month);
  return { year, month, day: days + 1, weekday, hour: Math.floor(rest / 3600), minute: Math.floor(rest / 60) % 60, second: rest % 60 };
}
