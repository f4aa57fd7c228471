import assert from "node:assert/strict";
import { test } from "node:test";
import { Application, claims } from "./harness/application.js";
import { Person, path, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("allow, and the application gets what was asked for", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL());
  assert.match(await text(person.page), /Photo Prints/, "the login page does not say what it is for");
  await person.signIn();
  assert.equal(path(person.page), "/consent");
  const asked = await text(person.page);
  for (const shown of ["Photo Prints", "alice", new URL(app.origin).host]) assert.ok(asked.includes(shown), `${shown} is not on the page: ${asked}`);
  await person.decide("allow");
  const answer = await app.answer();
  assert.deepEqual({ method: answer.method, state: answer.state, iss: answer.iss }, { method: "GET", state: "the state", iss: world.latchkey.issuer });
  const tokens = await app.exchange(answer.code);
  assert.equal(tokens.scope, "openid profile email");
  const { nonce, aud, iss } = claims(tokens.id_token);
  assert.deepEqual({ nonce, aud: [aud].flat(), iss }, { nonce: "the nonce", aud: [app.id], iss: world.latchkey.issuer });
  const userinfo = await fetch(world.latchkey.url("/oauth2/userinfo"), { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  assert.equal((await userinfo.json()).email, "alice@example.com");
  const next = await app.refresh(tokens.refresh_token);
  assert.equal(next.status, 200);
});

test("the keyboard alone", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const { page } = await arrive(t, app);
  const focus = () => page.evaluate(() => document.activeElement.value ?? "");
  for (let i = 0; i < 20 && (await focus()) !== "allow"; i++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await app.exchange((await app.answer()).code);
});

test("deny, and the application is told", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await arrive(t, app);
  await person.decide("deny");
  const { error, state, iss, code } = await app.answer();
  assert.deepEqual({ error, state, iss, code }, { error: "access_denied", state: "the state", iss: world.latchkey.issuer, code: undefined });
  await person.page.goto(app.authorizeURL());
  assert.equal(path(person.page), "/consent", "who said no is not asked again");
});

test("what was allowed is not asked again, what is new is", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await arrive(t, app, { scope: "openid profile" });
  await person.decide("allow");
  await app.exchange((await app.answer()).code);
  await person.page.goto(app.authorizeURL({ scope: "openid" }));
  await app.exchange((await app.answer()).code);
  await person.page.goto(app.authorizeURL({ scope: "openid profile", prompt: "none" }));
  await app.exchange((await app.answer()).code);
  await person.page.goto(app.authorizeURL({ scope: "openid profile email" }));
  assert.equal(path(person.page), "/consent");
  await person.decide("allow");
  await app.answer();
  await person.page.goto(app.authorizeURL({ prompt: "consent" }));
  assert.equal(path(person.page), "/consent", "prompt=consent did not ask");
});

test("single sign-on: a second application asks for consent, not for the password", async (t) => {
  const first = await Application.start(t, world.latchkey);
  const second = await Application.start(t, world.latchkey, { name: "The Second" });
  const person = await arrive(t, first);
  await person.decide("allow");
  const before = claims((await first.exchange((await first.answer()).code)).id_token);
  await person.page.goto(second.authorizeURL());
  assert.equal(path(person.page), "/consent");
  assert.match(await text(person.page), /The Second/);
  await person.decide("allow");
  const after = claims((await second.exchange((await second.answer()).code)).id_token);
  assert.equal(after.sub, before.sub);
  assert.equal(after.auth_time, before.auth_time);
  assert.equal(after.sid, before.sid);
});

test("an application of the operator's own asks nothing", async (t) => {
  const app = await Application.start(t, world.latchkey, { flags: { "first-party": true } });
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL());
  await person.signIn();
  assert.equal(person.page.url().startsWith(app.redirectURI), true, person.page.url());
  await app.exchange((await app.answer()).code);
});

test("Statement 14: an application that anybody may pretend to be is asked about each time", async (t) => {
  const app = await Application.start(t, world.latchkey, { flags: { "token-endpoint-auth-method": "none", "application-type": "native" } });
  const person = await arrive(t, app);
  for (let i = 0; i < 2; i++) {
    assert.equal(path(person.page), "/consent");
    await person.decide("allow");
    await app.exchange((await app.answer()).code);
    await person.page.goto(app.authorizeURL());
  }
});

test("form_post: the answer is posted, and no address holds the code", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await arrive(t, app, { response_mode: "form_post" });
  const posted = person.page.waitForURL(app.redirectURI);
  await person.decide("allow");
  await posted;
  const answer = await app.answer();
  assert.equal(answer.method, "POST");
  assert.equal(answer.state, "the state");
  assert.equal(answer.iss, world.latchkey.issuer);
  await app.exchange(answer.code);
  await person.page.goto(app.authorizeURL({ response_mode: "form_post", prompt: "none", max_age: "0", state: `"><script>alert(1)</script>` }));
  await person.page.waitForURL(app.redirectURI);
  const refused = await app.answer();
  assert.deepEqual([refused.method, refused.error, refused.state], ["POST", "login_required", `"><script>alert(1)</script>`]);
});

/** Someone who has signed in and is at the consent page. */
async function arrive(t, app, more) {
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL(more));
  await person.signIn();
  return person;
}
