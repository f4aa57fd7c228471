// A single-page application with oidc-client-ts, in real tabs: the library has no lock between them, so that two refresh
// with the same token at the same moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Person, path, submit } from "./harness/people.js";
import { setup } from "./harness/setup.js";
import { startWebsite } from "./harness/website.js";

const world = setup();

const policies = {
  "rotation confirmed": { rotation: "confirmed" },
  "rotation strict with an overlap": { rotation: "strict", "rotation-overlap": "10s" },
};

for (const [name, flags] of Object.entries(policies)) {
  test(`two tabs that refresh at once stay signed in: ${name}`, async (t) => {
    const { first, second } = await twoTabs(t, flags);
    const seen = new Set();
    for (let round = 0; round < 10; round++) {
      const tokens = await Promise.all([first, second].map(refresh));
      for (const token of tokens) {
        assert.equal(await userinfoStatus(first, token), 200, `round ${round}`);
        assert.ok(!seen.has(token), "a refresh brought nothing new");
      }
      tokens.forEach((token) => seen.add(token));
    }
    for (let round = 0; round < 3; round++) for (const tab of [first, second]) await refresh(tab);
  });
}

test("without an overlap a strict client's tabs are told apart, and the thief's half ends both", async (t) => {
  const { first } = await twoTabs(t, { rotation: "strict", "rotation-overlap": "0s" }, /answered 40[01]/);
  const stolen = await first.evaluate(async () => (await manager.getUser()).refresh_token);
  await refresh(first);
  const { error } = await tokenRequest(first, stolen);
  assert.equal(error, "invalid_grant");
  await assert.rejects(refresh(first), /invalid_grant|refresh token/i);
});

test("signinSilent by a hidden frame, while the browser is signed in and no longer", async (t) => {
  const { person, first, website } = await twoTabs(t, { "grant-type": "authorization_code" });
  const silent = () => first.evaluate(() => manager.signinSilent().then((user) => user.profile.preferred_username, (e) => e.error));
  assert.equal(await silent(), "alice");
  await person.page.goto(world.latchkey.url("/account"));
  await submit(person.page, person.page.locator("form[action$='/account/sign-out'] button").first());
  await first.goto(website.origin);
  assert.equal(await silent(), "login_required");
});

test("signoutRedirect ends the browser session and the tokens of both tabs", async (t) => {
  const { person, first, second, website } = await twoTabs(t, {}, /answered 40[01]/);
  const [{ refresh_token }, access] = [await first.evaluate(() => manager.getUser()), await refresh(second)];
  await Promise.all([first.waitForURL(`${website.origin}/goodbye**`), first.evaluate(() => { manager.signoutRedirect(); })]);
  await first.evaluate(() => manager.signoutCallback());
  assert.equal((await tokenRequest(first, refresh_token)).error, "invalid_grant");
  assert.equal(await userinfoStatus(first, access), 401);
  await person.page.goto(world.latchkey.url("/account"));
  assert.equal(path(person.page), "/login");
});

test("revokeTokens", async (t) => {
  const { first } = await twoTabs(t, {}, /answered 40[01]/);
  const { refresh_token, access_token } = await first.evaluate(() => manager.getUser());
  await first.evaluate(() => manager.revokeTokens(["refresh_token"]));
  assert.equal((await tokenRequest(first, refresh_token)).error, "invalid_grant");
  assert.equal(await userinfoStatus(first, access_token), 401);
});

/** Signs in through the pages in one tab, and opens another. */
async function twoTabs(t, flags, tolerate) {
  const website = await startWebsite(t);
  const client = await world.latchkey.addClient({
    "client-name": "Single Page", "redirect-uri": [`${website.origin}/callback`, `${website.origin}/silent`],
    "post-logout-redirect-uri": `${website.origin}/goodbye`, "grant-type": ["authorization_code", "refresh_token"],
    "token-endpoint-auth-method": "none", scope: "openid profile", "first-party": true, ...flags,
  });
  const page = application(client.client_id, website.origin);
  Object.assign(website.pages, { "/": page, "/callback": page, "/silent": page, "/goodbye": page });
  const person = await Person.open(t, world.browser, { tolerate });
  const first = person.page;
  await first.goto(website.origin);
  await Promise.all([first.waitForURL(world.latchkey.url("/login**")), first.evaluate(() => { manager.signinRedirect(); })]);
  await person.signIn();
  assert.equal(path(first), "/callback");
  const user = await first.evaluate(() => manager.signinCallback());
  assert.equal(user.profile.preferred_username, "alice");
  const second = await person.context.newPage();
  await second.goto(website.origin);
  return { person, website, first, second };
}

function refresh(tab) {
  return tab.evaluate(async () => (await manager.signinSilent()).access_token);
}

function userinfoStatus(tab, token) {
  const url = world.latchkey.url("/oauth2/userinfo");
  return tab.evaluate(async ([url, token]) => (await fetch(url, { headers: { Authorization: `Bearer ${token}` } })).status, [url, token]);
}

/** Presents a refresh token from a tab, past the library. */
function tokenRequest(tab, refreshToken) {
  return tab.evaluate(async ([url, token]) => {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token, client_id: manager.settings.client_id });
    return (await fetch(url, { method: "POST", body })).json();
  }, [world.latchkey.url("/oauth2/token"), refreshToken]);
}

const application = (clientID, origin) => `<!doctype html>
<html lang="en"><title>Single Page</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "oidc-client-ts": "/node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js",
  "jwt-decode": "/node_modules/jwt-decode/build/esm/index.js"}}</script>
<script type="module">
import { UserManager, WebStorageStateStore } from "oidc-client-ts";
window.manager = new UserManager({
  authority: ${JSON.stringify(world.latchkey.issuer)}, client_id: ${JSON.stringify(clientID)}, scope: "openid profile",
  redirect_uri: "${origin}/callback", silent_redirect_uri: "${origin}/silent", post_logout_redirect_uri: "${origin}/goodbye",
  userStore: new WebStorageStateStore({ store: localStorage }), automaticSilentRenew: false, loadUserInfo: true,
});
if (location.pathname === "/silent") manager.signinSilentCallback();
</script>`;
