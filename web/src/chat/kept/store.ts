/** The browser's storage, which may be full or forbidden: then what it does not take is kept in memory. */

import type { Shelf } from "../environment";

export class Store {
  /** What the storage did not take; `undefined`: it would not give it up. */
  private readonly memory = new Map<string, string | undefined>();

  constructor(
    private readonly shelf: Shelf | undefined,
    /** Something was not taken, and will be gone when this page is. */
    private readonly onRefused: () => void = () => {},
  ) {}

  read(key: string): string | undefined {
    if (this.memory.has(key)) return this.memory.get(key);
    try {
      return this.shelf?.getItem(key) ?? undefined;
    } catch {
      return undefined;
    }
  }

  write(key: string, value: string | undefined) {
    try {
      if (!this.shelf) throw new Error("There is no storage.");
      if (value === undefined) this.shelf.removeItem(key);
      else this.shelf.setItem(key, value);
      this.memory.delete(key);
    } catch {
      if (value === undefined) return void this.memory.delete(key);
      this.memory.set(key, value);
      this.onRefused();
    }
  }

  /** What JSON stands there; `undefined` where there is none, or something else. */
  readJson(key: string): unknown {
    try {
      return JSON.parse(this.read(key) ?? "null") ?? undefined;
    } catch {
      return undefined;
    }
  }

  writeJson(key: string, value: unknown) {
    this.write(key, value === undefined ? undefined : JSON.stringify(value));
  }

  /** All keys that begin like this, in order. */
  keys(prefix: string): string[] {
    const keys = new Set(this.memory.keys());
    try {
      for (let n = 0; n < (this.shelf?.length ?? 0); n++) keys.add(this.shelf?.key(n) ?? "");
    } catch {
      // What is in memory is all there is.
    }
    return [...keys].filter((key) => key.startsWith(prefix)).sort();
  }
}
