// People with browsers. Whatever goes wrong in a page that they see (a script's error, a violation of the Content Security
// Policy, a resource that is missing) fails the test, whether it looked for it or not.
import assert from "node:assert/strict";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { alice } from "./latchkey.js";

const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];

/** Starts Chromium. A person is a context of it: cookies and storage of their own. */
export async function startBrowser(...moreFlags) {
  return chromium.launch({
    executablePath: await findChromium(),
    args: [...flags, ...moreFlags],
    // Playwright turns it off; people have it, and it must not bring back a page of someone who has signed out.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
}

async function findChromium() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      const path = join(folder, name);
      if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
    }
  }
  throw new Error("no chromium in PATH; on Debian: apt-get install chromium");
}

/** Is this what Chromium says of a page that was answered with an error status? The tests look at the status themselves. */
const isStatus = (text) => text.startsWith("Failed to load resource: the server responded with a status of");

export class Person {
  /** What went wrong in this person's pages. */
  problems = [];

  /** Opens a browser of their own. The options are Playwright's of a context; tolerate is a pattern of what is expected to go wrong. */
  static async open(t, browser, { tolerate, ...options } = {}) {
    const person = new Person();
    person.context = await browser.newContext({ locale: "en-US", reducedMotion: "reduce", ...options });
    person.context.setDefaultTimeout(30_000);
    const complain = (text) => tolerate?.test(text) || person.problems.push(text);
    person.context.on("console", (message) => {
      if (["error", "warning"].includes(message.type()) && !isStatus(message.text())) complain(`${message.page()?.url()}: ${message.text()}`);
    });
    person.context.on("weberror", (e) => complain(`${e.page()?.url()}: ${e.error()}`));
    person.context.on("response", (answer) => {
      if (answer.status() >= 400 && !answer.request().isNavigationRequest()) complain(`${answer.url()} answered ${answer.status()}`);
    });
    person.page = await person.context.newPage();
    t.after(async () => {
      await person.context.close();
      assert.deepEqual(person.problems, [], "what went wrong in the pages");
    });
    return person;
  }

  /** Fills in the login page that is shown. */
  async signIn({ username, password } = alice, page = this.page) {
    await page.fill("input[name=username]", username);
    await page.fill("input[name=password]", password);
    await submit(page, page.locator("form:has(input[name=password]) button:not([name=action])"));
  }

  /** Presses allow or deny on the consent page that is shown. */
  async decide(value, page = this.page) {
    await submit(page, page.locator(`button[name=decision][value=${value}]`));
  }
}

/** Presses a button that sends a form, and waits for the page that comes of it. */
export async function submit(page, button) {
  const loaded = page.waitForEvent("load");
  await button.click();
  await loaded;
}

/** The path of the page that is shown. */
export const path = (page) => new URL(page.url()).pathname;

/** What is on the page, as a person reads it. */
export const text = (page) => page.locator("body").innerText();
