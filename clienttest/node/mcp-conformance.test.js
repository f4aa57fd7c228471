// The conformance suite of the Model Context Protocol, as far as it tests authorization servers. Its released versions do not
// at all; with a client secret it leaves the secret out when a server supports public clients, so that here is a public one.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Browser } from "./browser.js";
import { addClient, issuer } from "./latchkey.js";

const suite = fileURLToPath(new URL("node_modules/@modelcontextprotocol/conformance/dist/index.js", import.meta.url));
// Where the suite asks a person to go.
const invitation = new RegExp(`^${issuer}/oauth2/authorize\\S+$`, "m");

// With each version of the specification for which it has scenarios, and with the resource spelt as people do.
const modes = {
  "all scenarios": ["--resource=http://127.0.0.1/mcp"],
  "2025-06-18": ["--spec-version=2025-06-18", "--resource=http://127.0.0.1/mcp"],
  "2025-11-25": ["--spec-version=2025-11-25", "--resource=http://127.0.0.1/mcp"],
  "2026-07-28": ["--spec-version=2026-07-28", "--resource=HTTP://127.0.0.1:80/mcp"],
};

for (const [mode, flags] of Object.entries(modes)) test(`the conformance suite of MCP: ${mode}`, async (t) => {
  const { client_id: id } = await addClient({ "token-endpoint-auth-method": "none", "application-type": "native" });
  const port = await freePort();
  const child = spawn(process.execPath, [
    "--no-warnings", "--experimental-loader=./conformance-loader.js", suite,
    "authorization", `--url=${issuer}`, `--client-id=${id}`, `--port=${port}`, ...flags,
  ], { stdio: ["ignore", "pipe", "inherit"], timeout: 60_000 });
  t.after(() => child.kill());
  let output = "";
  let sent;
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    const address = invitation.exec(output)?.[0];
    if (address) sent ??= new Browser().visit(address, "http://127.0.0.1:").then(fetch);
  });
  const [code] = await once(child, "close");
  await sent;
  assert.equal(code, 0, output);
  assert.match(output, /Total: [1-9]\d* passed, 0 failed/);
  for (const scenario of ["authorization-server-metadata-endpoint", "authorization-code-grant"]) {
    assert.match(output, new RegExp(`✓ ${scenario}: [1-9]\\d* passed, 0 failed`));
  }
});

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}
