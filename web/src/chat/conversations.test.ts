import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { alice, befriend, conversation, count, enter, fill, texts, world } from "./testing/scene";
import type { World } from "./testing/world";

const lists = (w: World, replica = "a") => w.get(replica).asked.filter((it) => it.op === "conversations");

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

  it("are asked for page by page, until there are no more", async () => {
    const w = await world();
    befriend(w, 30);
    for (const it of w.replicas) it.pageMost = 4;
    const chat = await enter(w, "alice");
    const names = () => chat.snapshot().conversations.map((it) => it.name);
    const newestFirst = count(1, 30).reverse();
    expect(names()).toEqual(newestFirst);
    expect(lists(w)).toHaveLength(8);
    // The list is asked for again, and who has written meanwhile stands first.
    const bob = await enter(w, "bob", w.tab());
    bob.send("#alice", "hi");
    await w.run(100);
    expect(names()).toEqual(["bob", ...newestFirst]);
    w.get("a").crash();
    await w.run(200);
    expect(names()).toEqual(["bob", ...newestFirst]);
  });

  it("are a thousand at most, and a server that tells the first page for ever is asked no more", async () => {
    const w = await world();
    befriend(w, 1_010);
    for (const it of w.replicas) it.pageMost = 150;
    const chat = await enter(w, "alice");
    expect(chat.snapshot().conversations).toHaveLength(1_000);
    expect(lists(w)).toHaveLength(7);
    const page = { account: "#bob", name: "bob", last: { message: "1", from_account: "#bob", to_account: "#alice", pos: "p" } };
    w.get("b").script = ({ op }) => (op === "conversations" ? { conversations: [page], more: true } : undefined);
    w.get("a").crash();
    await w.run(500);
    expect(lists(w, "b")).toHaveLength(2);
  });

  it("what I wrote elsewhere is seen when the page is looked at again, at most every five seconds", async () => {
    const w = await world();
    await fill(w, 1, 2);
    const tab = w.tab();
    const chat = await alice(w, tab);
    const elsewhere = await alice(w, w.tab());
    const carol = elsewhere.open("carol");
    await w.run(50);
    elsewhere.send("#bob", "to bob");
    elsewhere.send(await carol, "to carol");
    await w.run(50);
    expect(texts(chat)).toEqual(["1", "2"]);
    const once = lists(w).length + 1;
    tab.look();
    tab.look();
    await w.run(50);
    expect(lists(w)).toHaveLength(once);
    expect(texts(chat)).toEqual(["1", "2", "to bob"]);
    expect(conversation(chat, "#carol").last).toMatchObject({ text: "to carol", mine: true });
    chat.look("#carol");
    await w.run(50);
    expect(texts(chat, "#carol")).toEqual(["to carol"]);
    // What is held is not all, if somebody wrote elsewhere: also where nobody looks at it.
    elsewhere.send("#bob", "more");
    await w.run(50);
    const before = lists(w).length;
    tab.look();
    await w.run(4_500);
    expect(lists(w)).toHaveLength(before);
    await w.run(500);
    expect(lists(w)).toHaveLength(before + 1);
    expect(conversation(chat).last).toMatchObject({ text: "more" });
    chat.look("#bob");
    await w.run(50);
    expect(texts(chat)).toEqual(["1", "2", "to bob", "more"]);
    await w.run(10_000);
    expect(lists(w)).toHaveLength(before + 1);
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
