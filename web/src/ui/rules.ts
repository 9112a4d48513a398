/**
 * The server's rules for names, passwords and texts, told before the server has to: see "Names" in `docs/protocol.md`.
 * Each returns a sentence, or nothing where all is well.
 */

export const NAME_RULE = "1 to 32 letters, digits, dots, underscores or hyphens (A-Z a-z 0-9 . _ -)";
export const PASSWORD_RULE = "at least 4 characters";

/** Bytes of UTF-8. */
export const MAX_TEXT_BYTES = 16_384;
const MIN_PASSWORD_BYTES = 4;
const MAX_PASSWORD_BYTES = 1_024;

export function nameFault(name: string): string | undefined {
  if (name === "") return "Please type a name.";
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(name)) return `A name has ${NAME_RULE}.`;
  return undefined;
}

export function passwordFault(password: string): string | undefined {
  if (password === "") return "Please type a password.";
  const bytes = utf8Length(password);
  if (bytes < MIN_PASSWORD_BYTES) return `This password is too short: it needs ${PASSWORD_RULE}.`;
  if (bytes > MAX_PASSWORD_BYTES) return "This password is too long: it may have 1,024 bytes.";
  return undefined;
}

export function textFault(text: string): string | undefined {
  // A unit of UTF-16 is 3 bytes of UTF-8 at most: most texts need no counting.
  if (text.length * 3 <= MAX_TEXT_BYTES) return undefined;
  const over = utf8Length(text) - MAX_TEXT_BYTES;
  if (over <= 0) return undefined;
  return `This is too long by ${over.toLocaleString("en")} ${over === 1 ? "byte" : "bytes"}: shorten it, or send it in parts.`;
}

export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
