/**
 * One conversation as this page knows it.
 *
 * What stands in it is in two lists: what replicas have told (`told`, oldest first, in the order of the last page of
 * history that covered it), and what is mine and not acknowledged (`unsent`). A message moves from the second to the
 * first when it is acknowledged, and only then has a tick.
 */

import type { Conversation, Message, Progress } from "../model";
import type { WireMessage } from "../protocol";

/** How many messages of a conversation are held; older ones can be loaded again. */
const HELD_MOST = 50_000;
/** The same where nobody has looked yet. */
const UNSEEN_MOST = 200;
/** How many receipts are remembered that came before their message was acknowledged. */
const EARLY_MOST = 1_000;

interface Entry {
  message: Message;
  /** Where it stands in the history, if a replica has said so. */
  pos: string | undefined;
  /** Counted up with each that becomes known, in all conversations. */
  serial: number;
  /** Under which leader it was told last, by that leader. */
  term: number;
}

const identity = (mine: boolean, id: string) => (mine ? `>${id}` : `<${id}`);

export class Thread {
  /** Where it stands among the conversations: the higher, the further up. */
  rank = 0;
  more = true;
  loading = false;
  /** The newest page came under this leader. */
  freshIn = 0;
  /** A page is asked for; after it, the newest is wanted, or an older one. */
  asking = false;
  askAgain = false;
  askOlder = false;
  /** Somebody has looked: more of it is held. */
  wasSeen = false;
  /** The other one has deleted their account. */
  deleted = false;
  /** Of the other one's, which are not read. */
  unread: string[] = [];
  /** It must be shown again. */
  changed = true;

  private told: Entry[] = [];
  private readonly byIdentity = new Map<string, Entry>();
  private unsent: Message[] = [];
  /** Mine that are acknowledged and not known to be delivered. */
  private readonly undelivered = new Map<string, Entry>();
  private readonly early = new Set<string>();
  /** The last message by the list of conversations, where it is not held, and none is that came later. */
  private lastTold: Message | undefined;
  private shown: Conversation | undefined;

  constructor(
    readonly account: string,
    public name: string,
    private readonly me: string,
    public draft: string,
  ) {}

  /** Has a message that just came, unless it is here. Says whether it is new. */
  append(wire: WireMessage, serial: number, term: number): Message | undefined {
    const mine = wire.from_account === this.me;
    if (this.byIdentity.has(identity(mine, wire.message)) || (mine && this.isUnsent(wire.message))) return undefined;
    const entry = this.entryOf(wire, serial, term);
    this.tell(entry);
    return entry.message;
  }

  /** A message of mine that is not sent yet, or again. */
  addUnsent(message: Message) {
    this.unsent = [...this.unsent.filter((it) => it.id !== message.id), message];
    this.changed = true;
  }

  removeUnsent(id: string) {
    this.unsent = this.unsent.filter((it) => it.id !== id);
    this.changed = true;
  }

  /** A message of mine was acknowledged: `on` of `of` replicas have it. */
  acknowledge(id: string, text: string, at: number, on: number, of: number, serial: number, term: number) {
    this.changed = true;
    const known = this.byIdentity.get(identity(true, id));
    this.removeUnsent(id);
    const delivered = this.early.delete(id);
    if (known) {
      [known.term, known.serial] = [term, serial];
      if (delivered) return this.setProgress(known, { is: "delivered" });
      const before = known.message.progress;
      if (before?.is === "stored" && (before.on ?? 0) < on) this.setProgress(known, { is: "stored", on, of });
      return;
    }
    const progress: Progress = delivered ? { is: "delivered" } : { is: "stored", on, of };
    const entry: Entry = { message: { id, mine: true, text, at, progress }, pos: undefined, serial, term };
    this.tell(entry);
  }

  /** All replicas have it by now. */
  cover(id: string) {
    const entry = this.undelivered.get(id);
    const progress = entry?.message.progress;
    if (entry && progress?.is === "stored" && progress.of !== undefined) {
      this.setProgress(entry, { is: "stored", on: progress.of, of: progress.of });
    }
  }

  refuse(id: string, why: string) {
    this.unsent = this.unsent.map((it) => (it.id === id ? { ...it, progress: { is: "refused", why } } : it));
    this.changed = true;
  }

  /** A receipt came. Says whether it was for one of this conversation. */
  deliver(id: string): boolean {
    const entry = this.undelivered.get(id);
    if (entry) {
      this.setProgress(entry, { is: "delivered" });
      return true;
    }
    if (!this.isUnsent(id)) return false;
    // It has arrived before its answer did; it gets no tick before that one.
    if (this.early.size < EARLY_MOST) this.early.add(id);
    return true;
  }

  /**
   * The replica that leads in `term` was asked, when all up to `serial` was known, what is not delivered, and said:
   * only what `pending` holds. What it has told itself, and does not hold pending, is delivered.
   */
  conclude(pending: ReadonlySet<string>, serial: number, term: number) {
    for (const [id, entry] of this.undelivered) {
      const isJudged = entry.serial <= serial && entry.term === term;
      if (isJudged && !pending.has(id)) this.setProgress(entry, { is: "delivered" });
    }
  }

  hasUndelivered(): boolean {
    return this.undelivered.size > 0;
  }

  /**
   * Takes the newest page in (oldest first), asked for when all up to `asked` was known. Its order counts for what it
   * covers; what is older stays before it, what came since, or is not on that replica, after it.
   */
  mergeNewest(page: readonly WireMessage[], more: boolean, asked: number, serial: number, term: number) {
    const entries = this.take(page, serial, term);
    const inPage = new Set(entries);
    const first = this.told.findIndex((entry) => inPage.has(entry));
    const rest = this.told.filter((entry) => !inPage.has(entry));
    if (first < 0 && more) {
      // A gap: what is older can be loaded again.
      const newer = rest.filter((entry) => entry.serial > asked);
      for (const entry of rest) if (entry.serial <= asked) this.drop(entry);
      this.told = [...entries, ...newer];
      this.more = true;
    } else {
      const older = Math.max(first, 0);
      if (older === 0) this.more = more;
      this.told = [...rest.slice(0, older), ...entries, ...rest.slice(older)];
    }
    this.trim();
    this.changed = true;
  }

  /** Takes a page in (oldest first) that stands before `before`. */
  mergeOlder(page: readonly WireMessage[], more: boolean, serial: number, term: number) {
    const inPage = new Set(this.take(page, serial, term));
    const isDouble = this.told.some((entry) => inPage.has(entry));
    this.told = [...inPage, ...(isDouble ? this.told.filter((entry) => !inPage.has(entry)) : this.told)];
    this.more = more && inPage.size > 0;
    this.changed = true;
  }

  /** Before what the next older page stands; `undefined`: nothing of the history is held. */
  get oldestPos(): string | undefined {
    return this.told.find((entry) => entry.pos)?.pos;
  }

  /** The last message, by the list of conversations. Says whether it is not held: another of my devices may have written it. */
  tellLast(wire: WireMessage): boolean {
    const mine = wire.from_account === this.me;
    if (this.byIdentity.has(identity(mine, wire.message)) || (mine && this.isUnsent(wire.message))) return false;
    this.lastTold = this.entryOf(wire, 0, 0).message;
    this.freshIn = 0;
    this.changed = true;
    return true;
  }

  /** One of mine that was refused. */
  refused(id: string): Message | undefined {
    return this.unsent.find((it) => it.id === id && it.progress?.is === "refused");
  }

  get hasUnsent(): boolean {
    return this.unsent.length > 0;
  }

  snapshot(online: boolean | undefined): Conversation {
    if (!this.changed && this.shown && this.shown.online === online) return this.shown;
    const messages = this.messages();
    const last = this.unsent.at(-1) ?? this.lastTold ?? messages.at(-1);
    const { account, name, more, loading, draft, unread } = this;
    this.shown = {
      ...{ with: account, name, messages, more, loading, draft, unread: unread.length },
      ...(last && { last }),
      ...(this.deleted && { deleted: true }),
      ...(online !== undefined && { online }),
    };
    this.changed = false;
    return this.shown;
  }

  /** The same array as before where nothing in it has changed. */
  private messages(): readonly Message[] {
    const before = this.shown?.messages;
    const length = this.told.length + this.unsent.length;
    const at = (n: number) => this.told[n]?.message ?? this.unsent[n - this.told.length];
    let same = before?.length === length;
    for (let n = length - 1; same && n >= 0; n--) same = before?.[n] === at(n);
    return same && before ? before : [...this.told.map((entry) => entry.message), ...this.unsent];
  }

  private isUnsent(id: string): boolean {
    return this.unsent.some((it) => it.id === id);
  }

  private take(page: readonly WireMessage[], serial: number, term: number): Entry[] {
    const entries: Entry[] = [];
    for (const wire of page) {
      const mine = wire.from_account === this.me;
      // Not acknowledged to this page yet: it has no tick before that, and stands at the end.
      if (mine && this.isUnsent(wire.message)) continue;
      let entry = this.byIdentity.get(identity(mine, wire.message));
      if (entry) {
        entry.pos = wire.pos || entry.pos;
        entry.term = term;
      } else {
        entry = this.entryOf(wire, serial, term);
        this.note(entry);
      }
      entries.push(entry);
    }
    return entries;
  }

  private entryOf(wire: WireMessage, serial: number, term: number): Entry {
    const mine = wire.from_account === this.me;
    const message: Message = { id: wire.message, mine, text: wire.text, at: wire.at };
    return { message: mine ? { ...message, progress: { is: "stored" } } : message, pos: wire.pos, serial, term };
  }

  /** It is the last one now. */
  private tell(entry: Entry) {
    this.told.push(entry);
    this.note(entry);
    this.lastTold = undefined;
    this.trim();
  }

  private note(entry: Entry) {
    const { id, mine, progress } = entry.message;
    if (this.lastTold?.id === id && this.lastTold.mine === mine) this.lastTold = undefined;
    this.byIdentity.set(identity(mine, id), entry);
    if (progress?.is === "stored") this.undelivered.set(id, entry);
    this.changed = true;
  }

  private drop(entry: Entry) {
    this.byIdentity.delete(identity(entry.message.mine, entry.message.id));
    if (entry.message.mine) this.undelivered.delete(entry.message.id);
  }

  private setProgress(entry: Entry, progress: Progress) {
    entry.message = { ...entry.message, progress };
    if (progress.is === "delivered") this.undelivered.delete(entry.message.id);
    this.changed = true;
  }

  private trim() {
    const excess = this.told.length - (this.wasSeen ? HELD_MOST : UNSEEN_MOST);
    // In steps of a tenth: cutting moves the whole list.
    if (excess <= (this.wasSeen ? HELD_MOST / 10 : 0)) return;
    for (const entry of this.told.splice(0, excess)) this.drop(entry);
    this.more = true;
  }
}
