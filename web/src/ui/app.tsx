import { useEffect, useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { useArrivals } from "./arrivals";
import { Entrance } from "./entrance";
import { useFocusOnReturn } from "./focus";
import { useLasting, useSnapshot, useToday, useVisible } from "./hooks";
import { followNotifications } from "./notify";
import { useOpenConversation } from "./open-conversation";
import { QuietLines } from "./quiet-lines";
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
  const inside = snapshot.phase === "in";

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
      {snapshot.phase === "out" && <Entrance chat={chat} snapshot={snapshot} />}
      {snapshot.phase === "entering" && <Entering name={snapshot.me?.name} />}
      {inside && (
        <main class={`inside ${name === undefined ? "at-list" : "at-talk"}`}>
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
            <Talk key={conversation.with} chat={chat} conversation={conversation} today={today} />
          )}
        </main>
      )}
      <div class="unseen" aria-live="polite">
        {spoken}
      </div>
    </>
  );
}

/** A session is being taken up again: a moment, if a server answers. */
function Entering({ name }: { name: string | undefined }) {
  const long = useLasting(true, 1_000);
  return (
    <main class="entrance" aria-busy="true">
      <h1 class="unseen">Lastword</h1>
      <p class="empty centred">{long && `Going on${name === undefined ? "" : ` as ${name}`}…`}</p>
    </main>
  );
}
