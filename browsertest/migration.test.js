// docs/spa-migration.md, with the very application of docs/examples/spa.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Person, path } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";
import { startWebsite } from "./harness/website.js";

const world = setup();
const folder = fileURLToPath(new URL("../docs/examples/spa", import.meta.url));

test("the old login goes on, the new one comes beside it, and each refreshes", async (t) => {
  const site = await application(t);
  const [old, moved] = [await Person.open(t, world.browser), await Person.open(t, world.browser)];

  await old.page.goto(site.origin);
  await old.page.fill("input[name=username]", alice.username);
  await old.page.fill("input[name=password]", alice.password);
  await old.page.click("#old-login button");
  await says(old, "#who", "Signed in by password");

  await moved.page.goto(site.origin);
  await redirectLogin(moved, site);
  await says(moved, "#who", "Signed in by redirect as alice");

  for (let i = 0; i < 3; i++) {
    for (const person of [old, moved]) {
      const before = await refreshToken(person);
      await accepted(person, "#refresh");
      assert.notEqual(await refreshToken(person), before, "nothing was refreshed");
      await accepted(person, "#call-api");
    }
  }
  await says(old, "#who", "Signed in by password");

  // The one with the old session moves when they sign in the next time, and leaves nothing behind.
  const left = await refreshToken(old);
  await redirectLogin(old, site);
  await says(old, "#who", "Signed in by redirect as alice");
  await accepted(old, "#refresh");
  assert.equal(await old.page.evaluate(() => localStorage.getItem("tokens")), null);
  const answer = await fetch(world.latchkey.url("/api/token/refresh/"), {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ refresh: left }),
  });
  assert.equal(answer.status, 401, "the old session lives on where nobody sees it");

  await Promise.all([moved.page.waitForURL(`${site.origin}/`), moved.page.click("#sign-out")]);
  await says(moved, "#who", "Signed out");
  await moved.page.goto(world.latchkey.url("/account"));
  assert.equal(path(moved.page), "/login");
});

test("signing out of the old way", async (t) => {
  const site = await application(t);
  const person = await Person.open(t, world.browser);
  await person.page.goto(site.origin);
  await person.page.fill("input[name=username]", alice.username);
  await person.page.fill("input[name=password]", alice.password);
  await person.page.click("#old-login button");
  await says(person, "#who", "Signed in by password");
  await person.page.click("#sign-out");
  await says(person, "#who", "Signed out");
});

/** The application on an origin of its own, registered as the document says. */
async function application(t) {
  const site = await startWebsite(t, { folder });
  const client = await world.latchkey.addClient({
    "client-name": "Our application", "first-party": true, "token-endpoint-auth-method": "none",
    "grant-type": ["authorization_code", "refresh_token"], "redirect-uri": `${site.origin}/`, "post-logout-redirect-uri": `${site.origin}/`,
    scope: "openid profile", rotation: "confirmed", "access-token-format": "simplejwt",
  });
  site.pages["/settings.js"] = `export const issuer = ${JSON.stringify(world.latchkey.issuer)}; export const clientID = ${JSON.stringify(client.client_id)};`;
  return site;
}

async function redirectLogin(person, site) {
  await Promise.all([person.page.waitForURL(world.latchkey.url("/login**")), person.page.click("#sign-in")]);
  await Promise.all([person.page.waitForURL(`${site.origin}/`), person.signIn()]);
}

async function says(person, where, words) {
  const said = await person.page.waitForFunction(([where, words]) => document.querySelector(where)?.textContent.includes(words), [where, words])
    .catch(() => person.page.locator(where).innerText());
  if (typeof said === "string") assert.equal(said, words);
}

/** Presses a button after which the API must accept the token. */
async function accepted(person, button) {
  await person.page.evaluate(() => (document.getElementById("api").textContent = ""));
  await person.page.click(button);
  await says(person, "#api", "The API accepts the token");
}

/** The refresh token that the application holds, whichever way it got it. */
function refreshToken(person) {
  return person.page.evaluate(() => {
    const user = Object.entries(localStorage).find(([key]) => key.startsWith("oidc.user:"));
    return user ? JSON.parse(user[1]).refresh_token : JSON.parse(localStorage.getItem("tokens")).refresh;
  });
}
