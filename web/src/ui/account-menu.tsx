import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat, Snapshot } from "../chat/model";
import { Avatar } from "./avatar";
import { BlockedDialog } from "./blocked-dialog";
import { DeleteDialog } from "./delete-dialog";
import { LogoutDialog } from "./logout-dialog";
import { askForNotifications } from "./notify";
import { PasswordDialog } from "./password-dialog";
import { ReplicaList } from "./replicas";
import { sentence } from "./sentence";
import type { Settings } from "./settings";
import { chime } from "./sound";

interface Props {
  readonly chat: Chat;
  readonly snapshot: Snapshot;
  readonly settings: Settings;
  readonly onSettings: (settings: Settings) => void;
  readonly onProblem: (problem: string) => void;
}

type Asked = "blocked" | "password" | "delete" | "logout";

/** One's own account: what is switched on, and how to leave. */
export function AccountMenu({ chat, snapshot, settings, onSettings, onProblem }: Props) {
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<Asked>();
  const [refusal, setRefusal] = useState<string>();
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useClosing(open, menu, () => setOpen(false));
  const me = snapshot.me;
  if (me === undefined) return null;

  const ask = (question: Asked) => {
    button.current!.focus();
    setOpen(false);
    setAsked(question);
  };
  const logout = () => {
    if (countUnsent(snapshot) > 0) ask("logout");
    else chat.logout().catch((reason) => onProblem(sentence(reason)));
  };
  const switchSound = (sound: boolean) => {
    onSettings({ ...settings, sound });
    if (sound) chime();
  };
  const switchNotifications = async (notifications: boolean) => {
    const why = notifications ? await askForNotifications() : undefined;
    setRefusal(why);
    onSettings({ ...settings, notifications: notifications && why === undefined });
  };

  return (
    <div
      class="account"
      ref={menu}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open) return;
        setOpen(false);
        button.current!.focus();
      }}
    >
      <button
        ref={button}
        type="button"
        class="plain account-button"
        aria-expanded={open}
        aria-label={`Account: ${me.name}`}
        title={me.name}
        onClick={() => setOpen(!open)}
      >
        <Avatar name={me.name} />
      </button>
      {open && (
        <div class="menu">
          <p class="menu-name">
            <bdi>{me.name}</bdi>
          </p>
          <Switch label="Sound" on={settings.sound} onSwitch={switchSound} />
          <Switch label="Notifications" on={settings.notifications} onSwitch={switchNotifications} />
          {refusal !== undefined && (
            <p class="fault" role="alert">
              {refusal}
            </p>
          )}
          <hr />
          <button type="button" class="item" onClick={() => ask("blocked")}>
            Blocked people
          </button>
          <button type="button" class="item" onClick={() => ask("password")}>
            Change password
          </button>
          <button type="button" class="item" onClick={logout}>
            Log out
          </button>
          <button type="button" class="item warn" onClick={() => ask("delete")}>
            Delete account
          </button>
          <hr />
          <h2 class="menu-head">Servers</h2>
          <ReplicaList replicas={snapshot.replicas} />
        </div>
      )}
      {asked === "blocked" && <BlockedDialog chat={chat} blocked={snapshot.blocked} onClose={() => setAsked(undefined)} />}
      {asked === "password" && <PasswordDialog chat={chat} onClose={() => setAsked(undefined)} />}
      {asked === "delete" && <DeleteDialog chat={chat} name={me.name} onClose={() => setAsked(undefined)} />}
      {asked === "logout" && (
        <LogoutDialog chat={chat} unsent={countUnsent(snapshot)} onClose={() => setAsked(undefined)} />
      )}
    </div>
  );
}

function Switch({ label, on, onSwitch }: { label: string; on: boolean; onSwitch: (on: boolean) => void }) {
  return (
    <label class="switch">
      {label}
      <input type="checkbox" role="switch" checked={on} onChange={(event) => onSwitch(event.currentTarget.checked)} />
    </label>
  );
}

/** A click or a focus elsewhere closes what is open. */
function useClosing(open: boolean, inside: { current: HTMLElement | null }, close: () => void): void {
  useEffect(() => {
    if (!open) return;
    const elsewhere = (event: Event) => {
      if (!inside.current?.contains(event.target as Node)) close();
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [open]);
}

function countUnsent({ conversations }: Snapshot): number {
  let unsent = 0;
  for (const { messages } of conversations) {
    // Those that are not sent yet are last.
    for (let index = messages.length - 1; index >= 0; index--) {
      const is = messages[index]!.progress?.is;
      if (is === "sending") unsent++;
      else if (is !== "refused") break;
    }
  }
  return unsent;
}
