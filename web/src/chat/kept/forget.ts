/** What this browser keeps of an account, all of it taken away: drafts, unread counts, `seen`, unsent messages. */

import { Notes } from "./notes";
import { Outbox } from "./outbox";
import type { Store } from "./store";

export function forgetAccount(store: Store, account: string) {
  new Notes(store, account).clear();
  new Outbox(store, account).clear();
}
