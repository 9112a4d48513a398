import { useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { Dialog } from "./dialog";
import { PASSWORD_RULE, passwordFault } from "./rules";
import { TaskWords, useTask } from "./task";

export function PasswordDialog({ chat, onClose }: { chat: Chat; onClose: () => void }) {
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const task = useTask();
  const oldField = useRef<HTMLInputElement>(null);
  const freshField = useRef<HTMLInputElement>(null);

  const change = (event: Event) => {
    event.preventDefault();
    const lacking = old === "" ? "Please type your present password." : undefined;
    const fault = lacking ?? passwordFault(fresh);
    if (fault !== undefined) {
      task.fail(fault);
      (lacking === undefined ? freshField : oldField).current!.focus();
      return;
    }
    void task.run("Changing the password…", async () => {
      await chat.changePassword(old, fresh);
      onClose();
    });
  };
  return (
    <Dialog title="Change your password" onClose={onClose}>
      <form class="fields" onSubmit={change}>
        <label>
          Present password
          <input
            ref={oldField}
            type="password"
            autocomplete="current-password"
            value={old}
            onInput={(event) => setOld(event.currentTarget.value)}
          />
        </label>
        <label>
          New password
          <input
            ref={freshField}
            type="password"
            autocomplete="new-password"
            aria-describedby="new-password-rule"
            value={fresh}
            onInput={(event) => setFresh(event.currentTarget.value)}
          />
          <small id="new-password-rule">{PASSWORD_RULE}</small>
        </label>
        <p class="hint">Everywhere else you will have to log in again.</p>
        <TaskWords task={task} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={task.busy}>
            Change password
          </button>
        </div>
      </form>
    </Dialog>
  );
}
