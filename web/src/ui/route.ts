import { useLayoutEffect, useState } from "preact/hooks";

/**
 * Where one is, in the address: `#/with/NAME` is a conversation, all else the list. So the browser's back button works,
 * which on a phone leads from a conversation to the list.
 */

const WITH = "#/with/";
const listeners = new Set<() => void>();

export function hashOf(name: string): string {
  return WITH + encodeURIComponent(name);
}

export function nameIn(hash: string): string | undefined {
  if (!hash.startsWith(WITH)) return undefined;
  try {
    return decodeURIComponent(hash.slice(WITH.length)) || undefined;
  } catch {
    return undefined;
  }
}

export function goTo(name: string): void {
  const hash = hashOf(name);
  if (hash === location.hash) return;
  history.pushState({ fromList: nameIn(location.hash) === undefined }, "", hash);
  changed();
}

/** Back to the list: as the browser's back button does, where one came from there. */
export function goToList(): void {
  if (history.state?.fromList) {
    history.back();
    return;
  }
  history.replaceState(null, "", "#/");
  changed();
}

/** Nobody is logged in any more: the address says nothing of what was open. */
export function forgetRoute(): void {
  if (location.hash === "") return;
  history.replaceState(null, "", location.pathname);
  changed();
}

/** The name of who is talked with, by the address. */
export function useRoute(): string | undefined {
  const [name, setName] = useState(() => nameIn(location.hash));
  useLayoutEffect(() => {
    const update = () => setName(nameIn(location.hash));
    listeners.add(update);
    window.addEventListener("popstate", update);
    window.addEventListener("hashchange", update);
    return () => {
      listeners.delete(update);
      window.removeEventListener("popstate", update);
      window.removeEventListener("hashchange", update);
    };
  }, []);
  return name;
}

function changed(): void {
  for (const listener of listeners) listener();
}
