import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("with an ID token of the present session nobody is asked", async (t) => {
  const { person, app, tokens } = await signedIn(t);
  await person.page.goto(logoutURL({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${app.origin}/goodbye`, state: "the state" }));
  assert.equal(person.page.url(), `${app.origin}/goodbye?state=the+state`);
  await signedOut(person);
  assert.equal((await app.refresh(tokens.refresh_token)).body.error, "invalid_grant", "the session's tokens outlive it");
});

test("offline_access outlives a logout", async (t) => {
  const { person, app, tokens } = await signedIn(t, { scope: "openid offline_access" });
  await person.page.goto(logoutURL({ id_token_hint: tokens.id_token }));
  await signedOut(person);
  assert.equal((await app.refresh(tokens.refresh_token)).status, 200);
});

test("Statement 46: without one the user is asked", async (t) => {
  const { person, app } = await signedIn(t);
  await person.page.goto(logoutURL({ client_id: app.id, post_logout_redirect_uri: `${app.origin}/goodbye` }));
  await person.page.goto(world.latchkey.url("/account"));
  assert.equal(path(person.page), "/account", "a link signed the user out");
  await person.page.goto(logoutURL({ client_id: app.id, post_logout_redirect_uri: `${app.origin}/goodbye` }));
  await submit(person.page, person.page.locator("button[name=decision][value=logout]"));
  assert.equal(person.page.url(), `${app.origin}/goodbye`);
  await signedOut(person);
});

test("Statement 46: an ID token of another session, or none at all, is not one of this", async (t) => {
  const other = await signedIn(t);
  const { person } = await signedIn(t);
  for (const hint of [other.tokens.id_token, `${other.tokens.id_token}x`, "e30.e30."]) {
    await person.page.goto(logoutURL({ id_token_hint: hint }));
    assert.equal(await person.page.locator("button[name=decision][value=logout]").count(), 1);
  }
});

test("Statement 16: a logout leads only where the application said", async (t) => {
  const { person, app, tokens } = await signedIn(t);
  await person.page.goto(logoutURL({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${app.origin}/elsewhere` }));
  assert.ok(person.page.url().startsWith(world.latchkey.issuer), person.page.url());
  assert.match(await text(person.page), new RegExp(`${app.origin}/elsewhere`), "the page does not show where it was to lead");
  await submit(person.page, person.page.locator("button[name=decision][value=logout]"));
  assert.ok(person.page.url().startsWith(world.latchkey.issuer), person.page.url());
  assert.equal(await person.page.locator("h1").count(), 1);
  await signedOut(person);
});

for (const way of ["the account page", "the logout page"]) {
  test(`Statement 45: after signing out by ${way}, back shows the login page and nothing of the account`, async (t) => {
    const { person } = await signedIn(t);
    const { page } = person;
    await page.goto(world.latchkey.url("/account"));
    assert.match(await text(page), /alice@example\.com/);
    const cookies = await person.context.cookies();
    if (way === "the account page") await submit(page, page.locator("form[action$='/account/sign-out'] button").first());
    else {
      await page.goto(logoutURL({}));
      await submit(page, page.locator("button[name=decision][value=logout]"));
    }
    assert.deepEqual(await person.context.cookies(), [], "the cookie is kept");
    for (let i = 0; i < 3; i++) {
      await page.goBack({ waitUntil: "commit", timeout: 2000 }).catch(() => null); // ends where the history does
      assert.doesNotMatch(await text(page), /alice@example\.com/, page.url());
    }
    await signedOut(person);
    await person.context.addCookies(cookies);
    await signedOut(person); // a cookie that somebody kept is good for nothing
  });
}

function logoutURL(params) {
  return world.latchkey.url(`/oauth2/logout?${new URLSearchParams(params)}`);
}

async function signedOut({ page }) {
  await page.goto(world.latchkey.url("/account"));
  assert.equal(path(page), "/login", "the user is signed in still");
}

async function signedIn(t, more) {
  const app = await Application.start(t, world.latchkey);
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL(more));
  await person.signIn();
  await person.decide("allow");
  return { app, person, tokens: await app.exchange((await app.answer()).code) };
}
