// The look that operators set (docs/branding.md), with colours that can only just be read: axe-core's color-contrast sees the real pages.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Application } from "./harness/application.js";
import { inspect } from "./harness/inspect.js";
import { path, Person, submit } from "./harness/people.js";
import { setup } from "./harness/setup.js";
import { startWebsite } from "./harness/website.js";

// Grey at 4.54 on the card of the light scheme and at 4.56 on that of the dark one, both less on what is around it.
const faint = { light: "#767676", dark: "#878787" };

const folder = mkdtempSync(join(tmpdir(), "latchkey-logo-"));
after(() => rmSync(folder, { recursive: true }));

const logo = join(folder, "logo.svg");
writeFileSync(logo, `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40" viewBox="0 0 160 40"><rect width="160" height="40" rx="8" fill="#567"/><circle cx="22" cy="20" r="10" fill="#fff"/></svg>`);

const world = setup({
  flags: [
    "--product-name", "Acme ID", "--logo", logo, "--accent", faint.light, "--accent-dark", faint.dark, "--terms-url", "https://acme.example/terms",
    "--privacy-url", "https://acme.example/privacy", "--support-url", "mailto:help@acme.example", "--outbound-allow", "127.0.0.0/8",
    "--sign-up", "open", "--smtp-url", "smtp://127.0.0.1:25?tls=off", "--mail-from", "no-reply@acme.example", // no letter is sent
  ],
});

const link = (page, name) => page.getByRole("link", { name, exact: true });

test("the service's look", async (t) => {
  const person = await Person.open(t, world.browser);
  const { page } = person;
  await page.goto(world.latchkey.url("/login"));
  assert.equal(await page.locator("header img").getAttribute("alt"), "Acme ID");
  assert.match(await page.locator("footer").innerText(), /Acme ID · localhost:/);
  assert.equal(await link(page, "Terms of service").getAttribute("href"), "https://acme.example/terms");
  await inspect(page, "look-login");
  await submit(page, link(page, "Create an account"));
  assert.match(await page.locator("main .legal").innerText(), /you accept the Terms of service/);
  await inspect(page, "look-sign-up");
  await page.goto(world.latchkey.url("/login"));
  await person.signIn();
  assert.equal(path(page), "/account");
  await inspect(page, "look-account");
});

test("a client's look", async (t) => {
  const app = await Application.start(t, world.latchkey, {
    name: "Shop",
    flags: {
      "brand-name": "The Shop at the Corner", "brand-accent": "#b46000", "brand-accent-dark": "#e15675", "brand-terms-uri": "https://shop.example/terms",
    },
  });
  const person = await Person.open(t, world.browser);
  const { page } = person;
  await page.goto(app.authorizeURL({ ui_locales: "de" }));
  assert.equal(await page.locator("header").innerText(), "The Shop at the Corner");
  assert.match(await page.locator("footer").innerText(), /Acme ID · localhost:/);
  assert.equal(await link(page, "Nutzungsbedingungen").getAttribute("href"), "https://shop.example/terms");
  assert.equal(await page.locator("button.primary").first().evaluate((b) => getComputedStyle(b).backgroundColor), "rgb(180, 96, 0)");
  await inspect(page, "look-client-login");
  await page.locator("button.primary").first().hover();
  await inspect(page, "look-client-login-hover");
  await person.signIn();
  assert.equal(path(page), "/consent");
  await inspect(page, "look-client-consent");
  // A picture of the header is its logo.
  const picture = await page.locator("header").screenshot();
  const website = await startWebsite(t, { host: "127.0.0.1", pages: { "/logo.png": picture } });
  await world.latchkey.run(["client", "update", app.id, "--brand-logo-uri", `${website.origin}/logo.png`]);
  for (let tries = 0; tries < 600 && (await page.locator("header img").count()) === 0; tries++) await page.reload(); // until the server has noticed
  assert.equal(await page.locator("header img").evaluate((image) => image.decode().then(() => image.alt)), "The Shop at the Corner");
  await inspect(page, "look-client-logo");
});

// Whoever is lost on the way to a client still sees where they were going: issue 14, point 7.
test("a client's look on the pages of errors and of a logout", async (t) => {
  const app = await Application.start(t, world.latchkey, {
    name: "Shop", flags: { "brand-name": "The Shop at the Corner", "brand-accent": "#b46000", "brand-accent-dark": "#e15675" },
  });
  const person = await Person.open(t, world.browser);
  const { page } = person;
  const looks = async (name) => {
    assert.equal(await page.locator("header").innerText(), "The Shop at the Corner", name);
    assert.match(await page.locator("footer").innerText(), /Acme ID · localhost:/, name);
    await inspect(page, `look-client-${name}`);
  };
  await page.goto(app.authorizeURL({ redirect_uri: `${app.redirectURI}/wrong`, ui_locales: "de" }));
  assert.equal(await page.locator("html").getAttribute("lang"), "de");
  await looks("error");
  await page.goto(app.authorizeURL());
  await person.signIn();
  const logout = (more = {}) => world.latchkey.url(`/oauth2/logout?${new URLSearchParams({ client_id: app.id, ...more })}`);
  await page.goto(logout({ ui_locales: "de" }));
  await looks("logout");
  await page.goto(logout({ post_logout_redirect_uri: "https://elsewhere.example/" }));
  await looks("logout-elsewhere");
  await submit(page, page.locator("button[name=decision][value=logout]"));
  await looks("logged-out");
  await page.goto(logout());
  await looks("not-logged-out");
});
