// Everything that the rest of the application knows of signing in. Both ways stand behind the same four functions: who has
// signed in by password stays signed in, and every new login goes through Latchkey's own pages.
import { ErrorResponse, UserManager, WebStorageStateStore } from "oidc-client-ts";
import * as password from "./password.js";
import { clientID, issuer } from "./settings.js";

const home = `${location.origin}/`;

const manager = new UserManager({
  authority: issuer,
  client_id: clientID,
  redirect_uri: home,
  post_logout_redirect_uri: home,
  scope: "openid profile",
  // The ID token says who, and only what it is asked for besides. (/oauth2/userinfo has the rest for tokens in Latchkey's own
  // format; those in simplejwt's it does not take.)
  extraQueryParams: { claims: JSON.stringify({ id_token: { preferred_username: null } }) },
  // All tabs share one session. Without this line each tab has its own, which ends with it.
  userStore: new WebStorageStateStore({ store: localStorage }),
});

/** Call this first: it finishes a login or a logout that has come back to the application. */
export async function start() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return;
  if (answer.has("code") || answer.has("error")) {
    try {
      await manager.signinCallback();
      await password.signOut(); // what was there before has done its service
    } finally {
      history.replaceState(null, "", home); // the code is used up
    }
  } else {
    await manager.signoutCallback();
    history.replaceState(null, "", home);
  }
}

/** Who is signed in and how, or null. */
export async function who() {
  const user = await manager.getUser();
  if (user) return { way: "redirect", name: user.profile.preferred_username ?? user.profile.sub };
  return password.tokens() ? { way: "password" } : null;
}

export const signIn = () => manager.signinRedirect();

export async function signOut() {
  await password.signOut();
  if (await manager.getUser()) await manager.signoutRedirect();
}

/** An access token for the API, refreshed when it must be; null when nobody is signed in. */
export async function accessToken() {
  const user = await manager.getUser();
  if (!user) return password.accessToken();
  return user.expired ? refresh() : user.access_token;
}

/** Gets a new access token whether the old one is good or not. */
export async function refresh() {
  if (!(await manager.getUser())) return password.refresh();
  try {
    return (await manager.signinSilent()).access_token;
  } catch (refused) {
    if (!(refused instanceof ErrorResponse)) throw refused; // a server that is away has not ended the session
    await manager.removeUser();
    return null;
  }
}
