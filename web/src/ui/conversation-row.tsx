import type { Conversation } from "../chat/model";
import { Avatar } from "./avatar";
import { visible } from "./links";
import { Presence } from "./presence";
import { ProgressMark } from "./progress-mark";
import { goTo, hashOf } from "./route";
import { exactTime, isoTime, shortTime } from "./time";

/** So much of the last message is in the page; the style sheet cuts it where the line ends. */
const PREVIEW_SIGNS = 120;

interface Props {
  readonly conversation: Conversation;
  readonly open: boolean;
  readonly today: number;
}

export function ConversationRow({ conversation, open, today }: Props) {
  const { name, last, unread, draft } = conversation;
  const unsent = !open && draft.trim() !== "";
  return (
    <li>
      <a class="person" href={hashOf(name)} aria-current={open ? "true" : undefined} onClick={(event) => follow(event, name)}>
        <Avatar name={name} />
        <span class="person-name">
          <bdi>{name}</bdi> <Presence online={conversation.online} words={false} />
        </span>
        {last && (
          <time class="person-time" dateTime={isoTime(last.at)} title={exactTime(last.at)}>
            {shortTime(last.at, today)}
          </time>
        )}
        <span class="person-last">
          {unsent ? <em>Draft: </em> : last?.progress && <ProgressMark progress={last.progress} />}
          <bdi dir="auto">{preview(unsent ? draft : (last?.text ?? ""))}</bdi>
        </span>
        {unread > 0 && (
          <span class="badge">
            {unread > 99 ? "99+" : unread}
            <span class="unseen"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
}

/** Goes there without loading the page; a click for another tab or window is the browser's. */
export function follow(event: MouseEvent, name: string): void {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(name);
}

function preview(text: string): string {
  return visible(text.slice(0, PREVIEW_SIGNS)).replace(/\s+/g, " ");
}
