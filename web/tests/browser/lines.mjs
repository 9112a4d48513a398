// The protocol over plain TCP, to write more messages than anybody would type.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** Requests that are under way at a time. */
const AT_A_TIME = 500;

export class Lines {
  #waiting = new Map();
  #next = 1;

  static async to(address) {
    const [host, port] = address.split(":");
    const lines = new Lines();
    lines.socket = connect(Number(port), host);
    await once(lines.socket, "connect");
    createInterface(lines.socket).on("line", (line) => {
      const { id, ok, error } = JSON.parse(line);
      const waits = lines.#waiting.get(id);
      lines.#waiting.delete(id);
      if (error) waits?.reject(new Error(`${error.code}: ${error.text}`));
      else waits?.resolve(ok);
    });
    return lines;
  }

  ask(op, fields) {
    const id = this.#next++;
    this.socket.write(`${JSON.stringify({ id, op, ...fields })}\n`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  create(name, password) {
    return this.ask("create", { name, password, key: randomUUID() });
  }

  async sendAll(to, texts) {
    for (let at = 0; at < texts.length; at += AT_A_TIME) {
      const some = texts.slice(at, at + AT_A_TIME);
      await Promise.all(some.map((text) => this.ask("send", { to, text, key: randomUUID() })));
    }
  }

  close() {
    this.socket.destroy();
  }
}
