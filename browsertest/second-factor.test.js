// Second factors and passkeys, with Chromium's virtual authenticator and with an app that shows codes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application, claims } from "./harness/application.js";
import { addApp, Authenticator, totp } from "./harness/authenticator.js";
import { inspect } from "./harness/inspect.js";
import { path, Person, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup({ flags: ["--second-factor-groups", "operators"] });

const button = (page, name) => page.getByRole("button", { name });

/** Adds a user and opens a browser, signed in, at the page of second factors. */
async function someone(t, username, options) {
  const who = { username, password: `canary-of-${username}-0815` };
  await world.latchkey.addUser(who);
  const person = await Person.open(t, world.browser, options);
  await person.page.goto(world.latchkey.url("/account/security"));
  await person.signIn(who);
  assert.equal(path(person.page), "/account/security");
  return { who, person, page: person.page };
}

/** Ends the session, and opens a page that needs one. */
async function signOut(page, next = "/account") {
  await page.context().clearCookies();
  await page.goto(world.latchkey.url(next));
  assert.equal(path(page), "/login");
}

test("a passkey instead of the password, and after it", async (t) => {
  const { who, person, page } = await someone(t, "petra");
  const authenticator = await Authenticator.add(page);
  await inspect(page, "security-none");

  // Whoever the reader doesn't know is told so, and can try again.
  await authenticator.knowsUser(false);
  await page.fill("#passkey-name", "Laptop");
  await button(page, "Add a passkey").click();
  await page.getByText("That didn’t work").waitFor();
  await authenticator.knowsUser(true);
  await submit(page, button(page, "Add a passkey"));
  assert.match(await text(page), /Your recovery codes/);
  await inspect(page, "recovery-codes");
  const codes = await page.locator(".codes code").allTextContents();
  assert.equal(codes.length, 10);
  await submit(page, page.getByRole("link", { name: "I have kept them" }));
  assert.match(await text(page), /Laptop[\s\S]*10 codes are left/);
  const [credential] = await authenticator.credentials();
  assert.equal(credential.isResidentCredential, true, "a passkey signs in without a name");

  // The same authenticator makes no second one.
  await button(page, "Add a passkey").click();
  await page.getByText("already set up").waitFor();
  assert.equal(await page.locator("[role=alert]:visible").count(), 1);

  // Alone, at the button.
  await authenticator.answers(false); // otherwise it answers when the page asks by itself
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints", flags: { "first-party": true } });
  await page.context().clearCookies();
  await page.goto(app.authorizeURL());
  await inspect(page, "login-passkey");
  await authenticator.answers(true);
  await page.getByLabel("Keep me signed in").check();
  await submit(page, button(page, "Sign in with a passkey"));
  const token = claims((await app.exchange((await app.answer()).code)).id_token);
  assert.deepEqual([token.amr, token.acr], [["hwk", "user", "mfa"], "phr"]);
  const session = (await page.context().cookies(world.latchkey.issuer)).find((cookie) => cookie.name === "__Host-latchkey_session");
  assert.ok(session.expires > Date.now() / 1000 + 86_400, "the browser forgets it, although it was to stay signed in");

  // Alone, among the names that the browser suggests.
  await page.context().clearCookies();
  await page.goto(world.latchkey.url("/account"));
  await page.waitForURL("**/account");
  assert.match(await text(page), /petra/);

  // After the password.
  await authenticator.answers(false);
  await signOut(page);
  await person.signIn(who);
  assert.equal(path(page), "/login/second-factor");
  await inspect(page, "second-factor-passkey");
  await authenticator.answers(true);
  await submit(page, button(page, "Use a passkey"));
  assert.equal(path(page), "/account");

  // With a recovery code, once.
  await authenticator.answers(false);
  for (const works of [true, false]) {
    await signOut(page);
    await person.signIn(who);
    await page.fill("#code", ` ${codes[0].toLowerCase().replace("-", " ")} `);
    await submit(page, button(page, "Continue"));
    assert.equal(path(page), works ? "/account" : "/login/second-factor");
  }
  assert.match(await page.locator("[role=alert]:visible").innerText(), /code/);
  await page.fill("#code", codes[1]);
  await submit(page, button(page, "Continue"));

  // Removed: the password alone is enough again, and the passkey signs nobody in.
  await page.goto(world.latchkey.url("/account/security"));
  assert.match(await text(page), /8 codes are left/);
  await submit(page, button(page, "Remove"));
  assert.match(await text(page), /You have none yet/);
  await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false"); // it would be asked again and again
  await authenticator.answers(true);
  await signOut(page);
  await submit(page, button(page, "Sign in with a passkey"));
  assert.match(await page.locator("[role=alert]:visible").innerText(), /passkey/);
  await person.signIn(who);
  assert.equal(path(page), "/account");
});

test("an authenticator app", async (t) => {
  const { who, person, page } = await someone(t, "tomas");
  const secret = await addApp(page, "Phone");
  assert.equal(await page.locator(".codes code").count(), 10);
  await submit(page, page.getByRole("link", { name: "I have kept them" }));
  assert.match(await text(page), /Phone[\s\S]*10 codes are left/, "it was proved when it was added");
  await signOut(page);
  await person.signIn(who);
  assert.equal(path(page), "/login/second-factor");
  await page.fill("#code", "000000");
  await submit(page, button(page, "Continue"));
  assert.match(await page.locator("[role=alert]:visible").innerText(), /code/);
  await inspect(page, "second-factor-refused");
  await page.getByRole("checkbox").check();
  await page.fill("#code", totp(secret));
  await page.keyboard.press("Enter");
  await page.waitForURL("**/account");
  await page.goto(world.latchkey.url("/account/security"));
  assert.match(await text(page), /Browsers that aren’t asked/);
  await page.locator("summary", { hasText: "Rename" }).click();
  await page.fill(".rename [name=name]", "Old phone");
  await submit(page, button(page, "Save"));
  assert.match(await text(page), /Old phone/);
  await inspect(page, "security");
});

test("a group needs a second factor, in German", async (t) => {
  const who = { username: "gerda", password: "canary-of-gerda-0815" };
  await world.latchkey.addUser(who);
  await world.latchkey.run(["user", "update", who.username, "--group", "operators"]);
  const person = await Person.open(t, world.browser, { locale: "de-DE" });
  const { page } = person;
  await page.goto(world.latchkey.url("/account"));
  await person.signIn(who);
  await inspect(page, "german-enrol");
  await addApp(page, "Telefon");
  await submit(page, page.locator("a.primary"));
  assert.equal(path(page), "/account");
});

test("a first password beside a passkey", async (t) => {
  const { who, person, page } = await someone(t, "paula");
  const authenticator = await Authenticator.add(page);
  await page.fill("#passkey-name", "Laptop");
  await submit(page, button(page, "Add a passkey"));
  await world.latchkey.run(["user", "set-password", who.username, "--no-password"]);
  await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false"); // it is asked by the button
  await signOut(page);
  await submit(page, button(page, "Sign in with a passkey"));
  assert.equal(path(page), "/account");
  assert.match(await text(page), /You have no password/);
  await inspect(page, "account-no-password");

  const link = page.getByRole("link", { name: "Choose a password" });
  await submit(page, link);
  await page.fill("#new_password", "password1");
  await page.fill("#new_password_again", "password1");
  await submit(page, button(page, "Set password"));
  assert.equal(await page.locator("[role=alert]:visible").count(), 1);
  await inspect(page, "first-password-refused");
  const next = { ...who, password: "canary-of-paula-4711" };
  await page.fill("#new_password", next.password);
  await page.fill("#new_password_again", next.password);
  await submit(page, button(page, "Set password"));
  assert.equal(path(page), "/account");
  assert.match(await text(page), /You have a password now/);
  assert.equal(await link.count(), 0);

  // The password is a way in now, with the passkey after it.
  await authenticator.answers(false);
  await signOut(page);
  await person.signIn(next);
  assert.equal(path(page), "/login/second-factor");
});

test("the page of a first password, in German", async (t) => {
  const { who, page } = await someone(t, "paul", { locale: "de-DE" });
  await Authenticator.add(page);
  await page.fill("#passkey-name", "Laptop");
  await submit(page, page.locator("form:has(#passkey-name) button"));
  await world.latchkey.run(["user", "set-password", who.username, "--no-password"]);
  await page.addInitScript("PublicKeyCredential.isConditionalMediationAvailable = async () => false");
  await page.context().clearCookies();
  await page.goto(world.latchkey.url("/account"));
  await submit(page, button(page, "Passkey"));
  await submit(page, page.getByRole("link", { name: "Passwort wählen" }));
  await inspect(page, "german-first-password");
});
