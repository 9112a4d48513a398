/** Something that is asked for in rounds of several questions: one round is under way, and one more is wanted, at most. */

export class Rounds {
  private isWanted = false;
  private isUnderWay = false;
  private isClosed = false;

  constructor(
    /** Asks, and takes the answers. Whether they still count, `isOver` says. Where it fails, nothing is taken. */
    private readonly round: () => Promise<void>,
  ) {}

  /** Asks from the beginning, once the round that is under way is over. */
  ask() {
    this.isWanted = true;
    if (!this.isUnderWay) void this.run();
  }

  /** Something has changed: what a round that is under way brings may be from before. */
  onChanged() {
    if (this.isUnderWay) this.isWanted = true;
  }

  /** What still comes is for nobody. */
  close() {
    this.isClosed = true;
  }

  /** What this round brings counts no more: another is wanted, or none. */
  get isOver(): boolean {
    return this.isWanted || this.isClosed;
  }

  private async run() {
    this.isUnderWay = true;
    while (this.isWanted && !this.isClosed) {
      this.isWanted = false;
      // Where it is refused, what is known stays, and the next leader or look asks again.
      await this.round().catch(() => {});
    }
    this.isUnderWay = false;
  }
}
