/**
 * The list of conversations, newest first, asked for page by page: how many go into one depends on how long their last
 * messages are. The leader watches, for this page, who comes and goes of those that it has listed since the first page.
 */

import type { Driver } from "./driver";
import { type Fields, fields, list, string } from "./protocol";
import { Rounds } from "./rounds";

const PAGE = 200;
/** How many are asked for in all. Others show when somebody writes, or is looked for. */
const MOST = 1_000;

export class Listing {
  private readonly rounds = new Rounds(() => this.round());
  private isClosed = false;

  constructor(
    private readonly driver: Driver,
    /** Conversations that follow those of the page before, or begin a list. */
    private readonly onPage: (page: readonly Fields[], isFirst: boolean) => void,
    /** All were told, or refused. */
    private readonly onEnd: () => void,
  ) {}

  ask() {
    this.rounds.ask();
  }

  close() {
    this.isClosed = true;
    this.rounds.close();
  }

  private async round() {
    // An older server does not know them; any other refusal is no reason to wait for them either.
    await this.walk().catch(() => {});
    if (!this.isClosed) this.onEnd();
  }

  private async walk() {
    const listed = new Set<string>();
    let before = "";
    do {
      const limit = Math.min(PAGE, MOST - listed.size);
      const { ok } = await this.driver.ask({ op: "conversations", limit, ...(before && { before }) });
      if (this.isClosed) return;
      const page = list(ok.conversations).map(fields);
      // A server that does not know `before` tells the first page again.
      const fresh = page.filter(({ account }) => string(account) && !listed.has(string(account)));
      for (const { account } of fresh) listed.add(string(account));
      this.onPage(fresh, before === "");
      before = ok.more === true && fresh.length > 0 ? string(fields(fresh.at(-1)?.last).pos) : "";
    } while (before && listed.size < MOST);
  }
}
