import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { alice, enter, world } from "./testing/scene";
import type { FakeShelf } from "./testing/world";

describe("sessions", () => {
  it("a replica that does not know the token is told the password, and hears what was seen", async () => {
    const w = await world();
    const chat = await alice(w);
    chat.send("#bob", "1");
    await w.run(50);
    w.get("b").tokens.clear();
    w.get("c").tokens.clear();
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

  it("where a login is unavailable, the next replica is asked; where it is so everywhere, that is said", async () => {
    const w = await world();
    const unavailable = ({ op }: { op: string }) => (op === "login" ? { error: { code: "unavailable", text: "It has not caught up." } } : undefined);
    w.get("a").script = unavailable;
    const chat = createChat(w.tab());
    await w.run(50);
    const done = chat.login("alice", "correct horse");
    await w.run(100);
    await done;
    expect(chat.snapshot()).toMatchObject({ phase: "in", me: { name: "alice" } });
    expect(w.get("b").asked.filter((it) => it.op === "login")).toHaveLength(1);
    for (const it of w.replicas) it.script = unavailable;
    const second = createChat(w.tab());
    await w.run(50);
    const refused = second.login("alice", "correct horse").catch((error: unknown) => error);
    await w.run(500);
    expect(await refused).toMatchObject({ code: "unavailable", message: "It has not caught up." });
  });

  it("a session for which every replica is unavailable waits until one knows it, and has not ended", async () => {
    const w = await world();
    const tab = w.tab();
    await enter(w, "alice", tab);
    for (const it of w.replicas) it.script = ({ op }) => (op === "resume" ? { error: { code: "unavailable", text: "It has not caught up." } } : undefined);
    const chat = createChat(tab.reload());
    await w.run(20_000);
    expect(chat.snapshot()).toMatchObject({ phase: "entering", me: { name: "alice" }, remembered: [{ name: "alice" }] });
    expect(chat.snapshot().notice).toBeUndefined();
    // Two rounds a second, and in each once as the leader and once as one that was dialled again: not as fast as it can be.
    expect(w.get("a").asked.filter((it) => it.op === "resume").length).toBeLessThan(100);
    w.get("c").script = undefined;
    await w.run(5_000);
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

  it("an account that one replica alone has is made again at the next, and what was sent stands", async () => {
    const w = await world();
    const chat = createChat(w.tab());
    await w.run(50);
    w.get("a").isCut = true;
    const made = chat.create("dora", "correct horse");
    await w.run(50);
    await made;
    const opened = chat.open("bob");
    await w.run(50);
    chat.send(await opened, "1");
    await w.run(50);
    w.get("a").crash();
    await w.run(100);
    expect(w.get("b").accounts.get("#dora")).toBe("dora");
    expect(w.get("b").log.map((it) => it.text)).toEqual(["1"]);
    expect(chat.snapshot()).toMatchObject({ phase: "in", me: { name: "dora" } });
  });

  it("after a logout nothing of the account is in the browser, whichever tab it was; the group's addresses are", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    const other = w.tab(tab.local);
    const second = await alice(w, other);
    chat.draft("#bob", "between you and me");
    second.draft("#bob", "and me");
    w.get("a").isCut = true;
    second.send("#bob", "not everywhere yet");
    await enter(w, "bob").then((bob) => bob.send("#alice", "unread"));
    chat.look(undefined);
    await w.run(200);
    const kept = () => [...(tab.local as FakeShelf).items].filter(([key]) => key !== "lastword/addresses");
    expect(kept().flat().join()).toContain("#alice");
    w.get("a").isCut = false;
    const out = chat.logout();
    await w.run(3_000);
    await out;
    expect(second.snapshot().phase).toBe("out");
    const bobs = kept().filter(([key, value]) => (key + value).includes("#alice"));
    expect(bobs.filter(([key]) => !key.includes("/#bob/"))).toEqual([]);
    expect([...(tab.tab as FakeShelf).items, ...(other.tab as FakeShelf).items]).toEqual([]);
    expect((tab.local as FakeShelf).items.has("lastword/addresses")).toBe(true);
  });

  it("who is forgotten at the entrance has nothing here any more; a session that is refused keeps what was typed", async () => {
    const w = await world();
    const tab = w.tab();
    const chat = await alice(w, tab);
    chat.draft("#bob", "typed");
    for (const it of w.replicas) it.tokens.clear();
    const again = createChat(tab.reload());
    await w.run(2_000);
    expect(again.snapshot()).toMatchObject({ phase: "out", remembered: [] });
    const items = (tab.local as FakeShelf).items;
    expect([...items.values()]).toContain("typed");
    again.forget("#alice");
    expect([...items.keys()].filter((key) => key.includes("#alice"))).toEqual([]);
  });

  it("a logout whose answer is lost with its replica was done", async () => {
    const w = await world();
    const chat = await alice(w);
    w.get("a").script = (request) => {
      if (request.op !== "logout") return undefined;
      for (const it of w.replicas) it.tokens.clear();
      w.get("a").crash();
      return null;
    };
    const out = chat.logout();
    await w.run(200);
    await out;
    expect(chat.snapshot()).toMatchObject({ phase: "out", remembered: [] });
    expect(w.get("b").asked.filter((it) => it.op === "login")).toEqual([]);
  });
});
