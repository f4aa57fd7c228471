// The browser part of oidc-client-ts is tested in a browser, see ../../browsertest; here is all that works without one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InMemoryWebStorage, OidcClient, WebStorageStateStore } from "oidc-client-ts";
import { Browser } from "./browser.js";
import { addClient, callback, issuer } from "./latchkey.js";

async function newClient(flags, settings) {
  const added = await addClient({ "token-endpoint-auth-method": "none", "post-logout-redirect-uri": "http://127.0.0.1/goodbye", ...flags });
  return new OidcClient({
    authority: issuer,
    client_id: added.client_id,
    client_secret: added.client_secret,
    redirect_uri: callback,
    post_logout_redirect_uri: "http://127.0.0.1/goodbye",
    scope: "openid profile email offline_access",
    loadUserInfo: true,
    stateStore: new WebStorageStateStore({ store: new InMemoryWebStorage() }),
    ...settings,
  });
}

async function logIn(client, person = new Browser()) {
  const request = await client.createSigninRequest({ state: { page: "/orders" } });
  const answer = await person.visit(request.url, callback);
  return client.processSigninResponse(answer.href);
}

const kinds = {
  "a public client": [{}, {}],
  "client_secret_post": [{ "token-endpoint-auth-method": "client_secret_post" }, { client_authentication: "client_secret_post" }],
  "client_secret_basic": [{ "token-endpoint-auth-method": "client_secret_basic" }, { client_authentication: "client_secret_basic" }],
};

for (const [name, [flags, settings]] of Object.entries(kinds)) {
  test(`${name}: login, userinfo, refresh, revocation`, async () => {
    const client = await newClient(flags, settings);
    let user = await logIn(client);
    assert.deepEqual(user.userState, { page: "/orders" });
    assert.equal(user.profile.preferred_username, "demo"); // of the userinfo endpoint, with what the ID token says
    assert.equal(user.profile.email, "demo@example.com");
    for (let i = 0; i < 3; i++) {
      const state = { refresh_token: user.refresh_token, id_token: user.id_token, scope: user.scope, profile: user.profile, session_state: null };
      const next = await client.useRefreshToken({ state });
      assert.notEqual(next.access_token, user.access_token);
      assert.notEqual(next.refresh_token, user.refresh_token);
      assert.equal(next.profile.sub, user.profile.sub);
      user = next;
    }
    await client.revokeToken(user.refresh_token, "refresh_token");
    const state = { refresh_token: user.refresh_token, id_token: user.id_token, scope: user.scope, profile: user.profile, session_state: null };
    await assert.rejects(client.useRefreshToken({ state }), { error: "invalid_grant" });
  });
}

test("logout", async () => {
  const client = await newClient();
  const person = new Browser();
  const user = await logIn(client, person);
  const request = await client.createSignoutRequest({ id_token_hint: user.id_token, state: { page: "/" } });
  const answer = await person.visit(request.url, "http://127.0.0.1/goodbye");
  assert.deepEqual((await client.processSignoutResponse(answer.href)).userState, { page: "/" });
  person.shown = [];
  await logIn(client, person);
  assert.equal(person.shown[0], "/login");
});

test("an error is the library's", async () => {
  const client = await newClient();
  const request = await client.createSigninRequest({ prompt: "none" });
  const answer = await new Browser().visit(request.url, callback);
  await assert.rejects(client.processSigninResponse(answer.href), { error: "login_required" });
});
