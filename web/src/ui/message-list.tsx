import { Component } from "preact";
import type { Chat, Conversation, Message } from "../chat/model";
import { estimateHeight, startsDay, startsGroup } from "./arrangement";
import { Geometry, type Range } from "./geometry";
import { DownIcon } from "./icons";
import { keyOf, MessageRow } from "./message-row";
import { dayName } from "./time";

/** So much beyond what is seen is drawn, in pixels; and new rows are drawn when less than half of it is left. */
const MARGIN_PX = 700;
/** Never more rows than this in the page, however high it is. */
const MAX_ROWS = 100;
/** Older messages are asked for when so much is left above, in pixels. */
const LOAD_OLDER_PX = 1_500;
const LOAD_NEXT_MS = 100;
const LOAD_AGAIN_MS = 2_000;
/** Who is no further from the end than this is at the end. */
const AT_END_PX = 4;

interface Props {
  readonly chat: Chat;
  readonly conversation: Conversation;
  readonly today: number;
  /** Where the list is put, for others to scroll it. (Preact hands a component's `ref` to the component itself.) */
  readonly handle: { current: MessageList | null };
}

/**
 * The messages of a conversation, of which only those that are seen are in the page: the others are two spacers.
 *
 * What is read stays where it is: after every change (older ones in front, heights that turn out different, a window of
 * another size) it scrolls so that the end of the topmost seen message, the anchor, is where it was. At the end of the
 * conversation the anchor is the end.
 */
export class MessageList extends Component<Props> {
  readonly #geometry = new Geometry();
  readonly #watcher = new ResizeObserver((entries) => this.#resized(entries));
  readonly #box: { current: HTMLDivElement | null } = { current: null };
  #messages: readonly Message[] = [];
  #range: Range = { from: 0, to: 0 };
  #width = 600;
  #height = 800;
  #top = 0;
  #atEnd = true;
  /** The topmost seen message; how far below the top of the window it ends; and whether all begins with it. */
  #anchor: { readonly key: string; readonly below: number; readonly atStart: boolean } | undefined;
  /** How many of the other one's have come since the end was last seen. */
  #news = 0;
  #frame = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #mayLoad = true;

  override componentDidMount(): void {
    this.props.handle.current = this;
    const box = this.#box.current!;
    this.#width = box.clientWidth;
    this.#height = box.clientHeight;
    this.#watcher.observe(box);
    this.#settle();
    // It was drawn for a window of unknown size.
    this.#draw();
  }

  override componentDidUpdate(): void {
    this.#settle();
  }

  override componentWillUnmount(): void {
    this.props.handle.current = null;
    this.#watcher.disconnect();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#again);
  }

  /** Scrolls by this many times what is seen. For the composer, which has the focus. */
  turnPages(pages: number): void {
    this.#scrollTo(this.#box.current!.scrollTop + pages * this.#height * 0.9);
  }

  /** Goes to the latest message, and stays there. */
  goToEnd(): void {
    this.#atEnd = true;
    this.#news = 0;
    this.#keepPlace();
    this.#draw();
  }

  override render({ chat, conversation, today }: Props) {
    // Scrolled, and not told of it yet: what has come must not take that back.
    if (this.#box.current && Math.abs(this.#box.current.scrollTop - this.#top) > 1) this.#lookWhere();
    this.#take(conversation.messages);
    this.#range = this.#geometry.range(this.#wantedTop(), this.#height, MARGIN_PX, MAX_ROWS);
    const { from, to } = this.#range;
    const messages = conversation.messages;
    const news = this.#news;
    return (
      <div class="messages">
        <div
          ref={this.#box}
          class="scroller"
          role="log"
          aria-live="off"
          aria-label={`Messages with ${conversation.name}`}
          tabIndex={0}
          onScroll={this.#scrolled}
          onKeyDown={this.#keyPressed}
        >
          {messages.length === 0 && <p class="lead">{lead(conversation)}</p>}
          <div class="spacer" style={{ height: `${this.#geometry.top(from)}px` }} />
          {messages.slice(from, to).map((message, offset) => {
            const index = from + offset;
            const previous = messages[index - 1];
            return (
              <MessageRow
                key={keyOf(message)}
                chat={chat}
                account={conversation.with}
                author={message.mine ? "You" : conversation.name}
                message={message}
                first={startsGroup(previous, message)}
                day={startsDay(previous, message) ? dayName(message.at, today) : undefined}
                lead={index === 0 ? lead(conversation) : undefined}
                watcher={this.#watcher}
              />
            );
          })}
          <div class="spacer" style={{ height: `${this.#geometry.total - this.#geometry.top(to)}px` }} />
        </div>
        {!this.#atEnd && (
          <button type="button" class="latest" onClick={this.#toEnd}>
            <DownIcon />
            {news > 0 ? `${news > 99 ? "99+" : news} new` : <span class="unseen">Jump to the latest message</span>}
          </button>
        )}
      </div>
    );
  }

  /** Takes in other messages than before. */
  #take(messages: readonly Message[]): void {
    if (messages === this.#messages) return;
    this.#news = this.#atEnd ? 0 : this.#news + this.#countNew(messages);
    this.#messages = messages;
    this.#geometry.set(messages.map(keyOf), (index) => estimateHeight(messages[index - 1], messages[index]!, this.#width));
  }

  /** How many of the other one's stand at the end that did not before. */
  #countNew(messages: readonly Message[]): number {
    let count = 0;
    for (let index = messages.length - 1; index >= 0; index--) {
      const message = messages[index]!;
      const known = this.#geometry.indexOf(keyOf(message)) !== undefined;
      // What is not sent yet stays behind all that comes.
      if (known && !isUnsent(message)) break;
      if (!message.mine) count++;
    }
    return count;
  }

  #wantedTop(): number {
    if (this.#atEnd) return Math.max(0, this.#geometry.total - this.#height);
    if (this.#anchor === undefined) return this.#top;
    const { key, below, atStart } = this.#anchor;
    const index = this.#geometry.indexOf(key);
    if (index === undefined) return this.#top;
    return atStart && index === 0 ? 0 : this.#geometry.top(index + 1) - below;
  }

  /** After rows were drawn: measures the new ones, scrolls to where one was, and looks whether more is needed. */
  #settle(): void {
    const box = this.#box.current!;
    let other = false;
    for (const row of box.querySelectorAll<HTMLElement>(".row")) {
      other = this.#geometry.measure(row.dataset["key"]!, row.getBoundingClientRect().height) || other;
    }
    this.#keepPlace();
    if (other && this.#lacksRows()) this.#draw();
    this.#loadOlder();
  }

  #keepPlace(): void {
    const box = this.#box.current!;
    const wanted = this.#atEnd ? box.scrollHeight - box.clientHeight : this.#wantedTop();
    if (Math.abs(box.scrollTop - wanted) > 0.5) box.scrollTop = wanted;
    this.#top = box.scrollTop;
  }

  #resized(entries: readonly ResizeObserverEntry[]): void {
    const box = this.#box.current;
    if (box === null) return;
    for (const { target, borderBoxSize } of entries) {
      const key = (target as HTMLElement).dataset["key"];
      if (key !== undefined) this.#geometry.measure(key, borderBoxSize[0]!.blockSize);
    }
    this.#width = box.clientWidth;
    this.#height = box.clientHeight;
    this.#keepPlace();
    // Rows that came into the page now would be measured one frame late.
    if (this.#lacksRows()) {
      cancelAnimationFrame(this.#frame);
      this.#frame = requestAnimationFrame(() => this.#draw());
    }
  }

  readonly #scrolled = (): void => {
    const wasAtEnd = this.#atEnd;
    this.#lookWhere();
    if (wasAtEnd !== this.#atEnd || this.#lacksRows()) this.#draw();
    else this.#loadOlder();
  };

  /** Where one is now: at the end, or at some message. */
  #lookWhere(): void {
    const box = this.#box.current!;
    this.#top = box.scrollTop;
    const atEnd = box.scrollHeight - box.clientHeight - this.#top <= AT_END_PX;
    const index = this.#geometry.at(this.#top);
    const key = this.#geometry.keyAt(index);
    const below = this.#geometry.top(index + 1) - this.#top;
    this.#anchor = key === undefined ? undefined : { key, below, atStart: this.#top <= 0 };
    if (atEnd) this.#news = 0;
    this.#atEnd = atEnd;
  }

  #lacksRows(): boolean {
    const needed = this.#geometry.range(this.#top, this.#height, MARGIN_PX / 2, MAX_ROWS);
    return needed.from < this.#range.from || needed.to > this.#range.to;
  }

  #loadOlder(): void {
    const { chat, conversation } = this.props;
    if (!this.#mayLoad || conversation.loading || !conversation.more || this.#top > LOAD_OLDER_PX) return;
    this.#mayLoad = false;
    const wait = (pause_ms: number) => {
      this.#again = setTimeout(() => {
        this.#mayLoad = true;
        if (this.#box.current) this.#loadOlder();
      }, pause_ms);
    };
    chat.loadOlder(conversation.with).then(
      () => wait(LOAD_NEXT_MS),
      () => wait(LOAD_AGAIN_MS),
    );
  }

  // The browser scrolls smoothly on these keys, and would stop halfway whenever a height turns out different.
  readonly #keyPressed = (event: KeyboardEvent): void => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== event.currentTarget) return;
    const line = 40;
    const move: Readonly<Record<string, () => void>> = {
      PageUp: () => this.turnPages(-1),
      PageDown: () => this.turnPages(1),
      Home: () => this.#scrollTo(0),
      End: () => this.#toEnd(),
      ArrowUp: () => this.#scrollTo(this.#top - line),
      ArrowDown: () => this.#scrollTo(this.#top + line),
    };
    const wanted = move[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    wanted();
  };

  #scrollTo(top: number): void {
    this.#box.current!.scrollTop = top;
    this.#scrolled();
  }

  readonly #toEnd = (): void => {
    this.goToEnd();
    this.#box.current!.focus({ preventScroll: true });
  };

  #draw(): void {
    this.setState({});
  }
}

function isUnsent({ progress }: Message): boolean {
  return progress?.is === "sending" || progress?.is === "refused";
}

function lead(conversation: Conversation): string {
  if (conversation.loading) return "Loading older messages…";
  if (conversation.more) return "There are older messages.";
  if (conversation.messages.length === 0) return `No messages with ${conversation.name} yet. Say hello.`;
  return `This is where your conversation with ${conversation.name} begins.`;
}
