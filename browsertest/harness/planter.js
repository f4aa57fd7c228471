// What can't be had from a server within a test is written to its database by the command plant.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { execute } from "./latchkey.js";

/** Builds the command, and returns the function that runs it on the database of a server. */
export function planter() {
  let scratch, binary;
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "plant-"));
    binary = join(scratch, "plant");
    const repository = fileURLToPath(new URL("../..", import.meta.url));
    const { code, stderr } = await execute(process.env.GO ?? "go", ["build", "-C", repository, "-o", binary, "./browsertest/plant"], process.env);
    assert.equal(code, 0, stderr);
  });
  after(() => rm(scratch, { recursive: true }));
  return async (latchkey, what, args = [], input = "") => {
    const { code, stderr } = await execute(binary, [what, latchkey.database, ...args], process.env, input);
    assert.equal(code, 0, stderr);
  };
}
