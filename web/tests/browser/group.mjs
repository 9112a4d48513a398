// Three replicas as processes of their own, which can be killed.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const LASTWORD = process.env.LASTWORD ?? "../target/release/lastword";
const NAMES = ["a", "b", "c"];
/** All answer and are in sync after so long, in milliseconds. */
const IN_SYNC = 30_000;

/** Free ports on a loopback address that no other test has. */
async function addresses() {
  const byte = () => 1 + Math.floor(Math.random() * 250);
  const host = `127.${byte()}.${byte()}.${byte()}`;
  const servers = await Promise.all(
    NAMES.map(
      () =>
        new Promise((resolve, reject) => {
          const server = createServer().once("error", reject);
          server.listen(0, host, () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports.map((port) => ({ host, port }));
}

export class Group {
  #dir = mkdtempSync(join(tmpdir(), "lastword-browser-"));
  #processes = [];

  static async start(...options) {
    const group = new Group();
    group.options = options;
    group.members = await addresses();
    group.addresses = group.members.map(({ host, port }) => `${host}:${port}`);
    NAMES.forEach((_, replica) => group.start(replica));
    await group.inSync();
    return group;
  }

  url(replica) {
    return `http://${this.addresses[replica]}/`;
  }

  start(replica) {
    const { host, port } = this.members[replica];
    const data = join(this.#dir, NAMES[replica]);
    const options = ["server", host, `${port}`, "--group", this.addresses.join(), "--data", data, "--hash-memory", "8"];
    const child = spawn(LASTWORD, [...options, ...this.options], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, LASTWORD_LOG: "error" },
    });
    this.#processes[replica] = child;
  }

  /** `kill -9`. */
  async kill(replica) {
    const child = this.#processes[replica];
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async inSync() {
    const until = Date.now() + IN_SYNC;
    for (;;) {
      const hostsAndPorts = this.members.flatMap(({ host, port }) => [host, `${port}`]);
      const asked = spawnSync(LASTWORD, ["status", ...hostsAndPorts], { encoding: "utf8" });
      if (asked.status === 0) return;
      if (Date.now() > until) throw new Error(`the group is not in sync:\n${asked.stdout}${asked.stderr}`);
      await sleep(100);
    }
  }

  async stop() {
    await Promise.all(NAMES.map((_, replica) => this.kill(replica)));
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
