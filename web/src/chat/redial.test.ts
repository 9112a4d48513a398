import { expect, it } from "vitest";
import { redialWait } from "./machine/link";

it("who dials again waits longer each time, and nobody as long as the others", () => {
  expect([1, 2, 3, 6, 60].map((failures) => redialWait(failures, undefined))).toEqual([100, 200, 400, 2_000, 2_000]);
  const waits = Array.from({ length: 1_000 }, (_, page) => redialWait(9, page * 7_919)).sort((a, b) => a - b);
  expect(Math.min(...waits)).toBeGreaterThan(1_000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(2_000);
  // As evenly as can be: in each twentieth of that second about as many.
  for (let from = 1_000; from < 2_000; from += 50) {
    const here = waits.filter((wait) => wait > from && wait <= from + 50).length;
    expect(here).toBeGreaterThan(30);
    expect(here).toBeLessThan(70);
  }
  expect(redialWait(1, 5)).not.toBe(redialWait(1, 6));
});
