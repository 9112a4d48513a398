// The pictures of docs/img: drawn again where SCREENSHOTS is set.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { Group } from "./group.mjs";
import { launch, until, Window } from "./pages.mjs";

const DIR = fileURLToPath(new URL("../../../docs/img/", import.meta.url));

describe("pictures", { skip: !process.env.SCREENSHOTS }, () => {
  let browser, group;
  before(async () => {
    mkdirSync(DIR, { recursive: true });
    [browser, group] = [await launch(), await Group.start()];
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });

  it("of the main states", async () => {
    const desk = { viewport: { width: 1000, height: 620 } };
    const phone = { viewport: { width: 390, height: 700 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
    const shoot = (window, name) => window.page.screenshot({ path: `${DIR}${name}.png`, animations: "disabled" });
    const open = (options) => Window.open(browser, group.url(0), options);
    const alice = await open({ ...desk, colorScheme: "light" });
    await alice.page.getByRole("textbox", { name: /^Name/ }).fill("alice");
    await shoot(alice, "entrance");
    await alice.create("alice");
    const [bob, carol] = [await open({ ...desk, colorScheme: "dark" }), await open(phone)];
    await bob.create("bob");
    await carol.create("carol");
    await carol.meet("alice");
    await carol.send("Lunch at one?");
    await alice.meet("bob");
    await bob.meet("alice");
    const say = async (window, other, text) => {
      await window.send(text);
      await other.log.getByText(text, { exact: true }).waitFor();
    };
    await say(alice, bob, "Are you there?");
    await say(bob, alice, "Yes. What about the servers?");
    await group.kill(0);
    await say(alice, bob, "I have just killed one.");
    await say(bob, alice, "I did not notice. Kill another.");
    await group.kill(1);
    await say(alice, bob, "Two of three are gone.");
    await say(bob, alice, "And we are still talking: https://example.org/lastword");
    await until("the dots have seen it", async () => (await alice.dots()).filter((dot) => /does not answer/.test(dot)).length === 2);
    await until("it was delivered", async () => (await alice.seen()).every(({ mine, mark }) => !mine || mark === "delivered"));
    await shoot(alice, "two-servers-dead");
    await shoot(bob, "dark");
    await say(bob, alice, "Lunch?");
    await carol.page.getByRole("button", { name: "Back to the conversations" }).tap();
    await bob.meet("carol");
    await bob.send("Shall I bring bread?");
    await carol.page.getByText("1 unread").waitFor();
    await shoot(carol, "phone-list");
    await carol.page.getByRole("link", { name: /bob/ }).tap();
    await carol.page.getByRole("textbox", { name: "Message to bob" }).fill("Yes, and olives.");
    await carol.page.getByRole("button", { name: "Send" }).tap();
    await until("it was delivered", async () => (await carol.seen()).at(-1)?.mark === "delivered");
    await shoot(carol, "phone");
    await group.kill(2);
    await alice.page.getByText("No server answers").waitFor();
    await alice.send("Kept until one is back.");
    await shoot(alice, "no-server");
  });
});
