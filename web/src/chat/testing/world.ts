/** A group of replicas, and browsers, on one virtual clock. Everything takes a millisecond, and nothing is random. */

import type { Environment, Shelf, Socket, SocketEvents } from "../environment";
import type { Op } from "../protocol";
import { Replica } from "./replica";

export type Request = Op & { id: number };

declare const setImmediate: (run: (value: unknown) => void) => void;

/** Lets everything run that waits for nothing but its turn. */
const turn = () => new Promise((done) => setImmediate(done));

export class World {
  now = 1_000;
  readonly replicas: Replica[];
  /** The timers of pages come so much later: milliseconds. */
  lateness = 0;
  private readonly due: { at: number; number: number; run: () => void }[] = [];
  private next = 0;

  constructor(names = ["a", "b", "c"]) {
    this.replicas = names.map((name) => new Replica(this, name));
  }

  get(name: string): Replica {
    const replica = this.replicas.find((it) => it.name === name);
    if (!replica) throw new Error(`there is no replica ${name}`);
    return replica;
  }

  after(milliseconds: number, run: () => void): () => void {
    const entry = { at: this.now + milliseconds, number: this.next++, run };
    this.due.push(entry);
    return () => {
      const at = this.due.indexOf(entry);
      if (at >= 0) this.due.splice(at, 1);
    };
  }

  /** Lets this many milliseconds pass. */
  async run(milliseconds: number) {
    const end = this.now + milliseconds;
    await turn();
    for (;;) {
      const first = this.due.reduce<(typeof this.due)[number] | undefined>(
        (a, b) => (a && (a.at < b.at || (a.at === b.at && a.number < b.number)) ? a : b),
        undefined,
      );
      if (!first || first.at > end) break;
      this.due.splice(this.due.indexOf(first), 1);
      this.now = Math.max(this.now, first.at);
      first.run();
      await turn();
    }
    this.now = end;
  }

  /** A browser's tab. Tabs with the same `local` are one browser. */
  tab(local: Shelf | undefined = new FakeShelf(), tab: Shelf | undefined = new FakeShelf(), host = "a:1"): Tab {
    return new Tab(this, host, local, tab);
  }
}

let drawn = 0;

export class Tab implements Environment {
  private isOpen = true;
  /** What waits for the end of a freeze: timers, then what sockets report. */
  private held: { timers: (() => void)[]; reports: (() => void)[] } | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly written: ((key: string) => void)[] = [];
  private readonly looked: (() => void)[] = [];
  private readonly woken: (() => void)[] = [];

  constructor(
    private readonly world: World,
    readonly host: string,
    readonly local: Shelf | undefined,
    readonly tab: Shelf | undefined,
  ) {
    if (local instanceof FakeShelf) local.onWritten(this, (key) => this.isOpen && this.written.forEach((it) => it(key)));
  }

  /** The tab is closed, or reloaded: nothing of its page goes on. */
  close() {
    this.isOpen = false;
    for (const socket of this.sockets) socket.close();
  }

  /** The same tab with a new page. */
  reload(): Tab {
    this.close();
    return new Tab(this.world, this.host, this.local, this.tab);
  }

  /** Nothing of the page runs any more, as where a lid is shut. */
  freeze() {
    this.held = { timers: [], reports: [] };
  }

  /** It goes on: timers are the first to be called. */
  thaw() {
    const held = this.held;
    this.held = undefined;
    for (const run of [...(held?.timers ?? []), ...(held?.reports ?? [])]) run();
  }

  now = () => this.world.now;
  wallNow = () => 1_700_000_000_000 + this.world.now;
  after(milliseconds: number, due: () => void): () => void {
    let isOn = true;
    const run = () => void (isOn && this.isOpen && due());
    const stop = this.world.after(milliseconds + this.world.lateness, () => (this.held ? this.held.timers.push(run) : run()));
    return () => {
      isOn = false;
      stop();
    };
  }

  random = (bytes: number) => new Uint8Array(bytes).map((_, n) => (n === bytes - 1 ? ++drawn % 256 : n === bytes - 2 ? drawn >> 8 : 1));
  onWritten = (written: (key: string) => void) => void this.written.push(written);
  onWake = (woken: () => void) => void this.woken.push(woken);
  onLook = (looked: () => void) => void this.looked.push(looked);

  /** The network is there again. */
  wake() {
    this.woken.forEach((it) => it());
  }

  /** Somebody is at it again. */
  look() {
    this.looked.forEach((it) => it());
  }

  dial(address: string, events: SocketEvents): Socket {
    let isOn = true;
    const report = (run: () => void) => {
      if (this.held) this.held.reports.push(() => isOn && run());
      else run();
    };
    const reported: SocketEvents = {
      opened: () => report(() => events.opened()),
      said: (text) => report(() => events.said(text)),
      ended: () => report(() => events.ended()),
    };
    const replica = this.world.replicas.find((it) => it.address === address);
    const inner = replica?.accept(reported) ?? refuse(this.world, reported);
    const close = () => {
      isOn = false;
      inner.close();
    };
    const socket = { send: inner.send, close };
    this.sockets.add(socket);
    return socket;
  }
}

function refuse(world: World, events: SocketEvents): Socket {
  const stop = world.after(1, () => events.ended());
  return { send: () => {}, close: stop };
}

export class FakeShelf implements Shelf {
  /** It takes nothing more. */
  isFull = false;
  readonly items = new Map<string, string>();
  private readonly watchers: ((key: string) => void)[] = [];

  onWritten(_tab: Tab, written: (key: string) => void) {
    this.watchers.push(written);
  }

  get length() {
    return this.items.size;
  }
  key = (n: number) => [...this.items.keys()][n] ?? null;
  getItem = (key: string) => this.items.get(key) ?? null;
  removeItem = (key: string) => void this.items.delete(key);
  setItem(key: string, value: string) {
    if (this.isFull) throw new Error("QuotaExceededError");
    this.items.set(key, value);
    // The writer hears of it, too, unlike in a browser: that must do no harm.
    this.watchers.forEach((it) => it(key));
  }
}

