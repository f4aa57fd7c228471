import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import { Browser } from "./browser.js";
import { addClient, callback, eventually, issuer, latchkey } from "./latchkey.js";

const options = { [oauth.allowInsecureRequests]: true }; // over http, for this test

async function discover(algorithm = "oidc") {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { ...options, algorithm }));
}

/** What the library takes of a client. */
const described = ({ client_id, id_token_signed_response_alg, userinfo_signed_response_alg }) =>
  ({ client_id, id_token_signed_response_alg, userinfo_signed_response_alg });

/** The code flow as the library documents it, with every signature checked. */
async function logIn(as, client, authentication, { push = false, parameters = {}, person = new Browser() } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const nonce = oauth.generateRandomNonce();
  const state = oauth.generateRandomState();
  let request = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: callback,
    response_type: "code",
    scope: "openid profile email offline_access",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    state,
    max_age: 300,
    ...parameters,
  });
  if (push) {
    const answer = await oauth.pushedAuthorizationRequest(as, client, authentication, request, options);
    const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, answer);
    request = new URLSearchParams({ client_id: client.client_id, request_uri });
  }
  const address = await person.visit(`${as.authorization_endpoint}?${request}`, callback);
  const answer = oauth.validateAuthResponse(as, client, address, state);
  const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, answer, callback, verifier, options);
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, maxAge: 300, requireIdToken: true });
  await oauth.validateApplicationLevelSignature(as, response, options);
  return tokens;
}

async function refresh(as, client, authentication, tokens) {
  for (let i = 0; i < 3; i++) {
    const response = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, options);
    const next = await oauth.processRefreshTokenResponse(as, client, response);
    assert.notEqual(next.access_token, tokens.access_token);
    assert.notEqual(next.refresh_token, tokens.refresh_token);
    tokens = next;
  }
  return tokens;
}

async function checkUserInfo(as, client, tokens) {
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const response = await oauth.userInfoRequest(as, client, tokens.access_token, options);
  const info = await oauth.processUserInfoResponse(as, client, sub, response);
  if (client.userinfo_signed_response_alg) await oauth.validateApplicationLevelSignature(as, response, options);
  assert.equal(info.preferred_username, "demo");
  assert.equal(info.email, "demo@example.com");
}

async function introspect(as, client, authentication, token) {
  return oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, authentication, token, options));
}

async function revoke(as, client, authentication, token) {
  return oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, token, options));
}

for (const alg of [undefined, "RS256", "ES256", "EdDSA"]) {
  test(`ID token and userinfo signed with ${alg ?? "what is usual"}`, async () => {
    const as = await discover();
    const flags = alg && { "id-token-signed-response-alg": alg, "userinfo-signed-response-alg": alg };
    const added = await addClient(flags);
    const client = described(added);
    assert.equal(client.id_token_signed_response_alg, alg ?? "RS256");
    const authentication = oauth.ClientSecretBasic(added.client_secret);
    const tokens = await logIn(as, client, authentication);
    await checkUserInfo(as, client, tokens);
    const last = await refresh(as, client, authentication, tokens);
    assert.equal((await introspect(as, client, authentication, last.access_token)).active, true);
    await revoke(as, client, authentication, last.refresh_token);
    assert.equal((await introspect(as, client, authentication, last.access_token)).active, false);
  });
}

test("RFC 8414 finds the same as OpenID Connect Discovery", async () => {
  assert.deepEqual(await discover("oauth2"), await discover("oidc"));
});

test("a resource server that checks access tokens by itself (RFC 9068)", async () => {
  const resource = "https://api.example.com/orders";
  await latchkey("resource", "add", resource, "--scope=orders");
  const as = await discover();
  const added = await addClient({ "token-endpoint-auth-method": "none", scope: "openid profile email offline_access orders" });
  const client = described(added);
  const parameters = { resource, scope: "openid orders" };
  const tokens = await eventually(() => logIn(as, client, oauth.None(), { parameters }));
  const request = new Request(resource, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  const claims = await oauth.validateJwtAccessToken(as, request, resource, options);
  assert.equal(claims.scope, "openid orders");
  assert.equal(claims.client_id, added.client_id);
  await assert.rejects(oauth.validateJwtAccessToken(as, request, "https://api.example.com/other", options));
});

test("a pushed request and an assertion", async () => {
  const as = await discover();
  const { publicKey, privateKey } = await oauth.generateKeyPair("ES256", { extractable: true });
  const jwks = { keys: [{ ...(await crypto.subtle.exportKey("jwk", publicKey)), alg: "ES256", use: "sig", kid: "one" }] };
  const added = await addClient({ "token-endpoint-auth-method": "private_key_jwt", jwks: JSON.stringify(jwks) });
  const client = described(added);
  const authentication = oauth.PrivateKeyJwt({ key: privateKey, kid: "one" });
  const tokens = await refresh(as, client, authentication, await logIn(as, client, authentication, { push: true }));
  assert.equal((await introspect(as, client, authentication, tokens.access_token)).active, true);
  await revoke(as, client, authentication, tokens.refresh_token);
  await assert.rejects(refresh(as, client, authentication, tokens), { error: "invalid_grant" });
});

test("dynamic registration, and its management (RFC 7592)", async () => {
  const as = await discover();
  const metadata = {
    client_name: "Registered itself",
    redirect_uris: [callback],
    application_type: "native",
    grant_types: ["authorization_code", "refresh_token"],
    token_endpoint_auth_method: "client_secret_basic",
    scope: "openid profile email offline_access",
  };
  const answer = await oauth.dynamicClientRegistrationRequest(as, metadata, options);
  const added = await oauth.processDynamicClientRegistrationResponse(answer);
  const client = described(added);
  const authentication = oauth.ClientSecretBasic(added.client_secret);
  const tokens = await refresh(as, client, authentication, await logIn(as, client, authentication));
  await checkUserInfo(as, client, tokens);

  const manage = (method, token, body) => oauth.protectedResourceRequest(token, method, new URL(added.registration_client_uri),
    new Headers({ "content-type": "application/json" }), body && JSON.stringify(body), options);
  const read = await (await manage("GET", added.registration_access_token)).json();
  assert.equal(read.client_name, "Registered itself");
  assert.equal((await manage("DELETE", read.registration_access_token ?? added.registration_access_token)).status, 204);
  await assert.rejects(refresh(as, client, authentication, tokens), (e) => e.status === 401 || e.error === "invalid_client");
});
