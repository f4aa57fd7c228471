package clienttest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// TestKeysByURL authenticates a client with keys that it publishes: an old one and a new one, while it changes them.
func TestKeysByURL(t *testing.T) {
	t.Parallel()
	old, current, foreign := newKey(t, "old"), newKey(t, "new"), newKey(t, "new")
	l, website := serveTrusting(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(publicKeys(old, current))
	}))
	client := l.addClient(t, "--token-endpoint-auth-method=private_key_jwt", "--jwks-uri="+website+"/keys")
	party := newParty(t, l, client, callback)
	tokens := logInWithKey(t, l, party, old)
	for _, key := range []clientKey{current, old} {
		next, err := rp.RefreshTokens[*zitadel.IDTokenClaims](t.Context(), party, tokens.RefreshToken,
			key.assertion(t, client.ID, l.Issuer), zitadel.ClientAssertionTypeJWTAssertion)
		if err != nil {
			t.Fatalf("with the %s key: %v", key.id, err)
		}
		tokens = next
	}
	_, err := rp.RefreshTokens[*zitadel.IDTokenClaims](t.Context(), party, tokens.RefreshToken,
		foreign.assertion(t, client.ID, l.Issuer), zitadel.ClientAssertionTypeJWTAssertion)
	if err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("with somebody else's key: %v", err)
	}
}

// logInWithKey is the code flow of a client that authenticates with a key.
func logInWithKey(t *testing.T, l *latchkey, party rp.RelyingParty, key clientKey) *zitadel.Tokens[*zitadel.IDTokenClaims] {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	answer, _ := newBrowser().visit(t, rp.AuthURL("state", party, rp.WithCodeChallenge(zitadel.NewSHACodeChallenge(verifier))), callback)
	tokens, err := rp.CodeExchange[*zitadel.IDTokenClaims](t.Context(), answer.Query().Get("code"), party,
		rp.WithCodeVerifier(verifier), rp.WithClientAssertionJWT(key.assertion(t, party.OAuthConfig().ClientID, l.Issuer)))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// TestBackChannelLogout tells an application that its user has signed out somewhere else.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	l, website := serveTrusting(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		told <- r.FormValue("logout_token")
	}))
	client := l.addClient(t, "--backchannel-logout-uri="+website+"/signed-out", "--backchannel-logout-session-required")
	provider, err := oidc.NewProvider(t.Context(), l.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, Endpoint: provider.Endpoint(), RedirectURL: callback, Scopes: []string{"openid"},
	}
	person := newBrowser()
	token := openIDLogin(t, person, config)
	ids := provider.Verifier(&oidc.Config{ClientID: client.ID})
	who := verifyIDToken(t, ids, token)

	person.visit(t, l.Issuer+"/oauth2/logout?id_token_hint="+token.Extra("id_token").(string), "")
	var raw string
	select {
	case raw = <-told:
	case <-time.After(patience):
		t.Fatal("the application was not told")
	}
	logout, err := ids.Verify(t.Context(), raw) // signature, issuer, audience and expiry, as those of an ID token
	if err != nil {
		t.Fatal(err)
	}
	if logout.Subject != who.Subject || sessionID(t, logout) != sessionID(t, who) || sessionID(t, who) == "" {
		t.Errorf("the application was told of %+v, the login was %+v", logout, who)
	}
	refreshFails(t, config, token)
}

func sessionID(t *testing.T, token *oidc.IDToken) string {
	t.Helper()
	var claims struct {
		SID string `json:"sid"`
	}
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims.SID
}

// clientKey is a key that a client authenticates with.
type clientKey struct {
	id      string
	private ed25519.PrivateKey
}

func newKey(t *testing.T, id string) clientKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return clientKey{id, private}
}

func publicKeys(keys ...clientKey) (set jose.JSONWebKeySet) {
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: "EdDSA", Use: "sig"})
	}
	return set
}

// assertion is what the client authenticates with (RFC 7523 §3).
func (k clientKey) assertion(t *testing.T, client, issuer string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": client, "sub": client, "aud": issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
