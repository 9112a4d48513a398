/** The page's title, with how many messages are unread. */
export function pageTitle(unread: number): string {
  if (unread <= 0) return "Lastword";
  return `(${unread > 99 ? "99+" : unread}) Lastword`;
}
