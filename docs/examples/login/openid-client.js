// Signs a user in with a browser and calls the userinfo endpoint: code + PKCE with openid-client.
//
//     npm install openid-client
//     ISSUER=http://localhost:8000 CLIENT_ID=demo-app node openid-client.js
import { once } from "node:events";
import { createServer } from "node:http";
import * as client from "openid-client";

const issuer = new URL(process.env.ISSUER ?? "http://localhost:8000");
const clientID = process.env.CLIENT_ID ?? "demo-app";

// Plain http is for a demo on this machine.
const options = issuer.protocol === "http:" ? { execute: [client.allowInsecureRequests] } : {};
const config = await client.discovery(issuer, clientID, undefined, client.None(), options);

// Any port: a loopback redirect URI is registered without one.
const listener = createServer().listen(0, "127.0.0.1");
await once(listener, "listening");
const redirectURI = `http://127.0.0.1:${listener.address().port}/callback`;

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectURI,
  scope: "openid profile offline_access",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
});
console.log("Sign in at", address.href);
const answer = await callback();

let tokens = await client.authorizationCodeGrant(config, answer, { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true });
const { sub } = tokens.claims();
console.log("Signed in:", JSON.stringify(await client.fetchUserInfo(config, tokens.access_token, sub)));

tokens = await client.refreshTokenGrant(config, tokens.refresh_token);
console.log("Refreshed:", JSON.stringify(await client.fetchUserInfo(config, tokens.access_token, sub)));

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
