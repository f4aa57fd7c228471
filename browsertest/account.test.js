import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("a new password ends what the old one opened, but not this browser", async (t) => {
  const carol = { username: "carol", password: "canary-of-carol-1" };
  const changed = { ...carol, password: "canary-of-carol-2" };
  await world.latchkey.addUser(carol);
  const [here, there] = [await open(t, carol), await open(t, carol)];
  const app = await Application.start(t, world.latchkey);
  const tokens = await allow(there, app);

  for (const [current, next, again] of [["wrong one here", changed.password, changed.password], [carol.password, changed.password, "another"], [carol.password, "12345678", "12345678"]]) {
    await changePassword(here.page, current, next, again);
    assert.equal(await here.page.locator("[role=alert]").count(), 1, await text(here.page));
    for (const secret of [current, next, again]) assert.ok(!(await here.page.content()).includes(secret), "a password came back in the page");
  }
  await there.page.goto(world.latchkey.url("/account"));
  assert.equal(path(there.page), "/account", "a refused change has ended a session");

  await changePassword(here.page, carol.password, changed.password, changed.password);
  assert.equal(path(here.page), "/account");
  assert.equal(await here.page.locator("[role=status]").count(), 1, "nothing says that the password was changed");
  await here.page.goto(world.latchkey.url("/account"));
  assert.equal(path(here.page), "/account", "the browser that changed the password is signed out");
  await there.page.goto(world.latchkey.url("/account"));
  assert.equal(path(there.page), "/login", "another browser is signed in still");
  assert.equal((await app.refresh(tokens.refresh_token)).body.error, "invalid_grant");
  await there.signIn(carol);
  assert.equal(path(there.page), "/login", "the old password is good still");
  await there.signIn(changed);
  assert.equal(path(there.page), "/account");
});

test("ending a session signs the other browser out", async (t) => {
  const dave = await user("dave");
  const [here, there] = [await open(t, dave), await open(t, dave, { userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" })];
  await here.page.reload();
  assert.match(await text(here.page), /Firefox/, "the other browser is not told from this one");
  const others = here.page.locator("form[action$='/account/sessions/end'] button");
  const listed = await others.count();
  await submit(here.page, here.page.locator("li, tr, article").filter({ hasText: "Firefox" }).locator("form[action$='/account/sessions/end'] button").last());
  assert.equal(await others.count(), listed - 1);
  await there.page.goto(world.latchkey.url("/account"));
  assert.equal(path(there.page), "/login");
  await here.page.goto(world.latchkey.url("/account"));
  assert.equal(path(here.page), "/account");
});

test("ending an application ends its tokens, and it has to ask again", async (t) => {
  const erin = await user("erin");
  const person = await open(t, erin);
  const [ended, kept] = [await Application.start(t, world.latchkey, { name: "Ended" }), await Application.start(t, world.latchkey, { name: "Kept" })];
  const tokens = await allow(person, ended);
  const others = await allow(person, kept);
  await person.page.goto(world.latchkey.url("/account"));
  const form = person.page.locator(`form[action$='/account/applications/end']:has(input[value="${ended.id}"])`);
  await submit(person.page, form.locator("button"));
  assert.equal(await form.count(), 0, "the application is on the page still");
  assert.equal((await ended.refresh(tokens.refresh_token)).body.error, "invalid_grant");
  const userinfo = await fetch(world.latchkey.url("/oauth2/userinfo"), { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  assert.equal(userinfo.status, 401);
  assert.equal((await kept.refresh(others.refresh_token)).status, 200);
  await person.page.goto(ended.authorizeURL());
  assert.equal(path(person.page), "/consent");
});

test("ending everything", async (t) => {
  const frank = await user("frank");
  const [here, there] = [await open(t, frank), await open(t, frank)];
  const app = await Application.start(t, world.latchkey);
  const tokens = await allow(there, app);
  await submit(here.page, here.page.locator("form[action$='/account/sessions/end-all'] button").last());
  for (const person of [here, there]) {
    await person.page.goto(world.latchkey.url("/account"));
    assert.equal(path(person.page), "/login");
  }
  assert.equal((await app.refresh(tokens.refresh_token)).body.error, "invalid_grant");
});

test("what happened recently", async (t) => {
  const grace = await user("grace");
  const stranger = await Person.open(t, world.browser);
  await stranger.page.goto(world.latchkey.url("/login"));
  await stranger.signIn({ ...grace, password: "a guess" });
  const person = await open(t, grace);
  const rows = await text(person.page);
  assert.match(rows, /127\.0\.0\.1/, "no address of who signed in");
  const app = await Application.start(t, world.latchkey, { name: "Seen in the log" });
  await allow(person, app);
  await person.page.goto(world.latchkey.url("/account"));
  await submit(person.page, person.page.locator("form[action$='/account/applications/end'] button"));
  const other = await open(t, grace);
  await submit(other.page, other.page.locator("form[action$='/account/sessions/end'] button").first());
  await changePassword(other.page, grace.password, `${grace.password}5`, `${grace.password}5`);
  const after = await text(other.page);
  assert.doesNotMatch(after, /\bOther:|[a-z]_[a-z]/, "an event has no words");
  assert.ok(after.split("Seen in the log").length > 2, `what was allowed is not among what happened:\n${after}`);
});

test("two people see their own", async (t) => {
  const heidi = await user("heidi");
  const mine = await open(t, alice), hers = await open(t, heidi);
  assert.ok(!(await text(hers.page)).includes(alice.username));
  assert.ok(!(await text(mine.page)).includes("heidi"));
});

async function user(username) {
  const added = { username, password: `canary-of-${username}-1234` };
  await world.latchkey.addUser(added);
  return added;
}

/** Someone who is signed in and at the account page. */
async function open(t, who, options) {
  const person = await Person.open(t, world.browser, options);
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn(who);
  assert.equal(path(person.page), "/account");
  return person;
}

/** Lets an application have access. */
async function allow(person, app) {
  await person.page.goto(app.authorizeURL());
  await person.decide("allow");
  return app.exchange((await app.answer()).code);
}

async function changePassword(page, current, next, again) {
  const closed = page.locator("details:not([open]):has(input[name=current_password]) > summary");
  if (await closed.count()) await closed.click();
  await page.fill("input[name=current_password]", current);
  await page.fill("input[name=new_password]", next);
  await page.fill("input[name=new_password_again]", again);
  await submit(page, page.locator("form:has(input[name=current_password]) button"));
}
