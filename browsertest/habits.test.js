// What people do: they press twice, go back, open a second tab, and leave a page open until its session has ended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application, claims } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("pressing twice", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const { page } = await Person.open(t, world.browser);
  await page.goto(app.authorizeURL());
  await page.fill("input[name=username]", alice.username);
  await page.fill("input[name=password]", alice.password);
  // The second press aborts the navigation of the first, which may end the wait for it.
  const arrive = (address) => page.waitForURL(address).catch(() => page.waitForURL(address));
  await page.dblclick("form button.primary");
  await arrive("**/consent?**");
  await page.dblclick("button[name=decision][value=allow]");
  await arrive(`${app.redirectURI}?**`);
  await page.waitForLoadState("networkidle");
  await app.exchange(new URL(page.url()).searchParams.get("code"));
});

test("back after allowing, and allowing again", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await atConsent(t, app);
  await person.decide("allow");
  const first = await app.answer();
  const tokens = await app.exchange(first.code);
  await person.page.goBack({ waitUntil: "commit" });
  assert.equal(path(person.page), "/consent");
  await person.decide("allow");
  const second = await app.answer();
  assert.notEqual(second.code, first.code);
  await app.exchange(second.code);
  assert.equal((await app.refresh(tokens.refresh_token)).status, 200, "the first login is gone");
});

test("two tabs that wait for the login: the second goes on with the first one's", async (t) => {
  const [left, right] = [await Application.start(t, world.latchkey), await Application.start(t, world.latchkey)];
  const person = await Person.open(t, world.browser);
  const other = await person.context.newPage();
  await person.page.goto(left.authorizeURL());
  await other.goto(right.authorizeURL());
  await person.signIn();
  await person.decide("allow");
  const first = claims((await left.exchange((await left.answer()).code)).id_token);
  await person.signIn(alice, other); // they type it again, into a page that needs it no more
  await person.decide("allow", other);
  assert.equal(claims((await right.exchange((await right.answer()).code)).id_token).sub, first.sub);
  await person.page.goto(world.latchkey.url("/account"));
  assert.equal(path(person.page), "/account");
});

test("another user signs in while a consent page is open: the old page is nobody's", async (t) => {
  const bob = { username: "bob", password: "canary-of-bob-4711" };
  await world.latchkey.addUser(bob);
  const app = await Application.start(t, world.latchkey);
  const person = await atConsent(t, app);
  const other = await person.context.newPage();
  await other.goto(app.authorizeURL({ prompt: "login" }));
  await person.signIn(bob, other);
  const answered = person.page.waitForResponse((r) => r.request().method() === "POST");
  await person.decide("allow");
  assert.equal((await answered).status(), 403);
  assert.match(await text(person.page), /start again/);
});

test("a consent page whose session has ended says what to do", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await atConsent(t, app);
  const other = await person.context.newPage();
  await other.goto(world.latchkey.url("/account"));
  await submit(other, other.locator("form[action$='/account/sign-out'] button").first());
  const answered = person.page.waitForResponse((r) => r.request().method() === "POST");
  await person.decide("allow");
  assert.equal((await answered).status(), 403);
  assert.match(await text(person.page), /start again/);
});

test("an account page whose session has ended leads to the login", async (t) => {
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn();
  const other = await person.context.newPage();
  await other.goto(world.latchkey.url("/account"));
  await submit(other, other.locator("form[action$='/account/sign-out'] button").first());
  await submit(person.page, person.page.locator("form[action$='/account/sessions/end-all'] button"));
  assert.equal(path(person.page), "/login");
});

test("an application's address with a long state", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const state = "s".repeat(5000) + "ü&=\"<>+ %";
  const person = await atConsent(t, app, { state });
  await person.decide("allow");
  assert.equal((await app.answer()).state, state);
});

async function atConsent(t, app, more) {
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL(more));
  await person.signIn();
  assert.equal(path(person.page), "/consent");
  return person;
}
