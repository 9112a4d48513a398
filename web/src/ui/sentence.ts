import { Refused } from "../chat/model";

/** What to show of something that failed. */
export function sentence(reason: unknown): string {
  if (reason instanceof Refused) return reason.message;
  console.error(reason);
  return "That failed because of a fault in this page. Please reload it, and try again.";
}
