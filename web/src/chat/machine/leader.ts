/**
 * Who is spoken to, and what the next one is told when that one is lost.
 *
 * The first live replica in the order given becomes the leader, and stays it as long as it lives: an earlier one that
 * comes back does not take over. At the start an earlier one that is still being dialled is waited for a little.
 */

import type { Machine } from ".";
import { CONFIG } from "./config";
import type { Link } from "./link";
import { logInLeader } from "./session";

/** If there is no leader, makes the best one that can be had the leader. */
export function chooseLeader(m: Machine) {
  if (m.leader || m.resting) return;
  const settling = m.now < m.settleUntil;
  const home = settling ? m.home : undefined;
  const order = [...m.links].sort((a, b) => Number(b === home) - Number(a === home));
  const hasRefused = (link: Link) => Number(m.session?.refusedBy.has(link) ?? false);
  for (const link of order.sort((a, b) => hasRefused(a) - hasRefused(b))) {
    if (link.live) return promote(m, link);
    if (settling && link.isHopeful) return;
  }
  const starting = !m.lastLeader && m.now < m.started + CONFIG.startPatience;
  if (m.alone || (starting && m.links.some((link) => link.isHopeful))) return;
  m.alone = true;
  m.tell({ is: "alone" });
}

/** Tells the new leader everything, in one go: who this is, that it listens, and what may not have arrived anywhere. */
function promote(m: Machine, link: Link) {
  m.leader = m.lastLeader = link;
  m.home = m.heldUpSince = undefined;
  m.alone = false;
  m.tell({ is: "moved" });
  if (link.group) m.tell({ is: "group", ...link.group });
  m.deeds.restart();
  logInLeader(m, link);
  // A leader is asked more often whether it is there than it was asked as a follower.
  if ((link.live?.pingAt(true) ?? Infinity) <= m.now) m.ask(link, "ping", { op: "ping" });
}

/** Gives the leader up if another live replica is left that has not refused this deed or session. */
export function moveOn(m: Machine, refused: ReadonlySet<Link>): boolean {
  const leader = m.leader;
  const other = m.links.find((link) => link !== leader && link.live && !refused.has(link));
  if (!leader || !other) return false;
  m.close(leader);
  promote(m, other);
  return true;
}

/** Sends what is waiting to be sent, as far as it may be. */
export function sendDeeds(m: Machine) {
  if (!m.leader || !m.maySend) return;
  for (const deed of m.deeds.takeSendable(m.now)) {
    // After a logout nothing can be confirmed, and what was shown would come again.
    if (deed.op.op === "logout") m.confirm(m.leader);
    m.ask(m.leader, deed, deed.op);
  }
}
