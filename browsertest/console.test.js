// The operators' console: its pages, and how an operator finds out why one person can't log in at one application (docs/console.md).
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { addApp } from "./harness/authenticator.js";
import { inspect } from "./harness/inspect.js";
import { alice } from "./harness/latchkey.js";
import { path, Person, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup({ flags: ["--console", "on", "--admin-group", "operators"] });

const bob = { username: "bob", password: "canary-of-bob-0815" };

let prepared;

/** Makes alice an operator, and adds bob, once. */
async function prepare() {
  await world.latchkey.run(["user", "update", alice.username, "--group", "operators"]);
  await world.latchkey.addUser(bob);
}

const button = (page, name) => page.getByRole("button", { name, exact: true });

const link = (page, name) => page.locator("main").getByRole("link", { name, exact: true }).first();

/** Opens the console as alice, who is an operator. */
async function operator(t, options) {
  await (prepared ??= prepare());
  const person = await Person.open(t, world.browser, options);
  await person.page.goto(world.latchkey.url("/console"));
  await person.signIn();
  assert.equal(path(person.page), "/console");
  return person;
}

test("why one person can't log in at one application", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  const visitor = await Person.open(t, world.browser);
  await visitor.page.goto(app.authorizeURL({ redirect_uri: `${app.origin}/callback/` }));
  assert.match(await text(visitor.page), /can’t be processed/);

  const { page } = await operator(t);
  await submit(page, page.getByRole("link", { name: "Clients" }));
  await page.fill("input[name=id]", app.id);
  await submit(page, button(page, "Show"));
  for (let tries = 0; tries < 100 && !(await text(page)).includes(`${app.origin}/callback/`); tries++) await page.reload(); // it is written after the answer
  const row = page.getByRole("row").filter({ hasText: "redirect_uri_not_registered" });
  assert.match(await row.first().innerText(), new RegExp(`${app.redirectURI}/\\s+${app.redirectURI}`), "what arrived, beside what is registered");
  await inspect(page, "console-client");

  // The person themselves: they are disabled, and the audit log says so.
  await world.latchkey.run(["user", "disable", bob.username]);
  await visitor.page.goto(app.authorizeURL());
  await visitor.signIn(bob);
  assert.match(await text(visitor.page), /incorrect/);
  await submit(page, page.getByRole("link", { name: "Users" }));
  await page.fill("input[name=text]", "bo");
  await submit(page, button(page, "Search"));
  await inspect(page, "console-users");
  await submit(page, link(page, bob.username));
  assert.match(await text(page), /login_failed[\s\S]*user_disabled/);
  await submit(page, button(page, "Enable user"));
  assert.match(await text(page), /Enabled\./);
  await inspect(page, "console-user");
  await submit(page, link(page, "All events"));
  await inspect(page, "console-audit");
  await visitor.page.goto(app.authorizeURL());
  await visitor.signIn(bob);
  assert.match(await text(visitor.page), /wants to access your account/);
});

test("a person who has lost their telephone", async (t) => {
  const lena = { username: "lena", password: "canary-of-lena-0815" };
  await world.latchkey.addUser(lena);
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url("/account/security"));
  await person.signIn(lena);
  await addApp(person.page, "Telephone");

  const { page } = await operator(t);
  await submit(page, page.getByRole("link", { name: "Users" }));
  await page.fill("input[name=text]", lena.username);
  await submit(page, button(page, "Search"));
  await submit(page, link(page, lena.username));
  assert.match(await text(page), /Authenticator app\s+Telephone/);
  await inspect(page, "console-user-factors");
  await submit(page, button(page, "Remove all factors"));
  assert.match(await text(page), /Removed\./);
  assert.doesNotMatch(await text(page), /Telephone/);

  await person.page.context().clearCookies();
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn(lena);
  assert.equal(path(person.page), "/account", "the password is enough again");
});

test("a new client, in German, without JavaScript, by keyboard", async (t) => {
  const { page } = await operator(t, { locale: "de-DE", javaScriptEnabled: false });
  await page.getByRole("link", { name: "Clients" }).focus();
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await submit(page, link(page, "Webanwendung"));
  await page.fill("input[name=client_name]", "Wiki");
  await page.fill("textarea[name=redirect_uris]", "https://wiki.example/callback");
  await submit(page, button(page, "Client registrieren"));
  assert.match(await text(page), /Geheimnis wird nicht noch einmal gezeigt[\s\S]*lk_cs_/);
});

test("a webhook", async (t) => {
  const { page } = await operator(t);
  await submit(page, page.getByRole("link", { name: "Webhooks" }));
  await inspect(page, "console-webhooks-none");
  await page.fill("input[name=url]", "http://127.0.0.1:1/hook");
  await page.getByRole("checkbox", { name: "login.refused" }).check();
  await submit(page, button(page, "Add webhook"));
  assert.match(await text(page), /can’t be saved like this/);
  assert.ok(await page.getByRole("checkbox", { name: "login.refused" }).isChecked());
  await inspect(page, "console-webhook-refused");
  await page.fill("input[name=url]", "https://siem.invalid/hook");
  await page.fill("input[name=name]", "SIEM");
  await submit(page, button(page, "Add webhook"));
  assert.match(await text(page), /not shown again[\s\S]*whsec_/);
  await inspect(page, "console-webhook-added");
  await submit(page, button(page, "Send a test"));
  assert.match(await text(page), /The test was not taken/);
  await inspect(page, "console-webhook");
  await submit(page, page.getByRole("link", { name: "Webhooks" }));
  await inspect(page, "console-webhooks");
  await submit(page, link(page, "https://siem.invalid/hook"));
  await submit(page, button(page, "Remove webhook"));
  await inspect(page, "console-webhook-remove");
  await submit(page, button(page, "Remove webhook"));
  assert.match(await text(page), /Removed\./);
});

test("a webhook, in German, without JavaScript", async (t) => {
  const { page } = await operator(t, { locale: "de-DE", javaScriptEnabled: false });
  await page.goto(world.latchkey.url("/console/webhooks"));
  await page.fill("input[name=url]", "https://ereignisse.invalid/");
  await submit(page, button(page, "Webhook hinzufügen"));
  assert.match(await text(page), /Der Webhook ist hinzugefügt[\s\S]*whsec_/);
  await submit(page, button(page, "Neues Geheimnis erzeugen"));
  assert.match(await text(page), /Das vorige Geheimnis gilt bis/);
  await submit(page, button(page, "Webhook abschalten"));
  const { page: seen } = await operator(t, { locale: "de-DE" });
  await seen.goto(page.url());
  await inspect(seen, "german-console-webhook");
  await seen.goto(world.latchkey.url("/console/keys"));
  await inspect(seen, "german-console-keys");
});

test("the pages", async (t) => {
  const { page } = await operator(t);
  await inspect(page, "console");
  await submit(page, page.getByRole("link", { name: "Keys" }));
  await submit(page, button(page, "Replace the keys"));
  assert.match(await text(page), /New keys are published[\s\S]*in 1 hour|in 60 minutes|in 59 minutes/);
  await inspect(page, "console-keys");
  await page.goto(world.latchkey.url("/console/clients"));
  await inspect(page, "console-clients");
  await page.goto(world.latchkey.url("/console/new-client?kind=web"));
  await inspect(page, "console-new-client");
  await page.fill("input[name=client_name]", "Wiki");
  await page.fill("textarea[name=redirect_uris]", "https://wiki.example/#fragment");
  await submit(page, button(page, "Register client"));
  await inspect(page, "console-new-client-refused");
  await page.fill("textarea[name=redirect_uris]", "https://wiki.example/callback");
  await submit(page, button(page, "Register client"));
  await inspect(page, "console-client-added");
});
