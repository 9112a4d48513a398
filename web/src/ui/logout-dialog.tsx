import type { Chat } from "../chat/model";
import { Dialog } from "./dialog";
import { TaskWords, useTask } from "./task";

interface Props {
  readonly chat: Chat;
  /** How many messages of mine no server has acknowledged. */
  readonly unsent: number;
  readonly onClose: () => void;
}

/** Asked only if something is still on its way. */
export function LogoutDialog({ chat, unsent, onClose }: Props) {
  const task = useTask();
  const leave = () =>
    task.run("Logging out…", async () => {
      await chat.logout();
      onClose();
    });
  return (
    <Dialog title="Log out now?" onClose={onClose}>
      <p>
        {unsent === 1 ? "A message is" : `${unsent} messages are`} not sent yet. Stay logged in until each has a tick, or they
        may never be.
      </p>
      <TaskWords task={task} />
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Stay
        </button>
        <button type="button" class="danger" disabled={task.busy} onClick={() => void leave()}>
          Log out
        </button>
      </div>
    </Dialog>
  );
}
