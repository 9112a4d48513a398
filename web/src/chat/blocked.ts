/** Whom this account blocks: the list is asked for after a login, and whenever the page is looked at again. */

import type { Driver } from "./driver";
import type { Person } from "./model";
import { fields, list, string } from "./protocol";

const PAGE = 500;
/** The server lets an account block 1,000 people. */
const PAGES_MOST = 10;

export class Blocked {
  private names = new Map<string, string>();
  private shown: readonly Person[] = [];
  private isAsking = false;
  private askAgain = false;
  private isClosed = false;

  constructor(
    private readonly driver: Driver,
    private readonly newKey: () => string,
  ) {}

  /** In the order of their names; the same array as long as nothing has changed. */
  all(): readonly Person[] {
    return this.shown;
  }

  /** Blocks somebody, or ends that; rejects with `Refused`. */
  async set(account: string, on: boolean, name: string): Promise<void> {
    await this.driver.ask({ op: on ? "block" : "unblock", who_account: account, key: this.newKey() });
    if (this.isClosed) return;
    const names = new Map(this.names);
    if (on) names.set(account, name);
    else names.delete(account);
    this.show(names);
    // A list that is on its way may be from before.
    if (this.isAsking) this.askAgain = true;
  }

  /** Asks for the list. One time is under way, and one is wanted, at most. */
  ask() {
    this.askAgain = true;
    if (!this.isAsking) void this.run();
  }

  /** What still comes is for nobody. */
  close() {
    this.isClosed = true;
  }

  private async run() {
    this.isAsking = true;
    while (this.askAgain && !this.isClosed) {
      this.askAgain = false;
      // Where it is refused, what is known stays, and the next leader or look asks again.
      const names = await this.walk().catch(() => undefined);
      if (names && !this.askAgain && !this.isClosed) this.show(names);
    }
    this.isAsking = false;
  }

  private async walk(): Promise<Map<string, string>> {
    const names = new Map<string, string>();
    let after = "";
    for (let page = 0; page < PAGES_MOST; page++) {
      const { ok } = await this.driver.ask({ op: "blocked", limit: PAGE, ...(after && { after }) });
      for (const it of list(ok.blocked).map(fields)) {
        after = string(it.account);
        if (after) names.set(after, string(it.name));
      }
      if (ok.more !== true || !after) break;
    }
    return names;
  }

  private show(names: Map<string, string>) {
    this.names = names;
    const people = [...names].map(([account, name]) => ({ account, name }));
    this.shown = people.sort((a, b) => a.name.toLowerCase().localeCompare(b.name.toLowerCase()));
    this.driver.touched();
  }
}
