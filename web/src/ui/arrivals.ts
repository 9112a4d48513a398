import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { visible } from "./links";
import { notify } from "./notify";
import type { Settings } from "./settings";
import { chime } from "./sound";

/** A screen reader is told so much of a message at once; the rest is in the conversation. */
const SPOKEN_SIGNS = 300;

/**
 * Someone else's messages as they come: spoken where their conversation is looked at, else a sound and a notification.
 * Returns what is to be spoken.
 */
export function useArrivals(chat: Chat, looked: string | undefined, settings: Settings): string {
  const [spoken, setSpoken] = useState("");
  const now = useRef({ looked, settings });
  now.current = { looked, settings };
  useEffect(
    () =>
      chat.onArrival((arrival) => {
        const { conversation, message } = arrival;
        if (conversation.with === now.current.looked) {
          setSpoken(`${conversation.name}: ${visible(message.text.slice(0, SPOKEN_SIGNS))}`);
          return;
        }
        if (now.current.settings.sound) chime();
        if (now.current.settings.notifications) notify(arrival);
      }),
    [chat],
  );
  return spoken;
}
