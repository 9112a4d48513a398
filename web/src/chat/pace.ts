/** Something that is done when it is asked for, at once or as soon as it may be again. */

import type { Environment } from "./environment";

export class Pace {
  private next = 0;
  private isWaiting = false;

  constructor(
    private readonly environment: Environment,
    /** At most once in this many milliseconds. */
    private readonly every: number,
    private readonly act: () => void,
  ) {}

  ask() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    this.environment.after(Math.max(this.next - this.environment.now(), 0), () => {
      this.isWaiting = false;
      this.next = this.environment.now() + this.every;
      this.act();
    });
  }
}
