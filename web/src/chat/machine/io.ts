/** What goes into the machine and what comes out of it. Times are milliseconds of a clock that never goes back. */

import type { DeedOp, Op, ReadOp, Refusal, Fields, Line, WireMessage, WireReplica } from "../protocol";

/** A session, as it is kept. */
export interface SessionSeed {
  readonly account: string;
  readonly name: string;
  readonly token: string;
}

export type Input =
  /** The dial that was asked for succeeded. */
  | { is: "connected"; epoch: number }
  /** The dial failed, or the connection broke. What it said before was handed in before. */
  | { is: "lost"; epoch: number }
  | { is: "line"; epoch: number; line: Line }
  /**
   * Something is to be done. `id` is the caller's. A message whose `acknowledged` is true was acknowledged to an
   * earlier life of this page, but not on all replicas.
   */
  | { is: "command"; id: number; op: DeedOp | ReadOp; acknowledged?: boolean }
  /** This session is taken up; `seen`: the latest it was given. */
  | { is: "session"; session: SessionSeed | undefined; seen?: string | undefined }
  /** The network is there again, or the page is looked at: what is down is dialled now. */
  | { is: "wake" }
  /** The time of `timeout()` has come. What has arrived is handed in first. */
  | { is: "timer" };

/** Why a session ended that this page did not end. */
export type EndReason = "logged_out" | "deleted" | "refused";

export type Event =
  /** Somebody wrote. Comes once. It is confirmed when the outputs after this one are carried out: take it in first. */
  | { is: "message"; message: WireMessage }
  /** `receipt`, `presence`, and what newer servers tell. */
  | { is: "told"; what: string; fields: Fields }
  /** No messages come: the leader lets no more connections of this account listen. It is asked again; all else works. */
  | { is: "deaf"; why: string }
  /** Messages come again. */
  | { is: "listening" }
  /** The group's health as the leader sees it. */
  | { is: "group"; replicas: readonly WireReplica[]; stale: boolean }
  /** The addresses of the group have been learned. */
  | { is: "addresses"; addresses: readonly string[] }
  /** Commands go to another connection now. */
  | { is: "moved" }
  /** No replica can be reached; `moved` says when that is over. */
  | { is: "alone" }
  /** There is a session, or it has another token. */
  | { is: "opened"; session: SessionSeed; notice?: string }
  /** The leader knows the session, and this page listens there. */
  | { is: "entered"; session: SessionSeed; notice?: string }
  /** `everywhere`: every replica of the group has refused it. */
  | { is: "ended"; reason: EndReason; everywhere: boolean };

/** What the driver is to do, in this order. */
export type Output =
  | { is: "dial"; epoch: number; address: string }
  /** Write a request. If the connection is gone meanwhile, forget it. */
  | { is: "send"; epoch: number; request: Op & { id: number } }
  /** Close the connection, or give up the dial. Nothing more is to be handed in with this epoch. */
  | { is: "close"; epoch: number }
  /** A command is answered: once, but for messages, which are answered by each replica that they are sent to. */
  | { is: "done"; id: number; ok: Fields }
  | { is: "failed"; id: number; error: Refusal }
  /** A message was acknowledged before, and need not be kept any more: all replicas have it, if `covered`. */
  | { is: "settled"; id: number; covered: boolean }
  /** A message can't be stored now, anywhere. It waits, and is tried again. */
  | { is: "held"; error: Refusal }
  | { is: "event"; event: Event };
