import { describe, expect, it } from "vitest";
import { startsDay, startsGroup } from "../src/ui/arrangement";
import { progressWords } from "../src/ui/progress-mark";
import { nameIn, hashOf } from "../src/ui/route";
import { nameFault, passwordFault, textFault } from "../src/ui/rules";
import { clockTime, dayName, sameDay, shortTime } from "../src/ui/time";
import { pageTitle } from "../src/ui/title";

const noon = (day: number, month = 6, year = 2026) => new Date(year, month - 1, day, 12).getTime();
/** "Yesterday", in the language of the machine that tests. */
const dayWord = (days: number) => {
  const word = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(days, "day");
  return word.charAt(0).toLocaleUpperCase() + word.slice(1);
};
const HOUR_MS = 3_600_000;

describe("times", () => {
  it("are short in a list", () => {
    const now = noon(15);
    expect(shortTime(now - HOUR_MS, now)).toBe(clockTime(now - HOUR_MS));
    expect(shortTime(now + HOUR_MS, now)).toBe(clockTime(now + HOUR_MS));
    expect(shortTime(now - 24 * HOUR_MS, now)).toBe(dayWord(-1));
    expect(shortTime(noon(12), now)).toBe(new Intl.DateTimeFormat(undefined, { weekday: "short" }).format(noon(12)));
    expect(shortTime(noon(1), now)).not.toContain("2026");
    expect(shortTime(noon(1, 6, 2025), now)).toContain("2025");
  });

  it("name days", () => {
    const now = noon(15);
    expect(dayName(now, now)).toBe(dayWord(0));
    expect(dayName(new Date(2026, 5, 14, 0, 0, 1).getTime(), now)).toBe(dayWord(-1));
    expect(dayName(noon(13), now)).not.toBe(dayWord(-1));
    expect(dayName(noon(13, 6, 2024), now)).toContain("2024");
  });

  it("know one day from the next, whichever is asked for first", () => {
    const late = new Date(2026, 5, 15, 23, 59, 59, 999).getTime();
    expect(sameDay(late, late + 1)).toBe(false);
    expect(sameDay(late + 1, late)).toBe(false);
    expect(sameDay(late, noon(15))).toBe(true);
    expect(sameDay(noon(15), noon(15, 7))).toBe(false);
  });
});

describe("messages", () => {
  const message = (at: number, mine = false) => ({ id: "x", mine, text: "", at });
  it("of one author and time stand together", () => {
    const first = message(noon(15));
    expect(startsGroup(undefined, first)).toBe(true);
    expect(startsGroup(first, message(first.at + 60_000))).toBe(false);
    expect(startsGroup(first, message(first.at + 60_000, true))).toBe(true);
    expect(startsGroup(first, message(first.at + 6 * 60_000))).toBe(true);
    expect(startsDay(first, message(noon(16)))).toBe(true);
    expect(startsDay(first, message(first.at + 1))).toBe(false);
  });

  it("say how far they are, and never more", () => {
    expect(progressWords({ is: "sending" })).toBe("on its way");
    expect(progressWords({ is: "stored", on: 3, of: 3 })).toBe("stored on 3 of 3 replicas");
    expect(progressWords({ is: "stored" })).toBe("stored");
    expect(progressWords({ is: "refused", why: "" })).toBe("not sent");
  });
});

describe("rules", () => {
  it("of names", () => {
    for (const name of ["a", "A.b_c-9", "x".repeat(32)]) expect(nameFault(name), name).toBeUndefined();
    for (const name of ["", "a b", "x".repeat(33), "é", "a\n", "bob~1"]) expect(nameFault(name), name).toBeDefined();
  });

  it("of passwords", () => {
    for (const password of ["1234", "ÄÖ", "x".repeat(1_024)]) expect(passwordFault(password)).toBeUndefined();
    for (const password of ["", "123", "x".repeat(1_025)]) expect(passwordFault(password)).toBeDefined();
  });

  it("of texts, in bytes", () => {
    expect(textFault("x".repeat(16_384))).toBeUndefined();
    expect(textFault("x".repeat(16_385))).toContain("1 byte:");
    expect(textFault("€".repeat(5_461))).toBeUndefined();
    expect(textFault("€".repeat(5_462))).toContain("2 bytes");
  });
});

describe("title and address", () => {
  it("tell what is unread", () => {
    expect([0, 3, 100].map(pageTitle)).toEqual(["Lastword", "(3) Lastword", "(99+) Lastword"]);
  });

  it("hold any name", () => {
    for (const name of ["bob", "a/b?c#d%", "bob~1a2b", "é"]) expect(nameIn(hashOf(name))).toBe(name);
    for (const hash of ["", "#/", "#/with/", "#/with/%", "#/other/x"]) expect(nameIn(hash)).toBeUndefined();
  });
});
