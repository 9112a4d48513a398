import { describe, expect, it } from "vitest";
import { alice, count, enter, health, progress, sends, texts, world } from "./testing/scene";
import { FakeShelf } from "./testing/world";

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

  it("a page that was frozen blames nobody for the time that passed", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    const hellos = () => w.get("a").asked.filter((it) => it.op === "hello").length;
    const before = hellos();
    chat.send("#bob", "1");
    tab.freeze();
    await w.run(10_000);
    tab.thaw();
    await w.run(100);
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    expect(hellos()).toBe(before);
    expect(progress(chat, 0)).toMatchObject({ is: "stored", on: 3 });
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

  it("one listener too many asks again when it was told to, sends meanwhile, and says so once", async () => {
    const w = await world();
    const tooMany = (request: { op: string }) =>
      request.op === "listen" ? { error: { code: "too_many", text: "16 connections listen.", retry_ms: 5_000 } } : undefined;
    for (const it of w.replicas) it.script = tooMany;
    const chat = await alice(w);
    const asked = (op: string) => w.replicas.flatMap((it) => it.asked.filter((request) => request.op === op)).length;
    expect([asked("listen"), asked("hello")]).toEqual([1, 3]);
    expect(chat.snapshot().notice).toContain("16 connections listen.");
    chat.dismissNotice();
    chat.send("#bob", "1");
    await w.run(20_000);
    expect(progress(chat, -1)).toMatchObject({ is: "stored", on: 3 });
    expect([asked("listen"), asked("hello")]).toEqual([5, 3]);
    expect(chat.snapshot().notice).toBeUndefined();
    expect(health(chat)).toEqual(["a leads", "b up", "c up"]);
    for (const it of w.replicas) it.script = undefined;
    const bob = await enter(w, "bob");
    bob.send("#alice", "2");
    await w.run(5_000);
    expect(texts(chat)).toEqual(["1", "2"]);
  });

  it("that no messages come is said no longer than it is so", async () => {
    const w = await world();
    let refusals = 1;
    w.get("a").script = ({ op }) =>
      op === "listen" && refusals-- > 0 ? { error: { code: "too_many", text: "16 connections listen.", retry_ms: 5_000 } } : undefined;
    const chat = await alice(w);
    expect(chat.snapshot().notice).toContain("16 connections listen.");
    await w.run(5_000);
    expect(chat.snapshot().notice).toBeUndefined();
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
