import { useRef } from "preact/hooks";
import type { Chat, Person } from "../chat/model";
import { Dialog } from "./dialog";
import { TaskWords, useTask } from "./task";

interface Props {
  readonly chat: Chat;
  readonly blocked: readonly Person[];
  readonly onClose: () => void;
}

/** Whom one blocks. */
export function BlockedDialog({ chat, blocked, onClose }: Props) {
  const task = useTask();
  const close = useRef<HTMLButtonElement>(null);
  const unblock = (account: string) =>
    task.run("Unblocking…", async () => {
      await chat.unblock(account);
      // The button that had the focus is gone.
      close.current?.focus();
    });
  return (
    <Dialog title="Blocked people" onClose={onClose}>
      <div aria-live="polite">{blocked.length === 0 && <p>You block nobody.</p>}</div>
      {blocked.length > 0 && (
        <ul class="blocked-list">
          {blocked.map(({ account, name }) => (
            <li key={account}>
              <bdi>{name}</bdi>
              <button
                type="button"
                class="small"
                aria-label={`Unblock ${name}`}
                disabled={task.busy}
                onClick={() => void unblock(account)}
              >
                Unblock
              </button>
            </li>
          ))}
        </ul>
      )}
      <TaskWords task={task} />
      <div class="buttons">
        <button ref={close} type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
