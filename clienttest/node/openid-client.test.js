import assert from "node:assert/strict";
import { test } from "node:test";
import * as client from "openid-client";
import { Browser } from "./browser.js";
import { addClient, callback, issuer, latchkey } from "./latchkey.js";

// Over http, for this test; and with the signatures of ID tokens checked, which TLS makes unnecessary in real life.
const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] };

/** The code flow as the library documents it. */
async function logIn(config, { push = false, person = new Browser(), parameters = {} } = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const request = {
    redirect_uri: callback,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...parameters,
  };
  const address = push ? await client.buildAuthorizationUrlWithPAR(config, request) : client.buildAuthorizationUrl(config, request);
  if (push) assert.deepEqual([...address.searchParams.keys()].sort(), ["client_id", "request_uri"]);
  const answer = await person.visit(address, callback);
  return client.authorizationCodeGrant(config, answerTo(answer), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce });
}

/** What the library takes: the address, or the request when the answer was posted. */
const answerTo = (answer) => (answer.form ? new Request(answer, { method: "POST", body: answer.form }) : answer);

/** Refreshes a few times, each time with what the last time gave. */
async function refresh(config, tokens) {
  for (let i = 0; i < 3; i++) {
    const next = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(next.access_token, tokens.access_token);
    assert.notEqual(next.refresh_token, tokens.refresh_token);
    assert.equal(next.claims().sub, tokens.claims().sub);
    tokens = next;
  }
  return tokens;
}

async function checkUserInfo(config, tokens) {
  const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  assert.equal(info.preferred_username, "demo");
  assert.equal(info.email, "demo@example.com");
}

const authentications = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
};

for (const [method, authentication] of Object.entries(authentications)) {
  test(`${method}: login, refresh, userinfo, introspection, revocation`, async () => {
    const added = await addClient({ "token-endpoint-auth-method": method });
    const config = await client.discovery(new URL(issuer), added.client_id, undefined, authentication(added.client_secret), options);
    assert.ok(config.serverMetadata().supportsPKCE());
    let tokens = await logIn(config);
    assert.equal(tokens.token_type, "bearer");
    await checkUserInfo(config, tokens);
    tokens = await refresh(config, tokens);
    const seen = await client.tokenIntrospection(config, tokens.access_token);
    assert.equal(seen.active, true);
    assert.equal(seen.client_id, added.client_id);
    await client.tokenRevocation(config, tokens.refresh_token);
    assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false });
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
  });
}

test("a public client", async () => {
  const added = await addClient({ "token-endpoint-auth-method": "none", "application-type": "native" });
  const config = await client.discovery(new URL(issuer), added.client_id, undefined, client.None(), options);
  const tokens = await refresh(config, await logIn(config));
  await checkUserInfo(config, tokens);
  await client.tokenRevocation(config, tokens.refresh_token);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
});

for (const alg of ["ES256", "Ed25519", "RS256", "PS256"]) {
  test(`private_key_jwt with ${alg}, and a pushed request`, async () => {
    const { config } = await withKey(alg, { "require-pushed-authorization-requests": true });
    const tokens = await refresh(config, await logIn(config, { push: true }));
    await checkUserInfo(config, tokens);
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, true);
    await client.tokenRevocation(config, tokens.refresh_token);
    await assert.rejects(logIn(config), { error: "invalid_request" }, "a request that was not pushed");
  });
}

for (const alg of ["ES256", "Ed25519", "PS256"]) {
  test(`FAPI 2.0: private_key_jwt with ${alg}, a pushed request, DPoP`, async () => {
    const { config } = await withKey(alg, { profile: "fapi2" });
    config.clientMetadata().id_token_signed_response_alg = "ES256";
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const request = {
      redirect_uri: callback, scope: "openid profile email offline_access", state, nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    };
    const address = await client.buildAuthorizationUrlWithPAR(config, request, { DPoP });
    const answer = await new Browser().visit(address, callback);
    const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce };
    const other = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
    await assert.rejects(client.authorizationCodeGrant(config, answer, checks, undefined, { DPoP: other }), "another key than that of the request");
    let tokens = await client.authorizationCodeGrant(config, answer, checks, undefined, { DPoP });
    assert.equal(tokens.token_type, "dpop");
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).preferred_username, "demo");
    await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub), "without the key");
    const refreshToken = tokens.refresh_token; // it is not replaced: FAPI 2.0 Security Profile §5.3.2.1
    for (let i = 0; i < 3; i++) tokens = await client.refreshTokenGrant(config, refreshToken, undefined, { DPoP });
    assert.equal(tokens.token_type, "dpop");
    assert.ok((await client.tokenIntrospection(config, tokens.access_token)).cnf.jkt);
    await client.tokenRevocation(config, refreshToken);
    await assert.rejects(client.refreshTokenGrant(config, refreshToken, undefined, { DPoP }), { error: "invalid_grant" });
    await assert.rejects(logIn(config), { error: "invalid_request" }, "a request that was not pushed");
  });
}

/** A client that authenticates with a new key. */
async function withKey(alg, flags) {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithms[alg], true, ["sign", "verify"]);
  const key = { ...(await crypto.subtle.exportKey("jwk", publicKey)), kid: "one", use: "sig", alg };
  const added = await addClient({ "token-endpoint-auth-method": "private_key_jwt", jwks: JSON.stringify({ keys: [key] }), ...flags });
  const assertion = client.PrivateKeyJwt({ key: privateKey, kid: "one" });
  return { config: await client.discovery(new URL(issuer), added.client_id, undefined, assertion, options) };
}

const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
const algorithms = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  Ed25519: { name: "Ed25519" },
  RS256: { name: "RSASSA-PKCS1-v1_5", ...rsa },
  PS256: { name: "RSA-PSS", ...rsa },
};

test("the answer is posted", async () => {
  const added = await addClient();
  const config = await client.discovery(new URL(issuer), added.client_id, added.client_secret, undefined, options);
  await checkUserInfo(config, await logIn(config, { parameters: { response_mode: "form_post" } }));
});

test("who has signed in is not asked again, and who denies is believed", async () => {
  const added = await addClient();
  const config = await client.discovery(new URL(issuer), added.client_id, added.client_secret, undefined, options);
  const person = new Browser();
  person.decision = "deny";
  await assert.rejects(logIn(config, { person }), { error: "access_denied" });
  person.decision = "allow";
  await logIn(config, { person });
  assert.deepEqual(person.shown, ["/login", "/consent", "/consent"]);
  await assert.rejects(logIn(config, { person: new Browser(), parameters: { prompt: "none" } }), { error: "login_required" });
});

for (const [what, change] of Object.entries({
  "of somebody else": (parameters) => parameters.set("iss", "https://other.example"),
  "without an issuer": (parameters) => parameters.delete("iss"), // the metadata says that it is always there
})) {
  test(`an answer ${what} is found out (RFC 9207)`, async () => {
    const added = await addClient();
    const config = await client.discovery(new URL(issuer), added.client_id, added.client_secret, undefined, options);
    const honest = new Browser();
    const person = { visit: async (...way) => {
      const answer = await honest.visit(...way);
      assert.equal(answer.searchParams.get("iss"), issuer);
      change(answer.searchParams);
      return answer;
    } };
    await assert.rejects(logIn(config, { person }), { code: "OAUTH_INVALID_RESPONSE" });
  });
}

test("an access token for a resource", async () => {
  const resource = "https://api.example.com/orders";
  const added = await addClient({ resource });
  const config = await client.discovery(new URL(issuer), added.client_id, added.client_secret, undefined, options);
  const tokens = await refresh(config, await logIn(config, { parameters: { resource } }));
  assert.deepEqual((await client.tokenIntrospection(config, tokens.access_token)).aud, [resource]);
  await assert.rejects(logIn(config, { parameters: { resource: "https://api.example.com/other" } }), { error: "invalid_target" });
});

test("logout", async () => {
  const added = await addClient({ "post-logout-redirect-uri": "http://127.0.0.1/goodbye" });
  const config = await client.discovery(new URL(issuer), added.client_id, added.client_secret, undefined, options);
  const person = new Browser();
  const tokens = await logIn(config, { person });
  const whileSignedIn = await logIn(config, { person, parameters: { scope: "openid" } });
  const address = client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token, post_logout_redirect_uri: "http://127.0.0.1/goodbye", state: "bye",
  });
  assert.equal((await person.visit(address, "http://127.0.0.1/goodbye")).href, "http://127.0.0.1/goodbye?state=bye");
  await assert.rejects(logIn(config, { person, parameters: { prompt: "none" } }), { error: "login_required" });
  await assert.rejects(client.refreshTokenGrant(config, whileSignedIn.refresh_token), { error: "invalid_grant" });
  await refresh(config, tokens); // which has offline_access
});

test("dynamic registration with an initial access token", async () => {
  const { registration_token: token } = await latchkey("registration-token", "add");
  const metadata = { redirect_uris: [callback], client_name: "Registered itself", application_type: "native", grant_types: ["authorization_code", "refresh_token"] };
  const config = await client.dynamicClientRegistration(new URL(issuer), metadata, undefined, { ...options, initialAccessToken: token });
  assert.equal(config.clientMetadata().client_name, "Registered itself");
  const tokens = await refresh(config, await logIn(config));
  await checkUserInfo(config, tokens);
  await assert.rejects(client.dynamicClientRegistration(new URL(issuer), metadata, undefined, options), "without a token");
});
