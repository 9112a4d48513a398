// Names and texts that mean harm, or are only odd.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Group } from "./group.mjs";
import { launch, PASSWORD, until, Window } from "./pages.mjs";

describe("harm", () => {
  let browser, group;
  before(async () => {
    [browser, group] = [await launch(), await Group.start()];
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });

  it("names with odd characters are people like others", async () => {
    const names = ["__proto__", "constructor", "-.-", "a".repeat(32)];
    const mia = await Window.open(browser, group.url(0));
    await mia.create("mia");
    for (const name of names) {
      const other = await Window.open(browser, group.url(1));
      await other.create(name);
      await mia.meet(name);
      await mia.send(`hello ${name}`);
      await other.meet("mia");
      await until(`${name} is shown it`, async () => (await other.seen())[0]?.text === `hello ${name}`);
      await other.send("hello mia");
      await mia.log.getByText("hello mia", { exact: true }).waitFor();
      await other.nothingWentWrong();
      await other.context.close();
    }
    await mia.page.reload();
    for (const name of names) await mia.page.getByRole("link", { name }).first().waitFor();
    await mia.nothingWentWrong();
    await mia.context.close();
  });

  it("a name that breaks the rules is refused with a sentence", async () => {
    const ned = await Window.open(browser, group.url(0));
    for (const name of ["two words", "<b>ned</b>", "nëd", "x".repeat(33)]) {
      await ned.page.getByRole("textbox", { name: /^Name/ }).fill(name);
      await ned.page.getByLabel(/^Password/).fill(PASSWORD);
      await ned.page.getByRole("button", { name: "Create account" }).click();
      await ned.page.getByRole("alert").getByText(/name/i).waitFor();
    }
    await ned.nothingWentWrong();
    await ned.context.close();
  });

  it("texts are never HTML, and links lead to http and https only", async () => {
    const [olaf, pia] = [await Window.open(browser, group.url(0)), await Window.open(browser, group.url(1))];
    await Promise.all([olaf.create("olaf"), pia.create("pia")]);
    await Promise.all([olaf.meet("pia"), pia.meet("olaf")]);
    const texts = [
      `<img src=x onerror="window.harm = 1"><script>window.harm = 1</script>`,
      `"><svg onload=alert(1)> {{7*7}} \${7*7} &lt;b&gt; &amp;`,
      "javascript:alert(1) data:text/html,<script>alert(1)</script> JAVASCRIPT:alert(1)",
      `see https://example.org/a?b="c"<d>(e). and http://example.org/x_(y), ftp://example.org`,
      "\u202egnihton\u202c \u2066x\u2069 \u0000\u001b[31m\u0007 \ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67",
      `${"unbroken".repeat(60)}`,
    ];
    for (const text of texts) await olaf.send(text);
    await until("all have come", async () => (await pia.seen()).length === texts.length);
    const seen = (await pia.seen()).map((message) => message.text);
    for (const place of [0, 1, 2, 3, 5]) assert.equal(seen[place], texts[place]);
    assert.doesNotMatch(seen[4], /[\u0000-\u0008\u000e-\u001f]/, "no control character as it is");
    assert.ok(seen[4].endsWith("\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67"), "a family is one sign");
    const inside = await pia.log.evaluate((log) => ({
      harm: window.harm,
      elements: log.querySelectorAll(".text :not(a)").length,
      links: [...log.querySelectorAll("a")].map((link) => [link.getAttribute("href"), link.target, link.rel]),
      wide: log.scrollWidth > log.clientWidth,
    }));
    assert.equal(inside.harm, undefined);
    assert.equal(inside.elements, 0);
    assert.equal(inside.wide, false, "a long word breaks");
    assert.ok(inside.links.length >= 2);
    for (const [href, target, rel] of inside.links) {
      assert.match(href, /^https?:\/\/example\.org\//);
      assert.equal(target, "_blank");
      assert.match(rel, /noopener/);
    }
    await Promise.all([olaf.nothingWentWrong(), pia.nothingWentWrong()]);
    await Promise.all([olaf.context.close(), pia.context.close()]);
  });

  it("nothing is loaded from anywhere else, and little", async () => {
    const window = await Window.open(browser, group.url(2));
    await window.create("quinn");
    for (const request of window.requests) {
      assert.ok(group.addresses.includes(new URL(request).host), `${request} is none of the group's`);
    }
    const sizes = await window.page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
        (entry) => entry.transferSize,
      ),
    );
    const bytes = sizes.reduce((one, other) => one + other, 0);
    assert.ok(bytes > 1000 && bytes < 60 * 1024, `${bytes} bytes were loaded`);
    await window.nothingWentWrong();
    await window.context.close();
  });
});
