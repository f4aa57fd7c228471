package clienttest

import (
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func TestGoOIDC(t *testing.T) {
	t.Parallel()
	l := serve(t)
	for alg, flags := range map[string][]string{
		oidc.RS256: nil, // what OpenID Connect Core §15.1 makes everybody's default
		oidc.ES256: {"--id-token-signed-response-alg=ES256", "--userinfo-signed-response-alg=ES256"},
		oidc.EdDSA: {"--id-token-signed-response-alg=EdDSA", "--userinfo-signed-response-alg=EdDSA"},
	} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			client := l.addClient(t, flags...)
			provider, err := oidc.NewProvider(t.Context(), l.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			config := &oauth2.Config{
				ClientID: client.ID, ClientSecret: client.Secret, Endpoint: provider.Endpoint(), RedirectURL: callback,
				Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
			}
			token := openIDLogin(t, newBrowser(), config)
			// One algorithm only: a token that is signed with another key is refused.
			verifier := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: client.ID, SupportedSigningAlgs: []string{alg}})
			first := verifyIDToken(t, verifier, token)
			if first.Nonce != "the nonce" {
				t.Errorf("nonce = %q", first.Nonce)
			}
			checkUserInfo(t, provider, config.TokenSource(t.Context(), token), first.Subject)

			refreshed := verifyIDToken(t, verifier, refreshThrice(t, config, token))
			// OpenID Connect Core §12.2.
			if refreshed.Subject != first.Subject || refreshed.Issuer != first.Issuer || !slices.Equal(refreshed.Audience, first.Audience) {
				t.Errorf("the ID token became %+v after %+v", refreshed, first)
			}
		})
	}
}

func openIDLogin(t *testing.T, person *browser, config *oauth2.Config) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	address := config.AuthCodeURL("the state", oidc.Nonce("the nonce"), oauth2.S256ChallengeOption(verifier))
	answer, _ := person.visit(t, address, callback)
	token, err := config.Exchange(t.Context(), answer.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("%v, after %s", err, answer)
	}
	return token
}

func verifyIDToken(t *testing.T, verifier *oidc.IDTokenVerifier, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		t.Fatal("there is no ID token")
	}
	idToken, err := verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	return idToken
}

func checkUserInfo(t *testing.T, provider *oidc.Provider, tokens oauth2.TokenSource, subject string) {
	t.Helper()
	info, err := provider.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var more struct {
		Username string `json:"preferred_username"`
	}
	if err := info.Claims(&more); err != nil {
		t.Fatal(err)
	}
	if info.Subject != subject || info.Email != email || more.Username != username {
		t.Errorf("userinfo = %+v, %+v", info, more)
	}
}
