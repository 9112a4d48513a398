// A long conversation.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Group } from "./group.mjs";
import { Lines } from "./lines.mjs";
import { launch, PASSWORD, until, Window } from "./pages.mjs";

const MESSAGES = 10_000;
/** More are never in the page. */
const ROWS = 110;
/** What a key costs, from its press to the next picture, in milliseconds: the middle of several. */
const KEY = 100;

describe("10,000 messages in a conversation", () => {
  let browser, group;
  before(async () => {
    [browser, group] = [await launch(), await Group.start()];
    const [rosa, sven] = [await Lines.to(group.addresses[0]), await Lines.to(group.addresses[1])];
    await Promise.all([rosa.create("rosa", PASSWORD), sven.create("sven", PASSWORD)]);
    // Some are long: heights differ.
    const texts = Array.from({ length: MESSAGES }, (_, number) => `${number} ${"and so on ".repeat(number % 7 ? 0 : 30)}`.trim());
    await sven.sendAll("rosa", texts);
    rosa.close();
    sven.close();
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });

  it("only what is seen is in the page; older ones come while one scrolls up; writing is as quick as ever", async () => {
    const rosa = await Window.open(browser, group.url(0));
    await rosa.login("rosa");
    await rosa.page.getByRole("link", { name: /sven/ }).click();
    const last = `${MESSAGES - 1}`;
    await until("the last one is loaded", async () => (await rosa.seen()).at(-1)?.text.split(" ")[0] === last);
    await until("it is seen", () =>
      rosa.log.evaluate((log) => {
        const bottom = [...log.querySelectorAll(".row")].at(-1).getBoundingClientRect().bottom;
        return bottom <= log.getBoundingClientRect().bottom + 1;
      }),
    );
    const started = Date.now();
    const few = await keyTime(rosa);
    await rosa.toBeginning();
    console.log(`# to the beginning of ${MESSAGES} messages: ${Date.now() - started} ms`);
    const first = (await rosa.seen())[0];
    assert.equal(first.text.split(" ")[0], "0");
    assert.ok((await rosa.seen()).length <= ROWS);

    // Down again by pages: each once, none left out.
    await rosa.log.focus();
    const numbers = new Set();
    let most = 0;
    for (let page = 0; page < 200; page++) {
      const seen = await rosa.seen();
      most = Math.max(most, seen.length);
      const here = seen.map((message) => Number(message.text.split(" ")[0]));
      here.slice(1).forEach((number, at) => assert.equal(number, here[at] + 1));
      here.forEach((number) => numbers.add(number));
      await rosa.log.press("PageDown");
    }
    assert.equal(Math.max(...numbers) - Math.min(...numbers) + 1, numbers.size, "none is left out");
    assert.ok(most <= ROWS, `${most} rows were in the page`);

    // What is read stays in place when a message comes.
    const place = () => rosa.log.evaluate(placeOf);
    const before = await place();
    const sven = await Lines.to(group.addresses[1]);
    await sven.ask("login", { name: "sven", password: PASSWORD });
    await sven.sendAll("rosa", ["news"]);
    sven.close();
    await rosa.page.getByRole("button", { name: "1 new" }).waitFor();
    assert.equal(await place(), before);
    await rosa.page.setViewportSize({ width: 700, height: 700 });
    const [key] = before.split(" ");
    await until("it is still seen in a window of another size", async () => (await rosa.seen()).some((row) => row.key === key));
    await rosa.page.setViewportSize({ width: 1280, height: 720 });
    await rosa.page.getByRole("button", { name: "1 new" }).click();
    await rosa.log.getByText("news", { exact: true }).waitFor();

    const many = await keyTime(rosa);
    console.log(`# a key with 50 messages loaded: ${few.toFixed(1)} ms, with ${MESSAGES}: ${many.toFixed(1)} ms`);
    assert.ok(many < KEY, `a key takes ${many} ms`);
    await rosa.nothingWentWrong();
    await rosa.context.close();
  });
});

/** The message in the middle of what is seen, and where it stands. */
function placeOf(log) {
  const middle = log.getBoundingClientRect().top + log.clientHeight / 2;
  // Between two rows is a little room.
  const isThere = ({ top, bottom }) => bottom > middle && top < middle + 100;
  const row = [...log.querySelectorAll(".row")].find((row) => isThere(row.getBoundingClientRect()));
  return row && `${row.dataset.key} ${Math.round(row.getBoundingClientRect().top)}`;
}

/** From something being typed to the picture after the next one, in milliseconds: the middle of eleven. */
async function keyTime(window) {
  const times = [];
  for (let key = 0; key < 11; key++) {
    const time = await window.composer.evaluate(
      (composer) =>
        new Promise((resolve) => {
          const began = performance.now();
          const painted = () => resolve(performance.now() - began);
          composer.value += "x";
          composer.dispatchEvent(new InputEvent("input", { bubbles: true }));
          requestAnimationFrame(() => requestAnimationFrame(painted));
          setTimeout(painted, 5_000);
        }),
    );
    times.push(time);
  }
  await window.composer.fill("");
  return times.sort((one, other) => one - other)[5];
}
