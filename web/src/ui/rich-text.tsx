import { splitLinks, visible } from "./links";

/** A text as it was written: never as HTML, with links, and unable to turn around what stands beside it. */
export function RichText({ text }: { text: string }) {
  return (
    <bdi class="text" dir="auto">
      {splitLinks(visible(text)).map((part) =>
        part.href === undefined ? (
          part.text
        ) : (
          <a href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </bdi>
  );
}
