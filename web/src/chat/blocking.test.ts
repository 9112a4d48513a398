import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { alice, conversation, enter, fill, texts, world } from "./testing/scene";
import type { World } from "./testing/world";

const blocks = (w: World, replica: string) => w.get(replica).asked.flatMap((it) => (it.op === "block" || it.op === "unblock" ? [it] : []));

describe("blocking", () => {
  it("somebody: what they write does not come, also later, and they are not told", async () => {
    const w = await world();
    const chat = await alice(w);
    const bob = await enter(w, "bob");
    bob.send("#alice", "before");
    await w.run(50);
    const blocked = chat.block("#bob");
    await w.run(50);
    await blocked;
    expect(chat.snapshot().blocked).toEqual([{ account: "#bob", name: "bob" }]);
    bob.send("#alice", "meanwhile");
    await w.run(50);
    expect(texts(chat)).toEqual(["before"]);
    expect(bob.snapshot().conversations[0]?.messages.map((it) => it.progress?.is)).toEqual(["delivered", "stored"]);
    const unblocked = chat.unblock("#bob");
    await w.run(50);
    await unblocked;
    expect(chat.snapshot().blocked).toEqual([]);
    bob.send("#alice", "after");
    await w.run(50);
    expect(texts(chat)).toEqual(["before", "after"]);
  });

  it("is known after a login and a reload, page by page, and on other devices when they are looked at", async () => {
    const w = await world();
    for (const it of w.replicas) it.pageMost = 1;
    const tab = w.tab();
    const chat = await alice(w, tab);
    const other = w.tab();
    const elsewhere = await alice(w, other);
    for (const account of ["#carol", "#bob"]) void chat.block(account);
    await w.run(50);
    const both = [{ account: "#bob", name: "bob" }, { account: "#carol", name: "carol" }];
    expect(elsewhere.snapshot().blocked).toEqual([]);
    await w.run(5_000);
    other.look();
    await w.run(50);
    expect(elsewhere.snapshot().blocked).toEqual(both);
    const again = createChat(tab.reload());
    await w.run(400);
    expect(again.snapshot().blocked).toEqual(both);
    expect((await enter(w, "bob")).snapshot().blocked).toEqual([]);
  });

  it("is asked of the next replica, with the same key, where the one that did it alone is lost", async () => {
    const w = await world();
    const chat = await alice(w);
    w.get("a").isCut = true;
    const blocked = chat.block("#bob");
    await w.run(50);
    await blocked;
    expect(w.get("b").blocks.get("#alice")).toBeUndefined();
    w.get("a").crash();
    await w.run(200);
    expect([...(w.get("b").blocks.get("#alice") ?? [])]).toEqual(["#bob"]);
    const keys = [...blocks(w, "a"), ...blocks(w, "b")].map((it) => it.key);
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(chat.snapshot().blocked).toEqual([{ account: "#bob", name: "bob" }]);
    // The next one stored it on all that are there, but not on all; the one after that is asked as well.
    expect(blocks(w, "c")).toEqual([]);
    w.get("b").crash();
    await w.run(200);
    expect(blocks(w, "c").map((it) => it.key)).toEqual([keys[0]]);
  });

  it("whose answer is lost with its replica is done once; what is refused is said", async () => {
    const w = await world();
    const chat = await alice(w);
    w.get("a").script = ({ op }) => (op === "block" ? (w.get("a").crash(), null) : undefined);
    const blocked = chat.block("#bob");
    await w.run(200);
    await blocked;
    expect(chat.snapshot().blocked).toHaveLength(1);
    w.get("b").script = ({ op }) => (op === "block" ? { error: { code: "bad_request", text: "You block 1,000 people already." } } : undefined);
    const refused = chat.block("#carol").catch((error: unknown) => error);
    await w.run(50);
    expect(await refused).toMatchObject({ message: "You block 1,000 people already." });
    expect(chat.snapshot().blocked).toHaveLength(1);
  });

  it("a list that was asked for before a block does not undo it", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    await w.run(5_000);
    let [asked, held] = [0, true];
    w.get("a").script = ({ op }) => (op === "blocked" && held ? (asked++, (held = false), { blocked: [], more: false }) : undefined);
    const blocked = chat.block("#bob");
    tab.look();
    await w.run(1);
    await w.run(50);
    await blocked;
    expect(asked).toBe(1);
    expect(chat.snapshot().blocked).toEqual([{ account: "#bob", name: "bob" }]);
  });

  it("is not carried out in the next session, if nobody could be asked in this one", async () => {
    const w = await world();
    const tab = w.tab();
    await enter(w, "bob", tab);
    const chat = await alice(w, tab);
    for (const it of w.replicas) it.crash();
    await w.run(50);
    const lost = chat.block("#carol").catch((error: unknown) => error);
    const on = chat.goOn("#bob");
    await w.run(50);
    expect(await lost).toMatchObject({ code: "not_logged_in" });
    for (const it of w.replicas) it.start();
    await w.run(5_000);
    await on;
    expect(chat.snapshot()).toMatchObject({ phase: "in", me: { name: "bob" }, blocked: [] });
    expect(w.replicas.flatMap((it) => blocks(w, it.name))).toEqual([]);
  });
});

describe("somebody who has deleted their account", () => {
  it("is read about by the account: the conversation stays, and says so", async () => {
    const w = await world();
    await fill(w, 1, 120);
    const chat = await alice(w);
    for (const it of w.replicas) it.deleteAccount("#bob");
    w.get("a").crash();
    await w.run(200);
    void chat.loadOlder("#bob");
    await w.run(50);
    expect(texts(chat)).toHaveLength(100);
    expect(conversation(chat)).toMatchObject({ deleted: true, name: "bob", more: true });
    const opened = chat.open("bob");
    await w.run(50);
    expect(await opened).toBe("#bob");
  });

  it("is never mixed up with who has the name now", async () => {
    const w = await world();
    await fill(w, 1, 3);
    const chat = await alice(w);
    for (const it of w.replicas) {
      it.deleteAccount("#bob");
      it.accounts.set("#bob 2", "bob");
      it.log.push({ message: "new", from_account: "#bob 2", to_account: "#alice", text: "I am new", at: 9 });
    }
    w.get("a").crash();
    await w.run(200);
    expect(texts(chat)).toEqual(["1", "2", "3"]);
    const opened = chat.open("Bob");
    await w.run(50);
    expect(await opened).toBe("#bob 2");
    expect(texts(chat, "#bob 2")).toEqual(["I am new"]);
    expect(texts(chat)).toEqual(["1", "2", "3"]);
    expect(conversation(chat, "#bob 2").deleted).toBeUndefined();
    // Also while nobody can be asked.
    for (const it of w.replicas) it.crash();
    await w.run(50);
    expect(await chat.open("bob")).toBe("#bob 2");
  });
});
