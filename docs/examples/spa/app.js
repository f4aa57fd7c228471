// The application: it shows who is signed in and what the API says.
import * as auth from "./auth.js";
import * as password from "./password.js";
import { issuer } from "./settings.js";

const $ = (id) => document.getElementById(id);

async function show() {
  const user = await auth.who();
  $("who").textContent = user ? `Signed in by ${user.way}${user.name ? ` as ${user.name}` : ""}` : "Signed out";
  $("sign-out").hidden = !user;
}

/** Asks the API, here the one that every Latchkey has: is this token good? */
async function callAPI(token) {
  const answer = await fetch(`${issuer}/api/token/verify/`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
  });
  $("api").textContent = answer.ok ? "The API accepts the token" : `The API answered ${answer.status}`;
}

/** Does what a button is for, and shows what came of it. */
function on(id, event, act) {
  $(id).addEventListener(event, async (e) => {
    e.preventDefault();
    try {
      await act(e);
      await show();
    } catch (problem) {
      $("who").textContent = problem.message;
    }
  });
}

on("old-login", "submit", (e) => password.signIn(e.target.username.value, e.target.password.value));
on("sign-in", "click", auth.signIn);
on("sign-out", "click", auth.signOut);
on("call-api", "click", async () => callAPI(await auth.accessToken()));
on("refresh", "click", async () => callAPI(await auth.refresh()));

await auth.start().catch((problem) => console.warn(problem));
await show();
