import { render } from "preact";
import { createChat } from "./chat/index";
import { App } from "./ui/app";
import "./ui/page.css";

render(<App chat={createChat()} />, document.getElementById("page")!);

// Outside of a secure context there are no workers; without one, all works but a reload from a dead server.
if (import.meta.env.PROD && window.isSecureContext && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/worker.js").catch(() => {});
}
