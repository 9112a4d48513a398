/**
 * The chat of the page, without anything that is seen.
 *
 * The rooms: `machine`: the failover, pure. `driver`: the machine on WebSockets. `account`: what belongs to who is
 * logged in. `state`: conversations, pure. `kept`: what the browser keeps. `model`: the border to what is seen.
 */

import { Account } from "./account";
import { Driver } from "./driver";
import { browser, type Environment } from "./environment";
import { keepAddresses, readAddresses } from "./kept/addresses";
import { forgetAccount } from "./kept/forget";
import { isSessionsKey, Sessions } from "./kept/sessions";
import { Store } from "./kept/store";
import { newKey } from "./keys";
import { CONFIG } from "./machine/config";
import type { EndReason, Event, SessionSeed } from "./machine/io";
import { type Arrival, type Chat, type Person, Refused, type Snapshot } from "./model";
import { Pace } from "./pace";
import { list, string, type WireReplica } from "./protocol";
import { replicasSeen, shareUnchanged } from "./seen";

/** Milliseconds between two calls of those who subscribed. */
const FRAME = 16;
/** Milliseconds between two times that all is asked for because the page is looked at again. */
const LOOK_AGAIN = 5_000;
/** What the server takes as a pattern, in bytes. */
const PATTERN_MOST = 256;
const FOUND_MOST = 50;

const NOT_KEPT =
  "This browser keeps nothing for this page: its storage is full or forbidden. What is not sent yet is lost if you close or reload it.";
const DEAF = "New messages do not come to this page for now.";
const deafNotice = (why: string) => `${DEAF} ${why} What you write is sent, and this page goes on trying.`;
const ENDED: Record<EndReason, string> = {
  logged_out: "You were logged out: the session was ended elsewhere, or the password was changed.",
  deleted: "The account was deleted.",
  refused: "The session is not known any more. Please log in again.",
};

export function createChat(environment: Environment = browser()): Chat {
  return new PageChat(environment);
}

/** Whoever waits for a session to be taken up. */
interface Waiter {
  resolve(): void;
  reject(error: Refused): void;
}

class PageChat implements Chat {
  private readonly driver: Driver;
  private readonly store: Store;
  private readonly sessions: Sessions;
  private phase: Snapshot["phase"] = "out";
  private account: Account | undefined;
  private me: Person | undefined;
  private entering: Waiter | undefined;
  private remembered: readonly Person[] = [];
  private group: readonly WireReplica[] = [];
  private isStale = false;
  private notice: string | undefined;
  private wasNotKept = false;

  private shown: Snapshot | undefined;
  private told: Snapshot | undefined;
  private isDirty = true;
  private isScheduled = false;
  private readonly subscribers = new Set<() => void>();
  private readonly arrivals = new Set<(arrival: Arrival) => void>();

  constructor(private readonly environment: Environment) {
    this.store = new Store(environment.local, () => this.onNotKept());
    this.sessions = new Sessions(this.store, new Store(environment.tab));
    this.readRemembered();
    const messages = {
      done: (id: number, ok: Parameters<Account["onSent"]>[1]) => this.account?.onSent(id, ok),
      failed: (id: number, error: Parameters<Account["onNotSent"]>[1]) => this.account?.onNotSent(id, error),
      settled: (id: number, covered: boolean) => this.account?.onSettled(id, covered),
      held: (error: Parameters<Account["onHeld"]>[0]) => this.account?.onHeld(error),
    };
    const addresses = readAddresses(this.store, environment.host);
    this.driver = new Driver(environment, addresses, (event) => this.onEvent(event), messages, () => this.touch());
    environment.onWritten((key) => this.onWritten(key));
    const again = new Pace(environment, LOOK_AGAIN, () => this.phase === "in" && this.account?.lookAgain());
    environment.onLook(() => again.ask());
    const seed = this.sessions.ofTab();
    if (seed) this.takeUp(seed);
    this.driver.start();
  }

  // Who is in.

  async create(name: string, password: string): Promise<void> {
    await this.driver.ask({ op: "create", name, password, key: this.newKey() });
  }

  async login(name: string, password: string): Promise<void> {
    await this.driver.ask({ op: "login", name, password });
  }

  goOn(account: string): Promise<void> {
    const seed = this.sessions.all().find((it) => it.account === account);
    if (!seed) return Promise.reject(new Refused("This browser does not remember that session; log in.", "wrong_login"));
    return new Promise((resolve, reject) => {
      const tried = this.driver.machine.links.map((link) => link.address).join(", ");
      const late = () => {
        this.leave();
        this.driver.handle({ is: "session", session: undefined });
        reject(new Refused(`No replica answered within ${CONFIG.requestTimeout / 1000} s (tried ${tried}).`, "no_answer"));
      };
      const stop = this.environment.after(CONFIG.requestTimeout, late);
      this.takeUp(seed);
      this.entering = {
        resolve: () => (stop(), resolve()),
        reject: (error) => (stop(), reject(error)),
      };
    });
  }

  /** Nothing of this account stays in this browser. */
  forget(account: string) {
    this.sessions.forget(account);
    forgetAccount(this.store, account);
    this.readRemembered();
  }

  async logout(): Promise<void> {
    const account = this.account;
    await this.driver.ask({ op: "logout", key: this.newKey() });
    if (account === this.account) this.leaveForGood();
  }

  async deleteAccount(): Promise<void> {
    const account = this.account;
    await this.driver.ask({ op: "delete", key: this.newKey() });
    if (account === this.account) this.leaveForGood();
  }

  async changePassword(old: string, password: string): Promise<void> {
    await this.driver.ask({ op: "password", old, new: password, key: this.newKey() });
  }

  private takeUp(seed: SessionSeed) {
    this.enter(seed, "entering");
    this.driver.handle({ is: "session", session: seed, seen: this.account?.notes.seen });
    this.account?.begin();
  }

  private enter(seed: SessionSeed, phase: "entering" | "in") {
    this.sessions.keep(seed);
    this.readRemembered();
    this.phase = phase;
    this.me = { account: seed.account, name: seed.name };
    this.account?.close();
    const arrived = (arrival: Arrival) => this.arrivals.forEach((came) => came(arrival));
    const notice = (text: string) => this.setNotice(text);
    this.account = new Account(this.environment, this.store, this.driver, seed, arrived, notice);
  }

  private leave() {
    this.account?.close();
    this.account = this.me = this.entering = undefined;
    this.phase = "out";
    this.sessions.leave();
    this.dropDeafNotice();
    this.touch();
  }

  /** The session is over. What was typed stays for the next login. */
  private leaveForNow() {
    if (this.me) this.sessions.forget(this.me.account);
    this.leave();
    this.readRemembered();
  }

  /** The person, or whoever has their account, wants to be gone: nothing of the account stays in this browser. */
  private leaveForGood() {
    const me = this.me;
    // Leaving writes down what has changed last, so that comes first.
    this.leave();
    if (me) this.forget(me.account);
  }

  // What is said and asked.

  async find(part: string): Promise<{ names: readonly string[]; more: boolean }> {
    const pattern = `(?i)${part.replace(/[\\^$.*+?()[\]{}|#&~-]/g, "\\$&")}`;
    // No name is so long.
    if (new TextEncoder().encode(pattern).length > PATTERN_MOST) return { names: [], more: false };
    const { ok } = await this.driver.ask({ op: "list", pattern, limit: FOUND_MOST });
    const names = list(ok.names).map(string);
    return { names: names.slice(0, FOUND_MOST), more: ok.more === true || names.length > FOUND_MOST };
  }

  async open(name: string): Promise<string> {
    if (!this.account) throw new Refused("Nobody is logged in.", "not_logged_in");
    const account = await this.account.open(name);
    this.touch();
    return account;
  }

  async loadOlder(account: string): Promise<void> {
    await this.account?.loadOlder(account);
  }

  look(account: string | undefined) {
    this.account?.look(account);
    this.touch();
  }

  send(account: string, text: string) {
    this.account?.send(account, text);
    this.touch();
  }

  retry(account: string, id: string) {
    this.account?.retry(account, id);
    this.touch();
  }

  discard(account: string, id: string) {
    this.account?.discard(account, id);
    this.touch();
  }

  draft(account: string, text: string) {
    this.account?.draft(account, text);
    this.touch();
  }

  async block(account: string): Promise<void> {
    await this.account?.blocked.set(account, true, this.account.threads.get(account)?.name ?? "");
  }

  async unblock(account: string): Promise<void> {
    await this.account?.blocked.set(account, false, "");
  }

  dismissNotice() {
    this.setNotice(undefined);
  }

  // What happens.

  private onEvent(event: Event) {
    switch (event.is) {
      case "message":
        return this.account?.onMessage(event.message);
      case "told":
        return this.account?.onTold(event.what, event.fields);
      case "group":
        [this.group, this.isStale] = [event.replicas, event.stale];
        return;
      case "addresses":
        return keepAddresses(this.store, event.addresses.filter((it) => it !== this.environment.host));
      case "opened":
        return this.onOpened(event.session, event.notice);
      case "entered":
        return this.onEntered(event.session, event.notice);
      case "ended":
        return this.onEnded(event.reason, event.everywhere);
      case "deaf":
        return this.setNotice(deafNotice(event.why));
      case "listening":
        return this.dropDeafNotice();
      case "moved":
      case "alone":
        return; // It shows in the machine.
    }
  }

  private onOpened(session: SessionSeed, notice: string | undefined) {
    if (notice) this.setNotice(notice);
    if (this.me?.account === session.account) {
      this.sessions.keep(session);
      return this.readRemembered();
    }
    this.enter(session, "in");
    this.account?.begin();
  }

  private onEntered(session: SessionSeed, notice: string | undefined) {
    if (notice) this.setNotice(notice);
    if (this.me?.account !== session.account || !this.account) return;
    if (this.me.name !== session.name) {
      this.me = { account: session.account, name: session.name };
      this.sessions.keep(session);
      this.readRemembered();
    }
    this.phase = "in";
    this.account.refresh();
    this.entering?.resolve();
    this.entering = undefined;
  }

  private onEnded(reason: EndReason, everywhere: boolean) {
    const waiter = this.entering;
    // A replica that could not be asked may still know it.
    if (reason === "refused" && !everywhere) this.leave();
    // A session that was not used for long ends like this, too; what is not sent yet can still be.
    else if (reason === "refused") this.leaveForNow();
    else this.leaveForGood();
    if (waiter) waiter.reject(new Refused(ENDED[reason], "wrong_login"));
    else this.setNotice(ENDED[reason]);
  }

  private onWritten(key: string) {
    if (isSessionsKey(key)) this.readRemembered();
    this.account?.onWritten(key);
    this.touch();
  }

  private onNotKept() {
    if (this.wasNotKept) return;
    this.wasNotKept = true;
    this.setNotice(NOT_KEPT);
  }

  private setNotice(text: string | undefined) {
    this.notice = text;
    this.touch();
  }

  private dropDeafNotice() {
    if (this.notice?.startsWith(DEAF)) this.setNotice(undefined);
  }

  private readRemembered() {
    this.remembered = this.sessions.all().map(({ account, name }) => ({ account, name }));
    this.touch();
  }

  private newKey(): string {
    return newKey(this.environment.wallNow(), this.environment.random(16));
  }

  // What is shown.

  snapshot(): Snapshot {
    if (!this.shown || this.isDirty) this.shown = this.build();
    this.isDirty = false;
    return this.shown;
  }

  subscribe(changed: () => void): () => void {
    this.subscribers.add(changed);
    return () => this.subscribers.delete(changed);
  }

  onArrival(came: (arrival: Arrival) => void): () => void {
    this.arrivals.add(came);
    return () => this.arrivals.delete(came);
  }

  private build(): Snapshot {
    const snapshot: Snapshot = {
      phase: this.phase,
      ...(this.me && { me: this.me }),
      remembered: this.remembered,
      replicas: replicasSeen(this.driver.machine, this.group),
      connected: !this.driver.machine.alone,
      stale: this.isStale,
      conversations: this.account?.threads.snapshot() ?? [],
      blocked: this.account?.blocked.all() ?? [],
      loaded: this.account?.loaded ?? false,
      ...(this.notice !== undefined && { notice: this.notice }),
    };
    return shareUnchanged(this.shown, snapshot);
  }

  private touch() {
    this.isDirty = true;
    if (this.isScheduled) return;
    this.isScheduled = true;
    // Not by frames: a page that is not looked at has none.
    this.environment.after(FRAME, () => this.flush());
  }

  private flush() {
    this.isScheduled = false;
    this.account?.keep();
    this.schedulePresence();
    const snapshot = this.snapshot();
    if (snapshot === this.told) return;
    this.told = snapshot;
    for (const changed of this.subscribers) changed();
  }

  private stopPresence = () => {};

  private schedulePresence() {
    this.stopPresence();
    const presence = this.account?.threads.presence;
    const at = presence?.timeout() ?? Infinity;
    if (!presence || at === Infinity) return;
    this.stopPresence = this.environment.after(Math.max(at - this.environment.now(), 0), () => {
      presence.onTimer(this.environment.now());
      this.touch();
    });
  }
}
