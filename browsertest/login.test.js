import assert from "node:assert/strict";
import { test } from "node:test";
import { Application, claims } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("a wrong password, then the right one", async (t) => {
  const person = await visit(t, "/account");
  const { page } = person;
  assert.equal(path(page), "/login");
  const before = await text(page);
  await person.signIn({ ...alice, password: "not this one" });
  assert.equal(path(page), "/login");
  assert.notEqual(await text(page), before, "nothing says that the password was wrong");
  assert.equal(await page.locator("[role=alert]").count(), 1);
  assert.equal(await page.inputValue("input[name=username]"), alice.username, "the name must be typed again");
  assert.equal(await page.inputValue("input[name=password]"), "", "the password came back in the page");
  await person.signIn();
  assert.equal(path(page), "/account");
  assert.match(await text(page), /alice/);
});

test("an unknown user and a wrong password look the same", async (t) => {
  const person = await visit(t, "/login");
  await person.signIn({ username: alice.username, password: "not this one" });
  const wrong = (await text(person.page)).replaceAll(alice.username, "NAME");
  await person.signIn({ username: "nobody", password: "not this one" });
  assert.equal((await text(person.page)).replaceAll("nobody", "NAME"), wrong);
});

test("the keyboard alone", async (t) => {
  const { page } = await visit(t, "/account");
  await reach(page, (e) => e.name === "username");
  await page.keyboard.type(alice.username);
  await reach(page, (e) => e.name === "password");
  await page.keyboard.type(alice.password);
  const loaded = page.waitForEvent("load");
  await page.keyboard.press("Enter");
  await loaded;
  assert.equal(path(page), "/account");
  // Every control can be reached, and each shows that it has the focus.
  const controls = await page.locator("a[href], button, input:not([type=hidden]), summary").count();
  const reached = new Set();
  for (let i = 0; i < controls + 2; i++) {
    await page.keyboard.press("Tab");
    const now = await focused(page);
    if (now.index < 0) continue;
    assert.ok(now.ring, `${now.html} does not show that it has the focus`);
    reached.add(now.index);
  }
  assert.ok(reached.size >= controls - await hiddenControls(page), `${reached.size} of ${controls} controls were reached`);
});

test("a new cookie at each login, which no script can read", async (t) => {
  const person = await visit(t, "/account");
  assert.deepEqual(await person.context.cookies(), [], "a cookie before the login could be fixated");
  await person.signIn();
  const [first, ...more] = await person.context.cookies();
  assert.deepEqual(more, []);
  const { value, expires, ...cookie } = first;
  assert.deepEqual(cookie, {
    name: "__Host-latchkey_session", domain: "localhost", path: "/", httpOnly: true, secure: true, sameSite: "Lax",
  });
  assert.equal(expires, -1, "the cookie outlives the browser though nobody asked for it");
  assert.equal(await person.page.evaluate(() => document.cookie), "");
  const app = await Application.start(t, world.latchkey);
  await person.page.goto(app.authorizeURL({ prompt: "login" }));
  await person.signIn();
  const [second] = await person.context.cookies();
  assert.notEqual(second.value, value);
});

test("keep me signed in", async (t) => {
  const person = await visit(t, "/account");
  await person.page.check("input[name=remember]");
  await person.signIn();
  const [cookie] = await person.context.cookies();
  const days = (cookie.expires - Date.now() / 1000) / 86400;
  assert.ok(days > 29 && days < 31, `the cookie lasts ${days} days`);
});

test("the password is checked once for every request that asks for it", async (t) => {
  const app = await Application.start(t, world.latchkey, { flags: { "first-party": true } });
  const person = await visit(t, "/account");
  await person.signIn();
  const first = await issued(person, app, {});
  await new Promise((resolve) => setTimeout(resolve, 1100)); // auth_time has seconds
  for (const more of [{ prompt: "login" }, { max_age: "0" }]) {
    await person.page.goto(app.authorizeURL(more));
    assert.equal(path(person.page), "/login", JSON.stringify(more));
    await person.signIn();
    const again = claims((await app.exchange((await app.answer()).code)).id_token);
    assert.ok(again.auth_time > first.auth_time, `${JSON.stringify(more)}: ${again.auth_time}, ${first.auth_time}`);
    assert.equal(again.sub, first.sub);
  }
  assert.ok((await issued(person, app, { max_age: "3600" })).auth_time > first.auth_time);
});

test("prompt=none shows nothing", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await visit(t, "/login");
  await person.page.goto(app.authorizeURL({ prompt: "none" }));
  const { state, iss, error } = await app.answer();
  assert.deepEqual({ state, iss, error }, { state: "the state", iss: world.latchkey.issuer, error: "login_required" });
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn();
  await person.page.goto(app.authorizeURL({ prompt: "none" }));
  assert.equal((await app.answer()).error, "consent_required");
});

test("prompt=select_account: the one that is there, or another", async (t) => {
  const bob = { username: "bob", password: "canary-of-bob-1234" };
  await world.latchkey.addUser(bob);
  const app = await Application.start(t, world.latchkey, { flags: { "first-party": true } });
  const person = await visit(t, "/account");
  await person.signIn();
  await person.page.goto(app.authorizeURL({ prompt: "select_account" }));
  assert.equal(path(person.page), "/login");
  assert.match(await text(person.page), /alice/);
  await submit(person.page, person.page.locator("button[name=action][value=continue]"));
  const kept = claims((await app.exchange((await app.answer()).code)).id_token);
  await person.page.goto(app.authorizeURL({ prompt: "select_account" }));
  await person.signIn(bob);
  const changed = claims((await app.exchange((await app.answer()).code)).id_token);
  assert.notEqual(changed.sub, kept.sub);
  await person.page.goto(world.latchkey.url("/account"));
  assert.match(await text(person.page), /bob/);
});

test("login_hint fills in the name", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await visit(t, "/login");
  await person.page.goto(app.authorizeURL({ login_hint: "somebody@example.com" }));
  assert.equal(await person.page.inputValue("input[name=username]"), "somebody@example.com");
});

test("Statement 16: a login leads to pages of ours only", async (t) => {
  const person = await visit(t, "/login");
  const foreign = ["https://evil.example/", "//evil.example/", "/\\evil.example", "/account@evil.example", "javascript:alert(1)", `${world.latchkey.issuer}@evil.example/`];
  for (const to of foreign) {
    await person.context.clearCookies();
    await person.page.goto(world.latchkey.url(`/login?return_to=${encodeURIComponent(to)}`));
    await person.signIn();
    assert.equal(person.page.url(), world.latchkey.url("/account"), to);
  }
});

/** Someone at a page of the server. */
async function visit(t, at) {
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url(at));
  return person;
}

/** The claims that an application gets without anybody being asked. */
async function issued(person, app, more) {
  await person.page.goto(app.authorizeURL(more));
  return claims((await app.exchange((await app.answer()).code)).id_token);
}

async function reach(page, wanted) {
  for (let i = 0; i < 20; i++) {
    if (wanted(await focused(page))) return;
    await page.keyboard.press("Tab");
  }
  assert.fail("the control can't be reached by the keyboard");
}

function focused(page) {
  return page.evaluate(() => {
    const e = document.activeElement;
    const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), summary")];
    const style = getComputedStyle(e);
    const ring = (style.outlineStyle !== "none" && style.outlineWidth !== "0px") || style.boxShadow !== "none";
    return { name: e.name ?? "", index: all.indexOf(e), ring, html: e.outerHTML.slice(0, 100) };
  });
}

function hiddenControls(page) {
  return page.locator("a[href], button, input:not([type=hidden]), summary").evaluateAll((all) => all.filter((e) => !e.checkVisibility()).length);
}
