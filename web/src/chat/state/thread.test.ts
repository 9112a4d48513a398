import { expect, it } from "vitest";
import type { WireMessage } from "../protocol";
import { Thread } from "./thread";

function wire(text: string, mine = false): WireMessage {
  const [from, to] = mine ? ["me", "you"] : ["you", "me"];
  return { message: `id ${text}`, from, from_account: from, to, to_account: to, text, at: 1, pos: `pos ${text}`, seen: "" };
}

const thread = () => new Thread("you", "you", "me", "");
const texts = (it: Thread) => it.snapshot(undefined).messages.map((message) => message.text);
const wires = (all: string) => all.split(" ").map((text) => wire(text));

it("a page's order counts for what it covers: what is older stays before it, what came since after it", () => {
  const it = thread();
  it.mergeNewest(wires("1 2 3 5 4"), true, 0, 1, 1);
  it.append(wire("live"), 2, 1);
  it.mergeNewest(wires("3 4 5 6"), true, 1, 3, 1);
  expect(texts(it)).toEqual(["1", "2", "3", "4", "5", "6", "live"]);
});

it("over a gap, what came since the page was asked for is kept", () => {
  const it = thread();
  it.mergeNewest(wires("1 2"), true, 0, 1, 1);
  it.append(wire("live"), 2, 1);
  it.mergeNewest(wires("8 9"), true, 1, 3, 1);
  expect(texts(it)).toEqual(["8", "9", "live"]);
  expect(it.oldestPos).toBe("pos 8");
});

it("an older page takes what it covers to its place", () => {
  const it = thread();
  it.mergeNewest(wires("5 6"), true, 0, 1, 1);
  it.append(wire("late"), 2, 1);
  it.mergeOlder(wires("3 late 4"), true, 3, 1);
  expect(texts(it)).toEqual(["3", "late", "4", "5", "6"]);
});

it("what was not known when it was asked what is pending, or told by another leader, is not taken for delivered", () => {
  const it = thread();
  const delivered = () => it.snapshot(undefined).messages.filter((message) => message.progress?.is === "delivered").map((message) => message.text);
  it.mergeNewest([wire("1", true), wire("2", true), wire("3", true)], false, 0, 1, 1);
  it.acknowledge("id 4", "4", 1, 3, 3, 2, 1);
  it.conclude(new Set(["id 2"]), 1, 2);
  expect(delivered()).toEqual([]);
  it.conclude(new Set(["id 2"]), 1, 1);
  expect(delivered()).toEqual(["1", "3"]);
  it.conclude(new Set(), 2, 1);
  expect(delivered()).toEqual(["1", "2", "3", "4"]);
});

it("a receipt that comes before its acknowledgement shows after it only", () => {
  const it = thread();
  it.addUnsent({ id: "id 1", mine: true, text: "1", at: 1, progress: { is: "sending" } });
  expect(it.deliver("id 1")).toBe(true);
  expect(it.snapshot(undefined).messages[0]?.progress).toEqual({ is: "sending" });
  it.mergeNewest([wire("1", true)], false, 0, 1, 1);
  expect(it.snapshot(undefined).messages).toHaveLength(1);
  it.acknowledge("id 1", "1", 1, 3, 3, 2, 1);
  expect(it.snapshot(undefined).messages.map((message) => message.progress)).toEqual([{ is: "delivered" }]);
});

it("keeps what has not changed as it is", () => {
  const it = thread();
  it.append(wire("1"), 1, 1);
  const before = it.snapshot(undefined);
  expect(it.snapshot(undefined)).toBe(before);
  it.draft = "x";
  it.changed = true;
  const after = it.snapshot(undefined);
  expect(after).not.toBe(before);
  expect(after.messages).toBe(before.messages);
});
