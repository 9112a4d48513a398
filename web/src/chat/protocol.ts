/**
 * The client protocol as far as this page speaks it (`docs/protocol.md`): what is asked, and reading what comes back.
 * A field that is missing or of the wrong type is read as if it were empty: nothing that a server says can throw here.
 */

export type SendOp = { op: "send"; to_account: string; text: string; key: string };
export type BlockOp = { op: "block" | "unblock"; who_account: string; key: string };

/** What changes something, or somebody's login: done in order. */
export type DeedOp =
  | SendOp
  | BlockOp
  | { op: "create"; name: string; password: string; key: string }
  | { op: "login"; name: string; password: string }
  | { op: "logout"; key: string }
  | { op: "delete"; key: string }
  | { op: "password"; old: string; new: string; key: string };

/** What only asks. */
export type ReadOp =
  | { op: "list"; pattern: string; limit: number }
  | ({ op: "history"; limit: number; before?: string } & ({ with: string } | { with_account: string }))
  | { op: "pending"; limit: number; after?: string }
  | { op: "conversations"; limit: number; before?: string }
  | { op: "blocked"; limit: number; after?: string };

/** What the failover machine asks by itself. */
export type OwnOp =
  | { op: "hello"; version: 1 }
  | { op: "resume"; token: string; seen?: string }
  | { op: "listen" }
  | { op: "ping" }
  | { op: "delivered"; upto: string };

export type Op = DeedOp | ReadOp | OwnOp;

export interface Refusal {
  readonly code: string;
  /** A sentence to show a person. */
  readonly text: string;
  readonly retry_ms?: number;
}

/** An object out of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** An answer: the `ok` object, or why not. */
export type Result = { readonly ok: Fields } | { readonly error: Refusal };

export type Line = { readonly id: number; readonly result: Result } | { readonly event: string; readonly fields: Fields };

/** A frame holds as many bytes at most. */
export const LINE_BYTES = 65_536;

export interface WireMessage {
  readonly message: string;
  readonly from: string;
  readonly from_account: string;
  readonly to: string;
  readonly to_account: string;
  readonly text: string;
  readonly at: number;
  readonly pos: string;
  readonly seen: string;
}

export interface WireReplica {
  readonly name: string;
  readonly address: string;
  readonly state: string;
}

/** A line of a server; `undefined` where it is none, and this is no Lastword server. */
export function readLine(text: string): Line | undefined {
  let line: Fields;
  try {
    line = fields(JSON.parse(text));
  } catch {
    return undefined;
  }
  if (typeof line.event === "string") return { event: line.event, fields: line };
  if (line.ok !== undefined) return { id: number(line.id, -1), result: { ok: fields(line.ok) } };
  if (line.error === undefined) return undefined;
  const error = fields(line.error);
  const refusal = { code: string(error.code) || "internal", text: string(error.text) || "The server refused." };
  const retry = typeof error.retry_ms === "number" ? { retry_ms: error.retry_ms } : {};
  return { id: number(line.id, -1), result: { error: { ...refusal, ...retry } } };
}

export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

export function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function number(value: unknown, otherwise = 0): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A message; `undefined` where it can't be said which it is. */
export function readMessage(value: unknown): WireMessage | undefined {
  const it = fields(value);
  const [message, from_account, to_account] = [string(it.message), string(it.from_account), string(it.to_account)];
  if (!message || !from_account || !to_account) return undefined;
  const [from, to, text] = [string(it.from), string(it.to), string(it.text)];
  return { message, from, from_account, to, to_account, text, at: number(it.at), pos: string(it.pos), seen: string(it.seen) };
}

export function readMessages(value: unknown): WireMessage[] {
  return list(value).flatMap((it) => readMessage(it) ?? []);
}

export function readReplicas(value: unknown): WireReplica[] {
  const replicas = list(value).map((it) => {
    const { name, address, state } = fields(it);
    return { name: string(name), address: string(address), state: string(state) };
  });
  return replicas.filter((replica) => replica.name);
}

/** How many bytes a request takes on the wire. */
export function lineBytes(op: Op): number {
  return new TextEncoder().encode(JSON.stringify(op)).length;
}
