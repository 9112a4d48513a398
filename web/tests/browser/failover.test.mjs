// Servers die while people chat in the page.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { Group } from "./group.mjs";
import { eachOnceInOrder, launch, until, Window } from "./pages.mjs";

describe("servers are killed", () => {
  let browser, group;
  before(async () => {
    [browser, group] = [await launch(), await Group.start()];
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });

  it("the leader during typing and sending, then the second: each message once and in order, also after a reload", async () => {
    const [alice, bob] = [await Window.open(browser, group.url(0)), await Window.open(browser, group.url(0))];
    await Promise.all([alice.create("alice"), bob.create("bob")]);
    await Promise.all([alice.meet("bob"), bob.meet("alice")]);
    const [ofAlice, ofBob] = [[], []];
    const write = async (window, sent, text) => {
      await window.composer.pressSequentially(text);
      await window.composer.press("Enter");
      sent.push(text);
    };
    const writeBoth = (round) =>
      Promise.all([write(alice, ofAlice, `alice says ${round}`), write(bob, ofBob, `bob says ${round}`)]);
    const seenByBoth = (text) =>
      Promise.all([alice, bob].map((window) => window.log.getByText(text, { exact: true }).waitFor()));

    for (let round = 1; round <= 5; round++) await writeBoth(round);
    await seenByBoth("bob says 5");
    for (const victim of [0, 1]) {
      // One is in the middle of a word, the other one sends.
      await alice.composer.pressSequentially("what was begun befo");
      await Promise.all([group.kill(victim), writeBobOn(bob, ofBob, victim)]);
      await alice.composer.pressSequentially("re");
      assert.equal(await alice.composer.inputValue(), "what was begun before");
      await alice.composer.press("Enter");
      ofAlice.push("what was begun before");
      for (let round = 1; round <= 5; round++) await writeBoth(`${round} after ${victim}`);
      await seenByBoth(`alice says 5 after ${victim}`);
      await seenByBoth(`bob says 5 after ${victim}`);
      await until(`${victim + 1} of the dots tell of a dead server`, async () => {
        const dots = await alice.dots();
        return dots.length === 3 && dots.filter((dot) => dot.endsWith("does not answer")).length === victim + 1;
      });
      // Nothing else has happened.
      assert.equal((await alice.page.getByRole("status").allTextContents()).join(""), "");
      assert.equal(await alice.page.getByRole("alert").count(), 0);
    }
    await until("all is stored on the one that is left", async () =>
      (await alice.seen()).every((message) => !message.mine || /delivered|stored on 1 of 3/.test(message.mark)),
    );
    eachOnceInOrder(await alice.all(), ofAlice, ofBob);
    eachOnceInOrder(await bob.all(), ofBob, ofAlice);

    // The server from which the page came is dead: it comes from the browser's storage.
    await Promise.all([alice.page.reload(), bob.page.reload()]);
    await Promise.all([alice.isIn(), bob.isIn()]);
    await seenByBoth("bob says 5 after 1");
    const [seenByAlice, seenByBob] = [await alice.all(), await bob.all()];
    eachOnceInOrder(seenByAlice, ofAlice, ofBob);
    eachOnceInOrder(seenByBob, ofBob, ofAlice);
    assert.deepEqual(
      seenByAlice.map((message) => message.text),
      seenByBob.map((message) => message.text),
    );

    group.start(0);
    group.start(1);
    await group.inSync();
    await until("all dots are filled again", async () =>
      (await alice.dots()).every((dot) => !/does not answer|catching up/.test(dot)),
    );
    await write(alice, ofAlice, "all are back");
    await seenByBoth("all are back");
    await until("it is on all again", async () => /delivered|3 of 3/.test((await alice.seen()).at(-1).mark));
    eachOnceInOrder(await bob.all(), ofBob, ofAlice);
    await Promise.all([alice.nothingWentWrong(), bob.nothingWentWrong()]);
    await Promise.all([alice.context.close(), bob.context.close()]);
  });

  it("all three: what is written is kept with a clock, over a reload, and goes out once", async () => {
    const [carol, dave] = [await Window.open(browser, group.url(1)), await Window.open(browser, group.url(2))];
    await Promise.all([carol.create("carol"), dave.create("dave")]);
    await carol.meet("dave");
    await carol.send("before");
    await until("it is stored", async () => /stored|delivered/.test((await carol.seen())[0]?.mark));
    // Its worker has to have kept the page, before the server is gone.
    await carol.page.evaluate(() => navigator.serviceWorker.ready);
    await Promise.all([0, 1, 2].map((replica) => group.kill(replica)));
    await carol.page.getByText("No server answers").waitFor();
    // Nobody knows who is there.
    await carol.page.locator(".talk-head .presence").waitFor({ state: "hidden" });
    const texts = ["one", "two", "three"];
    for (const text of texts) await carol.send(text);
    await carol.composer.fill("a draft");
    // The page draws a moment after the key, and what was kept comes back a moment after a reload.
    const onTheirWay = () =>
      until("what was written is on its way, in its order", async () =>
        isDeepStrictEqual(
          (await carol.seen()).slice(-3).map(({ text, mark }) => `${text}: ${mark}`),
          texts.map((text) => `${text}: on its way`),
        ),
      );
    await onTheirWay();
    await carol.page.reload();
    await carol.composer.waitFor();
    await onTheirWay();
    await until("the draft is there", async () => (await carol.composer.inputValue()) === "a draft");
    for (const replica of [0, 1, 2]) group.start(replica);
    await until("all are stored", async () =>
      (await carol.seen()).every((message) => /stored|delivered/.test(message.mark)),
    );
    await dave.meet("carol");
    await dave.log.getByText("three", { exact: true }).waitFor();
    eachOnceInOrder(await dave.all(), [], ["before", ...texts]);
    eachOnceInOrder(await carol.all(), ["before", ...texts], []);
    await Promise.all([carol.nothingWentWrong(), dave.nothingWentWrong()]);
    await Promise.all([carol.context.close(), dave.context.close()]);
  });
});

/** Writes and sends while a server is being killed. */
async function writeBobOn(bob, sent, victim) {
  for (const part of ["the first", "the second", "the third"]) {
    const text = `${part} while ${victim} dies`;
    await bob.send(text);
    sent.push(text);
  }
}
