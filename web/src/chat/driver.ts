/** The machine on WebSockets and timers. */

import type { Environment, Socket } from "./environment";
import { Machine } from "./machine";
import type { Event, Input, Output } from "./machine/io";
import { Refused } from "./model";
import { type DeedOp, type Fields, type ReadOp, readLine, type Refusal, type SendOp } from "./protocol";

/** The longest that a timer of a browser can wait, roughly: milliseconds. */
const FAR = 2 ** 31 - 1;

/** An answer, and under which leader it came: counted up at each change. */
export interface Answer {
  readonly ok: Fields;
  readonly term: number;
}

/** What is told of messages, by the number that `send` gave them. */
export interface MessageNews {
  done(id: number, ok: Fields): void;
  failed(id: number, error: Refusal): void;
  settled(id: number, covered: boolean): void;
  held(error: Refusal): void;
}

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: Refused): void;
}

export class Driver {
  /** Counted up at each change of leader. */
  term = 0;
  readonly machine: Machine;
  private readonly sockets = new Map<number, Socket>();
  /** Bounded by what the machine lets be unanswered. */
  private readonly waiters = new Map<number, Waiter>();
  private readonly outputs: Output[] = [];
  private carrying = false;
  private nextCommand = 1;
  private stopTimer = () => {};

  constructor(
    private readonly environment: Environment,
    addresses: readonly string[],
    private readonly onEvent: (event: Event) => void,
    private readonly messages: MessageNews,
    /** Something may have changed that is seen. */
    readonly touched: () => void,
  ) {
    const [spread] = new Uint32Array(environment.random(4).slice().buffer);
    this.machine = new Machine(addresses, environment.now(), undefined, spread);
    environment.onWake(() => this.handle({ is: "wake" }));
  }

  /** Begins to dial. */
  start() {
    this.handle({ is: "timer" });
  }

  /** Asks, and waits for the answer; rejects with `Refused`. */
  ask(op: Exclude<DeedOp, SendOp> | ReadOp): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const id = this.nextCommand++;
      this.waiters.set(id, { resolve, reject });
      this.handle({ is: "command", id, op });
    });
  }

  /** Sends a message, however long it takes; what becomes of it is told by the number that this gives back. */
  send(op: SendOp, acknowledged: boolean, numbered: (id: number) => void) {
    const id = this.nextCommand++;
    numbered(id);
    this.handle({ is: "command", id, op, acknowledged });
  }

  handle(input: Input) {
    this.outputs.push(...this.machine.handle(this.environment.now(), input));
    // What is carried out may ask for more: that is carried out after it.
    if (this.carrying) return;
    this.carrying = true;
    try {
      for (let output = this.outputs.shift(); output; output = this.outputs.shift()) this.carryOut(output);
    } finally {
      // A listener that is told of a message may throw: that is its own fault, and the rest is carried out at the next turn.
      this.carrying = false;
      this.setTimer();
      this.touched();
    }
  }

  private setTimer() {
    this.stopTimer();
    const wait = Math.min(Math.max(this.machine.timeout() - this.environment.now(), 0), FAR);
    this.stopTimer = this.environment.after(wait, () => this.handle({ is: "timer" }));
  }

  private carryOut(output: Output) {
    switch (output.is) {
      case "dial":
        return this.dial(output.epoch, output.address);
      case "close":
        this.sockets.get(output.epoch)?.close();
        this.sockets.delete(output.epoch);
        return;
      case "send":
        return this.sockets.get(output.epoch)?.send(JSON.stringify(output.request));
      case "event":
        if (output.event.is === "moved") this.term += 1;
        return this.onEvent(output.event);
      case "done": {
        const { ok, id } = output;
        const waiter = this.takeWaiter(id);
        return waiter ? waiter.resolve({ ok, term: this.term }) : this.messages.done(id, ok);
      }
      case "failed": {
        const { error, id } = output;
        const waiter = this.takeWaiter(id);
        return waiter ? waiter.reject(new Refused(error.text, error.code)) : this.messages.failed(id, error);
      }
      case "settled":
        return this.messages.settled(output.id, output.covered);
      case "held":
        return this.messages.held(output.error);
    }
  }

  private takeWaiter(id: number): Waiter | undefined {
    const waiter = this.waiters.get(id);
    this.waiters.delete(id);
    return waiter;
  }

  private dial(epoch: number, address: string) {
    const lost = () => {
      this.sockets.delete(epoch);
      this.handle({ is: "lost", epoch });
    };
    const socket = this.environment.dial(address, {
      opened: () => this.handle({ is: "connected", epoch }),
      said: (text) => {
        const line = readLine(text);
        if (line) return this.handle({ is: "line", epoch, line });
        // This is no Lastword server: what follows is not to be trusted.
        this.sockets.get(epoch)?.close();
        lost();
      },
      ended: lost,
    });
    this.sockets.set(epoch, socket);
  }
}
