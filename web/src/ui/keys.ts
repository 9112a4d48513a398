/** The arrow keys, Home and End move the focus among the links of a list. */
export function moveAmong(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("a")];
  const now = links.indexOf(document.activeElement as HTMLElement);
  const next: Readonly<Record<string, number>> = {
    ArrowDown: Math.min(now + 1, links.length - 1),
    ArrowUp: Math.max(now - 1, 0),
    Home: 0,
    End: links.length - 1,
  };
  const index = next[event.key];
  if (index === undefined) return;
  event.preventDefault();
  links[index]?.focus();
}
