// An issuer with a path: https://www.example.com/auth beside a web site.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Application } from "./harness/application.js";
import { Person, path, submit, text } from "./harness/people.js";
import { alice } from "./harness/latchkey.js";
import { setup } from "./harness/setup.js";

const world = setup({ path: "/auth" });

test("nothing leaves the issuer's path", async (t) => {
  const app = await Application.start(t, world.latchkey);
  const person = await Person.open(t, world.browser);
  const { page } = person;
  const outside = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${world.latchkey.issuer}/`) && !url.startsWith(app.origin)) outside.push(url);
  });
  await page.goto(app.authorizeURL());
  await person.signIn({ ...alice, password: "wrong" });
  await person.signIn();
  await person.decide("allow");
  const tokens = await app.exchange((await app.answer()).code);

  await page.goto(world.latchkey.url("/"));
  assert.equal(path(page), "/auth/account");
  await page.fill("input[name=current_password]", "wrong");
  await page.fill("input[name=new_password]", "canary-of-alice-9999");
  await page.fill("input[name=new_password_again]", "canary-of-alice-9999");
  await submit(page, page.locator("form:has(input[name=current_password]) button"));
  assert.equal(await page.locator("[role=alert]").count(), 1);
  await submit(page, page.locator(`form:has(input[value="${app.id}"]) button`));
  assert.equal(path(page), "/auth/account");
  assert.equal((await app.refresh(tokens.refresh_token)).status, 400);

  await page.goto(world.latchkey.url("/oauth2/logout"));
  await submit(page, page.locator("button[name=decision][value=logout]"));
  await page.goto(world.latchkey.url("/account"));
  assert.equal(path(page), "/auth/login");
  await person.signIn();
  assert.equal(path(page), "/auth/account");
  await submit(page, page.locator("form[action$='/account/sign-out'] button").first());
  assert.match(await text(page), /signed out/);
  await submit(page, page.locator("main a").first());
  assert.equal(path(page), "/auth/login");
  assert.deepEqual(outside, []);
});
