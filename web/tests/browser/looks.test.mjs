// How it looks: on a phone, in the dark, and to those who can't see it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Group } from "./group.mjs";
import { launch, until, Window } from "./pages.mjs";

const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };
const SMALLEST = { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true };

/** axe-core finds nothing that is serious, by WCAG 2.1 A and AA. */
async function isAccessible(window, where) {
  // Not as a script of the page's: its policy would not let it.
  const found = await window.page.evaluate(`(() => { ${AXE}; })(), axe.run(document, { resultTypes: ["violations"] })`);
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(
    serious.map(({ id, nodes }) => `${where}: ${id}: ${nodes.map(({ html }) => html).join(" ")}`),
    [],
  );
  assert.ok(found.passes.length > 5, "axe has looked at the page");
}

/** Nothing sticks out at the side. */
async function fits(window) {
  const [inside, wide] = await window.page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  assert.ok(wide <= inside, `${wide} pixels of the page are in a window of ${inside}`);
}

describe("looks", () => {
  let browser, group, other;
  before(async () => {
    [browser, group] = [await launch(), await Group.start()];
    other = await Window.open(browser, group.url(1));
    await other.create("tess");
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`nothing that axe-core calls serious, ${colorScheme}`, async () => {
      const uma = await Window.open(browser, group.url(0), { colorScheme });
      await uma.page.getByRole("button", { name: "Create account" }).click();
      await uma.page.getByRole("alert").waitFor();
      await isAccessible(uma, "entrance");
      await uma.create(`uma-${colorScheme}`);
      await isAccessible(uma, "no conversations");
      await uma.find.fill("tess");
      await uma.page.locator(`.found a[data-name="tess"]`).waitFor();
      await isAccessible(uma, "search");
      await uma.meet("tess");
      await uma.send("look at https://example.org/");
      await other.meet(`uma-${colorScheme}`);
      await other.send("I do");
      await uma.log.getByText("I do", { exact: true }).waitFor();
      await isAccessible(uma, "conversation");
      await uma.page.getByRole("button", { name: "Block tess" }).click();
      await isAccessible(uma, "whether to block");
      await uma.page.getByRole("dialog").getByRole("button", { name: "Block" }).click();
      await uma.page.getByText("You blocked tess.").waitFor();
      await isAccessible(uma, "blocked");
      await uma.page.getByRole("button", { name: /^Account:/ }).click();
      await uma.page.getByRole("button", { name: "Blocked people" }).click();
      await isAccessible(uma, "blocked people");
      await uma.page.getByRole("button", { name: "Close" }).click();
      await uma.page.getByRole("button", { name: /^Account:/ }).click();
      await isAccessible(uma, "menu");
      for (const item of ["Change password", "Delete account"]) {
        if (!(await uma.page.getByRole("button", { name: item }).count())) {
          await uma.page.getByRole("button", { name: /^Account:/ }).click();
        }
        await uma.page.getByRole("button", { name: item }).click();
        await isAccessible(uma, item);
        await uma.page.getByRole("button", { name: "Cancel" }).click();
      }
      await uma.nothingWentWrong();
      await uma.context.close();
    });
  }

  for (const [what, device] of Object.entries({ phone: PHONE, smallest: SMALLEST })) {
    it(`the list and a conversation are two screens on a ${what}`, async () => {
      const vic = await Window.open(browser, group.url(0), device);
      await fits(vic);
      await vic.create(`vic-${what}`);
      await fits(vic);
      await vic.meet("tess");
      await vic.composer.fill("hello from the bus");
      await vic.page.getByRole("button", { name: "Send" }).tap();
      await until("it is stored", async () => /stored|delivered/.test((await vic.seen())[0]?.mark));
      await fits(vic);
      assert.equal(await vic.find.isVisible(), false);
      const box = await vic.composer.boundingBox();
      assert.ok(box.y + box.height <= device.viewport.height, "one can write without scrolling");
      await isAccessible(vic, "conversation on a phone");
      await vic.page.getByRole("button", { name: "Block tess" }).tap();
      await fits(vic);
      await vic.page.getByRole("dialog").getByRole("button", { name: "Block" }).tap();
      await vic.page.getByText("You blocked tess.").waitFor();
      await fits(vic);
      await isAccessible(vic, "blocked on a phone");
      await vic.page.getByRole("button", { name: "Back to the conversations" }).tap();
      await vic.find.waitFor();
      assert.equal(await vic.composer.isVisible(), false);
      await vic.page.getByRole("link", { name: /tess/ }).tap();
      await vic.composer.waitFor();
      await vic.page.goBack();
      await vic.find.waitFor();
      await fits(vic);
      await isAccessible(vic, "list on a phone");
      await vic.nothingWentWrong();
      await vic.context.close();
    });
  }
});
