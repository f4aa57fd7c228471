import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("the browser's language", async (t) => {
  const cases = [["de-AT", "de", /Passwort/], ["en-GB", "en", /Password/], ["fr", "en", /Password/]];
  for (const [locale, lang, words] of cases) {
    const { page } = await Person.open(t, world.browser, { locale });
    await page.goto(world.latchkey.url("/login"));
    assert.equal(await page.getAttribute("html", "lang"), lang, locale);
    assert.match(await text(page), words);
  }
});

test("ui_locales comes before it, on every page of the request", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await Person.open(t, world.browser, { locale: "en-US" });
  await person.page.goto(app.authorizeURL({ ui_locales: "xx de en" }));
  assert.equal(await person.page.getAttribute("html", "lang"), "de");
  await person.signIn({ username: "alice", password: "wrong" });
  assert.equal(await person.page.getAttribute("html", "lang"), "de", "the form is shown again in another language");
  await person.signIn();
  assert.equal(await person.page.getAttribute("html", "lang"), "de");
  assert.match(await text(person.page), /Erlauben|Zulassen/);
  await person.page.goto(world.latchkey.url("/oauth2/logout?ui_locales=de"));
  assert.equal(await person.page.getAttribute("html", "lang"), "de");
});

test("no page in German has words that were left in English", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "App" });
  const german = await walk(t, app, "de-DE"), english = await walk(t, app, "en-US");
  for (const [name, words] of Object.entries(german)) {
    const same = words.split("\n").map((s) => s.trim()).filter((line) => line.split(/\s+/).length > 3 && english[name].includes(line));
    const forDevelopers = /client_id/; // the protocol's own words, in English everywhere
    assert.deepEqual(same.filter((line) => !forDevelopers.test(line)), [], name);
  }
});

/** What is on the pages in a language. */
async function walk(t, app, locale) {
  const person = await Person.open(t, world.browser, { locale });
  const seen = {};
  const look = async (name) => (seen[name] = await text(person.page));
  await person.page.goto(app.authorizeURL());
  await look("login");
  await person.signIn();
  await look("consent");
  await person.page.goto(world.latchkey.url("/account"));
  await look("account");
  await person.page.goto(world.latchkey.url("/oauth2/logout"));
  await look("logout");
  await person.page.goto(world.latchkey.url("/account/signed-out"));
  await look("signed out");
  await person.page.goto(app.authorizeURL({ client_id: "nobody" }));
  await look("error");
  return seen;
}
