/** A replica of few words: it takes what others have at once, unless it is cut off, and can be scripted. */

import type { Socket, SocketEvents } from "../environment";
import type { Request, World } from "./world";

interface Message {
  message: string;
  from_account: string;
  to_account: string;
  text: string;
  at: number;
}

interface Connection {
  readonly events: SocketEvents;
  isOpen: boolean;
  account: string | undefined;
  token: string | undefined;
  listening: boolean;
  watched: boolean;
  readonly sent: Message[];
  /** Came while this was frozen. */
  readonly waiting: Request[];
}

type Fields = Record<string, unknown>;

const identity = (it: Message) => `${it.from_account} ${it.message}`;

export class Replica {
  readonly address: string;
  isUp = true;
  /** It takes everything, and does and says nothing until `mend`. */
  isFrozen = false;
  /** After how many milliseconds it closes a connection on which nobody logs in. */
  idleAfter = Infinity;
  /** It passes nothing on, and gets nothing. */
  isCut = false;
  /** What it holds: in its own order. */
  log: Message[] = [];
  readonly accounts = new Map<string, string>();
  /** Accounts that are no more, and how they were called. */
  readonly deleted = new Map<string, string>();
  readonly passwords = new Map<string, string>();
  readonly tokens = new Map<string, string>();
  readonly delivered = new Set<string>();
  /** Whom each account blocks. */
  readonly blocks = new Map<string, Set<string>>();
  /** Messages that were taken in while their receiver blocked their author. */
  private readonly unwanted = new Set<string>();
  /** How many conversations fit into a line. */
  pageMost = Infinity;
  /** Everything that it was asked, pings aside. */
  readonly asked: Request[] = [];
  /** Before a request is done: `undefined` lets it be done, `null` answers nothing, an error is the answer. */
  script: ((request: Request) => Fields | null | undefined) | undefined;
  private connections: Connection[] = [];

  constructor(
    private readonly world: World,
    readonly name: string,
  ) {
    this.address = `${name}:1`;
  }

  accept(events: SocketEvents): Socket {
    const connection: Connection = { events, isOpen: true, account: undefined, token: undefined, listening: false, watched: false, sent: [], waiting: [] };
    this.world.after(1, () => {
      if (!connection.isOpen) return;
      if (!this.isUp) return this.drop(connection);
      this.connections.push(connection);
      events.opened();
      if (this.idleAfter < Infinity) this.world.after(this.idleAfter, () => this.endIdle(connection));
    });
    const close = () => {
      connection.isOpen = false;
      this.connections = this.connections.filter((it) => it !== connection);
    };
    const send = (text: string) =>
      void this.world.after(1, () => {
        if (!connection.isOpen || !this.isUp) return;
        if (this.isFrozen) connection.waiting.push(JSON.parse(text) as Request);
        else this.onRequest(connection, JSON.parse(text) as Request);
      });
    return { send, close };
  }

  private endIdle(connection: Connection) {
    if (!connection.isOpen || connection.account) return;
    this.say(connection, { event: "closed", reason: "idle" });
    this.world.after(2, () => connection.isOpen && this.drop(connection));
  }

  /** `kill -9`: what is on its way from it is lost. */
  crash() {
    this.isUp = false;
    for (const connection of [...this.connections]) this.drop(connection);
  }

  private drop(connection: Connection) {
    connection.isOpen = false;
    this.connections = this.connections.filter((it) => it !== connection);
    connection.events.ended();
  }

  /** It comes back, with what it had. */
  start() {
    this.isUp = true;
    this.mend();
  }

  /** It is neither frozen nor cut off any more: it swaps what it has with the others, and does what it was asked. */
  mend() {
    this.isFrozen = this.isCut = false;
    for (const other of this.inSync) {
      for (const message of [...other.log]) this.take(message);
      for (const message of [...this.log]) other.take(message);
      for (const it of [...other.delivered]) this.delivered.add(it);
      for (const it of this.delivered) other.delivered.add(it);
      for (const [token, account] of other.tokens) this.tokens.set(token, account);
      for (const [token, account] of this.tokens) other.tokens.set(token, account);
    }
    for (const connection of [...this.connections]) {
      for (const request of connection.waiting.splice(0)) if (connection.isOpen) this.onRequest(connection, request);
    }
  }

  private say(connection: Connection, line: Fields) {
    this.world.after(1, () => connection.isOpen && this.isUp && !this.isFrozen && connection.events.said(JSON.stringify(line)));
  }

  private get inSync(): Replica[] {
    return this.world.replicas.filter((it) => it === this || (it.isUp && !it.isFrozen && !it.isCut && !this.isCut));
  }

  private onRequest(connection: Connection, request: Request) {
    if (request.op !== "ping") this.asked.push(request);
    const scripted = this.script?.(request);
    if (!this.isUp || scripted === null) return;
    const result = scripted ?? this.carryOut(connection, request);
    this.say(connection, { id: request.id, ...("error" in result ? result : { ok: result }) });
    if (request.op === "listen" && connection.listening) this.deliverWaiting(connection);
  }

  private carryOut(connection: Connection, request: Request): Fields {
    const me = connection.account ?? "";
    switch (request.op) {
      case "ping":
        return {};
      case "hello":
        return { server: "fake", version: 1, replica: this.name, stale: false, replicas: this.states() };
      case "create":
      case "login": {
        const account = `#${request.name.toLowerCase()}`;
        if (request.op === "create") {
          for (const it of this.inSync) [it.accounts.set(account, request.name), it.passwords.set(account, request.password)];
        } else if (this.passwords.get(account) !== request.password) {
          return refuse("wrong_login");
        }
        const token = `token ${request.op} ${account} ${this.name} ${this.world.now}`;
        for (const it of this.inSync) it.tokens.set(token, account);
        [connection.account, connection.token] = [account, token];
        return { account, name: this.accounts.get(account), token, pending: 0, ...this.copies() };
      }
      case "resume": {
        const account = this.tokens.get(request.token);
        connection.account = account;
        return account ? { account, name: this.accounts.get(account), pending: 0 } : refuse("wrong_login");
      }
    }
    if (!connection.account) return refuse("not_logged_in");
    switch (request.op) {
      case "logout":
        for (const it of this.inSync) it.endSession(connection.token ?? "", me, it === this ? connection : undefined);
        connection.account = undefined;
        return this.copies();
      case "listen":
        connection.listening = true;
        return { pending: 0 };
      case "delivered": {
        for (const message of connection.sent.slice(0, Number(request.upto))) {
          for (const it of this.inSync) if (!it.delivered.has(identity(message))) it.onDelivered(message);
        }
        return {};
      }
      case "send": {
        if (!this.accounts.has(request.to_account)) return refuse("no_such_user");
        const message = { message: request.key, from_account: me, to_account: request.to_account, text: request.text, at: this.world.now };
        for (const it of this.inSync) it.take(message);
        return { message: request.key, to_account: request.to_account, at: message.at, seen: `s${this.world.now}`, ...this.copies(), online: true };
      }
      case "history": {
        const isNamed = "with" in request;
        const other = isNamed ? this.accountOf(request.with) : request.with_account;
        const deleted = this.deleted.has(other ?? "");
        if (other === undefined || (!deleted && !this.accounts.has(other))) return refuse("no_such_user");
        const all = this.log.filter((it) => isBetween(it, me, other) && this.isSeenBy(me, it));
        const end = request.before === undefined ? all.length : all.findIndex((it) => `p${identity(it)}` === request.before);
        const page = all.slice(Math.max(0, end - request.limit), end).reverse();
        const messages = page.map((it) => this.view(it, `p${identity(it)}`));
        return { messages, more: end > request.limit, account: other, name: this.accounts.get(other) ?? this.deleted.get(other), online: !deleted, deleted };
      }
      case "block":
      case "unblock": {
        if (!this.accounts.has(request.who_account)) return refuse("no_such_user");
        for (const it of this.inSync) {
          const blocks = it.blocks.get(me) ?? new Set();
          it.blocks.set(me, blocks);
          if (request.op === "block") blocks.add(request.who_account);
          else blocks.delete(request.who_account);
        }
        return this.copies();
      }
      case "blocked": {
        const all = [...(this.blocks.get(me) ?? [])].sort().filter((it) => request.after === undefined || it > request.after);
        const page = all.slice(0, Math.min(request.limit, this.pageMost));
        return { blocked: page.map((account) => ({ account, name: this.accounts.get(account) })), more: page.length < all.length };
      }
      case "pending": {
        const mine = this.log.filter((it) => it.from_account === me && !this.delivered.has(identity(it)));
        const start = request.after === undefined ? 0 : mine.findIndex((it) => it.message === request.after) + 1;
        const messages = mine.slice(start, start + request.limit);
        return { messages: messages.map((it) => ({ ...it, to: it.to_account })), more: mine.length > start + request.limit };
      }
      case "conversations": {
        connection.watched = true;
        const place = (other: string) => this.log.map((it) => isBetween(it, me, other) && this.isSeenBy(me, it)).lastIndexOf(true);
        const end = request.before === undefined ? this.log.length : this.log.findIndex((it) => `p${identity(it)}` === request.before);
        const others = [...this.accounts.keys()].filter((other) => place(other) >= 0 && place(other) < end);
        others.sort((one, other) => place(other) - place(one));
        const conversations = others.slice(0, Math.min(request.limit, this.pageMost)).map((account) => {
          const last = this.log[place(account)] as Message;
          return { account, name: this.accounts.get(account), online: true, last: this.view(last, `p${identity(last)}`) };
        });
        return { conversations, more: conversations.length < others.length };
      }
      case "list":
        return { names: [...this.accounts.values()], more: false };
      default:
        return this.copies();
    }
  }

  /** Tells everybody who asked that somebody has come or gone. */
  tellPresence(account: string, online: boolean) {
    for (const it of this.connections.filter((connection) => connection.watched)) {
      this.say(it, { event: "presence", account, name: this.accounts.get(account), online });
    }
  }

  take(message: Message) {
    if (this.log.some((it) => identity(it) === identity(message))) return;
    this.log.push(message);
    if (this.blocks.get(message.to_account)?.has(message.from_account)) {
      this.unwanted.add(identity(message));
      return;
    }
    for (const it of this.connections) if (it.listening && it.account === message.to_account) this.deliver(it, message);
  }

  private isSeenBy(account: string, message: Message): boolean {
    return this.unwanted.size === 0 || message.to_account !== account || !this.unwanted.has(identity(message));
  }

  private accountOf(name: string): string | undefined {
    for (const [account, its] of this.accounts) if (its.toLowerCase() === name.toLowerCase()) return account;
    return undefined;
  }

  /** Somebody has deleted their account: its name is free. */
  deleteAccount(account: string) {
    this.deleted.set(account, this.accounts.get(account) ?? "");
    this.accounts.delete(account);
  }

  private deliverWaiting(connection: Connection) {
    const waiting = this.log.filter((it) => it.to_account === connection.account && this.isSeenBy(it.to_account, it) && !this.delivered.has(identity(it)));
    for (const message of waiting) this.deliver(connection, message);
  }

  private deliver(connection: Connection, message: Message) {
    connection.sent.push(message);
    this.say(connection, { event: "message", ...this.view(message, String(connection.sent.length)) });
  }

  private onDelivered(message: Message) {
    this.delivered.add(identity(message));
    for (const it of this.connections) {
      if (it.listening && it.account === message.from_account) {
        this.say(it, { event: "receipt", message: message.message, to: message.to_account, state: "delivered" });
      }
    }
  }

  private endSession(token: string, account: string, but: Connection | undefined) {
    this.tokens.delete(token);
    for (const it of this.connections.filter((other) => other.account === account && other !== but)) {
      this.say(it, { event: "closed", reason: "logged_out" });
    }
  }

  private view(it: Message, pos: string): Fields {
    const names = { from: this.accounts.get(it.from_account), to: this.accounts.get(it.to_account) };
    return { ...it, ...names, pos, seen: `s${it.at}` };
  }

  private copies() {
    return { stored: this.inSync.filter((it) => it.isUp).length, of: this.world.replicas.length };
  }

  private states() {
    return this.world.replicas.map((it) => {
      const state = it === this ? "self" : it.isUp ? "in_sync" : "down";
      return { name: it.name, address: it.address, state };
    });
  }
}

function isBetween(it: Message, one: string, other: string): boolean {
  return (it.from_account === one && it.to_account === other) || (it.from_account === other && it.to_account === one);
}

function refuse(code: string, more: Fields = {}): Fields {
  return { error: { code, text: `The sentence for ${code}.`, ...more } };
}
