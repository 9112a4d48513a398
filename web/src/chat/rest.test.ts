import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { enter, health, world } from "./testing/scene";
import type { World } from "./testing/world";

const hellos = (w: World) => w.replicas.flatMap((it) => it.asked.filter(({ op }) => op === "hello")).length;

/** Servers that close, after 30 s, connections on which nobody logs in. */
async function impatient(): Promise<World> {
  const w = await world();
  for (const it of w.replicas) it.idleAfter = 30_000;
  return w;
}

describe("a first screen that stands open", () => {
  it("does not change, connects to nobody, and a login is as quick as ever", async () => {
    const w = await impatient();
    const chat = createChat(w.tab());
    await w.run(1_000);
    const [before, dialled] = [chat.snapshot(), hellos(w)];
    let changes = 0;
    chat.subscribe(() => changes++);
    await w.run(600_000);
    expect([changes, hellos(w)]).toEqual([0, dialled]);
    expect(chat.snapshot()).toBe(before);
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    const done = chat.login("alice", "correct horse");
    await w.run(20);
    await done;
    await w.run(50);
    expect(chat.snapshot()).toMatchObject({ phase: "in", connected: true });
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
  });

  it("does not change while a login is under way when its connection is closed", async () => {
    for (const at of [29_990, 29_997, 29_998, 29_999, 30_000, 30_001, 30_002, 30_003, 30_004, 30_010]) {
      const w = await impatient();
      const chat = createChat(w.tab());
      await w.run(at);
      const before = chat.snapshot().replicas;
      const seen = new Set<unknown>();
      chat.subscribe(() => seen.add(chat.snapshot().replicas));
      const done = chat.login("alice", "correct horse");
      await w.run(100);
      await done;
      expect(chat.snapshot(), `${at}`).toMatchObject({ phase: "in", connected: true });
      for (const replicas of seen) expect(replicas, `${at}`).toEqual(before);
    }
  });

  it("finds out by the login that its server is gone, and goes to the next", async () => {
    const w = await impatient();
    const chat = createChat(w.tab());
    await w.run(60_000);
    w.get("a").crash();
    const done = chat.login("alice", "correct horse");
    await w.run(50);
    await done;
    expect(health(chat)).toEqual(["a down", "b leads", "c up"]);
  });

  it("says that no server answers only once that is so", async () => {
    const w = await impatient();
    const chat = createChat(w.tab());
    await w.run(60_000);
    for (const it of w.replicas) it.crash();
    const done = chat.login("alice", "correct horse");
    await w.run(1_100);
    expect(chat.snapshot().connected).toBe(false);
    w.get("b").start();
    await w.run(3_000);
    await done;
    expect(chat.snapshot()).toMatchObject({ phase: "in", connected: true });
  });

  it("looks at the servers again when it is looked at, and goes on as somebody who was here before", async () => {
    const w = await impatient();
    const first = w.tab();
    await enter(w, "alice", first);
    const tab = w.tab(first.local);
    const chat = createChat(tab);
    await w.run(60_000);
    w.get("c").crash();
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    tab.wake();
    await w.run(100);
    expect(health(chat)).toEqual(["a leads", "b up", "c down"]);
    await w.run(60_000);
    const done = chat.goOn("#alice");
    await w.run(50);
    await done;
    expect(chat.snapshot()).toMatchObject({ phase: "in", me: { name: "alice" } });
  });
});
