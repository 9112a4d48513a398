/**
 * That messages come here: only the leader is asked to `listen`.
 *
 * A replica lets 16 connections of an account listen. One more is refused, and told when to ask again. It stays
 * connected meanwhile: all else works, and a new connection would be refused in the same way.
 */

import type { Result } from "../protocol";
import type { Machine } from ".";
import { CONFIG } from "./config";
import type { Link } from "./link";
import { hasSession, retryAfter } from "./session";

export function listen(m: Machine, link: Link) {
  if (hasSession(m)) m.ask(link, "listen", { op: "listen" });
}

/** The time has come to ask again where it was refused. (Logging in asks by itself.) */
export function onListenDue(m: Machine, link: Link) {
  if (!link.connection) return;
  const { login } = link.connection;
  link.connection.listenAt = Infinity;
  if (m.leader === link && (login === "resuming" || login === "in")) listen(m, link);
}

export function onListenAnswered(m: Machine, link: Link, result: Result) {
  if ("ok" in result) return tellDeaf(m, undefined);
  const { code, text, retry_ms } = result.error;
  if (code === "not_logged_in") return; // It is asked again after the login.
  if (code !== "too_many" || !link.connection) return m.close(link);
  const wait = retryAfter(retry_ms);
  link.connection.listenAt = m.now + wait;
  if (wait > CONFIG.shortWait) tellDeaf(m, text);
}

/** Tells why no messages come, or that they come again: once. */
function tellDeaf(m: Machine, why: string | undefined) {
  if (!m.session || m.session.toldDeaf === (why !== undefined)) return;
  m.session.toldDeaf = why !== undefined;
  m.tell(why === undefined ? { is: "listening" } : { is: "deaf", why });
}
