import assert from "node:assert/strict";
import { test } from "node:test";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { eventually, latchkey } from "./latchkey.js";
import { Agent, startServer, whoami } from "./mcp.js";

test("an agent that knows only the MCP server's URL gets in", async (t) => {
  const url = await startServer(t);
  const agent = new Agent();
  const client = await agent.connect(url);
  t.after(() => client.close());
  assert.deepEqual(agent.person.shown.map((page) => page.split("/").at(-1)), ["login", "consent"]);
  assert.equal(agent.address.searchParams.get("resource"), url);
  assert.equal(agent.address.searchParams.get("code_challenge_method"), "S256");
  const who = await whoami(client);
  assert.equal(who.client, agent.information.client_id);

  for (let i = 0; i < 3; i++) {
    const before = agent.kept;
    assert.ok(before.refresh_token);
    agent.kept = { ...before, access_token: "has expired" };
    assert.equal((await whoami(client)).subject, who.subject, "after a refresh");
    assert.notEqual(agent.kept.access_token, before.access_token);
    assert.notEqual(agent.kept.refresh_token, before.refresh_token);
  }
  assert.equal(agent.person.shown.length, 2, "nobody was asked again");

  await latchkey("session", "revoke", "--user=demo", "--json");
  agent.kept.access_token = "has expired";
  await assert.rejects(whoami(client), UnauthorizedError);
  assert.equal(agent.kept, undefined, "the agent has forgotten what does not work any more");
});

const agents = {
  "says nothing of how it authenticates": { token_endpoint_auth_method: undefined },
  "wants a secret": { token_endpoint_auth_method: "client_secret_post" },
  "tells of itself, and asks for all there is": {
    client_uri: "https://agent.example.com", software_id: "agent", software_version: "1.2", scope: "openid profile offline_access",
  },
  "lists grant types that it can't have": {
    grant_types: ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
  },
};

for (const [what, clientMetadata] of Object.entries(agents)) {
  test(`an agent that ${what}`, async (t) => {
    const agent = new Agent({ clientMetadata });
    const client = await agent.connect(await startServer(t));
    t.after(() => client.close());
    assert.equal("client_secret" in agent.information, "token_endpoint_auth_method" in clientMetadata);
    const who = await whoami(client);
    agent.kept = { ...agent.kept, access_token: "has expired" };
    assert.deepEqual(await whoami(client), who);
  });
}

test("Latchkey describes the MCP server (RFC 9728)", async (t) => {
  const url = await startServer(t, {
    scopes: ["greet"],
    describe: async (resource) => (await latchkey("resource", "add", resource, "--name=Greeter", "--scope=greet")).resource_metadata,
  });
  const refused = await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  assert.equal(refused.status, 401);
  const [, document] = /resource_metadata="([^"]+)"/.exec(refused.headers.get("www-authenticate"));
  await eventually(async () => assert.equal((await fetch(document)).status, 200));
  const agent = new Agent();
  const client = await agent.connect(url);
  t.after(() => client.close());
  assert.deepEqual((await whoami(client)).scopes, ["greet"]);
});

test("a token for one MCP server is no good at another", async (t) => {
  const [one, other] = [await startServer(t), await startServer(t)];
  const agent = new Agent();
  await (await agent.connect(one)).close();
  const answer = await fetch(other, { method: "POST", body: "{}", headers: {
    "content-type": "application/json", authorization: `Bearer ${agent.kept.access_token}`,
  } });
  assert.equal(answer.status, 401);
  assert.match((await answer.json()).error_description, /aud/);
});
