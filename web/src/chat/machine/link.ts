/** One replica as this page sees it: dialled, connected, silent, lost. */

import type { WireReplica } from "../protocol";
import { CONFIG } from "./config";
import type { Deed } from "./deeds";

/** Whether a connection is logged in. */
export type Login =
  | "out"
  /** A `resume` is on its way, and most likely succeeds: requests may follow at once. */
  | "resuming"
  /** A `login` is on its way: nothing may follow before its answer. */
  | "again"
  /** The login is to be tried later, at `loginAt`. */
  | "later"
  | "in"
  /** It does not know the session. */
  | "refused";

/** What an answer will be for. `lead`: a `resume` as the leader, `resume`: only to be ready. */
export type What = "hello" | "lead" | "resume" | "again" | "listen" | "ping" | "delivered" | Deed;

interface Asked {
  readonly what: What;
  at: number;
}

const isSlow = (what: What) => what === "again" || (typeof what === "object" && what.slow);

/** A connection that stands. */
export class Connection {
  /** It has answered `hello`: there is a server behind the socket. */
  live = false;
  login: Login = "out";
  loginAt = 0;
  /** When to ask again whether it lets this page listen, where it does not now. */
  listenAt = Infinity;
  /** Up to where it can be told that messages have arrived. */
  arrived: string | undefined;
  /** A `delivered` is under way. */
  confirming = false;
  private pinged = false;
  private excused = false;
  /** In the order asked. */
  private readonly asked = new Map<number, Asked>();

  constructor(
    readonly epoch: number,
    private heard: number,
  ) {}

  onHeard(now: number) {
    this.heard = now;
    this.excused = false;
  }

  ask(id: number, what: What, at: number) {
    this.asked.set(id, { what, at });
    this.note(what, true);
  }

  onAnswer(id: number): What | undefined {
    const what = this.asked.get(id)?.what;
    this.asked.delete(id);
    if (what) this.note(what, false);
    return what;
  }

  private note(what: What, underWay: boolean) {
    if (what === "ping") this.pinged = underWay;
    if (what === "delivered") this.confirming = underWay;
    if (what === "listen") this.listenAt = Infinity;
  }

  /** Forgets what it was asked for the caller, but for one: that will be asked again. */
  forgetDeeds(but: Deed | undefined) {
    for (const [id, { what }] of this.asked) {
      if (what === "listen" || (typeof what === "object" && what !== but)) this.asked.delete(id);
    }
  }

  /** Since when it owes an answer that costs no more than a sync, and has said nothing at all. */
  private owingSince(): number | undefined {
    for (const { what, at } of this.asked.values()) if (!isSlow(what)) return Math.max(at, this.heard);
    return undefined;
  }

  /** When it must be given up, if nothing comes. */
  lostAt(): number {
    const silent = this.owingSince();
    const oldest = this.asked.values().next().value;
    return Math.min((silent ?? Infinity) + CONFIG.silence, (oldest?.at ?? Infinity) + CONFIG.stuck);
  }

  /** When it must be asked whether it is there, if nothing comes. */
  pingAt(leads: boolean): number {
    if (!this.live || this.pinged) return Infinity;
    const since = this.owingSince();
    if (since !== undefined) return since + CONFIG.pingOwing;
    return this.heard + (leads ? CONFIG.pingLeader : CONFIG.pingFollower);
  }

  timeout(leads: boolean): number {
    const loginAt = this.login === "later" ? this.loginAt : Infinity;
    return Math.min(loginAt, this.listenAt, this.lostAt(), this.pingAt(leads));
  }

  /**
   * A timer came late, so this page may have been frozen, with answers that it has not read yet. Once in a silence
   * only: in the background *every* timer is late, and a dead leader must be given up there, too.
   */
  excuse(now: number) {
    if (this.excused) return;
    this.excused = true;
    this.heard = now;
    for (const asked of this.asked.values()) asked.at = now;
  }
}

export class Link {
  /** What it calls itself, once it said so. */
  name: string | undefined;
  /** The group as it saw it last. */
  group: { replicas: readonly WireReplica[]; stale: boolean } | undefined;
  /** How many dials and connections in a row came to nothing. */
  failures = 0;
  /** It was up when its connection was put to rest, and nothing that was heard since says otherwise. */
  presumedUp = false;
  /** Of the dial, or the connection. */
  epoch: number | undefined;
  connection: Connection | undefined;
  /** When to dial; while dialling, when to give that up. */
  at = 0;

  constructor(readonly address: string) {}

  get live(): Connection | undefined {
    return this.connection?.live ? this.connection : undefined;
  }

  /** It may become live any moment: nothing has failed yet. */
  get isHopeful(): boolean {
    return this.failures === 0 && !this.live;
  }

  /** The dial failed, or the connection is gone; it is dialled again after a while. */
  onLost(now: number, spread: number | undefined) {
    this.failures = this.live ? 1 : this.failures + 1;
    this.at = now + redialWait(this.failures, spread);
    this.epoch = this.connection = undefined;
    this.presumedUp = false;
  }

  /** It is not connected, and is not dialled before there is a reason to. */
  rest() {
    if (this.live) this.failures = 0;
    this.at = Infinity;
    this.epoch = this.connection = undefined;
  }

  timeout(leads: boolean): number {
    return this.connection ? this.connection.timeout(leads) : this.at;
  }
}

/**
 * The wait before the next dial, after this many failures in a row. A page that has a number of its own waits less, by
 * up to half: thousands of pages that have lost a replica are then not all back at it at one moment.
 */
export function redialWait(failures: number, spread: number | undefined): number {
  const wait = Math.min(CONFIG.redialFirst * 2 ** Math.min(failures - 1, 16), CONFIG.redialMost);
  if (spread === undefined) return wait;
  // Multiples of the golden ratio: each wait of a page is another part of what it may be.
  return wait * (1 - (((spread + failures) * 0.6180339887498949) % 1) / 2);
}
