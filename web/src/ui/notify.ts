import type { Arrival } from "../chat/model";
import { goTo, hashOf } from "./route";

/** Asks whether notifications may be shown. Returns a sentence where they may not. */
export async function askForNotifications(): Promise<string | undefined> {
  if (!("Notification" in window)) return "This browser shows notifications only to pages that came by HTTPS.";
  const permission = await Notification.requestPermission();
  if (permission === "granted") return undefined;
  return "This browser does not allow them: allow notifications for this page in its settings, then switch this on.";
}

/** Shows a message that has come. A later one of the same conversation takes its place. */
export function notify({ conversation, message }: Arrival): void {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const options = { body: message.text, tag: conversation.with, icon: "/icon.svg", data: hashOf(conversation.name) };
  try {
    const notification = new Notification(conversation.name, options);
    notification.onclick = () => {
      window.focus();
      goTo(conversation.name);
      notification.close();
    };
  } catch {
    // Phones want it shown by the worker, which tells this page of the click (`followNotifications`).
    navigator.serviceWorker?.getRegistration().then((worker) => worker?.showNotification(conversation.name, options), () => {});
  }
}

/** Opens what a notification that the worker has shown was about. Returns what ends that. */
export function followNotifications(): () => void {
  const opened = ({ data }: MessageEvent) => {
    if (typeof data?.hash === "string") location.hash = data.hash;
  };
  navigator.serviceWorker?.addEventListener("message", opened);
  return () => navigator.serviceWorker?.removeEventListener("message", opened);
}
