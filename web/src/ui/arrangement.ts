import type { Message } from "../chat/model";
import { sameDay } from "./time";

/** Those of one author that follow each other within this time stand together. */
const TOGETHER_MS = 5 * 60_000;

export function startsDay(previous: Message | undefined, message: Message): boolean {
  return previous === undefined || !sameDay(previous.at, message.at);
}

export function startsGroup(previous: Message | undefined, message: Message): boolean {
  return (
    previous === undefined ||
    previous.mine !== message.mine ||
    message.at - previous.at > TOGETHER_MS ||
    startsDay(previous, message)
  );
}

const SIGN_PX = 7.6;
const LINE_PX = 21;
const BUBBLE_PX = 18;
const GAP_PX = 3;
const GROUP_GAP_PX = 8;
const DAY_PX = 46;

/** How high a message will be, about, in a list of this width. Close guesses keep the scroll bar quiet. */
export function estimateHeight(previous: Message | undefined, message: Message, width_px: number): number {
  const bubble_px = Math.min(width_px * 0.76, 620) - 90;
  const signsPerLine = Math.max(10, Math.floor(bubble_px / SIGN_PX));
  let lines = 0;
  if (message.text.includes("\n")) {
    for (const line of message.text.split("\n")) lines += Math.max(1, Math.ceil(line.length / signsPerLine));
  } else {
    lines = Math.max(1, Math.ceil(message.text.length / signsPerLine));
  }
  const above = startsDay(previous, message) ? DAY_PX : 0;
  return lines * LINE_PX + BUBBLE_PX + GAP_PX + (startsGroup(previous, message) ? GROUP_GAP_PX : 0) + above;
}
