/** What a replica said, and what it means for the list of deeds. */

import { type Fields, type Line, number, readMessage, readReplicas, type Refusal, type Result, string } from "../protocol";
import type { Machine } from ".";
import { CONFIG } from "./config";
import type { Deed } from "./deeds";
import { moveOn } from "./leader";
import type { Link, What } from "./link";
import { onListenAnswered } from "./listening";
import { onIdle } from "./rest";
import {
  deedWasDone,
  endSession,
  hasSession,
  logInAgain,
  onLoggedInAgain,
  onResumed,
  onSessionClosed,
  onSessionEndedHere,
  onSessionRefused,
  openSession,
  resumeFollower,
  retryAfter,
  Session,
} from "./session";

export function onLine(m: Machine, link: Link, line: Line) {
  const connection = link.connection;
  if (!connection) return;
  connection.onHeard(m.now);
  if ("event" in line) return onEvent(m, link, line.event, line.fields);
  // Without an id: the server could not read something. Nothing of ours is like that.
  const what = connection.onAnswer(line.id);
  if (what !== undefined) onAnswer(m, link, what, line.result);
}

function onAnswer(m: Machine, link: Link, what: What, result: Result) {
  if (typeof what === "object") {
    if (!m.deeds.has(what)) return; // Its time was up.
    if ("ok" in result) onDeedDone(m, link, what, result.ok);
    else onDeedRefused(m, link, what, result.error);
  } else if (what === "hello") {
    onHello(m, link, result);
  } else if (what === "lead" || what === "resume") {
    onResumed(m, link, what === "lead", result);
  } else if (what === "again") {
    onLoggedInAgain(m, link, result);
  } else if (what === "listen") {
    onListenAnswered(m, link, result);
  }
}

function onHello(m: Machine, link: Link, result: Result) {
  if ("error" in result) return m.close(link);
  const replicas = readReplicas(result.ok.replicas);
  link.name = string(result.ok.replica) || link.address;
  link.failures = 0;
  link.presumedUp = false;
  link.group = { replicas, stale: result.ok.stale === true };
  if (link.connection) link.connection.live = true;
  const own = replicas.find((it) => it.state === "self")?.address ?? link.address;
  m.learn(link, replicas, own);
  m.tell({ is: "addresses", addresses: m.links.map((it) => it.address) });
  if (m.leader && link.live) resumeFollower(m, link);
}

function onEvent(m: Machine, link: Link, event: string, it: Fields) {
  if (event === "message") {
    onMessage(m, link, it);
  } else if (event === "replicas") {
    link.group = { replicas: readReplicas(it.replicas), stale: it.stale === true };
    if (m.leader === link) m.tell({ is: "group", ...link.group });
  } else if (event !== "closed") {
    m.tell({ is: "told", what: event, fields: it });
  } else if (it.reason === "deleted" || it.reason === "logged_out") {
    onSessionClosed(m, link, it.reason);
  } else if (it.reason === "idle") {
    onIdle(m, link);
  } else {
    m.close(link);
  }
}

function onMessage(m: Machine, link: Link, it: Fields) {
  const message = readMessage(it);
  if (!message || !link.connection) return;
  // Confirmed is *all up to this one*, duplicates included: everything before was handed out.
  link.connection.arrived = message.pos;
  const identity = `${message.from_account} ${message.message}`;
  if (m.shown.has(identity)) return;
  m.shown.add(identity);
  if (m.shown.size > CONFIG.rememberedMost) {
    for (const oldest of m.shown) {
      m.shown.delete(oldest);
      break;
    }
  }
  m.seen = message.seen || m.seen;
  m.tell({ is: "message", message });
}

function onDeedDone(m: Machine, link: Link, deed: Deed, ok: Fields) {
  const { op } = deed;
  if (op.op === "send") {
    m.seen = string(ok.seen) || m.seen;
    m.deeds.noteReceiver(deed);
  }
  // The answer first, then what it covers: a message is told to be acknowledged before it is told to be everywhere.
  if (op.op === "send" || !deed.answered) m.put({ is: "done", id: deed.id, ok });
  settle(m, link, deed, ok);
  if (op.op === "create" || op.op === "login") {
    const [account, name, token] = [string(ok.account), string(ok.name) || op.name, string(ok.token)];
    openSession(m, link, deed, new Session(account, name, token, op.password), ok);
  } else if (deed.ending) {
    onSessionEndedHere(m, link);
  } else if (op.op === "password" && m.session) {
    m.session.password = op.new;
  }
}

/** Takes an answered deed out of the list, or keeps it for the next replica. */
function settle(m: Machine, link: Link, deed: Deed, ok: Fields) {
  const changes = deed.to !== undefined || deed.blocking || (deed.barrier && deed.op.op !== "login");
  if (!changes) return m.deeds.remove(deed);
  const [stored, of] = [number(ok.stored), number(ok.of)];
  if (stored < of) {
    const dropped = m.deeds.keep(deed, link);
    if (dropped) m.put({ is: "settled", id: dropped.id, covered: false });
    return;
  }
  m.deeds.remove(deed);
  for (const it of [...m.deeds.cover(link), deed]) {
    if (it.op.op === "send") m.put({ is: "settled", id: it.id, covered: true });
  }
}

function onDeedRefused(m: Machine, link: Link, deed: Deed, refusal: Refusal) {
  const { code } = refusal;
  const isMessage = deed.to !== undefined;
  if (code === "unavailable" || code === "storage_full") {
    // Another replica may have room, or be able to.
    deed.refusedBy.add(link);
    if (moveOn(m, deed.refusedBy)) return;
    if (isMessage) {
      // Nothing may overtake it: it is tried again in a while, and what is behind it waits.
      if (deed.retries === 0) m.put({ is: "held", error: refusal });
      return m.deeds.wait(deed, m.now + CONFIG.holdUp);
    }
    // A `create` that is sent again says nothing of the account here: it is tried again in a while.
    if (deed.answered && deed.op.op === "create") {
      m.heldUpSince ??= m.now;
      if (m.now < m.heldUpSince + CONFIG.keptPatience) return m.deeds.wait(deed, m.now + CONFIG.holdUp);
    }
  } else if ((isMessage || deed.blocking) && deed.answered && (code === "no_such_user" || code === "too_many")) {
    // One that was emptied, and has not caught up yet, may not know the receiver, or who is blocked; another may have no
    // room for a message.
    m.heldUpSince ??= m.now;
    const wait = code === "too_many" ? retryAfter(refusal.retry_ms) : CONFIG.holdUp;
    if (m.now < m.heldUpSince + CONFIG.keptPatience) return m.deeds.wait(deed, m.now + wait);
    // Given up: those that follow to the same receiver need not be asked about one by one.
    if (code === "no_such_user") m.deeds.noteReceiver(deed);
  } else if (code === "too_many" && (isMessage || deed.answered || deed.retries < CONFIG.retries)) {
    return m.deeds.wait(deed, m.now + retryAfter(refusal.retry_ms));
  }
  const isGone = code === "not_logged_in" || code === "no_such_user" || code === "wrong_login";
  if (isGone && deed.ending && deed.sentBefore && m.session) {
    // It was carried out by a replica that is gone, and the news came here before us.
    deedWasDone(m, deed);
    return endSession(m);
  }
  const needsLogin = deed.op.op !== "create" && deed.op.op !== "login";
  if (code === "not_logged_in" && hasSession(m) && needsLogin && (isMessage || deed.retries < CONFIG.retries)) {
    return logInAgain(m, deed);
  }
  m.deeds.remove(deed);
  if (deed.answered && deed.op.op === "create" && hasSession(m)) return onSessionRefused(m, link);
  if (!deed.answered) m.fail(deed, refusal);
  else if (isMessage) m.put({ is: "settled", id: deed.id, covered: false });
}
