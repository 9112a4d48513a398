/** The group's addresses, learned from `hello`, for the next load. */

import { list, string } from "../protocol";
import type { Store } from "./store";

const KEY = "lastword/addresses";
const MOST = 16;

/** This page's own first. */
export function readAddresses(store: Store, host: string): string[] {
  return [...new Set([host, ...list(store.readJson(KEY)).map(string).filter(Boolean)])].slice(0, MOST);
}

export function keepAddresses(store: Store, addresses: readonly string[]) {
  store.writeJson(KEY, addresses.slice(0, MOST));
}
