/** What a text is shown as: plain parts, and links. Nothing in a text is ever read as HTML. */
export type Part = { readonly text: string; readonly href?: string };

// Quotes, angle brackets, and what turns the direction of writing end an address.
const ADDRESS = /\bhttps?:\/\/[^\s<>"“”«»`\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gi;
const CLOSING: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };

/** Cuts a text into what is plain and what is an http or https address. The parts, one after another, are the text. */
export function splitLinks(text: string): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTrailing(match[0]);
    const href = safeHref(address);
    if (href === undefined) continue;
    if (match.index > done) parts.push({ text: text.slice(done, match.index) });
    parts.push({ text: address, href });
    done = match.index + address.length;
  }
  if (done < text.length) parts.push({ text: text.slice(done) });
  return parts;
}

/** Punctuation after an address belongs to the sentence; so does a closing bracket that the address did not open. */
function withoutTrailing(address: string): string {
  const unopened = new Map<string, number>();
  for (const [closing, opening] of Object.entries(CLOSING)) {
    unopened.set(closing, count(address, closing) - count(address, opening));
  }
  let end = address.length;
  for (; end > 0; end--) {
    const last = address[end - 1]!;
    if (/[.,;:!?'’…*]/.test(last)) continue;
    const left = unopened.get(last) ?? 0;
    if (left <= 0) break;
    unopened.set(last, left - 1);
  }
  return address.slice(0, end);
}

function count(text: string, sign: string): number {
  return text.split(sign).length - 1;
}

function safeHref(address: string): string | undefined {
  try {
    const url = new URL(address);
    return (url.protocol === "http:" || url.protocol === "https:") && url.hostname !== "" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

/** Control characters as signs that can be seen, but for line feed and tab. */
export function visible(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (sign) => String.fromCharCode(0x2400 + sign.charCodeAt(0)))
    .replaceAll("\u007f", "\u2421")
    .replace(/[\u0080-\u009f]/g, "\ufffd");
}
