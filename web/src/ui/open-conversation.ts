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
  const { connected, conversations } = snapshot;
  const entered = snapshot.phase === "in";

  useEffect(() => {
    if (!entered || name === undefined) return;
    let current = true;
    chat.open(name).then(
      (account) => current && setOpened({ name, account }),
      (reason) => {
        // What no server has answered is asked again when one does; what is known of it is shown until then.
        if (!current || (reason instanceof Refused && reason.code === "no_answer")) return;
        onProblem(sentence(reason));
        goToList();
      },
    );
    return () => {
      current = false;
    };
  }, [chat, entered, connected, name]);

  if (name === undefined) return undefined;
  // By account where it is known: somebody may be renamed during a conversation.
  const account = opened?.name === name ? opened.account : undefined;
  const called = conversations.filter((conversation) => conversation.name.toLowerCase() === name.toLowerCase());
  return (
    conversations.find((conversation) => conversation.with === account) ??
    called.find((conversation) => !conversation.deleted) ??
    called[0]
  );
}
