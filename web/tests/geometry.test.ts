import { describe, expect, it } from "vitest";
import { Geometry } from "../src/ui/geometry";

function uniform(count: number, height: number): Geometry {
  const geometry = new Geometry();
  geometry.set(Array.from({ length: count }, (_, index) => `k${index}`), () => height);
  return geometry;
}

describe("geometry", () => {
  it("stands on estimates until something is measured", () => {
    const geometry = uniform(10, 20);
    expect(geometry.total).toBe(200);
    expect(geometry.measure("k3", 50)).toBe(true);
    expect(geometry.measure("k3", 50)).toBe(false);
    expect(geometry.measure("unknown", 50)).toBe(false);
    expect([geometry.top(3), geometry.top(4), geometry.total]).toEqual([60, 110, 230]);
  });

  it("sums up again from the lowest change on", () => {
    const geometry = uniform(10, 20);
    expect(geometry.total).toBe(200);
    geometry.measure("k8", 30);
    geometry.measure("k2", 10);
    expect([geometry.top(2), geometry.top(3), geometry.top(9), geometry.total]).toEqual([40, 50, 180, 200]);
  });

  it("finds the message at a height", () => {
    const geometry = uniform(1_000, 20);
    geometry.measure("k0", 100);
    expect(geometry.at(-5)).toBe(0);
    expect(geometry.at(99.9)).toBe(0);
    expect(geometry.at(100)).toBe(1);
    expect(geometry.at(100 + 20 * 500 - 1)).toBe(500);
    expect(geometry.at(1e9)).toBe(999);
    expect(new Geometry().at(10)).toBe(0);
  });

  it("keeps what was measured when older ones come in front", () => {
    const geometry = uniform(3, 20);
    geometry.measure("k1", 70);
    geometry.set(["older", "k0", "k1", "k2"], () => 20);
    expect(geometry.indexOf("k1")).toBe(2);
    expect([geometry.top(2), geometry.top(3), geometry.total]).toEqual([40, 110, 130]);
  });

  it("keeps what was measured when others come at the end, or go", () => {
    const geometry = uniform(3, 20);
    geometry.measure("k1", 70);
    expect(geometry.total).toBe(110);
    geometry.set(["k0", "k1", "k2", "k3"], () => 20);
    expect([geometry.indexOf("k3"), geometry.total]).toEqual([3, 130]);
    geometry.set(["k0", "k2", "k3"], () => 20);
    expect([geometry.indexOf("k1"), geometry.indexOf("k3"), geometry.total]).toEqual([undefined, 2, 60]);
  });

  it("takes what is seen and a margin, never more than the limit", () => {
    const geometry = uniform(10_000, 20);
    expect(geometry.range(1_000, 100, 0, 100)).toEqual({ from: 50, to: 56 });
    expect(geometry.range(1_000, 100, 60, 100)).toEqual({ from: 47, to: 59 });
    expect(geometry.range(0, 100, 60, 100)).toEqual({ from: 0, to: 9 });
    expect(geometry.range(geometry.total - 100, 100, 60, 100)).toEqual({ from: 9_992, to: 10_000 });
    const limited = geometry.range(100_000, 800, 5_000, 50);
    expect(limited.to - limited.from).toBeLessThanOrEqual(50);
    expect(limited.from).toBeLessThanOrEqual(5_000);
    expect(limited.to).toBeGreaterThan(5_040);
    expect(new Geometry().range(0, 100, 60, 100)).toEqual({ from: 0, to: 0 });
  });
});
