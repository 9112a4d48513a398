/**
 * No connection is kept while nobody is logged in and nothing is asked for.
 *
 * A server closes a connection on which nobody logs in, after half a minute. To connect again at once, for as long as the
 * first screen stands open, is work for every replica and use to nobody; and the dots of the servers would flicker. So the
 * first server that says so puts all connections to rest. The page shows the servers as they were, and dials when there is
 * something to do, or when somebody looks at the page again.
 */

import type { Machine } from ".";
import { CONFIG } from "./config";
import type { Link } from "./link";

/** The server is about to close this connection, since nobody has logged in on it: no reason to speak to another one. */
export function onIdle(m: Machine, link: Link) {
  if (!link.live) return m.close(link);
  if (!m.session && m.deeds.isEmpty && m.leader) return rest(m, m.leader);
  m.reconnect(link);
  link.presumedUp = true;
}

function rest(m: Machine, leader: Link) {
  for (const link of m.links) {
    link.presumedUp = link.live !== undefined;
    if (link.epoch !== undefined) m.put({ is: "close", epoch: link.epoch });
    link.rest();
  }
  m.leader = undefined;
  m.home = leader;
  m.resting = true;
}

/** Something is to be done: dials, and waits a while for the one that led. */
export function wake(m: Machine) {
  if (!m.resting) return;
  m.resting = false;
  m.settleUntil = m.now + CONFIG.startPatience;
  for (const link of m.links) m.dial(link);
}
