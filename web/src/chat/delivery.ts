/**
 * Which of my messages have been delivered: receipts tell, but may be missed. `pending` tells the truth: what the
 * leader has told to be stored, and does not hold pending when it is asked *after* that, is delivered.
 */

import type { Driver } from "./driver";
import { fields, list, string } from "./protocol";
import { Rounds } from "./rounds";
import type { Threads } from "./state/threads";

const PAGE = 500;
/** 5,000 messages: whoever has more undelivered is told of receipts only. */
const PAGES_MOST = 10;

export class Delivery {
  private readonly rounds = new Rounds(() => this.walk());

  constructor(
    private readonly driver: Driver,
    private readonly threads: Threads,
  ) {}

  /** Asks, if there is a message of which it is not known. */
  ask() {
    this.rounds.ask();
  }

  private async walk() {
    if (![...this.threads.all()].some((thread) => thread.hasUndelivered())) return;
    const serial = this.threads.serial;
    const pending = new Set<string>();
    let [after, term] = ["", 0];
    for (let page = 0; page < PAGES_MOST; page++) {
      const answer = await this.driver.ask({ op: "pending", limit: PAGE, ...(after && { after }) });
      // Two replicas' answers don't make one.
      if (page > 0 && answer.term !== term) return;
      term = answer.term;
      for (const it of list(answer.ok.messages)) {
        after = string(fields(it).message);
        pending.add(after);
      }
      if (answer.ok.more !== true) return this.conclude(pending, serial, term);
    }
  }

  private conclude(pending: ReadonlySet<string>, serial: number, term: number) {
    for (const thread of this.threads.all()) thread.conclude(pending, serial, term);
    this.driver.touched();
  }
}
