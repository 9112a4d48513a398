/** What the chat needs of the browser; the tests hand in their own. */

export interface Socket {
  send(text: string): void;
  close(): void;
}

/** What a socket reports: `opened` once, `said` for each text, `ended` once at the end, also of a dial that failed. */
export interface SocketEvents {
  opened(): void;
  said(text: string): void;
  ended(): void;
}

/** As much of the browser's `Storage` as is used. Each may throw. */
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export interface Environment {
  /** `HOST:PORT` of this page. */
  readonly host: string;
  /** Dials `HOST:PORT`. After `close` nothing is reported any more. */
  dial(address: string, events: SocketEvents): Socket;
  /** Milliseconds, of a clock that never goes back. */
  now(): number;
  /** Milliseconds since 1970. */
  wallNow(): number;
  /** Calls back after this many milliseconds; returns what ends that. */
  after(milliseconds: number, due: () => void): () => void;
  /** As many random bytes. */
  random(bytes: number): Uint8Array;
  /** What stays in this browser, and what stays in this tab; `undefined` where that is forbidden. */
  readonly local: Shelf | undefined;
  readonly tab: Shelf | undefined;
  /** Another tab has written, under this key. */
  onWritten(written: (key: string) => void): void;
  /** The network is there again, or the page is looked at again. */
  onWake(woken: () => void): void;
  /** The page is seen again, or has the focus again. */
  onLook(looked: () => void): void;
}

function shelf(take: () => Shelf): Shelf | undefined {
  try {
    return take();
  } catch {
    return undefined; // The person has forbidden it.
  }
}

export function browser(): Environment {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return {
    host: location.host,
    dial: (address, events) => dial(`${scheme}://${address}/ws`, events),
    now: () => performance.now(),
    wallNow: () => Date.now(),
    after(milliseconds, due) {
      const timer = setTimeout(due, milliseconds);
      return () => clearTimeout(timer);
    },
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    local: shelf(() => localStorage),
    tab: shelf(() => sessionStorage),
    onWritten(written) {
      addEventListener("storage", (event) => {
        if (event.key !== null && event.storageArea === localStorage) written(event.key);
      });
    },
    onWake(woken) {
      addEventListener("online", woken);
      onVisible(woken);
    },
    onLook(looked) {
      addEventListener("focus", looked);
      onVisible(looked);
    },
  };
}

function onVisible(visible: () => void) {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") visible();
  });
}

/** A WebSocket that is quiet once it was closed, and ends once. */
export function dial(url: string, events: SocketEvents): Socket {
  let socket: WebSocket | undefined;
  let open = true;
  const ended = () => {
    if (!open) return;
    open = false;
    events.ended();
  };
  try {
    socket = new WebSocket(url);
    socket.onopen = () => open && events.opened();
    // The server sends text only.
    socket.onmessage = ({ data }) => open && events.said(typeof data === "string" ? data : "");
    socket.onclose = socket.onerror = ended;
  } catch {
    setTimeout(ended); // No such address.
  }
  return {
    send(text) {
      if (open && socket?.readyState === WebSocket.OPEN) socket.send(text);
    },
    close() {
      open = false;
      socket?.close();
    },
  };
}
