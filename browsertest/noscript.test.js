import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { setup } from "./harness/setup.js";

const world = setup();

test("everything works without JavaScript", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await Person.open(t, world.browser, { javaScriptEnabled: false });
  const { page } = person;
  await page.goto(app.authorizeURL());
  await person.signIn();
  await person.decide("allow");
  await app.exchange((await app.answer()).code);

  await page.goto(app.authorizeURL({ response_mode: "form_post" }));
  assert.ok(page.url().startsWith(world.latchkey.issuer), "the form sent itself");
  await submit(page, page.locator("button"));
  assert.equal((await app.answer()).method, "POST");

  await page.goto(world.latchkey.url("/account"));
  await submit(page, page.locator(`form:has(input[value="${app.id}"]) button`));
  assert.equal(await page.locator(`form:has(input[value="${app.id}"])`).count(), 0);
  const closed = page.locator("details:not([open]):has(input[name=current_password]) > summary");
  if (await closed.count()) await closed.click();
  await page.fill("input[name=current_password]", "wrong");
  await page.fill("input[name=new_password]", "canary-of-alice-9999");
  await page.fill("input[name=new_password_again]", "canary-of-alice-9999");
  await submit(page, page.locator("form:has(input[name=current_password]) button"));
  assert.ok(await page.locator("input[name=current_password]").isVisible(), "what is wrong stands where nobody sees it");
  assert.ok(await page.locator("[role=alert]").isVisible());
  await submit(page, page.locator("form[action$='/account/sign-out'] button").first());
  assert.equal(await page.locator("h1").count(), 1);
  await page.goto(world.latchkey.url("/account"));
  assert.equal(path(page), "/login");
  assert.doesNotMatch(await text(page), /JavaScript/i);
});
