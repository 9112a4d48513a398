import type { Chat } from "../chat/model";
import { Dialog } from "./dialog";
import { TaskWords, useTask } from "./task";

interface Props {
  readonly chat: Chat;
  readonly account: string;
  readonly name: string;
  readonly onClose: () => void;
}

export function BlockDialog({ chat, account, name, onClose }: Props) {
  const task = useTask();
  const block = () =>
    task.run("Blocking…", async () => {
      await chat.block(account);
      onClose();
    });
  return (
    <Dialog title={`Block ${name}?`} onClose={onClose}>
      <p>
        Their messages no longer reach you. They are not told. What they write while they are blocked does not come later,
        even if you unblock them.
      </p>
      <TaskWords task={task} />
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="danger" disabled={task.busy} onClick={() => void block()}>
          Block
        </button>
      </div>
    </Dialog>
  );
}
