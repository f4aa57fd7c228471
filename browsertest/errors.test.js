import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("Statement 2: an unknown client or a bad redirect URI never redirects", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const { page } = await Person.open(t, world.browser);
  const cases = [
    { client_id: "nobody" }, { client_id: undefined },
    ...["/", "?x=1", "#fragment"].map((end) => ({ redirect_uri: app.redirectURI + end })),
    { redirect_uri: app.redirectURI.replace("callback", "CALLBACK") },
    { redirect_uri: app.redirectURI.replace("callback", "%63allback") },
    { redirect_uri: app.redirectURI.replace("127.0.0.1", "127.0.0.1@evil.example") },
    { redirect_uri: "https://evil.example/callback" }, { redirect_uri: "javascript:alert(1)" }, { redirect_uri: undefined },
  ];
  for (const more of cases) {
    const answer = await page.goto(app.authorizeURL(more));
    const what = JSON.stringify(more);
    assert.equal(answer.status(), 400, what);
    assert.ok(page.url().startsWith(world.latchkey.issuer), what);
    assert.equal(await page.locator("h1").count(), 1, what);
    assert.match(await text(page), /client_id|redirect_uri/, `${what}: nothing helps the developer`);
  }
});

test("a request that is refused goes back to the application", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const { page } = await Person.open(t, world.browser);
  const cases = [
    [{ code_challenge: undefined }, "invalid_request"], [{ code_challenge_method: "plain" }, "invalid_request"],
    [{ code_challenge_method: undefined }, "invalid_request"], [{ response_type: "token" }, "unsupported_response_type"],
    [{ response_type: "id_token token" }, "unsupported_response_type"], [{ scope: "openid admin" }, "invalid_scope"],
    [{ resource: "https://unknown.example/" }, "invalid_target"], [{ response_mode: "fragment" }, "invalid_request"],
    [{ request: "e30.e30." }, "request_not_supported"],
  ];
  for (const [more, code] of cases) {
    await page.goto(app.authorizeURL(more));
    const { error, state, iss } = await app.answer();
    assert.deepEqual({ error, state, iss }, { error: code, state: "the state", iss: world.latchkey.issuer }, JSON.stringify(more));
  }
});

test("what does not exist, and what is not meant for browsers", async (t) => {
  const { page } = await Person.open(t, world.browser);
  for (const [at, status] of [["/consent", 403], ["/consent?request=nonsense", 403], ["/oauth2/authorize?continue=nonsense", 400]]) {
    assert.equal((await page.goto(world.latchkey.url(at))).status(), status, at);
    assert.equal(await page.locator("h1").count(), 1, at);
  }
  assert.equal(await page.locator("h1").textContent(), "This request has expired", "an address that was cut off");
});
