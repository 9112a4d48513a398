import { describe, expect, it } from "vitest";
import { createChat } from ".";
import type { Chat, Conversation, Message } from "./model";
import { FakeShelf, World } from "./testing/world";

/** A world in which alice and bob have accounts. */
async function world(): Promise<World> {
  const it = new World();
  for (const name of ["alice", "bob", "carol"]) {
    for (const replica of it.replicas) {
      replica.accounts.set(`#${name}`, name);
      replica.passwords.set(`#${name}`, "correct horse");
    }
  }
  return it;
}

async function enter(world: World, name: string, tab = world.tab()): Promise<Chat> {
  const chat = createChat(tab);
  await world.run(50);
  const done = chat.login(name, "correct horse");
  await world.run(50);
  await done;
  await world.run(50);
  return chat;
}

/** Alice, in her conversation with bob. */
async function alice(world: World, tab = world.tab()): Promise<Chat> {
  const chat = await enter(world, "alice", tab);
  const opened = chat.open("bob");
  await world.run(50);
  chat.look(await opened);
  await world.run(50);
  return chat;
}

const conversation = (chat: Chat, account = "#bob") => chat.snapshot().conversations.find((it) => it.with === account) as Conversation;
const texts = (chat: Chat, account?: string) => conversation(chat, account).messages.map((it) => it.text);
const progress = (chat: Chat, n: number) => (conversation(chat).messages.at(n) as Message).progress;
const sends = (world: World, replica: string) => world.get(replica).asked.flatMap((it) => (it.op === "send" ? [it.text] : []));
const health = (chat: Chat) => chat.snapshot().replicas.map((it) => `${it.name} ${it.health}`);
const count = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);

describe("failover", () => {
  it("learns the others, and shows who leads", async () => {
    const w = await world();
    const chat = await enter(w, "alice");
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    w.get("a").crash();
    await w.run(50);
    expect(health(chat)).toEqual(["a down", "b leads", "c up"]);
    expect(chat.snapshot()).toMatchObject({ phase: "in", connected: true });
    w.get("b").crash();
    w.get("c").crash();
    await w.run(50);
    expect(chat.snapshot().connected).toBe(false);
    w.get("c").start();
    await w.run(3_000);
    expect(health(chat)).toEqual(["a down", "b down", "c leads"]);
  });

  it("each message goes once, in order, when the leader is lost while sending", async () => {
    const w = await world();
    const chat = await alice(w);
    chat.send("#bob", "1");
    await w.run(50);
    // It takes the second, and dies before it answers.
    w.get("a").script = (request) => (request.op === "send" && request.text === "3" ? (w.get("a").crash(), null) : undefined);
    for (const text of ["2", "3", "4", "5"]) chat.send("#bob", text);
    await w.run(200);
    expect(texts(chat)).toEqual(["1", "2", "3", "4", "5"]);
    expect(w.get("b").log.map((it) => it.text)).toEqual(["1", "2", "3", "4", "5"]);
    expect(progress(chat, -1)).toEqual({ is: "stored", on: 2, of: 3 });
  });

  it("what was acknowledged by one alone is sent to the next first, with its key", async () => {
    const w = await world();
    const chat = await alice(w);
    w.get("a").isCut = true;
    chat.send("#bob", "lonely");
    await w.run(50);
    expect(progress(chat, -1)).toEqual({ is: "stored", on: 1, of: 3 });
    const [message] = w.get("a").log;
    w.get("a").crash();
    chat.send("#bob", "next");
    await w.run(100);
    expect(w.get("b").log.map((it) => it.text)).toEqual(["lonely", "next"]);
    expect(w.get("b").log[0]?.message).toBe(message?.message);
    expect(texts(chat)).toEqual(["lonely", "next"]);
    expect(progress(chat, 0)).toEqual({ is: "stored", on: 2, of: 3 });
  });

  it("a later answer by all covers what was answered before, and it is not kept any more", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    const kept = () => [...(tab.local as FakeShelf).items.keys()].filter((key) => key.startsWith("lastword/out/"));
    w.get("c").isUp = false;
    chat.send("#bob", "two of three");
    await w.run(50);
    expect(progress(chat, -1)).toEqual({ is: "stored", on: 2, of: 3 });
    expect(kept()).toHaveLength(1);
    w.get("c").start();
    chat.send("#bob", "three of three");
    await w.run(50);
    expect(progress(chat, 0)).toEqual({ is: "stored", on: 3, of: 3 });
    expect(kept()).toEqual([]);
    w.get("a").crash();
    await w.run(100);
    expect(sends(w, "b")).toEqual([]);
  });

  it("gives up a leader that takes everything and says nothing, after a second or so", async () => {
    const w = await world();
    const chat = await alice(w);
    await w.run(5_000);
    w.get("a").isFrozen = true;
    chat.send("#bob", "hello?");
    await w.run(900);
    expect(health(chat)[0]).toBe("a leads");
    await w.run(300);
    expect(health(chat)).toEqual(["a down", "b leads", "c up"]);
    expect(w.get("b").log.map((it) => it.text)).toEqual(["hello?"]);
  });

  it("a live leader is not given up when timers come late, and a dead one is", async () => {
    const w = await world();
    const chat = await alice(w);
    const closed = w.get("a").asked.filter((it) => it.op === "hello").length;
    w.lateness = 1_500;
    await w.run(120_000);
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    expect(w.get("a").asked.filter((it) => it.op === "hello")).toHaveLength(closed);
    w.get("a").isFrozen = true;
    await w.run(15_000);
    expect(health(chat)).toEqual(["a down", "b leads", "c up"]);
  });

  it("waits as long as a server wants, and overtakes nothing", async () => {
    const w = await world();
    const chat = await alice(w);
    let refusals = 2;
    w.get("a").script = (request) =>
      request.op === "send" && refusals-- > 0 ? { error: { code: "too_many", text: "Slow down.", retry_ms: 700 } } : undefined;
    for (const text of count(1, 5)) chat.send("#bob", text);
    await w.run(600);
    expect(w.get("a").log).toEqual([]);
    await w.run(2_000);
    expect(w.get("a").log.map((it) => it.text)).toEqual(count(1, 5));
    expect(texts(chat)).toEqual(count(1, 5));
  });

  it("a full disk: the next replica; where all are full, messages wait and are told of, and reads go on", async () => {
    const w = await world();
    const chat = await alice(w);
    const full = () => ({ error: { code: "storage_full", text: "The disk is full." } });
    for (const it of w.replicas) it.script = (request) => (request.op === "send" ? full() : undefined);
    chat.send("#bob", "1");
    chat.send("#bob", "2");
    await w.run(3_000);
    expect(progress(chat, -1)).toEqual({ is: "sending" });
    expect(chat.snapshot().notice).toContain("The disk is full.");
    const found = chat.find("bo");
    await w.run(50);
    expect((await found).names).toContain("bob");
    for (const it of w.replicas) it.script = undefined;
    await w.run(3_000);
    expect(w.get("a").log.map((it) => it.text)).toEqual(["1", "2"]);
  });

  it("confirms only what is in the conversation, and shows once what comes again", async () => {
    const w = await world();
    const chat = await alice(w);
    const bob = await enter(w, "bob", w.tab());
    let came = 0;
    chat.onArrival(() => came++);
    for (const it of w.replicas) it.script = (request) => (request.op === "delivered" ? null : undefined);
    bob.send("#alice", "hi");
    await w.run(50);
    expect(texts(chat)).toEqual(["hi"]);
    for (const it of w.replicas) it.script = undefined;
    w.get("a").crash();
    await w.run(200);
    expect(texts(chat)).toEqual(["hi"]);
    expect(came).toBe(1);
    expect(w.get("b").delivered.size).toBe(1);
  });
});

describe("sessions", () => {
  it("a replica that does not know the token is told the password, and hears what was seen", async () => {
    const w = await world();
    const chat = await alice(w);
    chat.send("#bob", "1");
    await w.run(50);
    w.get("b").tokens.clear();
    w.get("a").crash();
    chat.send("#bob", "2");
    await w.run(100);
    expect(w.get("b").log.map((it) => it.text)).toEqual(["1", "2"]);
    const asked = w.get("b").asked.slice(-10).map((it) => it.op);
    expect(asked.indexOf("login")).toBeLessThan(asked.lastIndexOf("resume"));
    expect(chat.snapshot()).toMatchObject({ phase: "in" });
  });

  it("without a password, the next replica is asked; and it is tried again before a session counts as ended", async () => {
    const w = await world();
    const tab = w.tab();
    await enter(w, "alice", tab);
    const tokens = new Map(w.get("b").tokens);
    w.get("b").tokens.clear();
    w.get("c").tokens.clear();
    w.get("a").crash();
    const chat = createChat(tab.reload());
    await w.run(2_000);
    expect(chat.snapshot().phase).toBe("entering");
    for (const [token, account] of tokens) w.get("b").tokens.set(token, account);
    await w.run(2_000);
    expect(chat.snapshot()).toMatchObject({ phase: "in", me: { name: "alice" } });
  });

  it("a session that every replica refuses has ended, and is forgotten", async () => {
    const w = await world();
    const tab = w.tab();
    await enter(w, "alice", tab);
    for (const it of w.replicas) it.tokens.clear();
    const chat = createChat(tab.reload());
    await w.run(2_000);
    expect(chat.snapshot()).toMatchObject({ phase: "out", remembered: [] });
    expect(chat.snapshot().notice).toBeDefined();
  });

  it("goes on after a reload; a new tab is nobody's, and may take up who is remembered; logout ends both", async () => {
    const w = await world();
    const tab = w.tab();
    await enter(w, "alice", tab);
    const chat = createChat(tab.reload());
    expect(chat.snapshot().phase).toBe("entering");
    await w.run(400);
    expect(chat.snapshot().phase).toBe("in");
    const second = createChat(w.tab(tab.local));
    await w.run(400);
    expect(second.snapshot()).toMatchObject({ phase: "out", remembered: [{ account: "#alice", name: "alice" }] });
    const on = second.goOn("#alice");
    await w.run(50);
    await on;
    expect(second.snapshot().phase).toBe("in");
    const out = chat.logout();
    await w.run(50);
    await out;
    expect(chat.snapshot()).toMatchObject({ phase: "out", remembered: [] });
    expect(second.snapshot()).toMatchObject({ phase: "out" });
    expect(second.snapshot().notice).toBeDefined();
  });

  it("a refusal carries the sentence; nobody answering is said after 30 s, with who was tried", async () => {
    const w = await world();
    const chat = createChat(w.tab());
    await w.run(50);
    const wrong = chat.login("alice", "wrong").catch((error: unknown) => error);
    await w.run(50);
    expect(await wrong).toMatchObject({ code: "wrong_login", message: "The sentence for wrong_login." });
    for (const it of w.replicas) it.crash();
    const lost = chat.login("alice", "correct horse").catch((error: unknown) => error);
    await w.run(31_000);
    expect(await lost).toMatchObject({ code: "no_answer", message: expect.stringContaining("a:1, b:1, c:1") as unknown });
  });
});

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

describe("progress", () => {
  it("never has a tick before the acknowledgement, and two only when delivered", async () => {
    const w = await world();
    const chat = await alice(w);
    w.get("a").script = (request) => (request.op === "send" ? null : undefined);
    chat.send("#bob", "1");
    await w.run(300);
    expect(progress(chat, 0)).toEqual({ is: "sending" });
    w.get("a").script = undefined;
    w.get("a").crash();
    await w.run(50);
    expect(progress(chat, 0)).toEqual({ is: "stored", on: 2, of: 3 });
    await enter(w, "bob", w.tab(undefined, undefined, "b:1"));
    await w.run(50);
    expect(progress(chat, 0)).toEqual({ is: "delivered" });
  });

  it("of old messages, those are delivered that are not pending", async () => {
    const w = await world();
    await fill(w, 1, 3);
    for (const it of w.replicas) it.delivered.add("#alice m2");
    const chat = await alice(w);
    expect(conversation(chat).messages.map((it) => it.progress?.is)).toEqual([undefined, "delivered", undefined]);
    for (const it of w.replicas) it.take({ message: "m4", from_account: "#alice", to_account: "#bob", text: "4", at: 4 });
    w.get("a").crash();
    await w.run(200);
    expect(texts(chat)).toEqual(count(1, 4));
    expect(progress(chat, 3)).toEqual({ is: "stored" });
  });
});

/** Puts messages between alice and bob on every replica, by turns. */
async function fill(world: World, from: number, to: number) {
  for (const n of count(from, to)) {
    const [a, b] = Number(n) % 2 ? ["#bob", "#alice"] : ["#alice", "#bob"];
    for (const it of world.replicas) {
      it.log.push({ message: `m${n}`, from_account: a, to_account: b, text: n, at: Number(n) });
      it.delivered.add(`${a} m${n}`);
    }
  }
}

describe("history", () => {
  it("is loaded by pages, back to the beginning", async () => {
    const w = await world();
    await fill(w, 1, 120);
    const chat = await alice(w);
    expect(texts(chat)).toEqual(count(71, 120));
    expect(conversation(chat).more).toBe(true);
    for (let n = 0; n < 2; n++) {
      void chat.loadOlder("#bob");
      void chat.loadOlder("#bob");
      await w.run(50);
    }
    expect(texts(chat)).toEqual(count(1, 120));
    expect(conversation(chat)).toMatchObject({ more: false, loading: false });
  });

  it("what came while away stands in its place after a failover; live ones follow", async () => {
    const w = await world();
    await fill(w, 1, 20);
    const chat = await alice(w);
    // On the next replica one message came earlier than those that are known here.
    const late = { message: "late", from_account: "#bob", to_account: "#alice", text: "late", at: 5 };
    for (const name of ["b", "c"]) {
      w.get(name).log.splice(18, 0, late);
      w.get(name).delivered.add("#bob late");
    }
    w.get("a").crash();
    chat.send("#bob", "new");
    await w.run(200);
    expect(texts(chat)).toEqual([...count(1, 18), "late", "19", "20", "new"]);
  });

  it("over a gap of more than a page, what is older is loaded anew", async () => {
    const w = await world();
    await fill(w, 1, 10);
    const chat = await alice(w);
    await fill(w, 11, 90);
    w.get("a").crash();
    await w.run(200);
    expect(texts(chat)).toEqual(count(41, 90));
    void chat.loadOlder("#bob");
    await w.run(50);
    expect(texts(chat)).toEqual(count(1, 90));
  });

  it("ten thousand messages are loaded, and go on, without slowing down", async () => {
    const w = await world();
    await fill(w, 1, 10_000);
    const chat = await alice(w);
    const started = performance.now();
    for (let n = 0; n < 200; n++) {
      void chat.loadOlder("#bob");
      await w.run(8);
    }
    await w.run(50);
    expect(texts(chat)).toEqual(count(1, 10_000));
    chat.send("#bob", "one more");
    await w.run(50);
    expect(conversation(chat).messages).toHaveLength(10_001);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

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
