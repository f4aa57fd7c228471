// The plots of the console: what happened in the last day and month.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "./harness/inspect.js";
import { alice } from "./harness/latchkey.js";
import { Person } from "./harness/people.js";
import { planter } from "./harness/planter.js";
import { setup } from "./harness/setup.js";

const world = setup({ flags: ["--console", "on", "--admin-group", "operators"] });
const plant = planter();

test("the plots of a month in which somebody guessed passwords for an hour", async (t) => {
  await plant(world.latchkey, "month");
  await world.latchkey.run(["user", "update", alice.username, "--group", "operators"]);
  const person = await Person.open(t, world.browser);
  await person.page.goto(world.latchkey.url("/console"));
  await person.signIn();

  const day = await plots(person.page, "The last day");
  const refused = day["Refused logins"];
  assert.ok(refused.total >= 60 && refused.total < 100, `${refused.total} refused logins in a day`);
  assert.equal(refused.bars.filter((height) => height > 10).length, 1, "the hour of the guesses stands out");
  assert.equal(Math.max(...refused.bars), 60, "the highest bar fills the plot");
  assert.deepEqual(day["Reuse detected"], { total: 1, bars: [60], table: [1] });

  const month = await plots(person.page, "The last 30 days");
  assert.ok(month["Logins"].bars.length >= 28, `logins on ${month["Logins"].bars.length} days`);
  for (const [title, { total, bars, table }] of Object.entries(month)) {
    assert.equal(table.reduce((sum, n) => sum + n, 0), total, `${title}: the table has the numbers of the plot`);
    assert.equal(bars.length, table.length, `${title}: a bar for each number`);
  }
  await inspect(person.page, "console-plots");
});

/** Returns, by their titles, the plots under a heading: the total, the heights of the bars, and the numbers of the table. */
async function plots(page, heading) {
  return page.locator("section").filter({ has: page.getByRole("heading", { name: heading }) }).locator("figure").evaluateAll((figures) =>
    Object.fromEntries(figures.map((figure) => [
      figure.querySelector("figcaption").textContent.split(":")[0],
      {
        total: Number(figure.querySelector("figcaption strong").textContent),
        bars: [...figure.querySelectorAll("rect")].map((bar) => bar.height.baseVal.value),
        table: [...figure.querySelectorAll("tbody tr td:last-child")].map((cell) => Number(cell.textContent)),
      },
    ])));
}
