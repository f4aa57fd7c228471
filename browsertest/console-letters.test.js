// The operators' console: a letter that the mail server refuses is seen, sent again and arrives (docs/console.md).
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "./harness/inspect.js";
import { alice } from "./harness/latchkey.js";
import { MailServer } from "./harness/mailserver.js";
import { path, Person, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const mail = await MailServer.start();

const world = setup({
  flags: ["--console", "on", "--admin-group", "operators", "--sign-up", "open", "--smtp-url", mail.url, "--mail-from", "Latchkey <no-reply@example.com>"],
});

const button = (page, name) => page.locator("main").getByRole("button", { name, exact: true });

const link = (page, name) => page.locator("main").getByRole("link", { name, exact: true }).first();

/** Opens a page of the console as alice, who is an operator. */
async function operator(t, where, options) {
  await world.latchkey.run(["user", "update", alice.username, "--group", "operators"]);
  const person = await Person.open(t, world.browser, options);
  await person.page.goto(world.latchkey.url(where));
  await person.signIn();
  return person.page;
}

/** Reloads a page until it has a text. */
async function until(page, wanted) {
  for (let tries = 0; tries < 300 && !wanted.test(await text(page)); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await page.reload();
  }
  assert.match(await text(page), wanted);
}

/** Asks for letters at the page of forgotten passwords. */
async function forgot(t) {
  const { page } = await Person.open(t, world.browser);
  await page.goto(world.latchkey.url("/forgot-password"));
  await page.fill("input[name=identifier]", alice.username);
  await submit(page, button(page, "Send link"));
}

test("a letter that the mail server refuses", async (t) => {
  mail.accepts = false;
  await forgot(t);
  const page = await operator(t, "/console");
  await until(page, /Undelivered e-mails\s+1\b/);
  await inspect(page, "console-overview-undelivered");
  await submit(page, link(page, "1"));
  assert.equal(path(page), "/console/letters");
  assert.match(await text(page), /New password[\s\S]*alice[\s\S]*alice@example\.com[\s\S]*RCPT TO command: 550/);
  await inspect(page, "console-letters");
  await submit(page, link(page, alice.username));
  assert.match(await text(page), /Undelivered e-mails[\s\S]*RCPT TO command: 550/);
  await inspect(page, "console-user-undelivered");
  await submit(page, link(page, "New password"));
  await inspect(page, "console-letter");

  mail.accepts = true;
  await submit(page, button(page, "Send again"));
  assert.match(await text(page), /The e-mail is on its way\.[\s\S]*Nothing here/);
  for (let tries = 0; tries < 300 && mail.letters.length === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(mail.letters.length, 1);
  assert.match(mail.letters[0], /To: <alice@example\.com>/);
  assert.match(mail.letters[0], /\/reset-password\?token=/);
});

test("a letter that only the person can ask for again, in German, without JavaScript", async (t) => {
  mail.accepts = false;
  const { page: visitor } = await Person.open(t, world.browser);
  await visitor.goto(world.latchkey.url("/sign-up"));
  await visitor.fill("input[name=email]", "eve@example.com");
  await submit(visitor, button(visitor, "Continue"));
  const page = await operator(t, "/console/letters", { locale: "de-DE", javaScriptEnabled: false });
  await until(page, /eve@example\.com/);
  await submit(page, link(page, "Konto erstellen"));
  assert.match(await text(page), /Die Person muss noch einmal ein Konto erstellen/);
  assert.equal(await button(page, "Erneut senden").count(), 0);
  const seen = await operator(t, "/console/letters", { locale: "de-DE" });
  await inspect(seen, "german-console-letters");
  await seen.goto(page.url());
  await inspect(seen, "german-console-letter");
  await submit(page, button(page, "Verwerfen"));
  assert.match(await text(page), /Verworfen\./);
  assert.doesNotMatch(await text(page), /eve@example\.com/);
});
