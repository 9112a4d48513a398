import { useLayoutEffect, useRef } from "preact/hooks";
import type { Chat, Conversation } from "../chat/model";
import { Avatar } from "./avatar";
import { Composer } from "./composer";
import { BackIcon } from "./icons";
import { MessageList } from "./message-list";
import { Presence } from "./presence";
import { goToList } from "./route";

interface Props {
  readonly chat: Chat;
  readonly conversation: Conversation;
  readonly today: number;
}

/** A conversation: with whom, what was said, and where to answer. */
export function Talk({ chat, conversation, today }: Props) {
  const list = useRef<MessageList>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const { with: account, name } = conversation;

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
      </header>
      <MessageList handle={list} chat={chat} conversation={conversation} today={today} />
      <Composer
        chat={chat}
        account={account}
        name={name}
        draft={conversation.draft}
        onSent={() => list.current?.goToEnd()}
        onPages={(pages) => list.current?.turnPages(pages)}
      />
    </section>
  );
}
