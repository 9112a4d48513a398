import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat, Snapshot } from "../chat/model";
import { AccountMenu } from "./account-menu";
import { ConversationList } from "./conversation-list";
import { FoundPeople, searchKey } from "./find-people";
import { Logo, SearchIcon } from "./icons";
import { ReplicaDots } from "./replicas";
import type { Settings } from "./settings";

interface Props {
  readonly chat: Chat;
  readonly snapshot: Snapshot;
  readonly open: string | undefined;
  readonly today: number;
  readonly settings: Settings;
  readonly onSettings: (settings: Settings) => void;
  readonly onProblem: (problem: string) => void;
}

/** Whom one talks with, who else there is, and one's own account. */
export function Sidebar({ chat, snapshot, open, today, settings, onSettings, onProblem }: Props) {
  const [part, setPart] = useState("");
  const searched = part.trim();
  const done = () => setPart("");
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    // After the login the focus must be somewhere: where one goes on by keyboard.
    if (open === undefined && matchMedia("(pointer: fine)").matches) field.current!.focus();
  }, []);
  return (
    <section class="sidebar" aria-label="Conversations">
      <header class="side-head">
        <Logo />
        <h1>Lastword</h1>
        <ReplicaDots replicas={snapshot.replicas} />
        <AccountMenu chat={chat} snapshot={snapshot} settings={settings} onSettings={onSettings} onProblem={onProblem} />
      </header>
      <search class="search">
        <SearchIcon />
        <input
          ref={field}
          type="search"
          aria-label="Find people"
          placeholder="Find people"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          maxLength={32}
          value={part}
          onInput={(event) => setPart(event.currentTarget.value)}
          onKeyDown={(event) => searchKey(event, done)}
        />
      </search>
      <nav class="side-list" aria-label={searched === "" ? "Conversations" : "People found"}>
        {searched === "" ? (
          <ConversationList snapshot={snapshot} open={open} today={today} />
        ) : (
          <FoundPeople chat={chat} me={snapshot.me?.name ?? ""} part={searched} onDone={done} />
        )}
      </nav>
    </section>
  );
}
