/** Who is there in the tests, and what is looked at. */

import { createChat } from "..";
import type { Chat, Conversation, Message } from "../model";
import { World } from "./world";

/** A world in which alice and bob have accounts. */
export async function world(): Promise<World> {
  const it = new World();
  for (const name of ["alice", "bob", "carol"]) {
    for (const replica of it.replicas) {
      replica.accounts.set(`#${name}`, name);
      replica.passwords.set(`#${name}`, "correct horse");
    }
  }
  return it;
}

export async function enter(world: World, name: string, tab = world.tab()): Promise<Chat> {
  const chat = createChat(tab);
  await world.run(50);
  const done = chat.login(name, "correct horse");
  await world.run(50);
  await done;
  await world.run(50);
  return chat;
}

/** Alice, in her conversation with bob. */
export async function alice(world: World, tab = world.tab()): Promise<Chat> {
  const chat = await enter(world, "alice", tab);
  const opened = chat.open("bob");
  await world.run(50);
  chat.look(await opened);
  await world.run(50);
  return chat;
}

export const conversation = (chat: Chat, account = "#bob") => chat.snapshot().conversations.find((it) => it.with === account) as Conversation;
export const texts = (chat: Chat, account?: string) => conversation(chat, account).messages.map((it) => it.text);
export const progress = (chat: Chat, n: number) => (conversation(chat).messages.at(n) as Message).progress;
export const sends = (world: World, replica: string) => world.get(replica).asked.flatMap((it) => (it.op === "send" ? [it.text] : []));
export const health = (chat: Chat) => chat.snapshot().replicas.map((it) => `${it.name} ${it.health}`);
export const count = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);

/** Puts delivered messages between alice and bob on every replica, by turns. */
export async function fill(world: World, from: number, to: number) {
  for (const n of count(from, to)) {
    const [a, b] = Number(n) % 2 ? ["#bob", "#alice"] : ["#alice", "#bob"];
    for (const it of world.replicas) {
      it.log.push({ message: `m${n}`, from_account: a, to_account: b, text: n, at: Number(n) });
      it.delivered.add(`${a} m${n}`);
    }
  }
}

/** This many others, called `1`, `2` and so on, have each written to alice, in this order. */
export function befriend(world: World, people: number) {
  for (const name of count(1, people)) {
    for (const it of world.replicas) {
      it.accounts.set(`#${name}`, name);
      it.log.push({ message: `m${name}`, from_account: `#${name}`, to_account: "#alice", text: "hi", at: Number(name) });
      it.delivered.add(`#${name} m${name}`);
    }
  }
}
