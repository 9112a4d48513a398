import {
  type Arrival,
  type Chat,
  type Conversation,
  type Message,
  type Person,
  type Progress,
  Refused,
  type Replica,
  type Snapshot,
} from "../src/chat/model";

/**
 * A chat without servers, the same at every start: what is seen is developed and looked at with it. Its commands for the
 * outside (`arrive`, `kill`, …) are what a test or a developer's console calls.
 */
export interface FakeOptions {
  readonly phase: "in" | "out";
  /** The time that all messages are counted back from. */
  readonly now: number;
  /** Messages of the long conversation that are loaded, and that are on the server besides. */
  readonly loaded: number;
  readonly older: number;
}

const MINUTE_MS = 60_000;
const ME: Person = { account: "a0", name: "alice" };
const EVERYBODY = ["alice", "bob", "bobby.tables", "carol", "dave_1", "eve-the-very-long-name-of-32-sign"];
const WORDS = "we moved the standby to another rack and nobody noticed which is how it is when a server dies".split(" ");

export class FakeChat implements Chat {
  #snapshot: Snapshot;
  #changed = new Set<() => void>();
  #came = new Set<(arrival: Arrival) => void>();
  #older: number;
  #next = 1_000_000;
  readonly calls: string[] = [];

  constructor(readonly options: FakeOptions) {
    this.#older = options.older;
    this.#snapshot = {
      phase: options.phase,
      ...(options.phase === "in" ? { me: ME } : {}),
      remembered: [ME, { account: "a3", name: "carol" }],
      replicas: [replica("a", "leads"), replica("b", "up"), replica("c", "up")],
      connected: true,
      stale: false,
      conversations: conversations(options),
      blocked: [],
      loaded: true,
    };
  }

  snapshot = () => this.#snapshot;

  subscribe(changed: () => void) {
    this.#changed.add(changed);
    return () => void this.#changed.delete(changed);
  }

  onArrival(came: (arrival: Arrival) => void) {
    this.#came.add(came);
    return () => void this.#came.delete(came);
  }

  async create(name: string) {
    await pause(50);
    if (EVERYBODY.includes(name.toLowerCase())) throw new Refused("This name is taken.", "name_taken");
    this.change({ phase: "in", me: { account: "a9", name } });
  }

  async login(name: string, password: string) {
    await pause(50);
    if (password !== "secret") throw new Refused("Name and password do not fit together.", "wrong_login");
    this.change({ phase: "in", me: { account: "a0", name } });
  }

  async goOn(account: string) {
    const me = this.#snapshot.remembered.find((person) => person.account === account)!;
    this.change({ phase: "in", me });
  }

  forget(account: string) {
    this.change({ remembered: this.#snapshot.remembered.filter((person) => person.account !== account) });
  }

  async logout() {
    this.change({ phase: "out" });
  }

  async changePassword(old: string) {
    await pause(50);
    if (old !== "secret") throw new Refused("The present password is wrong.", "bad_password");
  }

  async deleteAccount() {
    this.change({ phase: "out" });
  }

  async find(part: string) {
    await pause(20);
    return { names: EVERYBODY.filter((name) => name.includes(part.toLowerCase())), more: false };
  }

  async open(name: string) {
    await pause(20);
    const at = EVERYBODY.indexOf(name.toLowerCase());
    if (at < 0) throw new Refused(`Nobody is called ${name}.`, "no_such_user");
    const account = `a${at}`;
    if (!this.#snapshot.conversations.some((conversation) => conversation.with === account)) {
      const fresh = { with: account, name, messages: [], more: false, loading: false, unread: 0, draft: "" };
      this.change({ conversations: [...this.#snapshot.conversations, fresh] });
    }
    return account;
  }

  look(account: string | undefined) {
    this.calls.push(`look ${account}`);
    if (account) this.#edit(account, (conversation) => ({ ...conversation, unread: 0 }));
  }

  async loadOlder(account: string) {
    this.calls.push(`loadOlder ${account}`);
    this.#edit(account, (conversation) => ({ ...conversation, loading: true }));
    await pause(60);
    this.#edit(account, (conversation) => {
      const count = Math.min(this.#older, 50);
      const first = conversation.messages[0];
      const older = run(this.#older - count, count, (first?.at ?? this.options.now) - count * 7 * MINUTE_MS);
      this.#older -= count;
      return { ...conversation, messages: [...older, ...conversation.messages], more: this.#older > 0, loading: false };
    });
  }

  send(account: string, text: string) {
    this.calls.push(`send ${account} ${text}`);
    const id = `n${this.#next++}`;
    this.#add(account, { id, mine: true, text, at: this.options.now, progress: { is: "sending" } }, 0);
    const reach = (after_ms: number, progress: Progress) =>
      setTimeout(() => this.#progress(account, id, progress), after_ms);
    if (text.startsWith("refuse")) reach(200, { is: "refused", why: "Many messages wait for this account." });
    else if (!text.startsWith("wait")) {
      reach(200, { is: "stored", on: 3, of: 3 });
      reach(500, { is: "delivered" });
    }
  }

  retry(account: string, id: string) {
    this.#progress(account, id, { is: "sending" });
  }

  discard(account: string, id: string) {
    this.#edit(account, (conversation) => ({
      ...conversation,
      messages: conversation.messages.filter((message) => message.id !== id),
    }));
  }

  draft(account: string, text: string) {
    this.#edit(account, (conversation) => ({ ...conversation, draft: text }));
  }

  async block(account: string) {
    await pause(50);
    const { name } = this.#snapshot.conversations.find((conversation) => conversation.with === account)!;
    this.change({ blocked: [...this.#snapshot.blocked, { account, name }] });
  }

  async unblock(account: string) {
    await pause(50);
    this.change({ blocked: this.#snapshot.blocked.filter((person) => person.account !== account) });
  }

  dismissNotice() {
    const { notice: _, ...rest } = this.#snapshot;
    this.#snapshot = rest;
    this.change({});
  }

  /** A message of the other one comes. */
  arrive(account: string, text: string, unread = 1) {
    const message = { id: `n${this.#next++}`, mine: false, text, at: this.options.now };
    const conversation = this.#add(account, message, unread);
    for (const came of this.#came) came({ conversation, message });
  }

  kill(name: string) {
    const replicas = this.#snapshot.replicas.map((one) => (one.name === name ? { ...one, health: "down" as const } : one));
    this.change({ replicas, connected: replicas.some((one) => one.health !== "down") });
  }

  change(other: Partial<Snapshot>) {
    this.#snapshot = { ...this.#snapshot, ...other };
    for (const changed of this.#changed) changed();
  }

  #add(account: string, message: Message, unread: number): Conversation {
    return this.#edit(account, (conversation) => ({
      ...conversation,
      messages: [...conversation.messages, message],
      last: message,
      unread: conversation.unread + unread,
    }));
  }

  #progress(account: string, id: string, progress: Progress) {
    this.#edit(account, (conversation) => ({
      ...conversation,
      messages: conversation.messages.map((message) => (message.id === id ? { ...message, progress } : message)),
    }));
  }

  #edit(account: string, edit: (conversation: Conversation) => Conversation): Conversation {
    const found = this.#snapshot.conversations.find((conversation) => conversation.with === account)!;
    const edited = edit(found);
    this.change({ conversations: this.#snapshot.conversations.map((one) => (one === found ? edited : one)) });
    return edited;
  }
}

function conversations({ now, loaded, older }: FakeOptions): Conversation[] {
  const base = { more: false, loading: false, unread: 0, draft: "" };
  const long = run(older, loaded, now - loaded * 7 * MINUTE_MS);
  const odd = oddities(now);
  const short: Message[] = [{ id: "c1", mine: false, text: "Lunch?", at: now - 26 * 60 * MINUTE_MS }];
  return [
    { ...base, with: "a1", name: "bob", messages: odd, last: odd.at(-1)!, unread: 3, online: true },
    { ...base, with: "a3", name: "carol", messages: long, last: long.at(-1)!, more: older > 0, online: false, draft: "half a" },
    { ...base, with: "a5", name: EVERYBODY[5]!, messages: short, last: short[0]!, unread: 120 },
  ];
}

/** Messages of a lively conversation: of many lengths, by both, some apart and some together. */
function run(firstNumber: number, count: number, firstAt: number): Message[] {
  return Array.from({ length: count }, (_, offset) => {
    const number = firstNumber + offset;
    const length = 2 + ((number * 7919) % 23) * ((number * 31) % 5 === 0 ? 6 : 1);
    const words = Array.from({ length }, (_, word) => WORDS[(number * 13 + word) % WORDS.length]);
    const mine = (number * 17) % 7 < 3;
    const text = `${number}: ${words.join(" ")}${number % 40 === 0 ? "\nand\nsome\nlines" : ""}`;
    const progress: { progress?: Progress } = mine ? { progress: { is: "delivered" } } : {};
    return { id: `l${number}`, mine, text, at: firstAt + offset * 7 * MINUTE_MS - (number % 3) * 3 * MINUTE_MS, ...progress };
  });
}

/** All that a message can be. */
function oddities(now: number): Message[] {
  let minutes = 60 * 30;
  const at = (after: number) => now - (minutes -= after) * MINUTE_MS;
  const theirs = (id: string, text: string, after = 1): Message => ({ id, mine: false, text, at: at(after) });
  const mine = (id: string, text: string, progress: Progress, after = 1): Message => ({
    id,
    mine: true,
    text,
    at: at(after),
    progress,
  });
  return [
    theirs("o1", "Are you there?"),
    mine("o2", "Yes. What about the servers?", { is: "delivered" }),
    theirs("o3", "One is gone, see the dots. The plan: https://example.org/plan_(new)?a=1&b=2. Read it!", 60 * 26),
    theirs("o4", "<b>not bold</b> <img src=x onerror=alert(1)> &amp; <script>alert(2)</script>"),
    theirs("o5", `A long word: ${"Donaudampfschiff".repeat(14)}`),
    theirs("o6", "שלום, \u202eturned around\u202c and a bell \u0007 and\n\ttab"),
    mine("o7", "Two lines\nand an emoji 🎉", { is: "stored", on: 2, of: 3 }, 50),
    mine("o8", "Stored somewhere", { is: "stored" }),
    mine("o9", "This one was too much.", { is: "refused", why: "Many messages wait for this account. Try again later." }),
    mine("o10", "And this one is on its way", { is: "sending" }),
  ];
}

function replica(name: string, health: Replica["health"]): Replica {
  return { name, address: `127.0.0.1:6543${name}`, health };
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
