// How a page looks, and whether everybody can use it: axe-core, widths, and screenshots for people to look at.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Where the screenshots go. */
export const screenshots = process.env.LATCHKEY_SCREENSHOTS ?? fileURLToPath(new URL("../../build/screenshots", import.meta.url));

const schemes = ["light", "dark"];
const narrow = { width: 320, height: 568 };
const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const wcag = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Looks at the page that is shown in every colour scheme and size, and takes its pictures. */
export async function inspect(page, name) {
  await mkdir(screenshots, { recursive: true });
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewportSize(viewport);
      assert.deepEqual(await violations(page), [], `axe-core on ${name}, ${colorScheme}, ${size}`);
      await page.screenshot({ path: join(screenshots, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await assertFits(page, name);
  await page.setViewportSize(sizes.desktop);
}

/** Fails when the page must be scrolled sideways on the narrowest screen, or when something sticks out of it: WCAG 2.2, 1.4.10. */
export async function assertFits(page, name) {
  await page.setViewportSize(narrow);
  const outside = await page.evaluate((width) => {
    const root = document.scrollingElement;
    const wide = root.scrollWidth > width ? [`the page is ${root.scrollWidth} px wide`] : [];
    const clipped = (e) => e && (getComputedStyle(e).overflowX !== "visible" || clipped(e.parentElement));
    for (const e of document.body.querySelectorAll("*")) {
      const box = e.getBoundingClientRect();
      if (box.width > 1 && box.height > 1 && (box.right > width + 1 || box.left < -1) && !clipped(e.parentElement)) wide.push(`${e.outerHTML.slice(0, 80)}: ${box.left} to ${box.right}`);
    }
    return wide;
  }, narrow.width);
  assert.deepEqual(outside, [], `${name} at ${narrow.width} px`);
}

/** What axe-core has to say of the page that is shown. */
export async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] }), wcag);
  return found.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)} (${n.failureSummary.replaceAll(/\s+/g, " ")})`));
}
