/** Times in words, in the reader's language and time zone. All times are milliseconds since 1970. */

const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const shortDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const shortDateWithYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const longDateWithYear = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** "14:03" */
export function clockTime(at: number): string {
  return clock.format(at);
}

/** The whole date and time, for who wants to know exactly. */
export function exactTime(at: number): string {
  return exact.format(at);
}

/** For a list: a time today, then "Yesterday", a weekday, a date. */
export function shortTime(at: number, now: number): string {
  const days = daysBetween(at, now);
  if (days <= 0) return clockTime(at);
  if (days === 1) return dayWord(-1);
  if (days < 7) return weekday.format(at);
  return sameYear(at, now) ? shortDate.format(at) : shortDateWithYear.format(at);
}

/** What stands between the messages of two days. */
export function dayName(at: number, now: number): string {
  const days = daysBetween(at, now);
  if (days === 0 || days === 1) return dayWord(-days);
  return sameYear(at, now) ? longDate.format(at) : longDateWithYear.format(at);
}

/** The day that was last asked for: a calendar is slow, and the messages of a day stand together. */
let day = { from: 0, to: 0 };

export function sameDay(one: number, other: number): boolean {
  if (one < day.from || one >= day.to) day = { from: startOfDay(one), to: new Date(one).setHours(24, 0, 0, 0) };
  return other >= day.from && other < day.to;
}

/** When this day began, here. */
export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** How many midnights ago: rounded, for some days have 23 or 25 hours. */
function daysBetween(at: number, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
}

function sameYear(one: number, other: number): boolean {
  return new Date(one).getFullYear() === new Date(other).getFullYear();
}

function dayWord(days: number): string {
  const word = relative.format(days, "day");
  return word.charAt(0).toLocaleUpperCase() + word.slice(1);
}
