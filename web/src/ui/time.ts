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

/** The farthest that calendars reach. A clock that is off by more, or an answer that is none, must not break the page. */
const FARTHEST_MS = 8.64e15;

function within(at: number): number {
  return Math.abs(at) < FARTHEST_MS ? at : 0;
}

/** "14:03" */
export function clockTime(at: number): string {
  return clock.format(within(at));
}

/** For machines. */
export function isoTime(at: number): string {
  return new Date(within(at)).toISOString();
}

/** The whole date and time, for who wants to know exactly. */
export function exactTime(at: number): string {
  return exact.format(within(at));
}

/** For a list: a time today, then "Yesterday", a weekday, a date. */
export function shortTime(at: number, now: number): string {
  const days = daysBetween(at, now);
  if (days <= 0) return clockTime(at);
  if (days === 1) return dayWord(-1);
  if (days < 7) return weekday.format(within(at));
  return (sameYear(at, now) ? shortDate : shortDateWithYear).format(within(at));
}

/** What stands between the messages of two days. */
export function dayName(at: number, now: number): string {
  const days = daysBetween(at, now);
  if (days === 0 || days === 1) return dayWord(-days);
  return (sameYear(at, now) ? longDate : longDateWithYear).format(within(at));
}

/** The day that was last asked for: a calendar is slow, and the messages of a day stand together. */
let day = { from: 0, to: 0 };

export function sameDay(one: number, other: number): boolean {
  if (one < day.from || one >= day.to) {
    const from = startOfDay(one);
    // A day has 23 to 25 hours.
    day = { from, to: startOfDay(from + 36 * 3_600_000) };
  }
  return other >= day.from && other < day.to;
}

/** When this day began, here. */
export function startOfDay(at: number): number {
  return new Date(within(at)).setHours(0, 0, 0, 0);
}

/** How many midnights ago: rounded, for some days have 23 or 25 hours. */
function daysBetween(at: number, now: number): number {
  return Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
}

function sameYear(one: number, other: number): boolean {
  return new Date(within(one)).getFullYear() === new Date(within(other)).getFullYear();
}

function dayWord(days: number): string {
  const word = relative.format(days, "day");
  return word.charAt(0).toLocaleUpperCase() + word.slice(1);
}
