import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat, Conversation } from "../chat/model";
import { Avatar } from "./avatar";
import { BlockDialog } from "./block-dialog";
import { Composer } from "./composer";
import { BackIcon } from "./icons";
import { MessageList } from "./message-list";
import { Presence } from "./presence";
import { goToList } from "./route";
import { sentence } from "./sentence";
import { TalkLines } from "./talk-lines";

interface Props {
  readonly chat: Chat;
  readonly conversation: Conversation;
  readonly today: number;
  readonly blocked: boolean;
  /** It is with myself, whom I can't block. */
  readonly own: boolean;
  readonly onProblem: (problem: string) => void;
}

/** A conversation: with whom, what was said, and where to answer. */
export function Talk({ chat, conversation, today, blocked, own, onProblem }: Props) {
  const list = useRef<MessageList>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const blocking = useRef<HTMLButtonElement>(null);
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const { with: account, name } = conversation;
  const deleted = conversation.deleted === true;

  const unblock = () => {
    // The line with the other button goes: the focus stays with this one.
    blocking.current?.focus();
    setBusy(true);
    const failed = (reason: unknown) => onProblem(sentence(reason));
    void chat.unblock(account).catch(failed).finally(() => setBusy(false));
  };

  useLayoutEffect(() => {
    // Where the composer does not take the focus, the screen that has just opened does.
    if (!matchMedia("(pointer: fine)").matches) heading.current!.focus({ preventScroll: true });
  }, []);

  return (
    <section class="talk" aria-label={`Conversation with ${name}`}>
      <header class="talk-head">
        <button type="button" class="plain back" aria-label="Back to the conversations" onClick={goToList}>
          <BackIcon />
        </button>
        <Avatar name={name} />
        <div class="talk-name">
          <h1 ref={heading} tabIndex={-1}>
            <bdi>{name}</bdi>
          </h1>
          <Presence online={conversation.online} words />
        </div>
        {!own && !deleted && (
          <button
            ref={blocking}
            type="button"
            class="small block"
            aria-label={`${blocked ? "Unblock" : "Block"} ${name}`}
            aria-disabled={busy}
            onClick={() => (blocked ? busy || unblock() : setAsked(true))}
          >
            {blocked ? "Unblock" : "Block"}
          </button>
        )}
      </header>
      <TalkLines name={name} blocked={blocked} deleted={deleted} busy={busy} onUnblock={unblock} />
      <MessageList handle={list} chat={chat} conversation={conversation} today={today} />
      <Composer
        chat={chat}
        account={account}
        name={name}
        draft={conversation.draft}
        onSent={() => list.current?.goToEnd()}
        onPages={(pages) => list.current?.turnPages(pages)}
      />
      {asked && <BlockDialog chat={chat} account={account} name={name} onClose={() => setAsked(false)} />}
    </section>
  );
}
