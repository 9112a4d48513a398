import { useEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { Avatar } from "./avatar";
import { follow } from "./conversation-row";
import { moveAmong } from "./keys";
import { goTo, hashOf } from "./route";
import { sentence } from "./sentence";

/** Asked after so long without another key. */
const PAUSE_MS = 200;

interface Found {
  readonly part: string;
  readonly names: readonly string[];
  readonly more: boolean;
  readonly fault?: string;
}

interface Props {
  readonly chat: Chat;
  readonly me: string;
  readonly part: string;
  readonly onDone: () => void;
}

/** Those whose name holds what is typed in the search field. */
export function FoundPeople({ chat, me, part, onDone }: Props) {
  const found = useFound(chat, part);
  return (
    <div class="found" onKeyDown={(event) => event.key === "Escape" && onDone()}>
      <p class="found-words" role="status">
        {words(found, part)}
      </p>
      {found && (
        <ul class="people" onKeyDown={moveAmong}>
          {found.names.map((name) => (
            <li key={name}>
              <a
                class="person only-name"
                href={hashOf(name)}
                data-name={name}
                onClick={(event) => {
                  follow(event, name);
                  onDone();
                }}
              >
                <Avatar name={name} />
                <span class="person-name">
                  <bdi>{name}</bdi>
                  {name === me && " (you)"}
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Enter in the search field opens the first one found, and Arrow Down goes among them. */
export function searchKey(event: KeyboardEvent & { currentTarget: HTMLInputElement }, onDone: () => void): void {
  if (event.isComposing) return;
  const first = event.currentTarget.closest("section")?.querySelector<HTMLAnchorElement>(".people a");
  if (event.key === "Escape") onDone();
  else if (event.key === "ArrowDown") first?.focus();
  else if (event.key === "Enter") {
    const name = event.currentTarget.value.trim() && first?.dataset["name"];
    if (name) {
      goTo(name);
      onDone();
    }
  } else return;
  event.preventDefault();
}

function useFound(chat: Chat, part: string): Found | undefined {
  const [found, setFound] = useState<Found>();
  const latest = useRef(part);
  latest.current = part;
  useEffect(() => {
    const timer = setTimeout(() => {
      const keep = (answer: Found) => {
        // An answer that comes late is not of what stands there now.
        if (latest.current === part) setFound(answer);
      };
      chat.find(part).then(
        ({ names, more }) => keep({ part, names, more }),
        (reason) => keep({ part, names: [], more: false, fault: sentence(reason) }),
      );
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [chat, part]);
  return found;
}

function words(found: Found | undefined, part: string): string {
  if (found === undefined) return "Searching…";
  if (found.fault !== undefined) return found.fault;
  if (found.names.length === 0) return `Nobody's name has “${part}” in it.`;
  if (found.more) return "These and more: type more of the name.";
  return found.names.length === 1 ? "1 person" : `${found.names.length} people`;
}
