import { describe, expect, it } from "vitest";
import { alice, conversation, count, fill, texts, world } from "./testing/scene";

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

  it("over a gap of more than a page, what is older is loaded again", async () => {
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

  it("that the newest page is asked for again is not seen, and an older one that is wanted meanwhile comes after it", async () => {
    const w = await world();
    await fill(w, 1, 120);
    const chat = await alice(w);
    w.get("b").script = (request) => (request.op === "history" && request.before === undefined ? null : undefined);
    w.get("a").crash();
    await w.run(50);
    expect(conversation(chat)).toMatchObject({ loading: false });
    void chat.loadOlder("#bob");
    w.get("b").crash();
    await w.run(100);
    expect(texts(chat)).toEqual(count(21, 120));
  });
});
