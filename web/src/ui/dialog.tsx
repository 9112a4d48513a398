import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly onClose: () => void;
}

/** A question over the page, which keeps the focus until it is answered or Escape is pressed. */
export function Dialog({ title, children, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const [before, shown] = [document.activeElement, dialog.current!];
    shown.showModal();
    return () => {
      // As long as it is open, nothing outside takes the focus.
      shown.close();
      (before as HTMLElement | null)?.focus?.();
    };
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={onClose}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}
