package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func code(err error) string {
	if err == nil {
		return "no error"
	}
	return protocol.AsError(err).Code
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	good := w.secrets["strict"]
	for _, c := range []struct {
		name string
		cred clientauth.Credentials
		want string
	}{
		{"basic", clientauth.Credentials{Method: clients.AuthBasic, ID: "strict", Secret: good}, "no error"},
		{"post", clientauth.Credentials{Method: clients.AuthPost, ID: "strict", Secret: good}, "no error"},
		{"wrong secret", clientauth.Credentials{Method: clients.AuthBasic, ID: "strict", Secret: good + "x"}, "invalid_client"},
		{"another client's secret", clientauth.Credentials{Method: clients.AuthBasic, ID: "confirmed", Secret: good}, "invalid_client"},
		{"no secret", clientauth.Credentials{Method: clients.AuthNone, ID: "strict"}, "invalid_client"},
		{"empty secret", clientauth.Credentials{Method: clients.AuthBasic, ID: "strict"}, "invalid_client"},
		{"unknown client", clientauth.Credentials{Method: clients.AuthBasic, ID: "nobody", Secret: good}, "invalid_client"},
		{"public client with a secret", clientauth.Credentials{Method: clients.AuthPost, ID: clients.SimpleJWTID, Secret: "x"}, "invalid_client"},
		{"no client", clientauth.Credentials{}, "invalid_client"},
	} {
		_, err := w.svc.Exchange(t.Context(), &token.Request{Client: c.cred, GrantType: clients.GrantClientCredentials})
		if got := code(err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if c.want == "invalid_client" && protocol.AsError(err).Status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", c.name, protocol.AsError(err).Status)
		}
	}
}

func TestADisabledClientGetsNothingAndItsSessionsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	resp := w.login("strict")
	if err := w.clients.SetDisabled(t.Context(), "strict", true); err != nil {
		t.Fatal(err)
	}
	w.inactive(resp.AccessToken)
	if _, err := w.tryRefresh("strict", resp.RefreshToken); code(err) != "invalid_client" {
		t.Errorf("a disabled client refreshes: %v", err)
	}
}

func TestGrantTypeIsCheckedBeforeTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	_, secret, err := w.clients.Add(t.Context(), clients.Registration{ID: "machine", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.secrets["machine"] = secret
	for _, c := range []struct{ grantType, want string }{
		{"", "invalid_request"},
		{"refresh_token", "unauthorized_client"},
		{"password", "unauthorized_client"},
		{"urn:example:unknown", "unsupported_grant_type"},
		{"password refresh_token", "unsupported_grant_type"},
		{"PASSWORD", "unsupported_grant_type"},
	} {
		_, err := w.svc.Exchange(t.Context(), &token.Request{Client: w.credentials("machine"), GrantType: c.grantType, RefreshToken: "x"})
		if got := code(err); got != c.want {
			t.Errorf("%q: %s, want %s", c.grantType, got, c.want)
		}
	}
}

func TestAClientWithoutTheGrantGetsNoRefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	_, secret, err := w.clients.Add(t.Context(), clients.Registration{ID: "once", Metadata: clients.Metadata{GrantTypes: []string{"password"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.secrets["once"] = secret
	resp := w.login("once")
	if resp.RefreshToken != "" {
		t.Error("a refresh token was issued")
	}
	w.active(resp.AccessToken)
}

// claimsOf reads a JWT without checking it.
func claimsOf(t *testing.T, raw storage.Secret) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(raw.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %d parts", len(parts))
	}
	for i, to := range []*map[string]any{&header, &claims} {
		if err := json.Unmarshal(decodeSegment(t, parts[i]), to); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestAccessTokenIsWhatRFC9068Says(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	resp := w.login("strict")
	header, claims := claimsOf(t, resp.AccessToken)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("header %v", header)
	}
	now := w.clock.Now().Unix()
	want := map[string]any{
		"iss": "http://localhost:8000", "sub": "1", "aud": "http://localhost:8000", "client_id": "strict",
		"iat": float64(now), "exp": float64(now + 900), "scope": "read write", "auth_time": float64(now), "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport", "amr": []any{"pwd"},
		"sid": resp.GrantID.String(), "jti": claims["jti"],
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
	if resp.ExpiresIn != 900 {
		t.Errorf("expires_in %d, want 900", resp.ExpiresIn)
	}
	w.clock.Advance(time.Hour)
	_, after := claimsOf(t, w.refresh("strict", resp.RefreshToken).AccessToken)
	if after["iat"] != float64(now+3600) || after["auth_time"] != float64(now) || after["jti"] == claims["jti"] {
		t.Errorf("a refreshed access token keeps the time of its session's begin: %v", after)
	}
}

func TestFormatsOfAccessTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	w.addClient("eddsa", clients.Policy{AccessTokenSigningAlg: "EdDSA"})
	w.addClient("rs256", clients.Policy{AccessTokenSigningAlg: "RS256"})
	w.addClient("like-django", clients.Policy{AccessTokenFormat: clients.FormatSimpleJWT})
	for _, client := range []string{"strict", "eddsa", "rs256", "opaque", "like-django", clients.SimpleJWTID} {
		resp := w.login(client)
		a := w.introspect(resp.AccessToken)
		if !a.Active || a.ClientID != client || a.Username != "alice" || a.Subject != "1" || a.TokenType != "Bearer" {
			t.Errorf("%s: introspection says %+v", client, a)
		}
		if client != "opaque" {
			header, _ := claimsOf(t, resp.AccessToken)
			want := map[string]string{"eddsa": "EdDSA", "rs256": "RS256", "strict": "ES256", "like-django": "HS256", clients.SimpleJWTID: "HS256"}[client]
			if header["alg"] != want {
				t.Errorf("%s: alg %v, want %s", client, header["alg"], want)
			}
		} else if !strings.HasPrefix(resp.AccessToken.Reveal(), "lk_at_") {
			t.Errorf("opaque: %q", resp.AccessToken.Reveal())
		}
		w.clock.Advance(16 * time.Minute)
		w.inactive(resp.AccessToken)
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	issue := func() *token.Response {
		resp, err := w.svc.Exchange(t.Context(), &token.Request{Client: w.credentials("strict"), GrantType: clients.GrantClientCredentials, Scope: []string{"read"}})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	resp := issue()
	if resp.RefreshToken != "" { // RFC 6749 §4.4.3
		t.Error("a refresh token was issued")
	}
	if a := w.introspect(resp.AccessToken); !a.Active || a.Subject != "strict" || a.Scope != "read" || a.Username != "" {
		t.Errorf("introspection says %+v", a)
	}
	other := issue()
	if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials("strict"), Token: resp.AccessToken}); err != nil {
		t.Fatal(err)
	}
	w.inactive(resp.AccessToken)
	w.active(other.AccessToken)
	w.clock.Advance(time.Millisecond)
	if err := w.store.RaiseClientEpoch(t.Context(), "strict", w.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	w.inactive(other.AccessToken)
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	for _, c := range []struct {
		asked []string
		want  string
	}{
		{nil, "read write"},
		{[]string{}, "read write"},
		{[]string{"read"}, "read"},
		{[]string{"write", "read"}, "write read"},
		{[]string{"read", "offline_access"}, "read offline_access"},
		{[]string{"admin"}, "invalid_scope"},
		{[]string{"READ"}, "invalid_scope"},
		{[]string{"read", "admin"}, "invalid_scope"},
	} {
		resp, err := w.svc.Exchange(t.Context(), &token.Request{
			Client: w.credentials("strict"), GrantType: clients.GrantPassword, Username: "alice", Password: testPassword, Scope: c.asked,
		})
		got := code(err)
		if err == nil {
			got = resp.Scope
		}
		if got != c.want {
			t.Errorf("scope %v: %s, want %s", c.asked, got, c.want)
		}
	}
}

func TestAScopeTakenFromTheClientLogsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	r := w.login("strict").RefreshToken
	_, err := w.clients.Update(t.Context(), "strict", func(reg *clients.Registration) error {
		reg.Metadata.Scope = "read"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clientsChanged()
	if resp := w.refresh("strict", r); resp.Scope != "read" {
		t.Errorf("scope %q, want what is left", resp.Scope)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	w.addClient("api", clients.Policy{Resources: []string{"https://a.example", "https://b.example"}})
	resp := w.loginWith("api", func(r *token.Request) { r.Resource = []string{"https://a.example", "https://b.example"} })
	_, claims := claimsOf(t, resp.AccessToken)
	if diff := cmp.Diff([]any{"https://a.example", "https://b.example"}, claims["aud"]); diff != "" {
		t.Error(diff)
	}
	narrow := w.refreshWith("api", resp.RefreshToken, func(r *token.Request) { r.Resource = []string{"https://b.example"} })
	if _, claims = claimsOf(t, narrow.AccessToken); claims["aud"] != "https://b.example" {
		t.Errorf("aud %v: only the asked resource belongs there", claims["aud"])
	}
	_, err := w.tryRefreshWith("api", narrow.RefreshToken, func(r *token.Request) { r.Resource = []string{"https://c.example"} })
	if code(err) != "invalid_target" {
		t.Errorf("a resource outside the session: %v", err)
	}
	w.refresh("api", narrow.RefreshToken)

	ask := func(client, resource string) string {
		_, err := w.svc.Exchange(t.Context(), &token.Request{
			Client: w.credentials(client), GrantType: clients.GrantClientCredentials, Resource: []string{resource},
		})
		return code(err)
	}
	if got := ask("strict", "https://a.example"); got != "invalid_target" {
		t.Errorf("an unregistered resource: %s", got)
	}
	if _, err := w.clients.AddResource(t.Context(), storage.Resource{Identifier: "https://a.example"}); err != nil {
		t.Fatal(err)
	}
	w.clientsChanged()
	if got := ask("strict", "https://a.example"); got != "no error" {
		t.Errorf("a registered resource: %s", got)
	}
	if got := ask("api", "https://c.example"); got != "invalid_target" {
		t.Errorf("a resource that is not on the client's list: %s", got)
	}
}

func TestIntrospectionShowsAClientOnlyWhatConcernsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	w.addClient("api", clients.Policy{Resources: []string{"https://a.example"}})
	mine := w.login("strict").AccessToken
	forAPI := w.loginWith("api", func(r *token.Request) { r.Resource = []string{"https://a.example"} }).AccessToken
	for _, c := range []struct {
		client string
		token  storage.Secret
		want   bool
	}{
		{"strict", mine, true},
		{"confirmed", mine, false},
		{"api", mine, false},
		{"server", mine, true},
		{"api", forAPI, true},
		{"strict", forAPI, false},
		{"server", forAPI, true},
	} {
		a, err := w.svc.Introspect(t.Context(), &token.IntrospectRequest{Client: w.credentials(c.client), Token: c.token})
		if err != nil {
			t.Fatal(err)
		}
		if a.Active != c.want {
			t.Errorf("%s: active %v, want %v", c.client, a.Active, c.want)
		}
		if !a.Active && !cmp.Equal(a, &token.Introspection{}) {
			t.Errorf("%s: an inactive token tells %+v", c.client, a)
		}
	}
	_, err := w.svc.Introspect(t.Context(), &token.IntrospectRequest{Client: w.credentials(clients.SimpleJWTID), Token: mine})
	if code(err) != "invalid_client" {
		t.Errorf("a public client introspects: %v", err)
	}
}

func TestIntrospectionOfRefreshTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	r0 := w.login("strict").RefreshToken
	if a := w.introspect(r0); !a.Active || a.TokenType != "refresh_token" || a.Scope != "read write" || a.Expires == 0 {
		t.Errorf("introspection says %+v", a)
	}
	r1 := w.refresh("strict", r0).RefreshToken
	w.inactive(r0)
	w.active(r1)
	w.refresh("strict", r1) // asking about a retired token is no reuse
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	revoke := func(client string, raw storage.Secret) error {
		return w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(client), Token: raw})
	}
	for name, pick := range map[string]func(first, second *token.Response) storage.Secret{
		"the refresh token":       func(_, second *token.Response) storage.Secret { return second.RefreshToken },
		"a retired refresh token": func(first, _ *token.Response) storage.Secret { return first.RefreshToken },
		"an access token":         func(first, _ *token.Response) storage.Secret { return first.AccessToken },
	} {
		for _, client := range []string{"strict", "opaque", clients.SimpleJWTID} {
			first := w.login(client)
			second := w.refresh(client, first.RefreshToken)
			if err := revoke("confirmed", pick(first, second)); code(err) != "invalid_grant" {
				t.Errorf("%s of %s, by another client: %v", name, client, err)
			}
			w.active(second.AccessToken)
			if err := revoke(client, pick(first, second)); err != nil {
				t.Fatalf("%s of %s: %v", name, client, err)
			}
			w.inactive(second.AccessToken)
			w.refused(client, second.RefreshToken, reasons.SessionRevoked)
			if err := revoke(client, pick(first, second)); err != nil {
				t.Errorf("%s of %s, again: %v", name, client, err)
			}
		}
	}
	for _, unknown := range []storage.Secret{"x", "lk_rt_x", "lk_at_x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."} {
		if err := revoke("strict", unknown); err != nil { // RFC 7009 §2.2
			t.Errorf("an unknown token: %v", err)
		}
	}
}

// RFC 8725 §3.1, RFC 9068 §4: what a token says of itself never steers how it is checked.
func TestForgedAccessTokensAreInactive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	good := w.login("strict").AccessToken.Reveal()
	parts := strings.Split(good, ".")
	head := func(json string) string { return encodeSegment(json) }
	_, claims := claimsOf(t, storage.Secret(good))
	kid, _ := claimsOf(t, storage.Secret(good))
	changed, _ := json.Marshal(map[string]any{"iss": claims["iss"], "sub": "2", "sid": claims["sid"], "exp": claims["exp"]})
	for name, raw := range map[string]string{
		"alg none":               head(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg none with the kid":  head(`{"alg":"none","kid":"`+kid["kid"].(string)+`","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"HS256 with the kid":     head(`{"alg":"HS256","kid":"`+kid["kid"].(string)+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"an embedded key":        head(`{"alg":"ES256","jwk":{"kty":"EC"},"kid":"`+kid["kid"].(string)+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"alg twice":              head(`{"alg":"ES256","alg":"ES256","kid":"`+kid["kid"].(string)+`","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"other claims":           parts[0] + "." + encodeSegment(string(changed)) + "." + parts[2],
		"no signature":           parts[0] + "." + parts[1] + ".",
		"a signature bit":        good[:len(good)-10] + "A" + good[len(good)-9:],
		"padding":                good + "=",
		"a fourth part":          good + ".x",
		"a refresh token's form": "lk_rt_" + good,
	} {
		if raw == good {
			continue
		}
		if a := w.introspect(storage.Secret(raw)); a.Active {
			t.Errorf("%s: active", name)
		}
	}
	w.active(storage.Secret(good))
}

// Two issuers may share a database and its secrets: the tokens of one are nothing to the other.
func TestAccessTokensOfAnotherIssuerAreInactive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	tokens := map[string]storage.Secret{}
	for _, client := range []string{"strict", "opaque"} {
		tokens[client] = w.login(client).AccessToken
		w.active(tokens[client])
	}
	w.cfg.Issuer = "https://other.example"
	var err error
	if w.svc, err = token.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	for client, access := range tokens {
		if w.introspect(access).Active {
			t.Errorf("%s: active", client)
		}
	}
}

// A store whose database is away.
type away struct{ storage.Store }

func (away) Client(context.Context, string) (*storage.Client, error) {
	return nil, errors.Join(errors.New("dial"), storage.ErrUnavailable)
}

func (away) Grant(context.Context, storage.ID) (*storage.LiveGrant, error) {
	return nil, storage.ErrUnavailable
}

func (away) AttemptGrant(context.Context, storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	return nil, 0, storage.ErrUnavailable
}

func (away) RevokeGrant(context.Context, storage.ID, string, time.Time, *storage.AuditEvent) (bool, error) {
	return false, storage.ErrUnavailable
}

func TestAnOutageIsNeverAnOAuthError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	resp := w.login("strict")
	down := &world{t: t, store: away{w.store}, clock: w.clock, users: w.users, secrets: w.secrets}
	down.build()
	half := w.cfg // clients are cached, the rest is away
	half.Store = away{w.store}
	svc, err := token.New(half)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*token.Service{down.svc, svc} {
		_, refresh := s.Exchange(t.Context(), &token.Request{Client: w.credentials("strict"), GrantType: "refresh_token", RefreshToken: resp.RefreshToken})
		_, introspect := s.Introspect(t.Context(), &token.IntrospectRequest{Client: w.credentials("strict"), Token: resp.AccessToken})
		revoke := s.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials("strict"), Token: resp.RefreshToken})
		for i, err := range []error{refresh, introspect, revoke} {
			e := protocol.AsError(err)
			if err == nil || e.Status != http.StatusServiceUnavailable || e.RetryAfter == 0 {
				t.Errorf("request %d: %v, want 503 with Retry-After", i, err)
			}
		}
	}
	w.refresh("strict", resp.RefreshToken) // and the session lives
}

func TestPasswordRefusalsSayTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	pw := storage.Secret(testPassword)
	if _, err := w.users.Add(t.Context(), newUser("inactive", &pw, false)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.users.Add(t.Context(), newUser("no-password", nil, true)); err != nil {
		t.Fatal(err)
	}
	var seen []protocol.Error
	for _, c := range []struct{ name, password string }{
		{"alice", "wrong"}, {"nobody", testPassword}, {"inactive", testPassword}, {"no-password", testPassword}, {"Alice", testPassword},
	} {
		_, err := w.svc.Exchange(t.Context(), &token.Request{
			Client: w.credentials("strict"), GrantType: clients.GrantPassword, Username: c.name, Password: storage.Secret(c.password),
		})
		if code(err) != "invalid_grant" {
			t.Fatalf("%s: %v", c.name, err)
		}
		seen = append(seen, *protocol.AsError(err))
	}
	if !slices.ContainsFunc(seen, func(e protocol.Error) bool { return e.Description != "" }) {
		t.Error("no description")
	}
	for _, e := range seen {
		if e.Description != seen[0].Description || e.Status != seen[0].Status || e.Reason != seen[0].Reason {
			t.Errorf("%+v differs from %+v", e, seen[0])
		}
	}
}

// Row G: tools that log in by the password grant, such as kubelogin, want to know who the user is.
func TestPasswordGrantWithOpenIDReturnsAnIDToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	_, secret, err := w.clients.Add(t.Context(), clients.Registration{ID: "openid", Metadata: clients.Metadata{
		GrantTypes: []string{"password", "refresh_token"}, Scope: "openid read",
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.secrets["openid"] = secret
	first := w.login("openid")
	header, payload := claimsOf(t, first.IDToken)
	if header["alg"] != "RS256" || payload["sub"] != "1" || payload["aud"] != "openid" || payload["at_hash"] == "" {
		t.Errorf("%v %v", header, payload)
	}
	if hint, err := w.svc.IDTokenHint(t.Context(), first.IDToken); err != nil || hint.Subject != "1" || hint.ClientID != "openid" {
		t.Errorf("%+v, %v", hint, err)
	}
	if next := w.refresh("openid", first.RefreshToken); next.IDToken == "" {
		t.Error("no ID token at the refresh")
	}
	narrow := []string{"read"}
	if without := w.loginWith("openid", func(r *token.Request) { r.Scope = narrow }); without.IDToken != "" {
		t.Error("an ID token without the scope openid")
	}
}
