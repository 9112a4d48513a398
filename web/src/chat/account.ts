/** Everything of the account that is logged in: its conversations, and what is on its way. */

import { Blocked } from "./blocked";
import { Delivery } from "./delivery";
import type { Answer, Driver } from "./driver";
import type { Environment } from "./environment";
import { newKey } from "./keys";
import { Notes, UNREAD_MOST } from "./kept/notes";
import { Outbox, UNSENT_MOST, type Unsent } from "./kept/outbox";
import type { Store } from "./kept/store";
import { Listing } from "./listing";
import type { SessionSeed } from "./machine/io";
import { type Arrival, type Message, Refused } from "./model";
import { type Fields, number, readMessage, readMessages, type Refusal, string, type WireMessage } from "./protocol";
import type { Thread } from "./state/thread";
import { Threads } from "./state/threads";

/** In place of a term: no leader has told it to this page. */
const TOLD_BEFORE = -1;
/** Messages in a page of history. */
const PAGE = 50;

export class Account {
  readonly threads: Threads;
  readonly notes: Notes;
  readonly outbox: Outbox;
  readonly blocked: Blocked;
  /** The waiting conversations were told at least once. */
  loaded = false;
  name: string;
  private readonly account: string;
  private readonly delivery: Delivery;
  private readonly listing: Listing;
  /** By the number of the command. */
  private readonly sending = new Map<number, string>();
  private readonly unreadChanged = new Set<Thread>();
  /** Whom the leader has listed, or is asked about. */
  private readonly listed = new Set<string>();
  private looked: string | undefined;
  private isClosed = false;
  private keptSeen: string | undefined;

  constructor(
    private readonly environment: Environment,
    store: Store,
    private readonly driver: Driver,
    seed: SessionSeed,
    private readonly onArrival: (arrival: Arrival) => void,
    private readonly onNotice: (text: string) => void,
  ) {
    this.account = seed.account;
    this.name = seed.name;
    this.notes = new Notes(store, seed.account);
    this.outbox = new Outbox(store, seed.account);
    this.threads = new Threads(seed.account, this.notes);
    this.blocked = new Blocked(driver, () => newKey(environment.wallNow(), environment.random(16)));
    this.delivery = new Delivery(driver, this.threads);
    this.listing = new Listing(driver, (page, isFirst) => this.takeConversations(page, isFirst), () => this.onLoaded());
  }

  /** Sends again what an earlier life of this page did not get rid of. */
  begin() {
    for (const unsent of this.outbox.all()) {
      const thread = this.threads.with(unsent.to, unsent.name);
      const { key, text, at, stored, why } = unsent;
      if (stored) thread.acknowledge(key, text, at, stored[0], stored[1], ++this.threads.serial, TOLD_BEFORE);
      else thread.addUnsent(asMessage(unsent));
      if (why === undefined) this.transmit(unsent);
    }
  }

  /** Nothing that still comes is for anybody. */
  close() {
    this.isClosed = true;
    this.listing.close();
    this.blocked.close();
    this.keep();
  }

  /** A leader knows the session: what may have changed is asked for. */
  refresh() {
    this.listed.clear();
    this.delivery.ask();
    this.lookAgain();
  }

  /** Somebody is at the page again. What I wrote elsewhere meanwhile, nobody has told. */
  lookAgain() {
    this.listing.ask();
    this.blocked.ask();
    const thread = this.looked === undefined ? undefined : this.threads.get(this.looked);
    if (thread) void this.loadNewest(thread);
  }

  // What is done.

  send(account: string, text: string) {
    if (text === "") return;
    const thread = this.threads.get(account) ?? this.threads.with(account, account);
    const at = this.environment.wallNow();
    const key = newKey(at, this.environment.random(16));
    this.enqueue(thread, { key, to: account, name: thread.name, text, at });
    this.threads.raise(thread);
  }

  retry(account: string, id: string) {
    const thread = this.threads.get(account);
    const refused = thread?.refused(id);
    if (!thread || !refused) return;
    this.outbox.remove(id);
    // The same key: should it have got anywhere after all, it is still one message.
    this.enqueue(thread, { key: id, to: account, name: thread.name, text: refused.text, at: refused.at });
  }

  discard(account: string, id: string) {
    const thread = this.threads.get(account);
    if (!thread?.refused(id)) return;
    this.outbox.remove(id);
    thread.removeUnsent(id);
  }

  private enqueue(thread: Thread, it: Omit<Unsent, "item">) {
    if (this.outbox.isFull) {
      const why = `${UNSENT_MOST} messages wait to be sent already: this one is not kept. Try again when some have gone.`;
      return thread.addUnsent(asMessage({ ...it, why }));
    }
    thread.addUnsent(asMessage(it));
    this.transmit(this.outbox.add(it));
  }

  private transmit({ key, to, text, stored }: Unsent) {
    const op = { op: "send", to_account: to, text, key } as const;
    this.driver.send(op, stored !== undefined, (id) => this.sending.set(id, key));
  }

  look(account: string | undefined) {
    this.looked = account;
    const thread = account === undefined ? undefined : this.threads.get(account);
    if (!thread) return;
    thread.wasSeen = true;
    this.setUnread(thread, []);
    if (thread.freshIn !== this.driver.term) void this.loadNewest(thread);
  }

  draft(account: string, text: string) {
    const thread = this.threads.get(account);
    if (!thread || thread.draft === text) return;
    thread.draft = text;
    thread.changed = true;
    this.notes.keepDraft(account, text);
  }

  // What is asked.

  /** Opens the conversation with somebody by name; gives back whose account it is. */
  async open(name: string): Promise<string> {
    const called = [...this.threads.all()].filter((thread) => thread.name.toLowerCase() === name.toLowerCase());
    const known = called.find((thread) => !thread.deleted) ?? called[0];
    if (known && this.driver.machine.alone) return known.account;
    const asked = this.threads.serial;
    let answer: Answer;
    try {
      answer = await this.driver.ask({ op: "history", with: name, limit: PAGE });
    } catch (error) {
      // Nobody has the name any more: what was written with who had it can still be read.
      if (!known || !isNobody(error)) throw error;
      void this.loadNewest(known);
      return known.account;
    }
    const account = this.otherOf(answer.ok);
    if (!account) throw new Refused("This server is too old to begin a conversation from a browser.", "bad_request");
    const thread = this.threads.with(account, string(answer.ok.name) || name);
    thread.wasSeen = true;
    // A page that is on its way belongs to what is held now.
    if (!thread.asking) this.takeNewest(thread, answer, asked);
    this.delivery.ask();
    return account;
  }

  async loadOlder(account: string): Promise<void> {
    const thread = this.threads.get(account);
    if (!thread || thread.loading || !thread.more) return;
    const before = thread.oldestPos;
    if (before === undefined) return this.loadNewest(thread);
    if (thread.asking) {
      thread.askOlder = true;
      return;
    }
    await this.page(thread, before, (answer, page) => {
      thread.mergeOlder(page, answer.ok.more === true, ++this.threads.serial, answer.term);
    });
  }

  private async loadNewest(thread: Thread): Promise<void> {
    if (thread.asking) {
      thread.askAgain = true;
      return;
    }
    do {
      thread.askAgain = false;
      const asked = this.threads.serial;
      await this.page(thread, undefined, (answer) => this.takeNewest(thread, answer, asked));
    } while (thread.askAgain && !this.isClosed);
    if (thread.askOlder && !this.isClosed) await this.loadOlder(thread.account);
  }

  private async page(thread: Thread, before: string | undefined, take: (answer: Answer, page: WireMessage[]) => void) {
    thread.asking = thread.changed = true;
    if (before !== undefined) thread.askOlder = false;
    // That the newest page is looked through again is nothing to be seen.
    thread.loading = before !== undefined || thread.oldestPos === undefined;
    this.driver.touched();
    try {
      // By the account: the name may be somebody else's by now.
      const op = { op: "history", with_account: thread.account, limit: PAGE } as const;
      const answer = await this.driver.ask({ ...op, ...(before && { before }) });
      if (this.isClosed) return;
      take(answer, readMessages(answer.ok.messages).reverse());
      this.delivery.ask();
    } catch (error) {
      // Without an account there is no history any more; all else is tried again by scrolling, or the next leader.
      if (isNobody(error)) thread.more = false;
    } finally {
      thread.asking = thread.loading = false;
      thread.changed = true;
      this.driver.touched();
    }
    if (before !== undefined && thread.askAgain && !this.isClosed) void this.loadNewest(thread);
  }

  private takeNewest(thread: Thread, { ok, term }: Answer, asked: number) {
    const page = readMessages(ok.messages).reverse();
    thread.mergeNewest(page, ok.more === true, asked, ++this.threads.serial, term);
    thread.freshIn = term;
    thread.deleted = ok.deleted === true;
    if (typeof ok.online === "boolean") this.threads.presence.set(thread.account, ok.online, this.environment.now());
    const name = string(ok.name);
    if (name) this.threads.with(thread.account, name);
  }

  /** With whom a page of history is; an older server says so by its messages only. */
  private otherOf(ok: Fields): string | undefined {
    const [message] = readMessages(ok.messages);
    const byMessage = message?.from_account === this.account ? message.to_account : message?.from_account;
    return string(ok.account) || byMessage;
  }

  /** Of people in the list the leader tells who comes and goes: a conversation that has just begun is not in it. */
  private expectListed(account: string) {
    if (this.listed.has(account)) return;
    this.listed.add(account);
    this.listing.ask();
  }

  private onLoaded() {
    this.loaded = true;
    this.driver.touched();
  }

  /** They come with the newest first, and stand below those of the page before. */
  private takeConversations(page: readonly Fields[], isFirst: boolean) {
    for (const it of isFirst ? [...page].reverse() : page) {
      const account = string(it.account);
      this.listed.add(account);
      const thread = this.threads.with(account, string(it.name));
      if (isFirst) this.threads.raise(thread);
      else this.threads.sink(thread);
      const last = readMessage(it.last);
      if (last && thread.tellLast(last) && this.looked === account && thread.wasSeen) void this.loadNewest(thread);
      if (typeof it.online === "boolean") this.threads.presence.set(account, it.online, this.environment.now());
    }
    for (const { to } of this.outbox.all()) {
      const thread = this.threads.get(to);
      if (thread?.hasUnsent) this.threads.raise(thread);
    }
    // It may be known only now.
    if (this.looked !== undefined && this.threads.get(this.looked)?.wasSeen === false) this.look(this.looked);
    this.onLoaded();
  }

  // What is told.

  onMessage(wire: WireMessage) {
    const mine = wire.from_account === this.account;
    const [other, name] = mine ? [wire.to_account, wire.to] : [wire.from_account, wire.from];
    const thread = this.threads.with(other, name);
    const message = thread.append(wire, ++this.threads.serial, this.driver.term);
    if (!message) return;
    this.threads.raise(thread);
    this.expectListed(other);
    if (mine || thread.unread.includes(message.id)) return;
    if (this.looked !== other) this.setUnread(thread, [...thread.unread, message.id].slice(-UNREAD_MOST));
    this.onArrival({ conversation: thread.snapshot(this.threads.presence.of(other)), message });
  }

  onTold(what: string, it: Fields) {
    if (what === "receipt" && it.state === "delivered") {
      const id = string(it.message);
      for (const thread of this.threads.all()) if (thread.deliver(id)) break;
    } else if (what === "presence" && typeof it.online === "boolean") {
      const account = string(it.account);
      this.threads.presence.set(account, it.online, this.environment.now());
      if (this.threads.get(account)) this.threads.with(account, string(it.name));
    }
  }

  onSent(command: number, ok: Fields) {
    const unsent = this.unsentOf(command);
    if (!unsent) return;
    const [on, of] = [number(ok.stored), number(ok.of)];
    const at = number(ok.at, unsent.at);
    const thread = this.threads.with(unsent.to, unsent.name);
    thread.acknowledge(unsent.key, unsent.text, at, on, of, ++this.threads.serial, this.driver.term);
    if (typeof ok.online === "boolean") this.threads.presence.set(unsent.to, ok.online, this.environment.now());
    // One of an earlier life may have been delivered meanwhile.
    if (unsent.stored) this.delivery.ask();
    this.expectListed(unsent.to);
    // If all have it, that is told next.
    if (on < of) this.outbox.put({ ...unsent, at, stored: [on, of] });
  }

  onNotSent(command: number, error: Refusal) {
    const unsent = this.unsentOf(command);
    this.sending.delete(command);
    if (!unsent) return;
    this.outbox.put({ ...unsent, why: error.text });
    this.threads.get(unsent.to)?.refuse(unsent.key, error.text);
  }

  onSettled(command: number, covered: boolean) {
    const unsent = this.unsentOf(command);
    this.sending.delete(command);
    if (!unsent) return;
    this.outbox.remove(unsent.key);
    if (covered) this.threads.get(unsent.to)?.cover(unsent.key);
  }

  onHeld(error: Refusal) {
    this.onNotice(`Your messages wait, and are sent as soon as it can be: ${error.text}`);
  }

  private unsentOf(command: number): Unsent | undefined {
    const key = this.sending.get(command);
    return key === undefined ? undefined : this.outbox.get(key);
  }

  /** Another tab has written this. */
  onWritten(key: string) {
    const other = this.notes.unreadKeyOf(key);
    const thread = other === undefined ? undefined : this.threads.get(other);
    if (!thread || this.looked === thread.account) return;
    thread.unread = this.notes.unread(thread.account);
    thread.changed = true;
  }

  private setUnread(thread: Thread, ids: string[]) {
    if (thread.unread.length === 0 && ids.length === 0) return;
    thread.unread = ids;
    thread.changed = true;
    this.unreadChanged.add(thread);
  }

  /** Writes down what has changed since the last time. */
  keep() {
    for (const thread of this.unreadChanged) this.notes.keepUnread(thread.account, thread.unread);
    this.unreadChanged.clear();
    const seen = this.driver.machine.seen;
    if (seen !== undefined && seen !== this.keptSeen) this.notes.keepSeen((this.keptSeen = seen));
  }
}

function isNobody(error: unknown): boolean {
  return error instanceof Refused && error.code === "no_such_user";
}

function asMessage({ key, text, at, why }: Omit<Unsent, "item">): Message {
  const progress = why === undefined ? ({ is: "sending" } as const) : ({ is: "refused", why } as const);
  return { id: key, mine: true, text, at, progress };
}
