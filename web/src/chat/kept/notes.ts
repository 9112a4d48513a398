/**
 * Small things of an account that are kept over a reload: what is typed and not sent, what is not read, and the latest
 * `seen`. One item for each conversation; there are no more of them than conversations, and none for an empty one.
 */

import { list, string } from "../protocol";
import type { Store } from "./store";

/** How many unread messages are told apart in a conversation: they may come again after a reload. */
export const UNREAD_MOST = 999;

export class Notes {
  constructor(
    private readonly store: Store,
    private readonly account: string,
  ) {}

  private key(kind: "draft" | "unread", other: string): string {
    return `lastword/${kind}/${this.account}/${other}`;
  }

  draft(other: string): string {
    return this.store.read(this.key("draft", other)) ?? "";
  }

  keepDraft(other: string, text: string) {
    this.store.write(this.key("draft", other), text || undefined);
  }

  unread(other: string): string[] {
    return list(this.store.readJson(this.key("unread", other))).map(string).slice(0, UNREAD_MOST);
  }

  keepUnread(other: string, ids: readonly string[]) {
    this.store.writeJson(this.key("unread", other), ids.length > 0 ? ids : undefined);
  }

  /** Whose unread messages another tab has changed, if this is about them. */
  unreadKeyOf(key: string): string | undefined {
    const prefix = this.key("unread", "");
    return key.startsWith(prefix) ? key.slice(prefix.length) : undefined;
  }

  get seen(): string | undefined {
    return this.store.read(`lastword/seen/${this.account}`);
  }

  keepSeen(seen: string) {
    this.store.write(`lastword/seen/${this.account}`, seen);
  }

  /** Forgets everything. */
  clear() {
    for (const kind of ["draft", "unread"] as const) {
      for (const key of this.store.keys(this.key(kind, ""))) this.store.write(key, undefined);
    }
    this.store.write(`lastword/seen/${this.account}`, undefined);
  }
}
