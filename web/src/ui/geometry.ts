/** A run of messages: from the first to before the last, by index. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Where each message of a conversation stands, in CSS pixels from the top: measured heights of those that were seen,
 * estimates of the others. Pure arithmetic, so that 10,000 messages cost what is seen of them: a position is found by
 * halving, and a change sums up again only what comes after it, when that is next asked for.
 */
export class Geometry {
  #keys: readonly string[] = [];
  #heights = new Float64Array(0);
  /** `#tops[i]` is the top of message `i`; the last one is where all ends. */
  #tops = new Float64Array(1);
  /** The tops up to and with this one are right. */
  #summed = 0;
  #index = new Map<string, number>();
  /** Also of messages that are not seen now. As many as the conversation has messages loaded. */
  readonly #measured = new Map<string, number>();

  /** Other messages: those that were measured keep their heights, for the others `estimate` is asked. */
  set(keys: readonly string[], estimate: (index: number) => number): void {
    // Mostly some have come at the end: what stands before them stays as it is.
    const before = this.#keys;
    let same = 0;
    while (same < before.length && same < keys.length && before[same] === keys[same]) same++;
    if (same < before.length) this.#index = new Map(keys.slice(0, same).map((key, index) => [key, index]));
    this.#keys = keys;
    this.#heights = resized(this.#heights, same, keys.length);
    this.#tops = resized(this.#tops, same + 1, keys.length + 1);
    this.#summed = Math.min(this.#summed, same);
    for (let index = same; index < keys.length; index++) {
      const key = keys[index]!;
      this.#index.set(key, index);
      this.#heights[index] = this.#measured.get(key) ?? estimate(index);
    }
  }

  /** A message was measured. True if it had another height before. */
  measure(key: string, height: number): boolean {
    this.#measured.set(key, height);
    const index = this.#index.get(key);
    if (index === undefined || Math.abs(this.#heights[index]! - height) < 0.01) return false;
    this.#heights[index] = height;
    this.#summed = Math.min(this.#summed, index);
    return true;
  }

  get length(): number {
    return this.#keys.length;
  }

  /** The height of all. */
  get total(): number {
    return this.top(this.length);
  }

  /** Where a message begins; for `length`, where the last one ends. */
  top(index: number): number {
    for (; this.#summed < index; this.#summed++) {
      this.#tops[this.#summed + 1] = this.#tops[this.#summed]! + this.#heights[this.#summed]!;
    }
    return this.#tops[index]!;
  }

  keyAt(index: number): string | undefined {
    return this.#keys[index];
  }

  indexOf(key: string): number | undefined {
    return this.#index.get(key);
  }

  /** The message that covers this height; the nearest one where there is none. */
  at(y: number): number {
    let low = 0;
    let high = Math.max(0, this.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.top(middle) <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The messages that are seen in a window, and those within `margin` pixels of it; at most `limit`. */
  range(top: number, height: number, margin: number, limit: number): Range {
    if (this.length === 0) return { from: 0, to: 0 };
    const first = this.at(top);
    const last = this.at(top + height);
    const from = Math.max(this.at(top - margin), last + 1 - limit, 0);
    const to = Math.min(this.at(top + height + margin) + 1, Math.min(from, first) + limit);
    return { from, to };
  }
}

/** An array of another length that begins with this many of the old one's. */
function resized(old: Float64Array, kept: number, length: number): Float64Array<ArrayBuffer> {
  const fresh = new Float64Array(length);
  fresh.set(old.subarray(0, kept));
  return fresh;
}
