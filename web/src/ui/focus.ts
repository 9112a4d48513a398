import { useEffect, useRef } from "preact/hooks";
import { hashOf } from "./route";

/** Back in the list, the focus is where it was left: on the conversation that was open. */
export function useFocusOnReturn(name: string | undefined): void {
  const left = useRef(name);
  useEffect(() => {
    const before = left.current;
    left.current = name;
    if (name !== undefined || before === undefined) return;
    const links = [...document.querySelectorAll<HTMLElement>(".people a")];
    links.find((link) => link.getAttribute("href") === hashOf(before))?.focus();
  }, [name]);
}
