// Signs a user in with a browser and calls the userinfo endpoint: code + PKCE with oauth4webapi, after registering by itself.
//
//     npm install oauth4webapi
//     ISSUER=http://localhost:8000 node oauth4webapi.js
import { once } from "node:events";
import { createServer } from "node:http";
import * as oauth from "oauth4webapi";

const issuer = new URL(process.env.ISSUER ?? "http://localhost:8000");
// Plain http is for a demo on this machine. Who has an initial access token gives it: { initialAccessToken: "lk_iat_…" }.
const options = { [oauth.allowInsecureRequests]: issuer.protocol === "http:" };

const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
const registration = await oauth.dynamicClientRegistrationRequest(as, {
  client_name: "Example of oauth4webapi",
  application_type: "native",
  redirect_uris: ["http://127.0.0.1/callback"], // without a port, and used with any
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
}, options);
const client = await oauth.processDynamicClientRegistrationResponse(registration);

const listener = createServer().listen(0, "127.0.0.1");
await once(listener, "listening");
const redirectURI = `http://127.0.0.1:${listener.address().port}/callback`;

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const address = new URL(as.authorization_endpoint);
address.search = new URLSearchParams({
  client_id: client.client_id,
  redirect_uri: redirectURI,
  response_type: "code",
  scope: "openid profile offline_access",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
});
console.log("Sign in at", address.href);
const answer = oauth.validateAuthResponse(as, client, await callback(), state); // iss is checked, too

const exchange = await oauth.authorizationCodeGrantRequest(as, client, oauth.None(), answer, redirectURI, verifier, options);
const tokens = await oauth.processAuthorizationCodeResponse(as, client, exchange, { requireIdToken: true });
console.log("Signed in:", JSON.stringify(await userinfo(tokens.access_token)));

const refresh = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), tokens.refresh_token, options);
const refreshed = await oauth.processRefreshTokenResponse(as, client, refresh);
console.log("Refreshed:", JSON.stringify(await userinfo(refreshed.access_token)));

async function userinfo(accessToken) {
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  return oauth.processUserInfoResponse(as, client, sub, await oauth.userInfoRequest(as, client, accessToken, options));
}

/** The address that the browser comes back to. */
async function callback() {
  for (;;) {
    const [request, response] = await once(listener, "request");
    const url = new URL(request.url, redirectURI);
    response.end("You can close this window.");
    if (url.pathname !== "/callback") continue; // the browser asks for an icon, too
    listener.close();
    listener.closeIdleConnections();
    return url;
  }
}
