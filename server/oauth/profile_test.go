package oauth_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/claims"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/testclock"
)

// everyScope is what an application asks for that wants to know all about a user.
const everyScope = "openid profile email groups address phone offline_access"

// person is a user with everything that applications ask for, and the clients that ask.
type person struct {
	*servertest.Server
	app servertest.Client
}

// newPerson gives alice a profile, and makes a client that may ask for everything.
func newPerson(t *testing.T, scope string, opts ...servertest.Option) *person {
	t.Helper()
	s := servertest.New(t, opts...)
	text := func(v string) *string { return &v }
	verified, groups := true, []string{"admins", "Domain Users"}
	attributes := json.RawMessage(`{"tenant":"acme","level":7,"nickname":"Al","website":"https://alice.example",
		"address":{"locality":"Wien"},"phone":"+43 1 234","phone_ok":true,"deep":{"er":["x"]}}`)
	_, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{
		Email: text("alice@example.com"), EmailVerified: &verified, Name: text("Alice Ångström"), GivenName: text("Alice"),
		FamilyName: text("Ångström"), Picture: text("https://img.example/alice.png"), Locale: text("de-AT"),
		ZoneInfo: text("Europe/Vienna"), Groups: &groups, Attributes: &attributes,
	})
	if err != nil {
		t.Fatal(err)
	}
	app := s.AddClient(clients.Registration{ID: "app", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{servertest.Callback}, Scope: scope,
	}})
	return &person{s, app}
}

// tell returns what a login with a scope tells in the ID token, in the access token and at userinfo; without what is not about the user.
func (p *person) tell(t *testing.T, scope string, pairs ...string) (idToken, access, userinfo map[string]any, tokens *servertest.Answer) {
	t.Helper()
	tokens = p.Redeem(p.app, p.Browser().Code(p.app, append([]string{"scope", scope}, pairs...)...)).Expect(200)
	idToken, access, userinfo = p.told(t, tokens)
	return idToken, access, userinfo, tokens
}

func (p *person) told(t *testing.T, tokens *servertest.Answer) (idToken, access, userinfo map[string]any) {
	t.Helper()
	userinfo = p.Get("/oauth2/userinfo", bearer(tokens.String("access_token"))).Expect(200).JSON()
	idToken, access = servertest.Claims(t, tokens.String("id_token")), servertest.Claims(t, tokens.String("access_token"))
	for _, name := range []string{"iss", "aud", "exp", "iat", "auth_time", "amr", "acr", "nonce", "at_hash", "sid", "jti", "client_id", "scope"} {
		delete(idToken, name)
		delete(access, name)
	}
	return idToken, access, userinfo
}

func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

var aliceProfile = map[string]any{
	"name": "Alice Ångström", "given_name": "Alice", "family_name": "Ångström", "preferred_username": "alice", "nickname": "Al",
	"website": "https://alice.example", "picture": "https://img.example/alice.png", "locale": "de-AT", "zoneinfo": "Europe/Vienna",
	"updated_at": testclock.Epoch.Unix(),
}

// Row B, row C, row I: the claims of the granted scopes are in the ID token and at userinfo, now and after each refresh.
func TestB_ClaimsOfScopesInIDTokenAndUserinfo(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	with := func(more map[string]any, profile bool) map[string]any {
		want := map[string]any{"sub": "1"}
		if profile {
			maps.Copy(want, aliceProfile)
		}
		maps.Copy(want, more)
		return want
	}
	for _, c := range []struct {
		scope string
		want  map[string]any
	}{
		{"openid", with(nil, false)},
		{"openid profile", with(nil, true)},
		{"openid email", with(map[string]any{"email": "alice@example.com", "email_verified": true}, false)},
		{"openid groups", with(map[string]any{"groups": []string{"admins", "Domain Users"}}, false)},
		{"openid address phone", with(nil, false)}, // no claims map has them
		{"openid profile email groups offline_access", with(map[string]any{
			"email": "alice@example.com", "email_verified": true, "groups": []string{"admins", "Domain Users"},
		}, true)},
	} {
		idToken, access, userinfo, tokens := p.tell(t, c.scope)
		check := func(when string) {
			t.Helper()
			if asJSON(idToken) != asJSON(c.want) || asJSON(userinfo) != asJSON(c.want) {
				t.Errorf("%s, %s\nID token %s\nuserinfo %s\nwant     %s", c.scope, when, asJSON(idToken), asJSON(userinfo), asJSON(c.want))
			}
			if asJSON(access) != `{"sub":"1"}` {
				t.Errorf("%s, %s: the access token tells %s", c.scope, when, asJSON(access))
			}
		}
		check("login")
		idToken, access, userinfo = p.told(t, p.Refresh(p.app, tokens.String("refresh_token")).Expect(200))
		check("refresh")
	}
}

// Row G: kubelogin's grant type password wants to know who the user is, at the login and at each refresh.
func TestRowGThePasswordGrantTellsWhoTheUserIs(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	c := p.AddClient(clients.Registration{ID: "kubectl", Metadata: clients.Metadata{
		GrantTypes: []string{"password", "refresh_token"}, Scope: everyScope, TokenEndpointAuthMethod: "none",
	}})
	login := func(scope string) *servertest.Answer {
		return p.Token(c, "grant_type", "password", "username", servertest.Username, "password", servertest.Password, "scope", scope).Expect(200)
	}
	first := login("openid profile groups")
	for _, got := range []*servertest.Answer{first, p.Refresh(c, first.String("refresh_token")).Expect(200)} {
		claims := verified(t, p.Server, got.String("id_token"), "RS256")
		if claims["aud"] != c.ID || claims["name"] != "Alice Ångström" || asJSON(claims["groups"]) != `["admins","Domain Users"]` || claims["auth_time"] == nil ||
			claims["at_hash"] != hashOf("RS256", got.String("access_token")) {
			t.Errorf("the ID token has %v", claims)
		}
	}
	if without := login("profile"); without.String("id_token") != "" {
		t.Errorf("an ID token without openid: %s", without.Body)
	}
}

// Row C: an address that nobody verified says so; a user without an address has neither claim.
func TestC_EmailVerified(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	email := func() string {
		t.Helper()
		idToken, _, userinfo, _ := p.tell(t, "openid email")
		if asJSON(idToken) != asJSON(userinfo) {
			t.Errorf("ID token %v, userinfo %v", idToken, userinfo)
		}
		return asJSON(userinfo)
	}
	update := func(c storage.UserChange) {
		t.Helper()
		if _, err := p.Users().Update(t.Context(), servertest.UserID, c); err != nil {
			t.Fatal(err)
		}
	}
	if got := email(); got != `{"email":"alice@example.com","email_verified":true,"sub":"1"}` {
		t.Errorf("verified: %s", got)
	}
	other, none, yes := "other@example.com", "", true
	update(storage.UserChange{Email: &other})
	if got := email(); got != `{"email":"other@example.com","email_verified":false,"sub":"1"}` {
		t.Errorf("changed: %s", got)
	}
	update(storage.UserChange{EmailVerified: &yes})
	if got := email(); got != `{"email":"other@example.com","email_verified":true,"sub":"1"}` {
		t.Errorf("verified again: %s", got)
	}
	update(storage.UserChange{Email: &none})
	if got := email(); got != `{"sub":"1"}` {
		t.Errorf("removed: %s", got)
	}
}

// Row B: a client may be registered without the claims in its ID tokens (OpenID Connect Core §5.4); the claims parameter goes on working.
func TestB_IDTokenClaimsOff(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	off := false
	p.app = p.AddClient(clients.Registration{ID: "lean", Policy: clients.Policy{FirstParty: true, IDTokenClaims: &off}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{servertest.Callback}, Scope: everyScope,
	}})
	idToken, _, userinfo, _ := p.tell(t, "openid profile email groups")
	if asJSON(idToken) != `{"sub":"1"}` || userinfo["name"] != "Alice Ångström" || userinfo["email"] == nil || userinfo["groups"] == nil {
		t.Errorf("ID token %v, userinfo %v", idToken, userinfo)
	}
	idToken, _, userinfo, _ = p.tell(t, "openid", "claims", `{"id_token":{"groups":null,"name":{"essential":true}},"userinfo":{"email":null}}`)
	if asJSON(idToken) != `{"groups":["admins","Domain Users"],"name":"Alice Ångström","sub":"1"}` || asJSON(userinfo) != `{"email":"alice@example.com","sub":"1"}` {
		t.Errorf("ID token %v, userinfo %v", asJSON(idToken), asJSON(userinfo))
	}
	client, err := p.Clients().Client(t.Context(), "lean")
	if err != nil || client.ClaimsInIDToken() {
		t.Errorf("%v, %v", client, err)
	}
}

// Row I: what a user has not is left out, except the groups, which are none; the name falls back to the username.
func TestI_AUserWithoutProfile(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	app := s.AddClient(clients.Registration{ID: "app", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{servertest.Callback}, Scope: everyScope,
	}})
	tokens := s.Redeem(app, s.Browser().Code(app, "scope", "openid profile email groups")).Expect(200)
	want := fmt.Sprintf(`{"sub":"1","name":"alice","preferred_username":"alice","updated_at":%d,"groups":[]}`, testclock.Epoch.Unix())
	s.Get("/oauth2/userinfo", bearer(tokens.String("access_token"))).Expect(200).ExpectBody(want)
}

// catalog makes a claims map as the configuration file writes it.
func catalog(t *testing.T, rules, scopes []string) *claims.Catalog {
	t.Helper()
	var parsedRules []claims.Rule
	for _, text := range rules {
		r, err := claims.ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		parsedRules = append(parsedRules, r)
	}
	var parsedScopes []claims.Scope
	for _, text := range scopes {
		s, err := claims.ParseScope(text)
		if err != nil {
			t.Fatal(err)
		}
		parsedScopes = append(parsedScopes, s)
	}
	c, err := claims.New(parsedRules, parsedScopes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mapped(t *testing.T) servertest.Option {
	return servertest.Configure(func(c *server.Config) {
		c.Claims = catalog(t, []string{
			"roles=groups", "tenant=attributes.tenant", "level=attributes.level in access_token simplejwt", "deep=attributes.deep in userinfo",
			"address=attributes.address", "phone_number=attributes.phone", "phone_number_verified=attributes.phone_ok",
			"birthdate=attributes.level", "cost=attributes.tenant", "https://claims.example/none=attributes.none",
		}, []string{"costs=cost", "profile=deep"})
	})
}

// Row I: the operator's map brings claims into each kind of token, and scopes of their own.
func TestI_ClaimsMap(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope+" costs", mapped(t))
	idToken, access, userinfo, tokens := p.tell(t, "openid")
	if asJSON(idToken) != `{"roles":["admins","Domain Users"],"sub":"1","tenant":"acme"}` || asJSON(userinfo) != asJSON(idToken) {
		t.Errorf("openid: ID token %s, userinfo %s", asJSON(idToken), asJSON(userinfo))
	}
	if asJSON(access) != `{"level":7,"roles":["admins","Domain Users"],"sub":"1","tenant":"acme"}` {
		t.Errorf("openid: access token %s", asJSON(access))
	}
	seen := p.PostForm("/oauth2/introspect", servertest.Form("token", tokens.String("access_token")), p.Inspector.Basic()).Expect(200).JSON()
	if seen["tenant"] != "acme" || seen["username"] != "alice" || seen["sub"] != "1" || seen["level"] != 7.0 {
		t.Errorf("introspection %v", seen)
	}
	idToken, access, userinfo, _ = p.tell(t, "openid profile address phone costs")
	for name, want := range map[string]any{
		"address": map[string]any{"locality": "Wien"}, "phone_number": "+43 1 234", "phone_number_verified": true, "cost": "acme", "birthdate": nil,
		"https://claims.example/none": nil, "level": nil,
	} {
		if asJSON(idToken[name]) != asJSON(want) || asJSON(userinfo[name]) != asJSON(want) {
			t.Errorf("%s: ID token %v, userinfo %v, want %v", name, idToken[name], userinfo[name], want)
		}
	}
	if idToken["deep"] != nil || asJSON(userinfo["deep"]) != `{"er":["x"]}` || access["cost"] != "acme" || access["address"] != nil || access["name"] != nil {
		t.Errorf("ID token %v, userinfo %v, access token %v", idToken, userinfo, access)
	}
	doc := p.Get("/.well-known/openid-configuration").Expect(200).JSON()
	if got, want := asJSON(doc["scopes_supported"]), `["openid","profile","email","groups","address","phone","costs","offline_access"]`; got != want {
		t.Errorf("scopes_supported %s, want %s", got, want)
	}
	for _, name := range []string{"roles", "tenant", "deep", "address", "phone_number", "cost", "acr", "given_name", "updated_at"} {
		if !slices.Contains(doc["claims_supported"].([]any), any(name)) {
			t.Errorf("claims_supported has no %s", name)
		}
	}
	if slices.Contains(doc["claims_supported"].([]any), any("level")) {
		t.Error("claims_supported has level, which is in access tokens only")
	}
}

// The claims parameter gets no claim that the client could not get by a scope.
func TestI_ClaimsParameterStaysWithinTheScopesOfTheClient(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "openid email", mapped(t))
	idToken, _, userinfo, _ := p.tell(t, "openid", "claims",
		`{"id_token":{"cost":null,"name":null,"email":null,"level":null},"userinfo":{"cost":null,"groups":null,"email":null}}`)
	if asJSON(idToken) != `{"email":"alice@example.com","roles":["admins","Domain Users"],"sub":"1","tenant":"acme"}` || asJSON(userinfo) != asJSON(idToken) {
		t.Errorf("ID token %s, userinfo %s", asJSON(idToken), asJSON(userinfo))
	}
}

// Row I: simplejwt's tokens have the mapped claims, and lose those that the user loses.
func TestI_ClaimsMapInSimpleJWTTokens(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope, mapped(t))
	tokens := p.LoginSimpleJWT()
	for kind, raw := range map[string]string{"access": tokens.Access, "refresh": tokens.Refresh} {
		got := servertest.Claims(t, raw)
		if asJSON(got["roles"]) != `["admins","Domain Users"]` || got["tenant"] != "acme" || got["level"] != 7.0 || got["cost"] != "acme" || got["address"] != nil {
			t.Errorf("%s token %v", kind, got)
		}
	}
	groups, attributes := []string{"guests"}, json.RawMessage(`{"level":8}`)
	if _, err := p.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups, Attributes: &attributes}); err != nil {
		t.Fatal(err)
	}
	next := p.RefreshSimpleJWT(tokens.Refresh).Expect(200)
	for _, kind := range []string{"access", "refresh"} {
		got := servertest.Claims(t, next.String(kind))
		if _, has := got["tenant"]; has || asJSON(got["roles"]) != `["guests"]` || got["level"] != 8.0 || got["user_id"] == nil {
			t.Errorf("after the change: %s token %v", kind, got)
		}
	}
	p.PostJSON("/api/token/verify/", map[string]string{"token": next.String("access")}).Expect(200)
}

// The acr says what was done; one that no login has is refused where it is essential (OpenID Connect Core §5.5.1.1).
func TestACR(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope)
	doc := p.Get("/.well-known/openid-configuration").Expect(200).JSON()
	values, _ := doc["acr_values_supported"].([]any)
	if len(values) != 2 { // that of two factors is in TestACRValues
		t.Fatalf("acr_values_supported %v", values)
	}
	for _, asked := range []string{"", values[0].(string), "1 2"} {
		tokens := p.Redeem(p.app, p.Browser().Code(p.app, "scope", "openid", "acr_values", asked)).Expect(200)
		next := p.Refresh(p.app, tokens.String("refresh_token")).Expect(200)
		for _, a := range []*servertest.Answer{tokens, next} {
			if got := servertest.Claims(t, a.String("id_token")); got["acr"] != values[0] {
				t.Errorf("acr_values %q: acr is %v", asked, got["acr"])
			}
		}
	}
	for asked, want := range map[string]string{
		`{"id_token":{"acr":null}}`:                                                            "",
		`{"id_token":{"acr":{"essential":true}}}`:                                              "",
		`{"id_token":{"acr":{"values":["gold"]}}}`:                                             "",
		`{"id_token":{"acr":{"essential":true,"value":"gold"}}}`:                               "unmet_authentication_requirements",
		`{"id_token":{"acr":{"essential":true,"values":["gold",7,null]}}}`:                     "unmet_authentication_requirements",
		fmt.Sprintf(`{"id_token":{"acr":{"essential":true,"values":["gold",%q]}}}`, values[0]): "",
	} {
		if got := p.Browser().Authorize(p.app, "scope", "openid", "claims", asked).Through().Response(servertest.Callback).Get("error"); got != want {
			t.Errorf("%s: error %q, want %q", asked, got, want)
		}
	}
}

// A user with more than a token can carry can sign in all the same; userinfo has it all.
func TestI_TooMuchForAToken(t *testing.T) {
	t.Parallel()
	p := newPerson(t, everyScope, servertest.Configure(func(c *server.Config) { c.Claims = catalog(t, []string{"roles=groups"}, nil) }))
	var groups []string
	for i := range 200 {
		groups = append(groups, fmt.Sprintf("%03d-%s", i, strings.Repeat("g", 30)))
	}
	if _, err := p.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	idToken, access, userinfo, tokens := p.tell(t, "openid")
	if idToken["roles"] == nil || access["roles"] == nil || userinfo["roles"] == nil {
		t.Errorf("7 KB: ID token %d, access token %d, userinfo %d claims", len(idToken), len(access), len(userinfo))
	}
	p.Get("/oauth2/logout?" + servertest.Form("id_token_hint", tokens.String("id_token")).Encode()).Expect(200)
	idToken, access, userinfo, _ = p.tell(t, "openid groups")
	if idToken["groups"] != nil || idToken["roles"] != nil || access["roles"] == nil || userinfo["roles"] == nil || userinfo["groups"] == nil {
		t.Errorf("14 KB: ID token %d, access token %d, userinfo %d claims", len(idToken), len(access), len(userinfo))
	}
	if !strings.Contains(p.Log.String(), "user_claims_left_out_bytes") {
		t.Error("the log does not say that claims were left out")
	}
}
