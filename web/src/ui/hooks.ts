import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { Chat, Snapshot } from "../chat/model";
import { startOfDay } from "./time";

export function useSnapshot(chat: Chat): Snapshot {
  const [snapshot, setSnapshot] = useState(() => chat.snapshot());
  useLayoutEffect(() => {
    const update = () => setSnapshot(chat.snapshot());
    update();
    return chat.subscribe(update);
  }, [chat]);
  return snapshot;
}

/** True once something has been so for this long. What passes sooner is not worth a word. */
export function useLasting(so: boolean, after_ms: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!so) return;
    const timer = setTimeout(() => setLasting(true), after_ms);
    return () => {
      clearTimeout(timer);
      setLasting(false);
    };
  }, [so, after_ms]);
  return so && lasting;
}

/** When today began: another value after midnight, so that "Today" stays true. */
export function useToday(): number {
  const [today, setToday] = useState(() => startOfDay(Date.now()));
  useEffect(() => {
    const hour_ms = 3_600_000;
    // Looked at every hour, and at midnight: timers stand still while a machine sleeps.
    const midnight = startOfDay(today + 36 * hour_ms);
    const timer = setInterval(
      () => setToday(startOfDay(Date.now())),
      Math.max(1_000, Math.min(hour_ms, midnight - Date.now() + 500)),
    );
    return () => clearInterval(timer);
  }, [today]);
  return today;
}

/** Whether the page is seen: not behind another tab, not minimised. */
export function useVisible(): boolean {
  const [visible, setVisible] = useState(() => !document.hidden);
  useEffect(() => {
    const update = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", update);
    return () => document.removeEventListener("visibilitychange", update);
  }, []);
  return visible;
}
