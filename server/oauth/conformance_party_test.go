package oauth_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
)

// relyingParty is the suite's client.
type relyingParty struct {
	*servertest.Server
	servertest.Client
	mode string // the response_mode of each request
	b    *servertest.Browser
}

const suiteScope = "openid profile email address phone offline_access"

// newParties gives the plan's clients: one that the operator added, and one that registered itself as the suite does.
func newParties(t *testing.T) (*servertest.Server, map[string]servertest.Client) {
	t.Helper()
	s := newPerson(t, suiteScope, mapped(t), servertest.Configure(func(c *server.Config) { c.Registration = "open" })).Server
	free := false
	static := s.AddClient(clients.Registration{ID: "static", Policy: clients.Policy{RequirePKCE: &free}, Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: suiteScope, RedirectURIs: []string{servertest.Callback},
	}})
	return s, map[string]servertest.Client{"static": static, "dynamic": suiteClient(s)}
}

// suiteClient registers a client with the suite's metadata, changed by names and values.
func suiteClient(s *servertest.Server, pairs ...any) servertest.Client {
	metadata := map[string]any{
		"client_name": "OIDF Conformance", "redirect_uris": []string{servertest.Callback}, "contacts": []string{"certification@example.com"},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "client_secret_basic", "scope": suiteScope,
	}
	for i := 0; i < len(pairs); i += 2 {
		metadata[pairs[i].(string)] = pairs[i+1]
	}
	a := s.PostJSON(registerPath, metadata).Expect(201)
	uris, _ := a.JSON()["redirect_uris"].([]any)
	return servertest.Client{ID: a.String("client_id"), Secret: registeredSecret(a), Redirect: uris[0].(string)}
}

func (p *relyingParty) authorize(pairs ...string) *servertest.Page {
	return p.b.Authorize(p.Client, noPKCE(append([]string{"scope", "openid", "response_mode", p.mode}, pairs...)...)...)
}

// answered reads the authorization response of a page, in the response mode.
func (p *relyingParty) answered(t *testing.T, page *servertest.Page) url.Values {
	t.Helper()
	if p.mode != "form_post" {
		return page.Response(p.Redirect)
	}
	u, err := url.Parse(p.Redirect)
	if err != nil {
		t.Fatal(err)
	}
	form := page.Form(u.Path)
	if form.Action != p.Redirect || page.Left != "" {
		t.Errorf("the form goes to %s", form.Action)
	}
	return form.Fields
}

// answer goes through the pages; state and iss of the answer are checked.
func (p *relyingParty) answer(t *testing.T, pairs ...string) url.Values {
	t.Helper()
	got := p.answered(t, p.authorize(pairs...).Through())
	if got.Get("state") != servertest.State || got.Get("iss") != p.URL {
		t.Errorf("the answer is %v", got)
	}
	return got
}

// login gets tokens and the verified claims of the ID token.
func (p *relyingParty) login(t *testing.T, pairs ...string) (*servertest.Answer, map[string]any) {
	t.Helper()
	got := p.redeem(p.answer(t, pairs...).Get("code")).Expect(200)
	claims := verified(t, p.Server, got.String("id_token"), "RS256")
	if claims["aud"] != p.ID || claims["iss"] != p.URL || got.String("token_type") != "Bearer" {
		t.Errorf("%s\n%v", got.Body, claims)
	}
	return got, claims
}

func (p *relyingParty) redeem(code string) *servertest.Answer {
	return p.Server.Redeem(p.Client, code, "code_verifier", "")
}

func (p *relyingParty) userinfo(access string) *servertest.Answer {
	return p.Get("/oauth2/userinfo", bearer(access))
}

// scope: the claims of the scopes are at userinfo, and their types are those of Core §5.1.
func (p *relyingParty) scope(t *testing.T, scope string, names ...string) {
	t.Helper()
	got, _ := p.login(t, "scope", scope)
	info := p.userinfo(got.String("access_token")).Expect(200).JSON()
	for _, name := range names {
		var right bool
		switch info[name].(type) {
		case string:
			right = !slices.Contains([]string{"email_verified", "phone_number_verified", "updated_at", "address"}, name)
		case bool:
			right = strings.HasSuffix(name, "_verified")
		case float64:
			right = name == "updated_at"
		case map[string]any:
			right = name == "address"
		}
		if !right {
			t.Errorf("%s is %v", name, info[name])
		}
	}
}

// reuse redeems a code twice and returns the access token of the first time.
func (p *relyingParty) reuse(t *testing.T, after time.Duration) string {
	t.Helper()
	code := p.answer(t).Get("code")
	access := p.redeem(code).Expect(200).String("access_token")
	p.Clock.Advance(after)
	p.redeem(code).ExpectError(400, "invalid_grant")
	return access
}

func succeeds(pairs ...string) func(*testing.T, *relyingParty) {
	return func(t *testing.T, p *relyingParty) { p.login(t, pairs...) }
}

// asksAgain: the user logs in a second time, and auth_time says so.
func asksAgain(pairs ...string) func(*testing.T, *relyingParty) {
	return func(t *testing.T, p *relyingParty) {
		_, first := p.login(t)
		p.Clock.Advance(2 * time.Second)
		if !p.authorize(pairs...).Has("/login") {
			t.Error("no login page")
		}
		_, second := p.login(t, pairs...)
		if second["sub"] != first["sub"] || second["auth_time"].(float64) < first["auth_time"].(float64)+2 {
			t.Errorf("%v, before %v", second, first)
		}
	}
}

// silent: the second time nobody is asked, and sub and auth_time are the same.
func silent(pairs ...string) func(*testing.T, *relyingParty) {
	return func(t *testing.T, p *relyingParty) {
		_, first := p.login(t)
		p.Clock.Advance(2 * time.Second)
		code := p.answered(t, p.authorize(pairs...)).Get("code")
		second := verified(t, p.Server, p.redeem(code).Expect(200).String("id_token"), "RS256")
		if second["sub"] != first["sub"] || second["auth_time"] != first["auth_time"] {
			t.Errorf("%v, before %v", second, first)
		}
	}
}

func unsupported(parameter, value, code string) func(*testing.T, *relyingParty) {
	return func(t *testing.T, p *relyingParty) {
		if got := p.answer(t, parameter, value).Get("error"); got != code {
			t.Errorf("the error is %q", got)
		}
	}
}
