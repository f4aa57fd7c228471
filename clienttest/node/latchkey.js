// The running server, as the test that started this process describes it (see ../node_test.go).
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

export const issuer = process.env.LATCHKEY_ISSUER;

/** Where answers go; nothing listens there, since the driver stops before. */
export const callback = "http://127.0.0.1/callback";

/** Runs a command of the binary on the server's database and gives the JSON that it prints. */
export async function latchkey(...args) {
  const { stdout } = await run(process.env.LATCHKEY_TEST_BINARY, args);
  return JSON.parse(stdout);
}

/** Adds a client of the code flow and gives the registration response. Lists become repeated flags. */
export async function addClient(flags = {}) {
  const all = {
    "client-name": "Client test",
    "redirect-uri": callback,
    "grant-type": ["authorization_code", "refresh_token"],
    scope: "openid profile email offline_access",
    ...flags,
  };
  return latchkey("client", "add", ...Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `--${name}=${one}`)));
}

/** What a command changes holds in a running server within a second. */
export async function eventually(check) {
  for (let i = 0; i < 100; i++) {
    try { return await check(); } catch { await new Promise((resolve) => setTimeout(resolve, 20)); }
  }
  return check();
}
