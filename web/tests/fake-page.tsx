import { render } from "preact";
import { App } from "../src/ui/app";
import "../src/ui/page.css";
import { FakeChat } from "./fake";

// `?out`: nobody is logged in; `?loaded=50&older=500`: of the conversation with carol.
const wanted = new URLSearchParams(location.search);
const chat = new FakeChat({
  phase: wanted.has("out") ? "out" : "in",
  now: Date.now(),
  loaded: Number(wanted.get("loaded") ?? 10_000),
  older: Number(wanted.get("older") ?? 0),
});
Object.assign(window, { chat });
render(<App chat={chat} />, document.getElementById("page")!);
