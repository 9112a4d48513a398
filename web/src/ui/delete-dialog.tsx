import { useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { Dialog } from "./dialog";
import { TaskWords, useTask } from "./task";

interface Props {
  readonly chat: Chat;
  readonly name: string;
  readonly onClose: () => void;
}

export function DeleteDialog({ chat, name, onClose }: Props) {
  const [typed, setTyped] = useState("");
  const task = useTask();
  const remove = (event: Event) => {
    event.preventDefault();
    if (typed !== name) {
      task.fail(`Type “${name}” to confirm.`);
      return;
    }
    void task.run("Deleting the account…", async () => {
      await chat.deleteAccount();
      onClose();
    });
  };
  return (
    <Dialog title="Delete your account?" onClose={onClose}>
      <form class="fields" onSubmit={remove}>
        <p>
          The account <b>{name}</b> is deleted on all servers, with what has not reached you or others yet. The name is free
          for somebody else. This can't be undone.
        </p>
        <label>
          Your name, to confirm
          <input
            type="text"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <TaskWords task={task} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={task.busy}>
            Delete account
          </button>
        </div>
      </form>
    </Dialog>
  );
}
