// Runs inside the network of ../clientdocument_linux_test.go.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Agent, startServer, whoami } from "./mcp.js";

const maker = process.env.CLIENTTEST_MAKER_URL;

test("an agent that nobody registered gets in by the URL of its document", async (t) => {
  const url = await startServer(t);
  const id = `${maker}/client.json`;
  for (const agent of [new Agent({ clientMetadataUrl: id }), new Agent({ clientMetadataUrl: id })]) {
    const client = await agent.connect(url);
    t.after(() => client.close());
    assert.deepEqual(agent.person.shown, ["/login", "/consent"]);
    assert.equal(agent.address.searchParams.get("client_id"), id);
    assert.equal((await whoami(client)).client, id);
    for (let i = 0; i < 3; i++) {
      const before = agent.kept;
      agent.kept = { ...before, access_token: "has expired" };
      await whoami(client);
      assert.notEqual(agent.kept.refresh_token, before.refresh_token);
    }
  }
});

test("a document of somebody else is nobody's", async (t) => {
  const url = await startServer(t);
  const agent = new Agent({ clientMetadataUrl: `${maker}/of-another.json` });
  await assert.rejects(agent.connect(url), /not of this client/);
  assert.deepEqual(agent.person.shown, ["/oauth2/authorize"]);
});
