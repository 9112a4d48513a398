/** Whom this account blocks: the list is asked for after a login, and whenever the page is looked at again. */

import type { Driver } from "./driver";
import type { Person } from "./model";
import { fields, list, string } from "./protocol";
import { Rounds } from "./rounds";

const PAGE = 500;
/** The server lets an account block 1,000 people. */
const PAGES_MOST = 10;

export class Blocked {
  private names = new Map<string, string>();
  private shown: readonly Person[] = [];
  private readonly rounds = new Rounds(() => this.walk());
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
    this.rounds.onChanged();
  }

  ask() {
    this.rounds.ask();
  }

  close() {
    this.isClosed = true;
    this.rounds.close();
  }

  private async walk() {
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
    if (!this.rounds.isOver) this.show(names);
  }

  private show(names: Map<string, string>) {
    this.names = names;
    const people = [...names].map(([account, name]) => ({ account, name }));
    this.shown = people.sort((a, b) => a.name.toLowerCase().localeCompare(b.name.toLowerCase()));
    this.driver.touched();
  }
}
