import { expect, it } from "vitest";
import { createChat } from ".";
import type { Chat } from "./model";
import { alice, conversation, enter, progress, world } from "./testing/scene";
import { FakeShelf, type Tab, type World } from "./testing/world";

/** Numbers below `most`, the same for the same seed (xorshift). */
function dice(seed: number): (most: number) => number {
  let state = seed * 2_654_435_761;
  return (most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % most;
  };
}

/** Something happens to a replica; one at least goes on. */
function hurt(w: World, roll: (most: number) => number) {
  const replica = w.replicas[roll(3)];
  const well = w.replicas.filter((it) => it.isUp && !it.isFrozen);
  if (!replica) return;
  if (!replica.isUp) replica.start();
  else if (replica.isFrozen || replica.isCut) replica.mend();
  else if (roll(3) === 0) replica.isCut = true;
  else if (well.length > 1 && roll(2) === 0) replica.isFrozen = true;
  else if (well.length > 1) replica.crash();
}

/** A tick says that it is on a disk somewhere. */
function checkTicks(w: World, chat: Chat) {
  for (const message of conversation(chat).messages) {
    if (message.progress?.is !== "stored" && message.progress?.is !== "delivered") continue;
    expect(w.replicas.some((it) => it.log.some((fact) => fact.message === message.id)), message.text).toBe(true);
    if (message.progress.is === "delivered") {
      expect(w.replicas.some((it) => it.delivered.has(`#alice ${message.id}`)), message.text).toBe(true);
    }
  }
}

async function run(seed: number) {
  const w = await world();
  const roll = dice(seed);
  let tab: Tab = w.tab();
  let chat = await alice(w, tab);
  const bob = await enter(w, "bob", w.tab(undefined, undefined, "b:1"));
  let sent = 0;
  for (let step = 0; step < 150; step++) {
    const what = roll(12);
    if (what < 7) chat.send("#bob", String(sent++));
    else if (what < 10) hurt(w, roll);
    else if (what === 10 && sent > 0) {
      tab = tab.reload();
      chat = createChat(tab);
    } else if (conversation(chat)) checkTicks(w, chat);
    await w.run(roll(4) === 0 ? roll(3_000) : roll(20));
  }
  for (const it of w.replicas) it.start();
  await w.run(20_000);
  chat.look("#bob");
  await w.run(100);
  while (conversation(chat).more) {
    void chat.loadOlder("#bob");
    await w.run(50);
  }
  chat.send("#bob", String(sent++));
  await w.run(1_000);
  const expected = Array.from({ length: sent }, (_, n) => String(n));
  for (const it of w.replicas) expect(it.log.map((fact) => fact.text)).toEqual(expected);
  expect(conversation(chat).messages.map((it) => it.text)).toEqual(expected);
  expect(conversation(bob, "#alice").messages.map((it) => it.text)).toEqual(expected.slice(-200));
  expect(conversation(chat).messages.filter((it) => it.progress?.is !== "delivered").map((it) => it.text)).toEqual([]);
  expect(progress(chat, -1)).toEqual({ is: "delivered" });
  expect([...(tab.local as FakeShelf).items.keys()].filter((key) => key.includes("/out/"))).toEqual([]);
}

it("whatever happens to replicas and pages, everything comes once, in order, and ticks are true", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    await run(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
  }
}, 60_000);
