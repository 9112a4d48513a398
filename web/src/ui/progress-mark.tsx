import type { Progress } from "../chat/model";
import { ClockIcon, DoubleTickIcon, TickIcon, WarningIcon } from "./icons";

/** How far a message of mine is: a sign, and the words on hover and for screen readers. */
export function ProgressMark({ progress }: { progress: Progress }) {
  const words = progressWords(progress);
  return (
    <span class={`mark ${progress.is}`} role="img" aria-label={words} title={words}>
      <Sign progress={progress} />
    </span>
  );
}

function Sign({ progress }: { progress: Progress }) {
  switch (progress.is) {
    case "sending":
      return <ClockIcon />;
    case "stored":
      return <TickIcon />;
    case "delivered":
      return <DoubleTickIcon />;
    case "refused":
      return <WarningIcon />;
  }
}

export function progressWords(progress: Progress): string {
  switch (progress.is) {
    case "sending":
      return "on its way";
    case "stored":
      return progress.on === undefined ? "stored" : `stored on ${progress.on} of ${progress.of ?? "?"} replicas`;
    case "delivered":
      return "delivered";
    case "refused":
      return "not sent";
  }
}
