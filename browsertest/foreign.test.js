// What a page of somebody else's can do to someone who is signed in: nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, path } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";
import { startWebsite } from "./harness/website.js";

const world = setup();

// 127.0.0.1 is another site than localhost; another port of localhost is of the same site, and SameSite does not keep it out.
for (const host of ["127.0.0.1", "localhost"]) {
  test(`Statement 13: forms of a page at ${host} are refused`, async (t) => {
    const app = await Application.start(t, world.latchkey);
    const person = await Person.open(t, world.browser);
    await person.page.goto(app.authorizeURL());
    await person.signIn();
    const ticket = await person.page.inputValue("input[name=request]");
    const forms = {
      "/login": { username: alice.username, password: alice.password },
      "/consent": { request: ticket, decision: "allow" },
      "/account/password": { current_password: alice.password, new_password: "evil-canary-12345", new_password_again: "evil-canary-12345" },
      "/account/sessions/end-all": {}, "/account/sign-out": {}, "/account/applications/end": { client_id: app.id },
    };
    const website = await startWebsite(t, { host });
    for (const [action, fields] of Object.entries(forms)) {
      website.pages["/"] = formPage(world.latchkey.url(action), fields);
      await person.page.goto(website.origin);
      const [answer] = await Promise.all([person.page.waitForResponse(world.latchkey.url(action)), person.page.click("button")]);
      assert.equal(answer.status(), 403, action);
      assert.equal(answer.headers()["set-cookie"], undefined, action);
    }
    await person.page.goto(world.latchkey.url("/account"));
    assert.equal(path(person.page), "/account", "the user was signed out");
  });
}

test("a foreign form to the logout asks", async (t) => {
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn();
  const website = await startWebsite(t, { pages: { "/": formPage(world.latchkey.url("/oauth2/logout"), {}) } });
  await person.page.goto(website.origin);
  await Promise.all([person.page.waitForURL(world.latchkey.url("/oauth2/logout")), person.page.click("button")]);
  await person.page.goto(world.latchkey.url("/account"));
  assert.equal(path(person.page), "/account", "the user was signed out");
});

test("Statement 13: a consent form of another browser session is refused", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const [mallory, victim] = [await atConsent(t, app), await atConsent(t, app)];
  const ticket = await mallory.page.inputValue("input[name=request]");
  await victim.page.locator("input[name=request]").evaluate((field, value) => (field.value = value), ticket);
  const [answer] = await Promise.all([
    victim.page.waitForResponse((r) => r.request().method() === "POST"),
    victim.page.click("button[name=decision][value=allow]"),
  ]);
  assert.equal(answer.status(), 403);
});

test("Statement 11: no page can be framed", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const website = await startWebsite(t);
  const person = await Person.open(t, world.browser, { tolerate: /frame|X-Frame-Options/i });
  const at = [world.latchkey.url("/login"), app.authorizeURL(), world.latchkey.url("/account"), world.latchkey.url("/oauth2/logout"), app.authorizeURL({ client_id: "nobody" })];
  await person.page.goto(world.latchkey.url("/login")); // without a session first, then with one
  for (const signedIn of [false, true]) {
    if (signedIn) await person.signIn();
    for (const url of at) {
      website.pages["/"] = `<!doctype html><title>frame</title><link rel="icon" href="data:,"><iframe src="${url.replaceAll("&", "&amp;")}"></iframe>`;
      await person.page.goto(website.origin);
      assert.match(person.page.frames()[1].url(), /^chrome-error:/, url);
    }
    await person.page.goto(world.latchkey.url("/login"));
  }
});

async function atConsent(t, app) {
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL());
  await person.signIn();
  return person;
}

function formPage(action, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`);
  return `<!doctype html><title>evil</title><link rel="icon" href="data:,"><form method="post" action="${action}">${inputs.join("")}<button>win</button></form>`;
}
