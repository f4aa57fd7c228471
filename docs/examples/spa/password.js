// The way that goes: the application takes the password and keeps what /api/token/ answers. This is the code that the
// application has had all along.
import { issuer } from "./settings.js";

const key = "tokens";

/** The tokens of whoever signed in this way, or null. */
export const tokens = () => JSON.parse(localStorage.getItem(key));

export async function signIn(username, password) {
  keep(await post("/api/token/", { username, password }));
}

/** An access token that is still good, or null when the session has ended. */
export async function accessToken() {
  const kept = tokens();
  if (kept && expiry(kept.access) < Date.now() + 10_000) return refresh();
  return kept?.access ?? null;
}

export async function refresh() {
  const kept = tokens();
  if (!kept) return null;
  try {
    keep({ ...kept, ...(await post("/api/token/refresh/", { refresh: kept.refresh })) });
  } catch (refused) {
    if (refused.status !== 401) throw refused; // a server that is away has not ended the session
    localStorage.removeItem(key);
  }
  return tokens()?.access ?? null;
}

export async function signOut() {
  const kept = tokens();
  localStorage.removeItem(key);
  if (kept) await post("/api/token/blacklist/", { refresh: kept.refresh });
}

const keep = (answer) => localStorage.setItem(key, JSON.stringify(answer));

const expiry = (token) => JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).exp * 1000;

async function post(path, body) {
  const answer = await fetch(issuer + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw Object.assign(new Error(`${path} answered ${answer.status}`), { status: answer.status });
  return answer.json();
}
