/** Who has logged in with this browser, and as whom this tab goes on after a reload. */

import type { SessionSeed } from "../machine/io";
import { fields, list, string } from "../protocol";
import type { Store } from "./store";

const SESSIONS = "lastword/sessions";
const TAB = "lastword/account";
/** How many are remembered, the latest first. */
const MOST = 10;

export class Sessions {
  constructor(
    private readonly store: Store,
    private readonly tab: Store,
  ) {}

  all(): SessionSeed[] {
    const seeds = list(this.store.readJson(SESSIONS)).map((value) => {
      const { account, name, token } = fields(value);
      return { account: string(account), name: string(name), token: string(token) };
    });
    return seeds.filter((seed) => seed.account && seed.token).slice(0, MOST);
  }

  /** The session is this tab's, and remembered. */
  keep(seed: SessionSeed) {
    this.tab.write(TAB, seed.account);
    const rest = this.all().filter((it) => it.account !== seed.account);
    this.store.writeJson(SESSIONS, [seed, ...rest].slice(0, MOST));
  }

  forget(account: string) {
    this.store.writeJson(SESSIONS, this.all().filter((it) => it.account !== account));
  }

  /** Whose session this tab is in. */
  ofTab(): SessionSeed | undefined {
    const account = this.tab.read(TAB);
    return this.all().find((it) => it.account === account);
  }

  /** This tab is nobody's. */
  leave() {
    this.tab.write(TAB, undefined);
  }
}

/** The key under which another tab's change shows. */
export const isSessionsKey = (key: string) => key === SESSIONS;
