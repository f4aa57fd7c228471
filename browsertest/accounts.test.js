// What people do with their accounts themselves, by letter: sign-up, a forgotten password, another address, the end (docs/accounts.md).
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "./harness/inspect.js";
import { path, Person, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup({ command: "demo" });

const button = (page, name) => page.locator("main").getByRole("button", { name, exact: true });

const link = (page, name) => page.locator("main").getByRole("link", { name, exact: true });

/** Waits for the newest letter to an address with this subject, and returns its link and code. */
async function letter(to, subject) {
  for (let tries = 0; tries < 600; tries++) {
    const all = await (await fetch(world.latchkey.url("/mailbox"))).text();
    const found = all.split("\n----\n").find((one) => one.includes(`To: ${to}\n`) && subject.test(one));
    if (found) return { link: found.match(/^http\S+$/m)?.[0], code: found.match(/^\d{4} \d{4}$/m)?.[0] };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`no letter ${subject} to ${to}`);
}

test("an account from its sign-up to its end", async (t) => {
  const gina = { username: "gina", password: "canary-of-gina-1" };
  const { page, ...person } = await Person.open(t, world.browser);
  const signIn = (who) => Person.prototype.signIn.call(person, who, page);
  await page.goto(world.latchkey.url("/login"));
  await submit(page, link(page, "Create an account"));
  await inspect(page, "sign-up");
  await page.fill("input[name=email]", "gina@example.com");
  await submit(page, button(page, "Continue"));
  await inspect(page, "sign-up-sent");
  await page.fill("input[name=code]", "1234 5678");
  await submit(page, button(page, "Continue"));
  assert.equal(await page.locator("[role=alert]").count(), 1);
  await inspect(page, "sign-up-wrong-code");
  await page.goto((await letter("gina@example.com", /sign-up/)).link);
  await page.fill("input[name=username]", gina.username);
  await page.fill("input[name=new_password]", gina.password);
  await page.fill("input[name=new_password_again]", gina.password);
  await inspect(page, "new-account");
  await submit(page, button(page, "Create account"));
  assert.equal(path(page), "/account");
  assert.match(await text(page), /gina@example\.com/);
  await inspect(page, "account-with-address");
  await page.context().clearCookies();

  await page.goto(world.latchkey.url("/login"));
  await submit(page, link(page, "Forgot your password?"));
  await inspect(page, "forgotten");
  await page.fill("input[name=identifier]", gina.username);
  await submit(page, button(page, "Send link"));
  await inspect(page, "forgotten-sent");
  const reset = await letter("gina@example.com", /reset-password/);
  await page.goto(reset.link);
  gina.password = "canary-of-gina-2";
  await page.fill("input[name=new_password]", gina.password);
  await page.fill("input[name=new_password_again]", gina.password);
  await inspect(page, "reset");
  await submit(page, button(page, "Change password"));
  assert.equal(path(page), "/login");
  await signIn(gina);
  assert.equal(path(page), "/account");
  await page.goto(reset.link);
  await inspect(page, "link-gone");

  await page.goto(world.latchkey.url("/account"));
  await submit(page, link(page, "Change e-mail address"));
  await inspect(page, "change-address");
  await page.fill("input[name=email]", "gina@example.org");
  await submit(page, button(page, "Send letter"));
  await page.fill("input[name=code]", (await letter("gina@example.org", /verify-email/)).code);
  await inspect(page, "address-sent");
  await submit(page, button(page, "Confirm"));
  await submit(page, link(page, "Go to your account"));
  assert.match(await text(page), /gina@example\.org/);
  await submit(page, link(page, "Download your data"));
  await inspect(page, "export");
  const [file] = await Promise.all([page.waitForEvent("download"), button(page, "Download").click()]);
  assert.equal(file.suggestedFilename(), "account.json");
  await submit(page, link(page, "Back to your account"));
  await submit(page, link(page, "Delete your account"));
  await inspect(page, "remove");
  await submit(page, button(page, "Delete account for good"));
  await inspect(page, "removed");
  await page.goto(world.latchkey.url("/login"));
  await signIn(gina);
  assert.match(await text(page), /incorrect/);
});
