// Names, scopes and texts that strangers wrote.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { assertFits } from "./harness/inspect.js";
import { Person, path } from "./harness/people.js";
import { planter } from "./harness/planter.js";
import { setup } from "./harness/setup.js";

const world = setup();

const plant = planter();

const markup = `<img src=x onerror="alert(1)"></title><script>alert(2)</script>"'><svg onload=alert(3)>{{.}}`;
const marks = "\u202Egnp.knaB\u202C \u2066Safe\u2069\u200F";
const names = {
  markup,
  "right-to-left marks": marks,
  "zero-width characters": "My\u200BBank\u200D\uFEFF\u2060\u00AD\u200B",
  "nothing but zero-width characters": "\u200B\u200D\uFEFF\u2060",
  "combining marks": `Z${"\u0301\u0489\u036F".repeat(300)}algo`,
  "line breaks and controls": "First\nSecond\r\nThird\u0000\u0007\u2028Fourth",
  "10,000 characters": "W".repeat(10_000),
  "10,000 characters of words": "You may trust this application. ".repeat(320),
  "a lone surrogate": "\uD800 name \uDC00",
};

for (const [what, name] of Object.entries(names)) {
  test(`Statement 63: a client's name of ${what}`, async (t) => {
    const app = await Application.start(t, world.latchkey);
    await plantMembers(app.id, { client_name: name });
    const person = await Person.open(t, world.browser);
    let dialogs = 0;
    person.page.on("dialog", (dialog) => { dialogs++; dialog.dismiss(); });
    await person.page.goto(app.authorizeURL());
    await harmless(person.page, "the login page");
    await person.signIn();
    assert.equal(path(person.page), "/consent");
    await harmless(person.page, "the consent page");
    const allow = person.page.locator("button[name=decision][value=allow]");
    assert.ok((await allow.boundingBox()).y < 2000, "the buttons are out of sight");
    await person.decide("allow");
    await app.exchange((await app.answer()).code);
    await person.page.goto(world.latchkey.url("/account"));
    await harmless(person.page, "the account page");
    await person.page.goto(world.latchkey.url(`/oauth2/logout?client_id=${app.id}`));
    await harmless(person.page, "the logout page");
    assert.equal(dialogs, 0, "a script of the name ran");
  });
}

test("what client add takes is shown as it is written", async (t) => {
  const name = `Bäckerei & Söhne <beta> "2"`;
  const app = await Application.start(t, world.latchkey, { name });
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL());
  await person.signIn();
  assert.ok((await person.page.locator("body").innerText()).includes(name));
  for (const refused of [marks, "x".repeat(256), "a\nb"]) {
    await assert.rejects(world.latchkey.addClient({ "client-name": refused, "redirect-uri": app.redirectURI }), /client-name/);
  }
});

test("scopes, resources, and people's names", async (t) => {
  const scopes = ["<img/src=x/onerror=alert(1)>", `'><script>alert(1)</script>`, "x".repeat(3000), "{{.}}", "javascript:alert(1)"];
  const resource = `https://api.example/${"long/".repeat(200)}?<b>`;
  await world.latchkey.run(["resource", "add", "--name", `<img src=x onerror=alert(1)>${"R".repeat(200)}`, "https://api.example/"]);
  const user = { username: `<img src=x onerror=alert(1)>${"n".repeat(100)}`, password: "canary-of-nobody-1" };
  await world.latchkey.addUser(user);
  const app = await Application.start(t, world.latchkey, { flags: { scope: `openid ${scopes.join(" ")}`, resource: ["https://api.example/", encodeURI(resource)] } });
  const person = await Person.open(t, world.browser);
  let dialogs = 0;
  person.page.on("dialog", (dialog) => { dialogs++; dialog.dismiss(); });
  await person.page.goto(`${app.authorizeURL({ scope: `openid ${scopes.join(" ")}`, login_hint: markup })}&resource=${encodeURIComponent("https://api.example/")}&resource=${encodeURIComponent(encodeURI(resource))}`);
  assert.equal(await person.page.inputValue("input[name=username]"), markup);
  await harmless(person.page, "the login page");
  await person.signIn(user);
  assert.equal(path(person.page), "/consent");
  await harmless(person.page, "the consent page");
  await person.decide("allow");
  await app.exchange((await app.answer()).code);
  await person.page.goto(world.latchkey.url("/account"));
  await harmless(person.page, "the account page");
  assert.equal(dialogs, 0);
});

test("what an address says is not reflected", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const { page } = await Person.open(t, world.browser);
  let dialogs = 0;
  page.on("dialog", (dialog) => { dialogs++; dialog.dismiss(); });
  const long = "%F0%9F%92%A9".repeat(500);
  for (const at of [
    app.authorizeURL({ client_id: markup }), app.authorizeURL({ redirect_uri: markup, state: markup }), app.authorizeURL({ ui_locales: markup }),
    world.latchkey.url(`/login?return_to=${encodeURIComponent(markup)}`), world.latchkey.url(`/oauth2/authorize?client_id=${long}`),
    world.latchkey.url(`/oauth2/authorize?continue=${encodeURIComponent(markup)}`), world.latchkey.url(`/consent?request=${encodeURIComponent(markup)}`),
    world.latchkey.url(`/account/signed-out?x=${encodeURIComponent(markup)}`), world.latchkey.url(`/oauth2/logout?id_token_hint=${encodeURIComponent(markup)}`),
    world.latchkey.url(`/login?error=${encodeURIComponent(markup)}&done=${encodeURIComponent(markup)}&signed_in=${encodeURIComponent(markup)}`),
  ]) {
    await page.goto(at);
    await harmless(page, at.slice(0, 120));
  }
  assert.equal(dialogs, 0);
});

/** Nothing of what strangers wrote is markup, turns the text around, or pushes the page out of shape. */
async function harmless(page, name) {
  const viewport = page.viewportSize();
  const found = await page.evaluate(() => ({
    evil: [...document.querySelectorAll("img[src='x'], [onerror], [onload], script:not([src]), body svg[onload]")].map((e) => e.outerHTML),
    marks: /[\u202A-\u202E\u2066-\u2069\u200E\u200F\u200B\u200D\u2060\uFEFF\u00AD]/.test(document.documentElement.textContent),
    length: document.body.innerText.length,
  }));
  assert.deepEqual(found.evil, [], name);
  assert.equal(found.marks, false, `${name} shows characters that are not seen`);
  assert.ok(found.length < 12_000, `${name} has ${found.length} characters`);
  await assertFits(page, name);
  await page.setViewportSize(viewport);
}

/** Writes metadata past every check. */
function plantMembers(clientID, members) {
  return plant(world.latchkey, "client", [clientID], JSON.stringify(members));
}
