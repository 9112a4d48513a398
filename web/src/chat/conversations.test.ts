import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { alice, conversation, enter, fill, texts, world } from "./testing/scene";

describe("conversations", () => {
  it("are listed with their last message, unread counts and drafts, also after a reload", async () => {
    const w = await world();
    await fill(w, 1, 3);
    const tab = w.tab();
    let chat = await enter(w, "alice", tab);
    expect(chat.snapshot().loaded).toBe(true);
    expect(conversation(chat)).toMatchObject({ name: "bob", last: { text: "3" }, unread: 0, online: true, messages: [] });
    const carol = await enter(w, "carol", w.tab());
    carol.send("#alice", "1");
    carol.send("#alice", "2");
    await w.run(50);
    expect(chat.snapshot().conversations.map((it) => [it.name, it.unread])).toEqual([["carol", 2], ["bob", 0]]);
    chat.draft("#bob", "not yet");
    await w.run(50);
    chat = createChat(tab.reload());
    await w.run(500);
    expect(chat.snapshot().conversations.map((it) => [it.name, it.unread, it.draft])).toEqual([["carol", 2, ""], ["bob", 0, "not yet"]]);
    chat.look("#carol");
    await w.run(50);
    expect(conversation(chat, "#carol")).toMatchObject({ unread: 0 });
    expect(texts(chat, "#carol")).toEqual(["1", "2"]);
    expect(createChat(tab.reload()).snapshot().phase).toBe("entering");
  });

  it("somebody has gone when that has been so for three seconds", async () => {
    const w = await world();
    await fill(w, 1, 1);
    const chat = await enter(w, "alice");
    const tell = (online: boolean) => w.get("a").tellPresence("#bob", online);
    tell(false);
    await w.run(1_000);
    tell(true);
    await w.run(5_000);
    expect(conversation(chat).online).toBe(true);
    tell(false);
    await w.run(2_900);
    expect(conversation(chat).online).toBe(true);
    await w.run(200);
    expect(conversation(chat).online).toBe(false);
  });

  it("a server that does not know them is good all the same", async () => {
    const w = await world();
    for (const it of w.replicas) it.script = (request) => (request.op === "conversations" ? { error: { code: "bad_request", text: "?" } } : undefined);
    const chat = await alice(w);
    expect(chat.snapshot().loaded).toBe(true);
    chat.send("#bob", "1");
    await w.run(50);
    expect(texts(chat)).toEqual(["1"]);
  });

  it("what has not changed is the same object", async () => {
    const w = await world();
    await fill(w, 1, 3);
    const chat = await alice(w);
    let calls = 0;
    chat.subscribe(() => calls++);
    const before = chat.snapshot();
    await w.run(10_000);
    expect(chat.snapshot()).toBe(before);
    expect(calls).toBe(0);
    const carol = await enter(w, "carol", w.tab());
    carol.send("#alice", "1");
    await w.run(50);
    const after = chat.snapshot();
    expect(after).not.toBe(before);
    expect(after.conversations[1]).toBe(before.conversations[0]);
    expect(after.replicas).toBe(before.replicas);
    expect(calls).toBeGreaterThan(0);
  });
});
