/** What goes into a snapshot beside conversations. */

import type { Machine } from "./machine";
import type { Replica, Snapshot } from "./model";
import type { WireReplica } from "./protocol";

/** The replicas as this page sees them, in the group's order; before anybody has told of it: by their addresses. */
export function replicasSeen(machine: Machine, group: readonly WireReplica[]): Replica[] {
  const health = (link: Machine["links"][number] | undefined, isBehind: boolean): Replica["health"] => {
    if (!link?.live && !link?.presumedUp) return "down";
    if (link === (machine.leader ?? machine.home)) return "leads";
    return isBehind ? "behind" : "up";
  };
  if (group.length === 0) {
    return machine.links.map((link) => ({ name: link.address, address: link.address, health: health(link, false) }));
  }
  return group.map(({ name, address, state }) => {
    const link = machine.links.find((it) => it.name === name) ?? machine.links.find((it) => it.address === address);
    return { name, address, health: health(link, state !== "in_sync" && state !== "self") };
  });
}

/** The snapshot with what has not changed taken from the one before; that one itself, where nothing has. */
export function shareUnchanged(before: Snapshot | undefined, now: Snapshot): Snapshot {
  if (!before) return now;
  const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);
  const shared = {
    ...now,
    ...(before.me && isSame(before.me, now.me) && { me: before.me }),
    ...(isSame(before.remembered, now.remembered) && { remembered: before.remembered }),
    ...(isSame(before.replicas, now.replicas) && { replicas: before.replicas }),
    ...(isSame(before.blocked, now.blocked) && { blocked: before.blocked }),
    // Conversations know by themselves what has changed; only that there are none is not known there.
    ...(now.conversations.length + before.conversations.length === 0 && { conversations: before.conversations }),
  };
  const keys = new Set([...Object.keys(before), ...Object.keys(shared)]) as Set<keyof Snapshot>;
  return [...keys].every((key) => before[key] === shared[key]) ? before : shared;
}
