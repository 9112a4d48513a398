import type { Chat, Snapshot } from "../chat/model";
import { useLasting } from "./hooks";
import { CloseIcon } from "./icons";

/** The chat goes on at another server in less: then nothing is said. */
export const WORTH_A_WORD_MS = 1_500;
const ALONE_OUTSIDE = "No server answers; this page goes on trying.";
const ALONE_INSIDE = "No server answers; what you write is kept and goes out by itself.";

interface Props {
  readonly chat: Chat;
  readonly snapshot: Snapshot;
  readonly problem: string | undefined;
  readonly onDismiss: () => void;
}

/** What is to be known, in a line each above all else. That a server has died is not: the dots say it. */
export function QuietLines({ chat, snapshot, problem, onDismiss }: Props) {
  const alone = useLasting(!snapshot.connected, WORTH_A_WORD_MS);
  const stale = useLasting(snapshot.stale, WORTH_A_WORD_MS);
  return (
    <div class="quiet-lines" role="status">
      {alone && <p>{snapshot.phase === "out" ? ALONE_OUTSIDE : ALONE_INSIDE}</p>}
      {!alone && stale && <p>This server may lack what the other servers have: messages may be missing until it has caught up.</p>}
      {snapshot.notice !== undefined && <Dismissible words={snapshot.notice} onDismiss={() => chat.dismissNotice()} />}
      {problem !== undefined && <Dismissible words={problem} onDismiss={onDismiss} />}
    </div>
  );
}

function Dismissible({ words, onDismiss }: { words: string; onDismiss: () => void }) {
  return (
    <p>
      {words}
      <button type="button" class="plain" aria-label="Dismiss" onClick={onDismiss}>
        <CloseIcon />
      </button>
    </p>
  );
}
