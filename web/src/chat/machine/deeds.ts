/**
 * What is to be done, in the order it was asked: one list. (What only asks is beside it, and waits for nobody.)
 *
 * A deed stays in the list until it is answered; and then on, if its answer said that not every disk has it
 * (`stored` < `of`), until a later answer of the same replica says so of itself. At a failover the whole list is sent
 * again, in order, before anything new.
 *
 * Invariants:
 * 1. A deed that changes the session (`barrier`) is sent when no other is in flight, and nothing is sent while it is.
 * 2. A deed that waits for its time holds up all after it. Messages never overtake one another.
 * 3. A replica that has not caught up may refuse a message for want of its receiver, and learn of them before the
 *    next one. So the first message to somebody goes alone, until it is clear that the leader knows them.
 *
 * At most 2,000 messages are in the list (1,000 not acknowledged, 1,000 kept), so it is simply walked through.
 */

import type { DeedOp, ReadOp } from "../protocol";
import { CONFIG } from "./config";
import type { Link } from "./link";

export class Deed {
  state: "waiting" | "sent" | "kept" = "waiting";
  /** Waiting: not before this time. */
  notBefore = 0;
  /** Kept: who answered it. */
  by: Link | undefined;
  /** It was sent on a connection that is gone: it may have been done. */
  sentBefore = false;
  /** How often it was delayed, or sent again for want of a login. */
  retries = 0;
  /** Which replicas said that they can't do it now. */
  readonly refusedBy = new Set<Link>();
  /** It costs a password hash or a verdict on a name. */
  readonly slow: boolean;
  readonly barrier: boolean;
  /** It logs out. */
  readonly ending: boolean;
  /** To whom a message goes. */
  readonly to: string | undefined;
  /** It blocks somebody, or ends that. */
  readonly blocking: boolean;

  constructor(
    readonly id: number,
    readonly op: DeedOp | ReadOp,
    readonly deadline: number,
    /** It was acknowledged, to its caller too. */
    public answered: boolean,
  ) {
    this.slow = op.op === "create" || op.op === "login" || op.op === "password";
    this.ending = op.op === "logout" || op.op === "delete";
    this.barrier = this.slow || this.ending;
    this.to = op.op === "send" ? op.to_account : undefined;
    this.blocking = op.op === "block" || op.op === "unblock";
  }

  wait(until: number) {
    this.state = "waiting";
    this.notBefore = until;
    this.by = undefined;
  }
}

export class Deeds {
  private list: Deed[] = [];
  private reads: Deed[] = [];
  /** By receiver: the message in flight to somebody of whom it is not clear that the leader knows them. */
  private readonly probing = new Map<string, Deed>();
  /** Receivers that the leader has taken a message for. */
  private readonly knownHere = new Set<string>();

  /** There is nothing to do, nor anything kept for the next replica. */
  get isEmpty(): boolean {
    return this.list.length + this.reads.length === 0;
  }

  get readsUnderWay(): number {
    return this.reads.length;
  }

  push(deed: Deed, isRead: boolean) {
    if (isRead) {
      this.reads.push(deed);
      return;
    }
    // Who wants to go, or to block, need not wait for messages that can't be stored: those are kept by the browser.
    const before = deed.to === undefined ? this.list.findIndex((it) => it.to && it.state === "waiting" && it.retries > 0) : -1;
    this.list.splice(before < 0 ? this.list.length : before, 0, deed);
  }

  has(deed: Deed): boolean {
    return this.list.includes(deed) || this.reads.includes(deed);
  }

  /** Takes what may be sent now. */
  takeSendable(now: number): Deed[] {
    const sendable: Deed[] = [];
    let inFlight = this.list.some((deed) => deed.state === "sent");
    if (this.list.some((deed) => deed.barrier && deed.state === "sent")) return sendable;
    for (const deed of this.list) {
      if (deed.state !== "waiting") continue;
      const waitsForProbe = deed.to !== undefined && this.probing.has(deed.to);
      if (deed.notBefore > now || (deed.barrier && inFlight) || waitsForProbe) break;
      if (deed.to !== undefined && !this.knownHere.has(deed.to)) this.probing.set(deed.to, deed);
      inFlight = true;
      sendable.push(deed);
      if (deed.barrier) break;
    }
    if (!sendable.at(-1)?.barrier) {
      sendable.push(...this.reads.filter((read) => read.state === "waiting" && read.notBefore <= now));
    }
    for (const deed of sendable) deed.state = "sent";
    return sendable;
  }

  /** When the next one that waits for its time is due. */
  due(now: number): number {
    const first = this.list.find((deed) => deed.state === "waiting");
    const times = [first, ...this.reads.filter((read) => read.state === "waiting")];
    return Math.min(...times.map((deed) => (deed && deed.notBefore > now ? deed.notBefore : Infinity)));
  }

  /** Of a message's receiver there is nothing more to find out. */
  noteReceiver(deed: Deed) {
    if (deed.to === undefined) return;
    if (this.knownHere.size >= CONFIG.knownMost) this.knownHere.clear();
    this.knownHere.add(deed.to);
    this.endProbe(deed);
  }

  private endProbe(deed: Deed) {
    if (deed.to !== undefined && this.probing.get(deed.to) === deed) this.probing.delete(deed.to);
  }

  /** Puts a deed that was refused for now back into its place. */
  wait(deed: Deed, until: number) {
    this.endProbe(deed);
    deed.wait(until);
    deed.retries += 1;
    deed.refusedBy.clear();
  }

  remove(deed: Deed) {
    this.endProbe(deed);
    for (const list of [this.list, this.reads]) {
      const at = list.indexOf(deed);
      if (at >= 0) list.splice(at, 1);
    }
  }

  /** A deed was done, but is not on every disk. Gives back the oldest, where too many are kept. */
  keep(deed: Deed, by: Link): Deed | undefined {
    this.endProbe(deed);
    deed.state = "kept";
    deed.answered = true;
    deed.by = by;
    const kept = this.list.filter((it) => it.state === "kept");
    if (kept.length <= CONFIG.uncoveredMost) return undefined;
    const oldest = kept[0];
    if (oldest) this.remove(oldest);
    return oldest;
  }

  /** A replica answered something with `stored` = `of`: this covers all that it answered before. */
  cover(by: Link): Deed[] {
    return this.takeOut((deed) => deed.state === "kept" && deed.by === by);
  }

  /** A new leader: everything is to be sent again, from the first. */
  restart() {
    for (const deed of [...this.list, ...this.reads]) deed.sentBefore ||= deed.state === "sent";
    this.takeBack(undefined);
  }

  /**
   * What was sent to the leader, but for one, is to be sent again. A `create` that was answered stays where it is:
   * whoever knows the session knows the account.
   */
  takeBack(but: Deed | undefined) {
    for (const deed of [...this.list, ...this.reads]) {
      if (deed === but || (deed.state === "kept" && deed.op.op === "create")) continue;
      if (deed.state !== "waiting") deed.wait(0);
    }
    this.probing.clear();
    this.knownHere.clear();
  }

  /** A `create` that the leader was sent and has not answered. */
  createInFlight(): Deed | undefined {
    return this.list.find((deed) => deed.op.op === "create" && deed.state === "sent");
  }

  /** The `create` of this session, if it was answered and not every disk had it. */
  uncoveredCreate(): Deed | undefined {
    return this.list.find((deed) => deed.op.op === "create" && deed.answered);
  }

  /** One that may have been done on a connection that is gone. */
  findSentBefore(op: "logout" | "delete"): Deed | undefined {
    return this.list.find((deed) => deed.sentBefore && deed.op.op === op);
  }

  isFirst(deed: Deed): boolean {
    return this.list[0] === deed;
  }

  isEndingUnderWay(): boolean {
    return this.list.some((deed) => deed.ending && !deed.answered);
  }

  keepsAny(): boolean {
    return this.list.some((deed) => deed.answered);
  }

  /** The session that they belong to is over. Messages are no loss: the browser keeps them. */
  forgetSession(but?: Deed) {
    this.takeOut((deed) => deed !== but && (deed.answered || deed.to !== undefined));
  }

  dropMessages() {
    this.takeOut((deed) => deed.to !== undefined);
  }

  /** The session is over: takes out what was asked in it, and who was to be blocked. The next one must not do that. */
  takeAsked(): Deed[] {
    return [...this.reads.splice(0), ...this.takeOut((deed) => deed.blocking && !deed.answered)];
  }

  deadline(): number {
    const deeds = [...this.list, ...this.reads].filter((deed) => !deed.answered);
    return deeds.reduce((first, deed) => Math.min(first, deed.deadline), Infinity);
  }

  takeOverdue(now: number): Deed[] {
    const overdue = [...this.list, ...this.reads].filter((deed) => !deed.answered && deed.deadline <= now);
    for (const deed of overdue) this.remove(deed);
    return overdue;
  }

  private takeOut(which: (deed: Deed) => boolean): Deed[] {
    const out = this.list.filter(which);
    if (out.length > 0) this.list = this.list.filter((deed) => !which(deed));
    for (const deed of out) this.endProbe(deed);
    return out;
  }
}
