/**
 * Who is connected. That somebody went is believed after a while only: whoever moves to another replica is gone for a
 * moment, and nobody should see that.
 */

/** Milliseconds. */
const PATIENCE = 3_000;

export class Presence {
  private readonly online = new Map<string, boolean>();
  /** Who is said to have gone, and when to believe it. */
  private readonly going = new Map<string, number>();

  of(account: string): boolean | undefined {
    return this.online.get(account);
  }

  set(account: string, online: boolean, now: number) {
    if (online || !this.online.get(account)) {
      this.going.delete(account);
      this.online.set(account, online);
    } else if (!this.going.has(account)) {
      this.going.set(account, now + PATIENCE);
    }
  }

  /** Says whether anybody has gone. */
  onTimer(now: number): boolean {
    const gone = [...this.going].filter(([, at]) => at <= now);
    for (const [account] of gone) {
      this.going.delete(account);
      this.online.set(account, false);
    }
    return gone.length > 0;
  }

  timeout(): number {
    return Math.min(...this.going.values());
  }

  clear() {
    this.online.clear();
    this.going.clear();
  }
}
