/** Whether somebody is connected: a filled or a hollow dot, and the word. Nothing where it is not known. */
export function Presence({ online, words }: { online: boolean | undefined; words: boolean }) {
  if (online === undefined) return null;
  const word = online ? "online" : "offline";
  return (
    <span class="presence" title={words ? undefined : word}>
      <span class={`dot ${word}`} aria-hidden="true" />
      <span class={words ? "" : "unseen"}>{word}</span>
    </span>
  );
}
