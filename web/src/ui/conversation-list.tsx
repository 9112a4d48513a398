import { useState } from "preact/hooks";
import type { Conversation, Snapshot } from "../chat/model";
import { ConversationRow } from "./conversation-row";
import { moveAmong } from "./keys";

/** How many are in the page; the others after a press of a button. */
const STEP = 200;

interface Props {
  readonly snapshot: Snapshot;
  readonly open: string | undefined;
  readonly today: number;
}

export function ConversationList({ snapshot, open, today }: Props) {
  const [limit, setLimit] = useState(STEP);
  const { conversations, loaded } = snapshot;
  if (conversations.length === 0) {
    return <p class="empty">{loaded ? "No conversations yet. Find somebody by a part of the name." : "Loading…"}</p>;
  }
  return (
    <>
      <ul class="people" onKeyDown={moveAmong}>
        {conversations.slice(0, limit).map((conversation: Conversation) => (
          <ConversationRow
            key={conversation.with}
            conversation={conversation}
            open={conversation.with === open}
            today={today}
          />
        ))}
      </ul>
      {conversations.length > limit && (
        <button type="button" class="more" onClick={() => setLimit(limit + STEP)}>
          Show more
        </button>
      )}
    </>
  );
}
