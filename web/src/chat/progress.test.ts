import { describe, expect, it } from "vitest";
import { createChat } from ".";
import { alice, conversation, count, enter, fill, progress, texts, world } from "./testing/scene";

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

  it("one that a page before the reload sent to one replica alone is delivered all the same, once it is", async () => {
    const w = await world();
    const tab = w.tab();
    let chat = await alice(w, tab);
    w.get("b").crash();
    w.get("c").crash();
    chat.send("#bob", "1");
    await w.run(50);
    chat = createChat(tab.reload());
    await enter(w, "bob");
    await w.run(500);
    chat.look("#bob");
    await w.run(200);
    expect(progress(chat, 0)).toEqual({ is: "delivered" });
  });
});
