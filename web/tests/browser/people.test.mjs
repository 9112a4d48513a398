// What people do with the page: all that the line client can do.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Group } from "./group.mjs";
import { launch, PASSWORD, until, Window } from "./pages.mjs";

describe("people", () => {
  let browser, group;
  before(async () => {
    [browser, group] = [await launch(), await Group.start()];
  });
  after(async () => {
    await browser?.close();
    await group?.stop();
  });
  const open = (replica = 0, options) => Window.open(browser, group.url(replica), options);
  const menu = async (window, item) => {
    await window.page.getByRole("button", { name: /^Account:/ }).click();
    if (item) await window.page.getByRole("button", { name: item }).click();
  };

  it("a tick is what was acknowledged, two are what was delivered", async () => {
    const alice = await open();
    await alice.create("ann");
    const bob = await open(1);
    await bob.create("ben");
    await bob.context.close();
    await alice.meet("ben");
    await alice.send("are you there?");
    const mark = async () => (await alice.seen()).at(-1)?.mark;
    await until("it is stored on all", async () => (await mark()) === "stored on 3 of 3 replicas");
    await group.kill(2);
    await alice.send("and now?");
    await until("it is stored on two", async () => (await mark()) === "stored on 2 of 3 replicas");
    const again = await open(1);
    await again.login("ben");
    await until("both have reached ben", async () => (await alice.seen()).every(({ mark }) => mark === "delivered"));
    group.start(2);
    await group.inSync();
    await Promise.all([alice.nothingWentWrong(), again.nothingWentWrong()]);
    await Promise.all([alice.context.close(), again.context.close()]);
  });

  it("who comes and goes is seen, on other replicas too; a failover is not", async () => {
    const [cleo, dan] = [await open(0), await open(1)];
    await Promise.all([cleo.create("cleo"), dan.create("dan")]);
    await cleo.meet("dan");
    await cleo.send("hello");
    const head = cleo.page.locator(".talk-head");
    await head.getByText("online", { exact: true }).waitFor();
    await dan.context.close();
    await head.getByText("offline", { exact: true }).waitFor();
    const again = await open(2);
    await again.login("dan");
    await head.getByText("online", { exact: true }).waitFor();
    await Promise.all([cleo.context.close(), again.context.close()]);
  });

  it("two windows of one browser are two people, and a reload keeps each", async () => {
    const first = await open();
    await first.create("eve");
    const second = await open(0, { context: first.context });
    await second.page.getByRole("button", { name: "Go on as eve" }).waitFor();
    await second.create("fred");
    await Promise.all([first.meet("fred"), second.meet("eve")]);
    await first.send("are you in the other window?");
    await second.log.getByText("are you in the other window?").waitFor();
    await Promise.all([first.page.reload(), second.page.reload()]);
    for (const [window, name] of [[first, "eve"], [second, "fred"]]) {
      await window.page.getByRole("button", { name: `Account: ${name}` }).waitFor();
    }
    const third = await open(0, { context: first.context });
    await third.page.getByRole("button", { name: "Go on as eve" }).click();
    await third.page.getByRole("button", { name: "Account: eve" }).waitFor();
    // What is written in one of a person's windows is in the other one when it is opened there.
    await third.meet("fred");
    await third.log.getByText("are you in the other window?").waitFor();
    await Promise.all([first, second, third].map((window) => window.nothingWentWrong()));
    await first.context.close();
  });

  it("unread messages are counted, in the list and the title, until they are looked at", async () => {
    const [gus, hal] = [await open(), await open(1)];
    await Promise.all([gus.create("gus"), hal.create("hal")]);
    await hal.meet("gus");
    for (const text of ["one", "two"]) await hal.send(text);
    await gus.page.getByText("2 unread").waitFor();
    await until("the title says so", async () => (await gus.page.title()).startsWith("(2)"));
    await gus.page.reload();
    await gus.page.getByText("2 unread").waitFor();
    await gus.page.getByRole("link", { name: /hal/ }).click();
    await gus.log.getByText("two", { exact: true }).waitFor();
    await until("none is unread", async () => !(await gus.page.title()).startsWith("("));
    await Promise.all([gus.context.close(), hal.context.close()]);
  });

  it("who has switched notifications on gets one, which opens the conversation", async () => {
    const [lea, max, nora] = [await open(), await open(1), await open(2)];
    await lea.page.addInitScript(() => {
      window.shown = [];
      window.Notification = class {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(title, { body }) {
          window.shown.push({ title, body, click: () => this.onclick() });
        }
        close() {}
      };
    });
    await lea.page.reload();
    await Promise.all([lea.create("lea"), max.create("max"), nora.create("nora")]);
    const shown = () => lea.page.evaluate(() => window.shown.map(({ title, body }) => `${title}: ${body}`));
    await Promise.all([max.meet("lea"), nora.meet("lea")]);
    await max.send("not switched on yet");
    await lea.page.getByText("1 unread").waitFor();
    assert.deepEqual(await shown(), []);
    await menu(lea);
    await lea.page.getByRole("switch", { name: "Notifications" }).check();
    await lea.page.keyboard.press("Escape");
    await lea.page.getByRole("link", { name: /max/ }).click();
    await max.send("in the open conversation");
    await lea.log.getByText("in the open conversation").waitFor();
    await nora.send("in another one");
    await until("a notification is shown", async () => (await shown()).length > 0);
    assert.deepEqual(await shown(), ["nora: in another one"]);
    await lea.page.evaluate(() => window.shown[0].click());
    await lea.log.getByText("in another one", { exact: true }).waitFor();
    await lea.nothingWentWrong();
    await Promise.all([lea, max, nora].map((window) => window.context.close()));
  });

  it("who is blocked is not heard, is not told, and is in a list", async () => {
    const [pia, quin] = [await open(), await open(1)];
    await Promise.all([pia.create("pia"), quin.create("quin")]);
    await Promise.all([pia.meet("quin"), quin.meet("pia")]);
    await quin.send("one");
    await pia.log.getByText("one", { exact: true }).waitFor();
    const button = (name) => pia.page.getByRole("button", { name, exact: true });
    await button("Block quin").click();
    const question = pia.page.getByRole("dialog", { name: "Block quin?" });
    await question.getByText("They are not told.").waitFor();
    await question.getByRole("button", { name: "Cancel" }).click();
    await button("Block quin").click();
    await question.getByRole("button", { name: "Block" }).click();
    const line = pia.page.getByRole("status").getByText("You blocked quin.");
    await line.waitFor();
    const hasFocus = (name) => button(name).evaluate((it) => it === document.activeElement);
    await until("the focus is where it was", () => hasFocus("Unblock quin"));
    await quin.send("meanwhile");
    await until("it is stored", async () => (await quin.seen()).at(-1)?.mark === "stored on 3 of 3 replicas");
    // It is known after a reload, and after a failover.
    await pia.page.reload();
    await line.waitFor();
    await group.kill(0);
    await button("Unblock").click();
    await line.waitFor({ state: "detached" });
    await until("the focus is on what is left", () => hasFocus("Block quin"));
    await quin.send("after");
    await pia.log.getByText("after", { exact: true }).waitFor();
    assert.deepEqual((await pia.seen()).map(({ text }) => text), ["one", "after"]);
    group.start(0);
    await group.inSync();
    await button("Block quin").click();
    await question.getByRole("button", { name: "Block" }).click();
    await line.waitFor();
    await menu(pia, "Blocked people");
    const people = pia.page.getByRole("dialog", { name: "Blocked people" });
    await people.getByRole("button", { name: "Unblock quin" }).click();
    await people.getByText("You block nobody.").waitFor();
    await people.getByRole("button", { name: "Close" }).click();
    await line.waitFor({ state: "detached" });
    await Promise.all([pia.nothingWentWrong(), quin.nothingWentWrong()]);
    await Promise.all([pia.context.close(), quin.context.close()]);
  });

  it("password, logout and delete", async () => {
    const ida = await open();
    await ida.create("ida");
    await menu(ida, "Change password");
    await ida.page.getByLabel("Present password").fill("not this");
    await ida.page.getByLabel(/^New password/).fill("another horse");
    await ida.page.getByRole("button", { name: "Change password" }).last().click();
    await ida.page.getByRole("alert").waitFor();
    await ida.page.getByLabel("Present password").fill(PASSWORD);
    await ida.page.getByRole("button", { name: "Change password" }).last().click();
    await ida.page.getByRole("dialog").waitFor({ state: "detached" });
    await menu(ida, "Log out");
    await ida.page.getByRole("button", { name: "Log in" }).waitFor();
    assert.equal(await ida.page.getByRole("button", { name: /Go on as/ }).count(), 0);
    await ida.page.getByRole("textbox", { name: /^Name/ }).fill("ida");
    await ida.page.getByLabel(/^Password/).fill(PASSWORD);
    await ida.page.getByRole("button", { name: "Log in" }).click();
    await ida.page.getByRole("alert").waitFor();
    await ida.login("ida", "another horse");
    await menu(ida, "Delete account");
    await ida.page.getByLabel(/Your name/).fill("Ida?");
    await ida.page.getByRole("button", { name: "Delete account" }).last().click();
    await ida.page.getByRole("alert").waitFor();
    await ida.page.getByLabel(/Your name/).fill("ida");
    await ida.page.getByRole("button", { name: "Delete account" }).last().click();
    await ida.page.getByRole("button", { name: "Create account" }).waitFor();
    // The name is free.
    await ida.create("ida");
    await ida.nothingWentWrong();
    await ida.context.close();
  });

  it("what was written with a deleted account stays, also when somebody else has its name", async () => {
    const [rosa, sam] = [await open(), await open(1)];
    await Promise.all([rosa.create("rosa"), sam.create("sam")]);
    await Promise.all([rosa.meet("sam"), sam.meet("rosa")]);
    await sam.send("the old one");
    await rosa.log.getByText("the old one").waitFor();
    await menu(sam, "Delete account");
    await sam.page.getByLabel(/Your name/).fill("sam");
    await sam.page.getByRole("button", { name: "Delete account" }).last().click();
    await sam.page.getByRole("button", { name: "Create account" }).waitFor();
    // The next leader is asked for the conversation again.
    await group.kill(0);
    await rosa.page.getByText("sam has deleted this account.").waitFor();
    assert.deepEqual((await rosa.seen()).map(({ text }) => text), ["the old one"]);
    await sam.create("sam");
    await sam.meet("rosa");
    await sam.send("the new one");
    await rosa.page.getByText("1 unread").waitFor();
    assert.deepEqual((await rosa.seen()).map(({ text }) => text), ["the old one"]);
    group.start(0);
    await group.inSync();
    await Promise.all([rosa.nothingWentWrong(), sam.nothingWentWrong()]);
    await Promise.all([rosa.context.close(), sam.context.close()]);
  });

  it("with the keyboard alone", async () => {
    const other = await open();
    await other.create("jim");
    const { page, ...kim } = await open();
    const keys = page.keyboard;
    await page.getByRole("textbox", { name: /^Name/ }).focus();
    await keys.type("kim");
    await keys.press("Tab");
    await keys.type(PASSWORD);
    await keys.press("Tab");
    await keys.press("Tab");
    await keys.press("Space");
    const find = page.getByRole("searchbox", { name: "Find people" });
    await find.waitFor();
    for (let tabs = 0; tabs < 10 && !(await find.evaluate((field) => field === document.activeElement)); tabs++) {
      await keys.press("Tab");
    }
    await keys.type("JI");
    await page.getByRole("link", { name: "jim" }).waitFor();
    await keys.press("Enter");
    const composer = page.getByRole("textbox", { name: "Message to jim" });
    await composer.waitFor();
    await until("one can write at once", () => composer.evaluate((field) => field === document.activeElement));
    await keys.type("first line");
    await keys.press("Shift+Enter");
    await keys.type("second line");
    await keys.press("Enter");
    await other.meet("kim");
    await until("both lines are one message", async () => (await other.seen())[0]?.text === "first line\nsecond line");
    assert.deepEqual(kim.wrong, []);
    await Promise.all([other.context.close(), kim.context.close()]);
  });
});
