/**
 * Messages that are not on all replicas yet, kept over a reload: each an item of its own, so that two tabs of one
 * account don't overwrite each other. Its name gives the order: `lastword/out/<account>/<sequence>-<key>`.
 */

import { fields, list, number, string } from "../protocol";
import type { Store } from "./store";

/** How many may wait for each account. */
export const UNSENT_MOST = 1_000;

export interface Unsent {
  /** Under which it stands in the storage. */
  readonly item: string;
  /** The message's key, which is its id. */
  readonly key: string;
  readonly to: string;
  /** How the receiver was called then. */
  readonly name: string;
  readonly text: string;
  /** When it was written, by this browser. */
  readonly at: number;
  /** It was acknowledged: how many replicas have it, of how many. */
  readonly stored?: readonly [number, number];
  /** It was refused for good, for this reason. */
  readonly why?: string;
}

export class Outbox {
  private readonly prefix: string;
  private last = 0;
  private readonly unsent = new Map<string, Unsent>();

  constructor(
    private readonly store: Store,
    account: string,
  ) {
    this.prefix = `lastword/out/${account}/`;
    for (const item of store.keys(this.prefix)) {
      const unsent = this.read(item);
      if (!unsent) continue;
      this.last = Math.max(this.last, parseInt(item.slice(this.prefix.length), 10) || 0);
      this.unsent.set(unsent.key, unsent);
    }
  }

  private read(item: string): Unsent | undefined {
    const it = fields(this.store.readJson(item));
    const [key, to, name, text] = [string(it.key), string(it.to), string(it.name), string(it.text)];
    if (!key || !to || !text) return undefined;
    const stored = list(it.stored).length === 2 && { stored: list(it.stored).map((n) => number(n)) as [number, number] };
    return { item, key, to, name, text, at: number(it.at), ...stored, ...(it.why ? { why: string(it.why) } : {}) };
  }

  /** In the order to send. */
  all(): Unsent[] {
    return [...this.unsent.values()];
  }

  get(key: string): Unsent | undefined {
    return this.unsent.get(key);
  }

  get isFull(): boolean {
    return this.unsent.size >= UNSENT_MOST;
  }

  /** Puts it last; it is in the storage when this returns. */
  add(it: Omit<Unsent, "item">): Unsent {
    this.last += 1;
    const unsent = { ...it, item: `${this.prefix}${String(this.last).padStart(12, "0")}-${it.key}` };
    this.put(unsent);
    return unsent;
  }

  /** Replaces one that is there. */
  put(unsent: Unsent) {
    const { item, ...rest } = unsent;
    this.unsent.set(unsent.key, unsent);
    this.store.writeJson(item, rest);
  }

  remove(key: string) {
    const unsent = this.unsent.get(key);
    this.unsent.delete(key);
    if (unsent) this.store.write(unsent.item, undefined);
  }

  /** Forgets everything, also what other tabs of this browser have put there. */
  clear() {
    this.unsent.clear();
    for (const item of this.store.keys(this.prefix)) this.store.write(item, undefined);
  }
}
