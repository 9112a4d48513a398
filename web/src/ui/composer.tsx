import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Chat } from "../chat/model";
import { SendIcon } from "./icons";
import { textFault } from "./rules";

interface Props {
  readonly chat: Chat;
  readonly account: string;
  readonly name: string;
  /** What was typed earlier. */
  readonly draft: string;
  /** Something was sent: who writes wants to see what was written. */
  readonly onSent: () => void;
  /** Scrolls the messages by this many pages. */
  readonly onPages: (pages: number) => void;
}

/** Where one writes: Enter sends, Shift-Enter begins a new line. */
export function Composer({ chat, account, name, draft, onSent, onPages }: Props) {
  const [text, setText] = useState(draft);
  const box = useRef<HTMLTextAreaElement>(null);
  const fault = textFault(text);
  const sendable = fault === undefined && text.trim() !== "";

  useLayoutEffect(() => fitHeight(box.current!), [text]);
  useLayoutEffect(() => {
    // On a touch screen the focus would bring up the keyboard over what is to be read.
    if (matchMedia("(pointer: fine)").matches) box.current!.focus({ preventScroll: true });
  }, []);

  const type = (typed: string) => {
    setText(typed);
    chat.draft(account, typed);
  };
  const send = () => {
    if (!sendable) return;
    chat.send(account, text);
    type("");
    onSent();
    box.current!.focus({ preventScroll: true });
  };
  const keyPressed = (event: KeyboardEvent) => {
    // 229: also browsers that don't say that a sign is still being composed.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      send();
    } else if ((event.key === "PageUp" || event.key === "PageDown") && !event.shiftKey) {
      event.preventDefault();
      onPages(event.key === "PageUp" ? -1 : 1);
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {fault !== undefined && (
        <p class="fault" id="text-fault" role="alert">
          {fault}
        </p>
      )}
      <div class="composer-line">
        <textarea
          ref={box}
          rows={1}
          dir="auto"
          aria-label={`Message to ${name}`}
          aria-invalid={fault !== undefined}
          aria-describedby={fault === undefined ? undefined : "text-fault"}
          placeholder={`Message to ${name}`}
          enterkeyhint="send"
          value={text}
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={keyPressed}
        />
        <button type="submit" class="send" aria-label="Send" title="Send (Enter)" aria-disabled={!sendable}>
          <SendIcon />
        </button>
      </div>
    </form>
  );
}

/** As high as what is in it; the style sheet says how high at most. */
function fitHeight(box: HTMLTextAreaElement): void {
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight + box.offsetHeight - box.clientHeight}px`;
}
