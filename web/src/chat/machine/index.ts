/**
 * How this page goes on while replicas die: a state machine without sockets, clock or randomness. It is the Rust
 * client's (`crates/client/src/machine`) with what a page needs besides: replicas are learned on the way, a session
 * may be taken up without its password, messages wait for ever.
 *
 * The caller does everything that `handle` gives back, in that order, and calls it with `timer` no later than
 * `timeout` says. The first timeout is now: then it dials.
 *
 * The rooms: `link`: one replica. `leader`: who is spoken to. `session`: logging in again. `listening`: asking for
 * messages. `rest`: no connections while there is nothing to do. `deeds`: what is to be done, until every disk has it.
 * `answers`: what each answer means for that.
 *
 * Invariants:
 * 1. Deeds are sent to the leader only, and in the order given. After a change of leader all of the list is sent
 *    again, in that order, before anything new.
 * 2. A replica that stops being the leader loses its connection, if it has not lost it already. So answers to deeds
 *    come from the leader, and messages from one replica at a time.
 */

import { type DeedOp, LINE_BYTES, lineBytes, type Op, type ReadOp, type Refusal } from "../protocol";
import { onLine } from "./answers";
import { CONFIG } from "./config";
import { Deed, Deeds } from "./deeds";
import type { Event, Input, Output } from "./io";
import { chooseLeader, sendDeeds } from "./leader";
import { Connection, Link, type What } from "./link";
import { onListenDue } from "./listening";
import { wake } from "./rest";
import { logInLeader, type Session, takeUp } from "./session";

/** What is not the caller's in a line: the request's id. */
const REST_BYTES = 64;

export class Machine {
  links: Link[];
  leader: Link | undefined;
  /** Who was the leader last. */
  lastLeader: Link | undefined;
  /** No connection is needed, and none is kept; `home` led. */
  resting = false;
  /** Who is preferred, whatever the order, until `settleUntil`. */
  home: Link | undefined;
  settleUntil: number;
  /** The caller was told that nobody can be reached. */
  alone = false;
  session: Session | undefined;
  readonly deeds = new Deeds();
  /** The latest `seen` token that any replica gave. */
  seen: string | undefined;
  /** Since when the leader does not know somebody to whom a message was acknowledged before. */
  heldUpSince: number | undefined;
  /** What was handed out, as `account message`, the oldest first. */
  readonly shown = new Set<string>();

  private outputs: Output[] = [];
  private nextRequest = 1;
  private nextEpoch = 1;

  constructor(
    addresses: readonly string[],
    public now: number,
    readonly started = now,
    /** A number that differs from page to page. Without one, all wait as long before they dial again. */
    private readonly spread?: number,
  ) {
    this.links = addresses.slice(0, CONFIG.addressesMost).map((address) => new Link(address));
    this.settleUntil = now + CONFIG.settle;
  }

  handle(now: number, input: Input): Output[] {
    this.now = Math.max(this.now, now);
    switch (input.is) {
      case "connected":
        this.onConnected(input.epoch);
        break;
      case "lost": {
        const link = this.find(input.epoch);
        if (link) this.onLost(link);
        break;
      }
      case "line": {
        const link = this.find(input.epoch);
        if (link) onLine(this, link, input.line);
        break;
      }
      case "command":
        this.onCommand(input.id, input.op, input.acknowledged ?? false);
        break;
      case "session":
        takeUp(this, input.session, input.seen);
        break;
      case "wake":
        wake(this);
        for (const link of this.links) if (link.epoch === undefined) link.at = this.now;
        break;
      case "timer":
        this.onTimer();
    }
    chooseLeader(this);
    sendDeeds(this);
    for (const link of this.links) this.confirm(link);
    const outputs = this.outputs;
    this.outputs = [];
    return outputs;
  }

  /** When to call with `timer`, if nothing else happens. Changes with every call of `handle`. */
  timeout(): number {
    const links = this.links.map((link) => link.timeout(link === this.leader));
    const settle = !this.leader && this.now < this.settleUntil ? this.settleUntil : Infinity;
    const patience = this.started + CONFIG.startPatience;
    const start = !this.lastLeader && !this.alone && this.now < patience ? patience : Infinity;
    const due = this.leader && this.maySend ? this.deeds.due(this.now) : Infinity;
    return Math.min(...links, settle, start, due, this.deeds.deadline());
  }

  /** Whether requests of the caller may go to the leader now. */
  get maySend(): boolean {
    const login = this.leader?.live?.login;
    return login === "out" || login === "resuming" || login === "in";
  }

  /** Sends a request, and notes what its answer will be for. */
  ask(link: Link, what: What, op: Op) {
    if (!link.connection) return;
    const id = this.nextRequest++;
    link.connection.ask(id, what, this.now);
    this.put({ is: "send", epoch: link.connection.epoch, request: { id, ...op } });
  }

  put(output: Output) {
    this.outputs.push(output);
  }

  tell(event: Event) {
    this.put({ is: "event", event });
  }

  fail(deed: Deed, error: Refusal) {
    this.put({ is: "failed", id: deed.id, error });
  }

  dial(link: Link) {
    link.epoch = this.nextEpoch++;
    link.at = this.now + CONFIG.dialLimit;
    this.put({ is: "dial", epoch: link.epoch, address: link.address });
  }

  /** Gives a connection up: it is silent, or of no use. */
  close(link: Link) {
    if (link.epoch === undefined) return;
    this.put({ is: "close", epoch: link.epoch });
    this.onLost(link);
  }

  /** Closes a connection only to have a fresh one, at once; the leader stays if it comes back soon. */
  reconnect(link: Link) {
    const led = this.leader === link;
    this.close(link);
    link.failures = 0;
    if (led) [this.home, this.settleUntil] = [link, this.now + CONFIG.settle];
    this.dial(link);
  }

  /** Tells a replica what has arrived. One `delivered` is under way at a time: under load, one stands for many. */
  confirm(link: Link) {
    const connection = link.connection;
    if (connection?.arrived === undefined || connection.confirming) return;
    const upto = connection.arrived;
    connection.arrived = undefined;
    this.ask(link, "delivered", { op: "delivered", upto });
  }

  /** Takes the addresses of the group in; the same replica by another address is not dialled twice. */
  learn(link: Link, known: readonly { name: string; address: string }[], own: string) {
    const double = this.links.find((it) => it !== link && (it.name === link.name || it.address === own));
    if (double) {
      // The one that leads stays, or else the one that came first in the order.
      const first = this.leader ?? this.links.find((it) => it === link || it === double);
      const retired = first === double ? link : double;
      this.close(retired);
      this.links = this.links.filter((it) => it !== retired);
    }
    for (const { name, address } of known) {
      const there = this.links.some((it) => it.address === address || it.name === name);
      if (there || !address || address === own || this.links.length >= CONFIG.addressesMost) continue;
      const learned = new Link(address);
      learned.at = this.now;
      this.links.push(learned);
    }
  }

  private find(epoch: number): Link | undefined {
    return this.links.find((link) => link.epoch === epoch);
  }

  private onConnected(epoch: number) {
    const link = this.find(epoch);
    if (!link || link.connection) return;
    link.connection = new Connection(epoch, this.now);
    this.ask(link, "hello", { op: "hello", version: 1 });
  }

  private onLost(link: Link) {
    link.onLost(this.now, this.spread);
    if (this.leader === link) this.leader = undefined;
  }

  private onCommand(id: number, op: DeedOp | ReadOp, acknowledged: boolean) {
    const isRead = ["list", "history", "pending", "conversations"].includes(op.op);
    const deed = new Deed(id, op, op.op === "send" ? Infinity : this.now + CONFIG.requestTimeout, acknowledged);
    if (lineBytes(op) + REST_BYTES > LINE_BYTES) {
      // The server would close the connection, and so would the next one.
      this.fail(deed, { code: "too_long", text: "This is too long for one line of the protocol (64 KiB)." });
    } else if (isRead && this.deeds.readsUnderWay >= CONFIG.readsMost) {
      this.fail(deed, { code: "too_many", text: "Too many questions wait for an answer; wait for some answers first." });
    } else {
      this.deeds.push(deed, isRead);
      wake(this);
    }
  }

  private onTimer() {
    if (this.now > this.timeout() + CONFIG.frozen) for (const link of this.links) link.connection?.excuse(this.now);
    for (const link of this.links) this.onLinkTimer(link);
    for (const deed of this.deeds.takeOverdue(this.now)) {
      const tried = this.links.map((link) => link.address).join(", ");
      const wasSent = deed.sentBefore || deed.state === "sent";
      const outcome = wasSent ? "it may or may not have been done" : "it was not done";
      const text = `No replica answered within ${CONFIG.requestTimeout / 1000} s (tried ${tried}): ${outcome}.`;
      this.fail(deed, { code: "no_answer", text });
      // Its answer may still come, and log this connection in when nobody reckons with it any more.
      if (deed.slow && deed.state === "sent" && this.leader) this.reconnect(this.leader);
    }
  }

  private onLinkTimer(link: Link) {
    const connection = link.connection;
    if (!connection) {
      if (link.at > this.now) return;
      if (link.epoch === undefined) this.dial(link);
      else this.close(link);
      return;
    }
    if (connection.lostAt() <= this.now) return this.close(link);
    if (connection.pingAt(link === this.leader) <= this.now) this.ask(link, "ping", { op: "ping" });
    if (connection.login === "later" && connection.loginAt <= this.now) logInLeader(this, link);
    if (connection.listenAt <= this.now) onListenDue(this, link);
  }
}
