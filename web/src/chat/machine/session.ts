/**
 * Who this page is, and how it logs in again at another replica.
 *
 * A replica that knows the session's token takes a `resume` at once. One that doesn't may lack the fact still (then the
 * `create` that was stored nowhere else is sent again, or the password is used, or it is tried again for a while), or
 * the session is gone: then a `logout` or `delete` that was under way was carried out.
 */

import { type Fields, type Result, string } from "../protocol";
import type { Machine } from ".";
import { CONFIG } from "./config";
import type { Deed } from "./deeds";
import type { EndReason, SessionSeed } from "./io";
import { moveOn } from "./leader";
import type { Link, Login } from "./link";
import { listen } from "./listening";
import { wake } from "./rest";

/** A session. */
export class Session {
  /** It was ended by a `logout` or `delete` that not every disk has yet: kept only to send that again. */
  over = false;
  /** The person was told that no messages come, and not yet that they come again. */
  toldDeaf = false;
  /** Which replicas, one after the other, did not know it, nor its password. */
  refusedBy = new Set<Link>();
  /** Which replicas, one after the other, could not say whether they know it. */
  unavailableAt = new Set<Link>();
  /** Since when nobody who can be reached knows it. */
  refusedSince: number | undefined;
  /** Which replicas have known the account: where one of these knows it no more, it was deleted. */
  knownBy = new Set<Link>();

  constructor(
    readonly account: string,
    public name: string,
    public token: string,
    /** Only where it was given to this page: it is in no storage. */
    public password: string | undefined,
  ) {}

  get seed(): SessionSeed {
    return { account: this.account, name: this.name, token: this.token };
  }
}

/** A session from the browser's storage. */
export function takeUp(m: Machine, seed: SessionSeed | undefined, seen: string | undefined) {
  if (m.session) endSession(m);
  if (!seed) return;
  m.session = new Session(seed.account, seed.name, seed.token, undefined);
  wake(m);
  m.seen = seen ?? m.seen;
  if (m.leader?.live) logInLeader(m, m.leader);
  for (const link of m.links) if (link !== m.leader) resumeFollower(m, link);
}

/** A login or create succeeded at the leader. */
export function openSession(m: Machine, link: Link, deed: Deed, session: Session, answer: Fields) {
  const old = m.session?.account === session.account && !m.session.over ? m.session : undefined;
  if (old) {
    // A `create` was sent again: the same account, and what it did since is still to be sent.
    session.knownBy = old.knownBy;
    session.toldDeaf = old.toldDeaf;
  } else {
    m.deeds.forgetSession(deed);
    m.shown.clear();
  }
  m.session = session;
  session.knownBy.add(link);
  goOnLoggedIn(m, link, session, answer);
  for (const other of m.links) if (other !== link) resumeFollower(m, other);
}

/**
 * The leader has logged this connection in by something else than `resume`. Only that hands in what was seen elsewhere,
 * and what comes next must be ordered after it.
 */
function goOnLoggedIn(m: Machine, link: Link, session: Session, answer: Fields) {
  m.tell({ is: "opened", session: session.seed, ...noticeOf(answer) });
  if (m.seen !== undefined) return logInLeader(m, link);
  setLogin(link, "in");
  listen(m, link);
  m.tell({ is: "entered", session: session.seed });
}

function noticeOf(answer: Fields): { notice?: string } {
  return answer.notice ? { notice: string(answer.notice) } : {};
}

function setLogin(link: Link, login: Login) {
  if (link.connection) link.connection.login = login;
}

function resume(m: Machine, session: Session, link: Link, what: "lead" | "resume") {
  setLogin(link, "resuming");
  m.ask(link, what, { op: "resume", token: session.token, ...(m.seen !== undefined && { seen: m.seen }) });
}

/** Logs a connection in that may become the leader's. */
export function resumeFollower(m: Machine, link: Link) {
  if (m.session && !m.session.over && link.live && link.live.login !== "in") resume(m, m.session, link, "resume");
}

/** Logs the leader in, and listens; what follows may follow at once. */
export function logInLeader(m: Machine, link: Link) {
  if (!m.session) return setLogin(link, "out");
  resume(m, m.session, link, "lead");
  listen(m, link);
}

export function onResumed(m: Machine, link: Link, asLeader: boolean, result: Result) {
  const leads = m.leader === link;
  // A follower that has become the leader is asked again: that answer counts.
  if (leads && !asLeader) return;
  if ("ok" in result || result.error.code === "already_logged_in") return onSessionKnown(m, link, result);
  if (!leads) return setLogin(link, "refused");
  const { code, retry_ms } = result.error;
  if (code === "wrong_login" || code === "not_logged_in") return onSessionUnknown(m, link);
  if (code === "too_many") return logInLater(m, link, retryAfter(retry_ms));
  if (code === "unavailable") return onSessionNotHere(m, link);
  m.close(link);
}

/**
 * The leader does not know the session, and may lack what others know: it may know the password, or be given the
 * `create` again. That it does not know the session says nothing of a logout.
 */
function onSessionNotHere(m: Machine, link: Link) {
  const { session } = m;
  const canEnter = session?.password !== undefined || m.deeds.uncoveredCreate() !== undefined;
  if (session && !session.over && canEnter && !m.deeds.findSentBefore("logout")) return onSessionUnknown(m, link);
  if (!session) return m.close(link);
  session.unavailableAt.add(link);
  if (moveOn(m, session.unavailableAt)) return;
  // None of those who are there can say. A new round in a while: each round at once would keep them from catching up.
  session.unavailableAt.clear();
  logInLater(m, link, CONFIG.holdUp);
}

/** How long to wait where a server says `too_many`, and perhaps for how long. */
export function retryAfter(retryMs: number | undefined): number {
  return Math.min(Math.max(retryMs ?? 500, 0), 60_000);
}

function onSessionKnown(m: Machine, link: Link, result: Result) {
  setLogin(link, "in");
  const session = m.session;
  session?.knownBy.add(link);
  if (m.leader !== link) return;
  if (session) {
    session.refusedBy = new Set();
    session.refusedSince = undefined;
    session.unavailableAt.clear();
    const answer = "ok" in result ? result.ok : {};
    session.name = string(answer.name) || session.name;
    if (!session.over) m.tell({ is: "entered", session: session.seed, ...noticeOf(answer) });
  }
  // Where it was created itself, that it is known says nothing of the others.
  const create = m.deeds.uncoveredCreate();
  if (create && create.by !== link) m.deeds.remove(create);
}

function logInLater(m: Machine, link: Link, wait: number) {
  takeBack(m, link);
  if (!link.connection) return;
  link.connection.login = "later";
  link.connection.loginAt = m.now + wait;
}

/** What was sent after a `resume` that was refused was refused as well; but a `create` needs no login, and is answered. */
function takeBack(m: Machine, link: Link) {
  const create = m.deeds.createInFlight();
  link.connection?.forgetDeeds(create);
  m.deeds.takeBack(create);
}

/** The leader does not know the session. */
function onSessionUnknown(m: Machine, link: Link) {
  takeBack(m, link);
  const session = m.session;
  if (!session) return setLogin(link, "out");
  if (session.over) return endSession(m);
  const logout = m.deeds.findSentBefore("logout");
  if (logout && m.deeds.isFirst(logout)) {
    deedWasDone(m, logout);
    return endSession(m);
  }
  const create = m.deeds.uncoveredCreate();
  if (create) {
    if (create.state === "kept") create.wait(0);
    return setLogin(link, "out");
  }
  if (session.password === undefined) return onSessionRefused(m, link);
  setLogin(link, "again");
  m.ask(link, "again", { op: "login", name: session.name, password: session.password });
}

/** The answer to the `login` that stood in for a `resume`. */
export function onLoggedInAgain(m: Machine, link: Link, result: Result) {
  const session = m.session;
  if (!session) return setLogin(link, "out");
  if ("ok" in result) {
    // In a split somebody else has got the name there, and has the same password.
    if (result.ok.account !== session.account) return onSessionRefused(m, link);
    session.token = string(result.ok.token) || session.token;
    session.refusedBy = new Set();
    return goOnLoggedIn(m, link, session, result.ok);
  }
  const { code, retry_ms } = result.error;
  if (code === "too_many") logInLater(m, link, retryAfter(retry_ms));
  else if (code === "wrong_login" || code === "no_such_user") onSessionRefused(m, link);
  else m.close(link);
}

/** The leader knows neither the session nor the password. */
export function onSessionRefused(m: Machine, link: Link) {
  const session = m.session;
  if (!session) return;
  const knew = session.knownBy.has(link);
  session.refusedBy.add(link);
  session.refusedSince ??= m.now;
  const everywhere = m.links.every((it) => session.refusedBy.has(it));
  // It knew the account, or nobody does: so it was deleted.
  const deleted = m.deeds.findSentBefore("delete");
  if (deleted && (knew || everywhere)) {
    deedWasDone(m, deleted);
    return endSession(m);
  }
  if (moveOn(m, session.refusedBy)) return;
  // One that can't be asked now may know the account. With a password, it would have opened it here, if this replica
  // knew the account; a token may still be on its way to it.
  const isEarly = session.password === undefined && m.now < session.refusedSince + CONFIG.sessionPatience;
  if (deleted || (isEarly && !everywhere)) {
    // The others' turn comes again. (For a delete it counts who has ever refused.)
    if (!deleted) session.refusedBy = new Set([link]);
    return logInLater(m, link, CONFIG.holdUp);
  }
  endSession(m, "refused", everywhere);
}

/** A `logout` or `delete` that was sent to a replica that is gone was carried out there. */
export function deedWasDone(m: Machine, deed: Deed) {
  m.deeds.remove(deed);
  if (!deed.answered) m.put({ is: "done", id: deed.id, ok: {} });
}

/** The session is over: connections that are logged in are replaced by fresh ones. */
export function endSession(m: Machine, reason?: EndReason, everywhere = true) {
  m.session = undefined;
  m.deeds.forgetSession();
  failAsked(m);
  if (reason) m.tell({ is: "ended", reason, everywhere });
  for (const link of [...m.links]) if (link.live && link.live.login !== "out") m.reconnect(link);
}

function failAsked(m: Machine) {
  for (const asked of m.deeds.takeAsked()) m.fail(asked, { code: "not_logged_in", text: "Nobody is logged in any more." });
}

/**
 * A `logout` or `delete` was answered by the leader. If not every disk has it, the session is kept, to send it again
 * should this leader be lost.
 */
export function onSessionEndedHere(m: Machine, link: Link) {
  setLogin(link, "out");
  if (link.connection) link.connection.arrived = undefined;
  m.deeds.dropMessages();
  failAsked(m);
  if (m.deeds.keepsAny() && m.session) m.session.over = true;
  else m.session = undefined;
  for (const other of [...m.links]) {
    if (other !== link && other.live && other.live.login !== "out") m.reconnect(other);
  }
}

export function hasSession(m: Machine): boolean {
  return m.session !== undefined && !m.session.over;
}

/** The server ended the session. */
export function onSessionClosed(m: Machine, link: Link, reason: EndReason) {
  // Requests on their way are asked again, and refused by the server.
  if (hasSession(m) && !m.deeds.isEndingUnderWay()) endSession(m, reason);
  if (link.live) m.reconnect(link);
}

/** The leader says that this connection is not logged in, but it should be: it is logged in again. */
export function logInAgain(m: Machine, deed: Deed) {
  // A message is tried for ever: not for ever at once.
  m.deeds.wait(deed, deed.retries < CONFIG.retries ? 0 : m.now + CONFIG.holdUp);
  if (m.leader?.live?.login === "in") logInLeader(m, m.leader);
}
