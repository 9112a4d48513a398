import { Component } from "preact";
import type { Chat, Message } from "../chat/model";
import { ProgressMark } from "./progress-mark";
import { RichText } from "./rich-text";
import { clockTime, exactTime, isoTime } from "./time";

export interface MessageRowProps {
  readonly chat: Chat;
  /** Whose conversation it is in. */
  readonly account: string;
  /** Whose message it is, for those who don't see where it stands. */
  readonly author: string;
  readonly message: Message;
  /** It follows one of another author, or of long ago. */
  readonly first: boolean;
  /** The name of the day that begins with it. */
  readonly day: string | undefined;
  /** What stands before all messages. */
  readonly lead: string | undefined;
  readonly watcher: ResizeObserver;
}

/** A message, and what stands above it. Drawn again only when something of it is another. */
export class MessageRow extends Component<MessageRowProps> {
  readonly #element: { current: HTMLDivElement | null } = { current: null };

  override shouldComponentUpdate(next: MessageRowProps): boolean {
    const now = this.props;
    return (
      next.message !== now.message ||
      next.first !== now.first ||
      next.day !== now.day ||
      next.lead !== now.lead ||
      next.author !== now.author
    );
  }

  override componentDidMount(): void {
    this.props.watcher.observe(this.#element.current!);
  }

  override componentWillUnmount(): void {
    this.props.watcher.unobserve(this.#element.current!);
  }

  override render({ chat, account, author, message, first, day, lead }: MessageRowProps) {
    const { mine, progress } = message;
    const refused = progress?.is === "refused" ? progress : undefined;
    return (
      <div ref={this.#element} class={`row ${mine ? "mine" : "theirs"} ${first ? "first" : ""}`} data-key={keyOf(message)}>
        {lead !== undefined && <p class="lead">{lead}</p>}
        {day !== undefined && (
          <p class="day">
            <span>{day}</span>
          </p>
        )}
        <div class={refused ? "bubble is-refused" : "bubble"}>
          <span class="unseen">{author}: </span>
          <RichText text={message.text} />
          <span class="about">
            <time dateTime={isoTime(message.at)} title={exactTime(message.at)}>
              {clockTime(message.at)}
            </time>
            {progress && <ProgressMark progress={progress} />}
          </span>
        </div>
        {refused && (
          <div class="refusal">
            <span>Not sent: {refused.why}</span>
            <button type="button" class="small" onClick={() => chat.retry(account, message.id)}>
              Try again
            </button>
            <button type="button" class="small" onClick={() => chat.discard(account, message.id)}>
              Discard
            </button>
          </div>
        )}
      </div>
    );
  }
}

/** Unique within a conversation: ids are unique within their author's only. */
export function keyOf(message: Message): string {
  return (message.mine ? "m" : "t") + message.id;
}
