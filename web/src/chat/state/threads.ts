/** All conversations of an account, as far as they are known here. */

import type { Notes } from "../kept/notes";
import type { Conversation } from "../model";
import { Presence } from "./presence";
import { Thread } from "./thread";

/** How many are held. */
const MOST = 2_000;

export class Threads {
  readonly presence = new Presence();
  /** Counted up with each message that becomes known. */
  serial = 0;
  private readonly byAccount = new Map<string, Thread>();
  private nextRank = 1;
  private lastRank = 0;
  private shown: readonly Conversation[] = [];

  constructor(
    private readonly me: string,
    private readonly notes: Notes,
  ) {}

  get(account: string): Thread | undefined {
    return this.byAccount.get(account);
  }

  all(): Iterable<Thread> {
    return this.byAccount.values();
  }

  /** That with somebody; a new one stands first. */
  with(account: string, name: string): Thread {
    let thread = this.byAccount.get(account);
    if (!thread) {
      thread = new Thread(account, name, this.me, this.notes.draft(account));
      thread.unread = this.notes.unread(account);
      this.byAccount.set(account, thread);
      this.raise(thread);
      this.dropLast(thread);
    } else if (name && thread.name !== name) {
      thread.name = name;
      thread.changed = true;
    }
    return thread;
  }

  /** It stands first from now on. */
  raise(thread: Thread) {
    thread.rank = this.nextRank++;
  }

  /** It stands last from now on. */
  sink(thread: Thread) {
    thread.rank = this.lastRank--;
  }

  /** The conversations; the same array as long as nothing in it has changed. */
  snapshot(): readonly Conversation[] {
    const threads = [...this.byAccount.values()].sort((a, b) => b.rank - a.rank);
    const now = threads.map((thread) => thread.snapshot(this.presence.of(thread.account)));
    const same = now.length === this.shown.length && now.every((it, n) => it === this.shown[n]);
    if (!same) this.shown = now;
    return this.shown;
  }

  private dropLast(but: Thread) {
    if (this.byAccount.size <= MOST) return;
    const isDroppable = (thread: Thread) => thread !== but && !thread.hasUnsent && !thread.wasSeen;
    const droppable = [...this.byAccount.values()].filter(isDroppable);
    const last = droppable.reduce((a, b) => (a && a.rank <= b.rank ? a : b), droppable[0]);
    if (last) this.byAccount.delete(last.account);
  }
}
