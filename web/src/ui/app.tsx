import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat, Snapshot } from "../chat/model";
import { useArrivals } from "./arrivals";
import { Entrance } from "./entrance";
import { useFocusOnReturn } from "./focus";
import { useLasting, useSnapshot, useToday, useVisible } from "./hooks";
import { followNotifications } from "./notify";
import { useOpenConversation } from "./open-conversation";
import { QuietLines, WORTH_A_WORD_MS } from "./quiet-lines";
import { forgetRoute, goToList, useRoute } from "./route";
import { loadSettings, saveSettings } from "./settings";
import { Sidebar } from "./sidebar";
import { Talk } from "./talk";
import { pageTitle } from "./title";

/** The whole page. */
export function App({ chat }: { chat: Chat }) {
  const snapshot = useSnapshot(chat);
  const today = useToday();
  const visible = useVisible();
  const name = useRoute();
  const [settings, setSettings] = useState(loadSettings);
  const [problem, setProblem] = useState<string>();
  const conversation = useOpenConversation(chat, snapshot, name, setProblem);
  const looked = visible ? conversation?.with : undefined;
  const spoken = useArrivals(chat, looked, settings);
  const inside = useInside(snapshot);
  const alone = useLasting(!snapshot.connected, WORTH_A_WORD_MS);

  useEffect(() => chat.look(looked), [chat, looked]);
  useEffect(followNotifications, []);
  useEffect(() => {
    // Who comes by an address and has to log in first is led there afterwards; who has left leaves nothing behind.
    if (inside) return forgetRoute;
  }, [inside]);
  const unread = inside ? snapshot.conversations.reduce((sum, { unread }) => sum + unread, 0) : 0;
  useEffect(() => {
    // What was said of one that could not be opened is over.
    if (conversation !== undefined) setProblem(undefined);
  }, [conversation?.with]);
  useFocusOnReturn(name);
  useEffect(() => {
    document.title = pageTitle(unread);
  }, [unread]);

  return (
    <>
      <QuietLines chat={chat} snapshot={snapshot} problem={problem} onDismiss={() => setProblem(undefined)} />
      {!inside && <Entrance chat={chat} snapshot={snapshot} />}
      {inside && (
        <main class={`inside ${name === undefined ? "at-list" : "at-talk"} ${alone ? "alone" : ""}`}>
          <Sidebar
            chat={chat}
            snapshot={snapshot}
            open={conversation?.with}
            today={today}
            settings={settings}
            onSettings={(changed) => {
              setSettings(changed);
              saveSettings(changed);
            }}
            onProblem={setProblem}
          />
          {conversation === undefined ? (
            <div class="talk none">
              <p class="empty">{name === undefined ? "Choose a conversation, or find somebody." : "Opening…"}</p>
              {name !== undefined && (
                <button type="button" class="back" onClick={goToList}>
                  Back to the conversations
                </button>
              )}
            </div>
          ) : (
            <Talk
              key={conversation.with}
              chat={chat}
              conversation={conversation}
              today={today}
              blocked={snapshot.blocked.some(({ account }) => account === conversation.with)}
              own={conversation.with === snapshot.me?.account}
              onProblem={setProblem}
            />
          )}
        </main>
      )}
      <div class="unseen" aria-live="polite">
        {spoken}
      </div>
    </>
  );
}

/**
 * Somebody is inside. After a reload at once, whether or not a server answers: what is kept can be seen, and written to.
 * From the first screen only when the session is taken up, for that says what goes wrong.
 */
function useInside({ phase, me }: Snapshot): boolean {
  const fromEntrance = useRef(phase === "out");
  if (phase === "out") fromEntrance.current = true;
  return phase === "in" || (phase === "entering" && me !== undefined && !fromEntrance.current);
}
