/**
 * What the page knows, and what it can do: the whole border between the chat (`src/chat`) and what is seen of it
 * (`src/ui`). The chat knows nothing of the DOM; what is seen knows nothing of sockets.
 */

/** How far a message of mine is. Never further than the server has said. */
export type Progress =
  /** Not acknowledged: it may be on no disk yet. It is kept in the browser's storage, and sent until it is. */
  | { readonly is: "sending" }
  /** On disk. On how many replicas of how many, if this page was told. */
  | { readonly is: "stored"; readonly on?: number; readonly of?: number }
  /** It has reached the other one. */
  | { readonly is: "delivered" }
  /** It will not be sent by itself: the sentence says why. */
  | { readonly is: "refused"; readonly why: string };

export interface Message {
  /** Unique within its author's: the key that its author drew. */
  readonly id: string;
  readonly mine: boolean;
  readonly text: string;
  /** Milliseconds since 1970: by the replica that took it, or by this browser until then. */
  readonly at: number;
  /** Of mine only. */
  readonly progress?: Progress;
}

export interface Conversation {
  /** The account of the other one: what a conversation is known by. */
  readonly with: string;
  /** How the other one is called now. */
  readonly name: string;
  /** Oldest first; those that are not sent yet are last. The array is another one whenever it has changed. */
  readonly messages: readonly Message[];
  /** There are older ones on the server that are not loaded. */
  readonly more: boolean;
  /** Older ones are being loaded. */
  readonly loading: boolean;
  /** The latest, also where nothing is loaded yet. */
  readonly last?: Message;
  /** How many of the other one's have come since it was last looked at. */
  readonly unread: number;
  /** The other one is connected; `undefined`: not known. */
  readonly online?: boolean;
  /** What is typed and not sent. */
  readonly draft: string;
  /** The other one has deleted their account. */
  readonly deleted?: true;
}

/** How a replica is, as seen from this page. */
export interface Replica {
  readonly name: string;
  readonly address: string;
  /** `up`: this page is connected to it. `leads`: and speaks with it. `behind`: connected, and not in sync. */
  readonly health: "leads" | "up" | "behind" | "down";
}

export interface Person {
  readonly account: string;
  readonly name: string;
}

/** All that is seen. A new object after each change, in which what has not changed is the same object as before. */
export interface Snapshot {
  /** `out`: nobody is logged in. `entering`: a session is being taken up again. `in`: somebody is. */
  readonly phase: "out" | "entering" | "in";
  readonly me?: Person;
  /** Who has logged in with this browser, and can go on without a password. */
  readonly remembered: readonly Person[];
  readonly replicas: readonly Replica[];
  /** A replica answers. (While none does, all that is typed and sent is kept.) */
  readonly connected: boolean;
  /** The one that is spoken to was not the last one up when it started, and may still lack messages. */
  readonly stale: boolean;
  /** The one with the latest message first. */
  readonly conversations: readonly Conversation[];
  /** Whom I block, in the order of their names. */
  readonly blocked: readonly Person[];
  /** All waiting conversations were told at least once since the login. */
  readonly loaded: boolean;
  /** A sentence to show until it is dismissed: of a renaming, of a session that has ended. */
  readonly notice?: string;
}

/** What was asked was refused, or could not be done. `message` is a sentence to show. */
export class Refused extends Error {
  constructor(
    message: string,
    /** The protocol's code, or `no_answer`. */
    readonly code: string,
  ) {
    super(message);
  }
}

/** Someone else's message that has just come: for a sound, or a notification. */
export type Arrival = { readonly conversation: Conversation; readonly message: Message };

export interface Chat {
  snapshot(): Snapshot;
  /** Calls back after each change, at most once a frame or so. Returns what ends that. */
  subscribe(changed: () => void): () => void;
  onArrival(came: (arrival: Arrival) => void): () => void;

  create(name: string, password: string): Promise<void>;
  login(name: string, password: string): Promise<void>;
  /** Takes up the session of one who is remembered. */
  goOn(account: string): Promise<void>;
  /** Forgets one who is remembered, without asking a server. */
  forget(account: string): void;
  logout(): Promise<void>;
  changePassword(old: string, password: string): Promise<void>;
  deleteAccount(): Promise<void>;

  /** Names that hold this part, without regard to case; at most 50. */
  find(part: string): Promise<{ names: readonly string[]; more: boolean }>;
  /** Opens the conversation with somebody by name, also one that has no message yet; returns whose account it is. */
  open(name: string): Promise<string>;
  /** The user looks at this conversation now (`undefined`: at none): what is in it is read. */
  look(account: string | undefined): void;
  /** Loads older ones of a conversation. Does nothing while that is under way, or where there are none. */
  loadOlder(account: string): Promise<void>;

  /** Sends; returns at once. It is in the conversation, and in the browser's storage, when this returns. */
  send(account: string, text: string): void;
  /** One that was refused is sent again, or given up. */
  retry(account: string, id: string): void;
  discard(account: string, id: string): void;
  draft(account: string, text: string): void;

  /** What somebody writes from now on does not reach me. They are not told. */
  block(account: string): Promise<void>;
  /** What they write from now on reaches me again; what they wrote meanwhile does not. */
  unblock(account: string): Promise<void>;

  dismissNotice(): void;
}
