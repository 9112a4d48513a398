import { useEffect, useState } from "preact/hooks";
import { type Chat, type Conversation, Refused, type Snapshot } from "../chat/model";
import { goToList } from "./route";
import { sentence } from "./sentence";

/** The conversation that the address names, once it is known. */
export function useOpenConversation(
  chat: Chat,
  snapshot: Snapshot,
  name: string | undefined,
  onProblem: (problem: string) => void,
): Conversation | undefined {
  const [opened, setOpened] = useState<{ name: string; account: string }>();
  const ready = snapshot.phase === "in";
  const known = (wanted: string) =>
    snapshot.conversations.find((conversation) => conversation.name.toLowerCase() === wanted.toLowerCase());

  useEffect(() => {
    if (!ready || name === undefined) return;
    let current = true;
    chat.open(name).then(
      (account) => current && setOpened({ name, account }),
      (reason) => {
        // One that is in the list is shown with what is there, also while no server answers.
        if (!current || (reason instanceof Refused && reason.code === "no_answer" && known(name))) return;
        onProblem(sentence(reason));
        goToList();
      },
    );
    return () => {
      current = false;
    };
  }, [chat, ready, name]);

  if (!ready || name === undefined) return undefined;
  // By account where it is known: somebody may be renamed while one talks with him.
  const account = opened?.name === name ? opened.account : undefined;
  return snapshot.conversations.find((conversation) => conversation.with === account) ?? known(name);
}
