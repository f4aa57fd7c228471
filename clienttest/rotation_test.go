package clienttest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// Statement 68: while the signing keys are replaced ten times at once, as after a theft and without the days in which a new key is published first, libraries that
// fetched the set before the first replacement verify every ID token, new and old, and so do those that fetch it after the last.
func TestStatement68TenRotationsRefuseNothing(t *testing.T) {
	t.Parallel()
	l := serve(t)
	client := l.addClient(t)
	provider, err := oidc.NewProvider(t.Context(), l.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	config := &oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess},
	}
	verify := verifiers(t, l, client)
	var rotated atomic.Bool
	var mu sync.Mutex
	var held []string
	kids := map[string]bool{}
	var sessions sync.WaitGroup
	for range 2 {
		token := openIDLogin(t, newBrowser(), config)
		sessions.Go(func() {
			for last := false; !last && !t.Failed(); time.Sleep(20 * time.Millisecond) {
				last = rotated.Load()
				token.Expiry = time.Now().Add(-time.Minute)
				next, err := config.TokenSource(t.Context(), token).Token()
				if err != nil {
					t.Error(err)
					return
				}
				token = next
				raw, _ := token.Extra("id_token").(string)
				verify(raw)
				mu.Lock()
				if kid := kidOf(t, raw); !kids[kid] {
					kids[kid], held = true, append(held, raw)
				}
				mu.Unlock()
			}
		})
	}
	seen := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(kids)
	}
	for i := range 11 {
		if i > 0 {
			l.Run("", "key", "rotate", "--immediately")
		}
		for end := time.Now().Add(patience); seen() == i && !t.Failed(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no token is signed with the new key")
			}
		}
	}
	rotated.Store(true)
	sessions.Wait()
	fresh := verifiers(t, l, client)
	for _, raw := range held {
		verify(raw)
		fresh(raw)
	}
	if len(held) != 11 {
		t.Errorf("%d keys have signed, not 11", len(held))
	}
}

// verifiers returns what verifies an ID token with each library, which have fetched nothing yet.
func verifiers(t *testing.T, l *latchkey, client registered) func(raw string) {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), l.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	coreos := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: client.ID})
	party := newParty(t, l, client, callback).IDTokenVerifier()
	party.Nonce = nil // the refreshed tokens have none to compare
	return func(raw string) {
		if _, err := coreos.Verify(t.Context(), raw); err != nil {
			t.Errorf("go-oidc: %v", err)
		}
		if _, err := rp.VerifyIDToken[*zitadel.IDTokenClaims](t.Context(), raw, party); err != nil {
			t.Errorf("zitadel: %v", err)
		}
	}
}

func kidOf(t *testing.T, raw string) string {
	t.Helper()
	var header struct {
		KID string `json:"kid"`
	}
	first, _, _ := strings.Cut(raw, ".")
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	if err != nil {
		t.Error(err)
	}
	return header.KID
}
