package clienttest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// endpoints are those that golang.org/x/oauth2 is to be told of.
func endpoints(issuer string) oauth2.Endpoint {
	return oauth2.Endpoint{AuthURL: issuer + "/oauth2/authorize", TokenURL: issuer + "/oauth2/token"}
}

func TestOAuth2(t *testing.T) {
	t.Parallel()
	l := serve(t)
	for name, flags := range map[string][]string{
		"public":              {"--token-endpoint-auth-method=none", "--application-type=native"},
		"client_secret_basic": {"--token-endpoint-auth-method=client_secret_basic"},
		"client_secret_post":  {"--token-endpoint-auth-method=client_secret_post"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := l.addClient(t, append(flags, "--rotation=strict")...)
			config := &oauth2.Config{
				ClientID: client.ID, ClientSecret: client.Secret, Endpoint: endpoints(l.Issuer),
				RedirectURL: callback, Scopes: []string{"openid", "profile"},
			}
			token := logIn(t, l, config)
			if got := userinfo(t, l, config, token); got["preferred_username"] != username {
				t.Errorf("userinfo = %v", got)
			}
			token = refreshThrice(t, config, token)
			revoke(t, l, config, token)
			refreshFails(t, config, token)
		})
	}
}

// logIn is the code flow with PKCE as golang.org/x/oauth2 documents it.
func logIn(t *testing.T, l *latchkey, config *oauth2.Config) *oauth2.Token {
	t.Helper()
	person := newBrowser()
	verifier := oauth2.GenerateVerifier()
	answer, _ := person.visit(t, config.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier)), callback)
	if want := []string{"/login", "/consent"}; !slices.Equal(person.shown, want) {
		t.Errorf("the person saw %q, want %q", person.shown, want)
	}
	q := answer.Query()
	if q.Get("state") != "the state" || q.Get("iss") != l.Issuer {
		t.Errorf("the answer is %s", answer)
	}
	if _, err := config.Exchange(t.Context(), q.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); !isOAuthError(err, "invalid_grant") {
		t.Errorf("with another verifier: %v", err)
	}
	token, err := config.Exchange(t.Context(), q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if !token.Valid() || token.Type() != "Bearer" || token.RefreshToken == "" {
		t.Fatalf("the token is %+v", token)
	}
	return token
}

func userinfo(t *testing.T, l *latchkey, config *oauth2.Config, token *oauth2.Token) (claims map[string]any) {
	t.Helper()
	answer, err := config.Client(t.Context(), token).Get(l.Issuer + "/oauth2/userinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("userinfo: %s", answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// refreshThrice lets the library find an expired token, each time the one before it was made of.
func refreshThrice(t *testing.T, config *oauth2.Config, token *oauth2.Token) *oauth2.Token {
	t.Helper()
	for range 3 {
		expired := *token
		expired.Expiry = time.Now().Add(-time.Minute)
		next, err := config.TokenSource(t.Context(), &expired).Token()
		if err != nil {
			t.Fatal(err)
		}
		if next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken || !next.Valid() {
			t.Fatalf("refresh gave %+v after %+v", next, token)
		}
		token = next
	}
	return token
}

// revoke is RFC 7009, which the library leaves to its user.
func revoke(t *testing.T, l *latchkey, config *oauth2.Config, token *oauth2.Token) {
	t.Helper()
	form := url.Values{"token": {token.RefreshToken}, "client_id": {config.ClientID}}
	if config.ClientSecret != "" {
		form.Set("client_secret", config.ClientSecret)
	}
	answer, err := http.PostForm(l.Issuer+"/oauth2/revoke", form)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("revoke: %s", answer.Status)
	}
}

func refreshFails(t *testing.T, config *oauth2.Config, token *oauth2.Token) {
	t.Helper()
	expired := *token
	expired.Expiry = time.Now().Add(-time.Minute)
	if _, err := config.TokenSource(t.Context(), &expired).Token(); !isOAuthError(err, "invalid_grant") {
		t.Errorf("refresh after revocation: %v", err)
	}
}

func isOAuthError(err error, code string) bool {
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	return ok && e.ErrorCode == code
}
