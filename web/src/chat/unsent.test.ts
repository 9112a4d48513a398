import { describe, expect, it } from "vitest";
import { createChat } from ".";
import type { Message } from "./model";
import { alice, conversation, count, progress, sends, texts, world } from "./testing/scene";
import { FakeShelf } from "./testing/world";

describe("unsent messages", () => {
  it("survive a reload, and go out once, in order", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    // The first is taken, and its answer lost.
    for (const it of w.replicas) it.script = (request) => (request.op === "send" && request.text !== "1" ? null : undefined);
    chat.send("#bob", "1");
    chat.send("#bob", "2");
    chat.send("#bob", "3");
    const reloaded = createChat(tab.reload());
    expect(texts(reloaded)).toEqual(["1", "2", "3"]);
    expect(progress(reloaded, 0)).toEqual({ is: "sending" });
    for (const it of w.replicas) it.script = undefined;
    await w.run(1_000);
    expect(w.get("a").log.map((it) => it.text)).toEqual(["1", "2", "3"]);
    expect(texts(reloaded)).toEqual(["1", "2", "3"]);
    expect([...(tab.local as FakeShelf).items.keys()].filter((key) => key.includes("/out/"))).toEqual([]);
  });

  it("two tabs of one account keep each its own", async () => {
    const w = await world();
    const first = w.tab();
    const one = await alice(w, first);
    const other = await alice(w, w.tab(first.local));
    for (const it of w.replicas) it.crash();
    for (const n of count(1, 3)) {
      one.send("#bob", `one ${n}`);
      other.send("#bob", `other ${n}`);
    }
    expect([...(first.local as FakeShelf).items.keys()].filter((key) => key.includes("/out/"))).toHaveLength(6);
    for (const it of w.replicas) it.start();
    const reloaded = createChat(first.reload());
    await w.run(5_000);
    const sent = w.get("a").log.map((it) => it.text);
    expect(sent.filter((text) => text.startsWith("one"))).toEqual(["one 1", "one 2", "one 3"]);
    expect(sent.filter((text) => text.startsWith("other"))).toEqual(["other 1", "other 2", "other 3"]);
    expect(texts(reloaded)).toHaveLength(6);
  });

  it("where the storage is full, they are kept in memory, and that is said", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    (tab.local as FakeShelf).isFull = true;
    chat.send("#bob", "1");
    await w.run(50);
    expect(w.get("a").log.map((it) => it.text)).toEqual(["1"]);
    expect(chat.snapshot().notice).toContain("storage");
  });

  it("beyond a thousand are refused", async () => {
    const w = await world();
    const chat = await alice(w);
    for (const it of w.replicas) it.crash();
    for (const n of count(1, 1_001)) chat.send("#bob", n);
    expect(progress(chat, 999)).toEqual({ is: "sending" });
    expect(progress(chat, 1_000)).toMatchObject({ is: "refused" });
    for (const it of w.replicas) it.start();
    await w.run(5_000);
    expect(w.get("a").log).toHaveLength(1_000);
    const last = conversation(chat).messages.at(-1) as Message;
    chat.retry("#bob", last.id);
    await w.run(50);
    expect(w.get("a").log).toHaveLength(1_001);
  });

  it("what is refused for good stays, with the sentence, until it is tried again or given up", async () => {
    const w = await world();
    const tab = w.tab();
    let chat = await alice(w, tab);
    for (const it of w.replicas) it.accounts.delete("#bob");
    chat.send("#bob", "1");
    await w.run(50);
    expect(progress(chat, -1)).toEqual({ is: "refused", why: "The sentence for no_such_user." });
    chat = createChat(tab.reload());
    await w.run(1_000);
    expect(progress(chat, -1)).toMatchObject({ is: "refused" });
    expect(sends(w, "a")).toHaveLength(1);
    for (const it of w.replicas) it.accounts.set("#bob", "bob");
    chat.retry("#bob", (conversation(chat).messages.at(-1) as Message).id);
    await w.run(50);
    expect(progress(chat, -1)).toMatchObject({ is: "stored" });
  });
});
