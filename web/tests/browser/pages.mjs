// A person at the page, in a window of a real browser.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

/** What a person would wait for, at most, in milliseconds. (A test machine may be busy.) */
export const PATIENCE = 20_000;
export const PASSWORD = "correct horse";

// Without the last ones Chromium asks for hosts of its maker's at every start.
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
}

export class Window {
  /** What went wrong in it: errors, violations of its policy, dialogs. */
  wrong = [];
  /** What it has asked for, by address. */
  requests = [];

  /** A window of a browser of its own, or one more of somebody's (`context`). */
  static async open(browser, url, options = {}) {
    const context = options.context ?? (await browser.newContext(options));
    context.setDefaultTimeout(PATIENCE);
    const window = new Window();
    window.context = context;
    window.page = await context.newPage();
    window.page.on("pageerror", (error) => window.wrong.push(`${error.stack ?? error}`));
    window.page.on("dialog", (dialog) => {
      window.wrong.push(`a dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    window.page.on("console", (message) => {
      // That a server is dead is no fault of the page's.
      const ofNetwork = /WebSocket connection|ERR_CONNECTION|ERR_SOCKET|Failed to load resource|ERR_EMPTY/.test(message.text());
      if (message.type() === "error" && !ofNetwork) window.wrong.push(message.text());
    });
    window.page.on("request", (request) => window.requests.push(request.url()));
    await window.page.goto(url);
    return window;
  }

  async create(name, password = PASSWORD) {
    await this.enter("Create account", name, password);
  }

  async login(name, password = PASSWORD) {
    await this.enter("Log in", name, password);
  }

  async enter(button, name, password) {
    await this.page.getByRole("textbox", { name: /^Name/ }).fill(name);
    await this.page.getByLabel(/^Password/).fill(password);
    await this.page.getByRole("button", { name: button }).click();
    await this.isIn();
  }

  async isIn() {
    await this.find.waitFor();
  }

  get find() {
    return this.page.getByRole("searchbox", { name: "Find people" });
  }

  get composer() {
    return this.page.getByRole("textbox", { name: /^Message to/ });
  }

  get log() {
    return this.page.getByRole("log");
  }

  /** Opens the conversation with somebody by name. */
  async meet(name) {
    await this.find.fill(name);
    await this.page.locator(`.found a[data-name="${name}"]`).click();
    await this.composer.waitFor();
  }

  async send(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** What is in the page now of the open conversation: who wrote it, the text, and how far it is. */
  async seen() {
    return this.log.locator(".row").evaluateAll((rows) =>
      rows.map((row) => ({
        key: row.dataset.key,
        mine: row.classList.contains("mine"),
        text: row.querySelector(".text").textContent,
        mark: row.querySelector(".mark")?.getAttribute("aria-label"),
      })),
    );
  }

  /** All of the open conversation: scrolls from its beginning to its end. */
  async all() {
    await this.toBeginning();
    const all = new Map();
    const place = () => this.log.evaluate((log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 1);
    for (let page = 0; page < 3000; page++) {
      for (const message of await this.seen()) all.set(message.key, message);
      if (await place()) return [...all.values()];
      await this.log.press("PageDown");
    }
    throw new Error("the conversation has no end");
  }

  /** Scrolls up until there is nothing older. */
  async toBeginning() {
    for (let times = 0; times < 3000; times++) {
      await this.log.press("Home");
      if (await this.log.getByText("This is where your conversation with").count()) return;
      await sleep(20);
    }
    throw new Error("the conversation has no beginning");
  }

  /** The health of each replica, in the words of the page. */
  async dots() {
    const dots = await this.page.getByRole("list", { name: "Servers" }).getByRole("listitem").allTextContents();
    return dots.map((dot) => dot.trim().replace(/\s+/g, " "));
  }

  async nothingWentWrong() {
    assert.deepEqual(this.wrong, []);
  }

  async close() {
    await this.page.close();
  }
}

/** Waits until something is so; then, or when patience ends, asserts it. */
export async function until(what, holds, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) assert.fail(`not so after ${patience / 1000} s: ${what}`);
    await sleep(50);
  }
}

/** Each once, and each sender's in the order in which they were sent. */
export function eachOnceInOrder(seen, mine, theirs) {
  const texts = (side) => seen.filter((message) => message.mine === side).map((message) => message.text);
  assert.deepEqual(texts(true), mine);
  assert.deepEqual(texts(false), theirs);
}
