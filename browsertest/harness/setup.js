// What every test file starts with: one server and one browser, which end with the file.
import { after, before } from "node:test";
import { Latchkey } from "./latchkey.js";
import { startBrowser } from "./people.js";

/** Gives an object that has latchkey and browser once the tests run. The options are those of Latchkey.start. */
export function setup(options) {
  const world = {};
  before(async () => {
    [world.latchkey, world.browser] = await Promise.all([Latchkey.start(options), startBrowser()]);
  });
  after(async () => {
    await world.browser?.close();
    await world.latchkey?.stop();
  });
  return world;
}
