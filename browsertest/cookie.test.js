// The refresh token's cookie of the simplejwt routes: which pages may use it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as forward } from "node:http";
import { after, before, test } from "node:test";
import { alice, Latchkey } from "./harness/latchkey.js";
import { Person, startBrowser } from "./harness/people.js";
import { startWebsite } from "./harness/website.js";

const cookieName = "__Host-refresh";

let browser;
before(async () => { browser = await startBrowser(); });
after(() => browser?.close());

// What the pages have in common. ask posts to the API and returns the status and the members of the answer.
const page = (api, body = "") => `<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">${body}<script>
const blind = { mode: "no-cors", credentials: "include" };
const json = (body) => ({ headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
const userOf = (access) => JSON.parse(atob(access.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).user_id;
async function ask(path, options = {}) {
  try {
    const answer = await fetch(${JSON.stringify(api)} + path, { method: "POST", ...options });
    if (answer.type === "opaque") return { opaque: true };
    const body = await answer.json();
    return { status: answer.status, members: Object.keys(body).sort().join(" "), body };
  } catch (e) {
    return { error: e.name };
  }
}
</script>`;

const shape = ({ status, members }) => [status, members];

// One browser visits pages of four origins: the server's own, one that is listed, one of the same site that is not, one of
// another site, and the server's own again.
test("the refresh token's cookie", async (t) => {
  const own = await startProxy(t);
  const listed = await startWebsite(t);
  const neighbour = await startWebsite(t);
  const untrusted = await startWebsite(t, { host: "127.0.0.1" }); // another site than localhost
  const latchkey = await Latchkey.start({ issuer: own.origin, flags: ["--simplejwt-refresh-cookie=refresh", `--cors-origins=${listed.origin}`] });
  t.after(() => latchkey.stop());
  own.backend = latchkey.listen;
  const mallory = { username: "mallory", password: alice.password };
  await latchkey.addUser(mallory);
  own.page = page(own.origin);
  listed.pages["/"] = neighbour.pages["/"] = page(own.origin);
  untrusted.pages["/"] = page(own.origin, `<form method="post" action="${own.origin}/api/token/">
    <input name="username" value="${mallory.username}"><input name="password" value="${mallory.password}"></form>`);
  const person = await Person.open(t, browser, { tolerate: /CORS policy|net::ERR_FAILED|\/api\/token\/\S* answered 40[03]/ });
  const at = (origin, script, argument) => person.page.goto(`${origin}/`).then(() => person.page.evaluate(script, argument));

  const application = await at(own.origin, async (user) => ({
    login: await ask("/api/token/", json(user)),
    scripts: [document.cookie, ...(await cookieStore.getAll())],
    refreshes: [await ask("/api/token/refresh/"), await ask("/api/token/refresh/", json({}))],
  }), alice);
  const userID = await person.page.evaluate((access) => userOf(access), application.login.body.access);
  for (const answer of [application.login, ...application.refreshes]) assert.deepEqual(shape(answer), [200, "access"]);
  assert.deepEqual(application.scripts, [""], "scripts can read the cookie");
  const cookies = own.sent(own.origin).map((exchange) => exchange.cookie);
  assert.equal(cookies.length, 3);
  assert.ok(cookies[1] && cookies[2] && cookies[1] !== cookies[2], "the browser did not rotate the cookie");

  const elsewhere = await at(listed.origin, () => ask("/api/token/refresh/", { ...json({}), credentials: "include" }));
  assert.deepEqual(shape(elsewhere), [200, "access"], "a listed page cannot refresh");

  const nearby = await at(neighbour.origin, async (user) => [
    await ask("/api/token/refresh/", { credentials: "include" }),
    await ask("/api/token/refresh/", blind),
    await ask("/api/token/blacklist/", blind),
    await ask("/api/token/", { ...blind, body: new URLSearchParams(user) }),
  ], mallory);
  assert.deepEqual(nearby, [{ error: "TypeError" }, { opaque: true }, { opaque: true }, { opaque: true }]);
  const paths = ["/api/token/refresh/", "/api/token/refresh/", "/api/token/blacklist/", "/api/token/"];
  // A browser sends the cookie to another origin of the same site: only the server can refuse it.
  assertRefused(own.sent(neighbour.origin), "same-site", true, paths);

  await at(untrusted.origin, () => ask("/api/token/refresh/", blind));
  await Promise.all([
    person.page.waitForURL(`${own.origin}/api/token/`),
    person.page.evaluate(() => document.forms[0].submit()),
  ]);
  assertRefused(own.sent(untrusted.origin), "cross-site", false, ["/api/token/refresh/", "/api/token/"]);

  const again = await at(own.origin, async () => {
    const refresh = await ask("/api/token/refresh/");
    return { refresh, user: userOf(refresh.body.access), blacklist: await ask("/api/token/blacklist/"), dead: await ask("/api/token/refresh/") };
  });
  assert.deepEqual(shape(again.refresh), [200, "access"]);
  assert.equal(again.user, userID, "the session belongs to another user");
  assert.deepEqual(shape(again.blacklist), [200, ""]);
  assert.deepEqual(shape(again.dead), [400, "refresh"], "the session is not over");
  assert.equal(own.sent(own.origin).at(-1).cookie, undefined, "the browser has kept the cookie");
});

/** Asserts that these requests were sent, in this order, with the cookie or without, and that each was refused and set no cookie. */
function assertRefused(exchanges, site, withCookie, paths) {
  const seen = exchanges.map(({ cookie, ...rest }) => ({ ...rest, withCookie: cookie !== undefined }));
  assert.deepEqual(seen, paths.map((path) => ({ path, site, status: 403, setCookie: undefined, withCookie })));
}

/**
 * Starts a reverse proxy that serves the application's page beside the API, as in a deployment of one origin, and records the
 * POST requests.
 */
async function startProxy(t) {
  const proxy = { page: "", backend: undefined };
  const exchanges = [];
  const server = createServer((request, response) => {
    if (!request.url.startsWith("/api/")) {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(proxy.page);
      return;
    }
    const { method, url: path, headers } = request;
    request.pipe(forward({ ...proxy.backend, method, path, headers }, (answer) => {
      if (method === "POST") {
        const cookie = headers.cookie?.split("; ").find((c) => c.startsWith(`${cookieName}=`));
        exchanges.push({
          origin: headers.origin,
          seen: { path, site: headers["sec-fetch-site"], cookie, status: answer.statusCode, setCookie: answer.headers["set-cookie"] },
        });
      }
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    }).on("error", () => response.destroy()));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => { server.closeAllConnections(); server.close(); });
  proxy.origin = `http://localhost:${server.address().port}`;
  proxy.sent = (origin) => exchanges.filter((e) => e.origin === origin).map((e) => e.seen);
  return proxy;
}
