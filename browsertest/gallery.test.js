// Every page in every state: axe-core, light and dark, phone and desktop, 320 px wide, and a picture for people to look at.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { assertFits, inspect, violations } from "./harness/inspect.js";
import { Person, submit } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";
import { startWebsite } from "./harness/website.js";

const world = setup({ flags: ["--registration", "open", "--outbound-allow", "127.0.0.0/8"] });

// What is looked for is found where it is.
test("a page that is wrong", async (t) => {
  const website = await startWebsite(t);
  const cases = {
    "color-contrast": `<p style="color: #bbb; background: #fff">Nobody can read this`,
    label: `<input name="unlabelled">`,
    "sticks out": `<p style="width: 400px; height: 20px; background: navy">`,
  };
  for (const [problem, body] of Object.entries(cases)) {
    website.pages["/"] = `<!doctype html><html lang="en"><title>Wrong</title><link rel="icon" href="data:,"><main><h1>Wrong</h1>${body}</main>`;
    const { page } = await Person.open(t, world.browser);
    await page.goto(website.origin);
    if (problem === "sticks out") await assert.rejects(assertFits(page, problem), /at 320 px/);
    else assert.match((await violations(page)).join(), new RegExp(problem));
  }
  const person = await Person.open(t, world.browser);
  website.pages["/"] = `<!doctype html><html lang="en"><title>Wrong</title><link rel="icon" href="data:,">
    <meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>1</script><img src="/absent.png" alt="">`;
  await person.page.goto(website.origin);
  const found = person.problems.splice(0).join("\n");
  for (const problem of [/Content Security Policy/, /absent\.png answered 404/]) assert.match(found, problem);
});

test("login", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  const person = await Person.open(t, world.browser);
  const { page } = person;
  await page.goto(world.latchkey.url("/login"));
  await inspect(page, "login");
  await page.goto(app.authorizeURL());
  await inspect(page, "login-for-application");
  await person.signIn({ username: alice.username, password: "wrong" });
  await inspect(page, "login-refused");
  await person.signIn();
  await page.goto(app.authorizeURL({ prompt: "select_account" }));
  await inspect(page, "login-select-account");
});

test("login when there were too many attempts", async (t) => {
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url("/login"));
  const guess = { method: "POST", body: new URLSearchParams({ username: "attacked", password: "a guess" }) };
  const refused = async () => (await fetch(world.latchkey.url("/login"), guess)).status === 429;
  let alert = "";
  for (let i = 0; i < 10 && !alert.includes("Too many attempts"); i++) { // another attempt is allowed half a minute later, which may be now
    for (let j = 0; j < 60 && !(await refused()); j++);
    await person.signIn({ username: "attacked", password: "a guess" });
    alert = await person.page.locator("[role=alert]").innerText();
  }
  assert.match(alert, /Too many attempts/);
  await inspect(person.page, "login-throttled");
});

test("consent", async (t) => {
  await world.latchkey.run(["resource", "add", "--name", "Orders", "--scope", "orders:read", "https://orders.example/"]);
  const person = await signedIn(t);
  const small = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  await person.page.goto(small.authorizeURL({ scope: "openid profile" }));
  await inspect(person.page, "consent");
  await person.decide("allow");
  await small.answer();
  await person.page.goto(small.authorizeURL({ scope: "openid profile email offline_access" }));
  await inspect(person.page, "consent-more");

  const native = await Application.start(t, world.latchkey, {
    name: "A Command Line Tool With Quite a Long Name",
    flags: {
      "token-endpoint-auth-method": "none", "application-type": "native", "client-uri": "https://tool.example/", "policy-uri": "https://tool.example/privacy",
      "tos-uri": "https://tool.example/terms", scope: "openid profile email offline_access orders:read",
      resource: ["https://orders.example/", "https://stock.example/v1/warehouses"],
    },
  });
  const resources = ["https://orders.example/", "https://stock.example/v1/warehouses"].map((r) => `&resource=${encodeURIComponent(r)}`).join("");
  await person.page.goto(native.authorizeURL({ scope: "openid profile email offline_access orders:read" }) + resources);
  await inspect(person.page, "consent-everything");
});

test("consent for an application with a logo", async (t) => {
  const person = await signedIn(t);
  const site = await startWebsite(t, { host: "127.0.0.1" });
  site.pages["/"] = `<!doctype html><link rel="icon" href="data:,"><body style="margin: 0; height: 64px; background: conic-gradient(gold, tomato, rebeccapurple, gold)">`;
  await person.page.goto(site.origin);
  site.pages["/logo.png"] = await person.page.screenshot({ clip: { x: 0, y: 0, width: 64, height: 64 } });
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints", flags: { "logo-uri": `${site.origin}/logo.png` } });
  const asked = [];
  person.page.on("request", (request) => asked.push(new URL(request.url()).origin));
  await person.page.goto(app.authorizeURL());
  assert.equal(await person.page.locator("main img").evaluate((img) => img.complete && img.naturalWidth), 64, "the logo is not shown");
  assert.deepEqual([...new Set(asked)], [world.latchkey.issuer], "the browser asked somebody else");
  await inspect(person.page, "consent-logo");
});

test("a page is under 30 KB with everything", async (t) => {
  const person = await signedIn(t);
  const app = await Application.start(t, world.latchkey);
  for (const at of [app.authorizeURL(), world.latchkey.url("/account"), world.latchkey.url("/oauth2/logout"), app.authorizeURL({ client_id: "nobody" })]) {
    const fresh = await Person.open(t, world.browser, { storageState: await person.context.storageState() });
    const answers = [];
    fresh.page.on("response", (answer) => answer.status() < 300 || answer.status() >= 400 ? answers.push(answer) : 0);
    await fresh.page.goto(at, { waitUntil: "networkidle" }); // what comes after load is weighed as well
    const bodies = await Promise.all(answers.map((answer) => answer.body()));
    const total = bodies.reduce((sum, body) => sum + body.length, 0);
    assert.ok(bodies.length > 1 && total < 30 << 10, `${at}: ${total} bytes in ${bodies.length} answers`);
  }
});

test("consent for an application that registered itself", async (t) => {
  const person = await signedIn(t);
  const app = await Application.start(t, world.latchkey);
  const answer = await fetch(world.latchkey.url("/oauth2/register"), {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ client_name: "Your Bank", redirect_uris: ["https://not-your-bank.example/callback"], scope: "openid profile email" }),
  });
  assert.equal(answer.status, 201);
  app.id = (await answer.json()).client_id;
  await person.page.goto(app.authorizeURL({ redirect_uri: "https://not-your-bank.example/callback" }));
  await inspect(person.page, "consent-unverified");
});

test("account", async (t) => {
  const person = await signedIn(t);
  const { page } = person;
  const phone = await Person.open(t, world.browser, { userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1" });
  await phone.page.goto(world.latchkey.url("/account"));
  await phone.signIn();
  for (const name of ["Photo Prints", "Team Calendar"]) {
    const app = await Application.start(t, world.latchkey, { name, flags: { "client-uri": "https://app.example/" } });
    await page.goto(app.authorizeURL());
    await person.decide("allow");
    await app.exchange((await app.answer()).code);
  }
  await page.goto(world.latchkey.url("/account"));
  await inspect(page, "account");
  await changePassword(page, "wrong", alice.password);
  await inspect(page, "account-password-refused");
  await changePassword(page, alice.password, alice.password);
  await inspect(page, "account-password-changed");
});

test("details in the account", async (t) => {
  const { page } = await signedIn(t, {}, await somebody("ada"));
  await page.goto(world.latchkey.url("/account"));
  await inspect(page, "account-details");
  const form = page.locator("form[action$='/account/profile']");
  await form.locator("[name=name]").fill("Ada Lovelace");
  await form.locator("[name=zoneinfo]").fill("the moon");
  await submit(page, form.locator("button"));
  assert.match(await page.locator("[role=alert]").innerText(), /Europe\/Vienna/);
  await inspect(page, "account-details-refused");
  await form.locator("[name=zoneinfo]").fill("Europe/London");
  await submit(page, form.locator("button"));
  assert.equal(await form.locator("[name=name]").inputValue(), "Ada Lovelace");
  await inspect(page, "account-details-saved");
});

test("device", async (t) => {
  const device = await startDevice();
  const { page } = await signedIn(t);
  await page.goto(world.latchkey.url("/device"));
  await inspect(page, "device");
  await page.locator("[name=user_code]").fill("BBBB-BBBB");
  await submit(page, page.locator("main form button"));
  await inspect(page, "device-refused");
  await page.goto(device.verification_uri_complete);
  assert.equal(await page.locator("[name=user_code]").inputValue(), device.user_code);
  await submit(page, page.locator("main form button"));
  await inspect(page, "device-confirm");
  await submit(page, page.locator("button[name=decision][value=allow]"));
  await inspect(page, "device-done");
  await page.goto((await startDevice()).verification_uri_complete);
  await submit(page, page.locator("main form button"));
  await submit(page, page.locator("button[name=decision][value=deny]"));
  await inspect(page, "device-denied");
});

test("device in German", async (t) => {
  const device = await startDevice();
  const { page } = await signedIn(t, { locale: "de-DE" });
  await page.goto(device.verification_uri_complete);
  await inspect(page, "german-device");
  await submit(page, page.locator("main form button"));
  await inspect(page, "german-device-confirm");
  await submit(page, page.locator("button[name=decision][value=allow]"));
  await inspect(page, "german-device-done");
});

// Begins a device login.
async function startDevice() {
  const made = await fetch(world.latchkey.url("/oauth2/register"), {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      client_name: "Living Room TV", token_endpoint_auth_method: "none", grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
    }),
  });
  assert.equal(made.status, 201);
  const { client_id } = await made.json();
  const answer = await fetch(world.latchkey.url("/oauth2/device_authorization"), {
    method: "POST", body: new URLSearchParams({ client_id, scope: "openid profile email offline_access" }),
  });
  assert.equal(answer.status, 200);
  return answer.json();
}

async function somebody(username) {
  const person = { username, password: "canary-of-somebody" };
  await world.latchkey.addUser(person);
  return person;
}

test("account of someone new", async (t) => {
  const someone = { username: "someone.with.a.rather.long.name@department.example.com", password: "canary-of-someone" };
  await world.latchkey.addUser(someone);
  const person = await signedIn(t, {}, someone);
  await inspect(person.page, "account-new");
});

test("logout", async (t) => {
  const person = await signedIn(t);
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  await person.page.goto(world.latchkey.url(`/oauth2/logout?client_id=${app.id}`));
  await inspect(person.page, "logout");
  await submit(person.page, person.page.locator("button[name=decision][value=logout]"));
  await inspect(person.page, "logged-out");
});

test("somebody outside the group of an application", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  await world.latchkey.run(["client", "update", app.id, "--require-groups", "photographers"]);
  const person = await Person.open(t, world.browser);
  await person.page.goto(app.authorizeURL());
  await person.signIn();
  assert.match(await person.page.locator("h1").innerText(), /can’t use Photo Prints/);
  await inspect(person.page, "outside");
  await submit(person.page, person.page.locator("button[name=decision]"));
  assert.equal((await app.answer()).error, "access_denied");
});

test("errors", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Photo Prints" });
  const { page } = await Person.open(t, world.browser);
  await page.goto(app.authorizeURL({ client_id: "nobody" }));
  await inspect(page, "error-client");
  await page.goto(app.authorizeURL({ redirect_uri: "https://evil.example/" }));
  await inspect(page, "error-redirect");
  await page.goto(world.latchkey.url("/consent?request=nonsense"));
  await inspect(page, "error-forbidden");
});

test("form_post where scripts are off", async (t) => {
  const app = await Application.start(t, world.latchkey, { flags: { "first-party": true } });
  // The page's own script is kept away: with JavaScript off axe-core could not run either.
  const person = await Person.open(t, world.browser, { tolerate: /ERR_FAILED|ERR_BLOCKED/ });
  await person.context.route("**/static/*.js", (route) => route.abort());
  await person.page.goto(app.authorizeURL({ response_mode: "form_post" }));
  await person.signIn();
  await inspect(person.page, "form-post");
});

test("German", async (t) => {
  const app = await Application.start(t, world.latchkey, { name: "Fotodrucke" });
  const person = await Person.open(t, world.browser, { locale: "de-DE" });
  await person.page.goto(app.authorizeURL({ scope: "openid profile email offline_access" }));
  await inspect(person.page, "german-login");
  await person.signIn();
  await inspect(person.page, "german-consent");
  await person.page.goto(world.latchkey.url("/account"));
  await inspect(person.page, "german-account");
});

async function signedIn(t, options, who) {
  const person = await Person.open(t, world.browser, options);
  await person.page.goto(world.latchkey.url("/account"));
  await person.signIn(who);
  return person;
}

async function changePassword(page, current, next) {
  const closed = page.locator("details:not([open]):has(input[name=current_password]) > summary");
  if (await closed.count()) await closed.click();
  await page.fill("input[name=current_password]", current);
  await page.fill("input[name=new_password]", next);
  await page.fill("input[name=new_password_again]", next);
  await submit(page, page.locator("form:has(input[name=current_password]) button"));
}
