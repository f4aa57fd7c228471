package consent_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// asked goes to the consent page of a client, signed in.
func asked(s *servertest.Server, c servertest.Client, pairs ...string) (*servertest.Browser, *servertest.Page) {
	b := s.Browser()
	b.SignIn()
	return b, b.Authorize(c, pairs...)
}

// consents are those of the user.
func consents(t *testing.T, s *servertest.Server) []*storage.Consent {
	t.Helper()
	list, err := s.Store.ListConsents(t.Context(), servertest.UserID, 10)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// events are the latest events of the user, newest first.
func events(t *testing.T, s *servertest.Server, limit int) []*storage.AuditEvent {
	t.Helper()
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestConsentIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	s.Clock.Advance(time.Second)
	answer := page.Form("/consent").Press("decision", "allow")
	if code := answer.Response(servertest.Callback); code.Get("code") == "" || code.Get("state") != servertest.State {
		t.Errorf("the answer is %v", code)
	}
	for _, hop := range answer.Hops {
		if hop != http.StatusSeeOther {
			t.Errorf("redirects by %v", answer.Hops)
		}
	}
	list := consents(t, s)
	if len(list) != 1 || list[0].ClientID != s.Web.ID || strings.Join(list[0].Scope, " ") != "openid read" || list[0].Fingerprint.IsZero() {
		t.Fatalf("the consents are %+v", list)
	}
	if e := event(t, s, "consent_granted"); e.ClientID != s.Web.ID || e.Actor != "user" || e.Outcome != "success" {
		t.Errorf("the event is %+v", e)
	}
	if b.Authorize(s.Web).Response(servertest.Callback).Get("code") == "" {
		t.Error("what was allowed is asked again")
	}
	if page := b.Authorize(s.Web, "scope", "openid write"); !page.Has("/consent") {
		t.Errorf("another scope is not asked for: %s", page.Left)
	}
	if page := b.Authorize(s.Web, "prompt", "consent"); !page.Has("/consent") {
		t.Errorf("prompt=consent does not ask: %s", page.Left)
	}
}

// event gives the latest event of the user with this name.
func event(t *testing.T, s *servertest.Server, action string) *storage.AuditEvent {
	t.Helper()
	for _, e := range events(t, s, 10) {
		if e.Action == action {
			return e
		}
	}
	t.Fatalf("no event %s", action)
	return nil
}

// The address with the decision is good for a while, and must not bring back what the user has taken from the application.
func TestConsentThatWasTakenBackIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	answer := page.Form("/consent").Press("decision", "allow")
	allowed := answer.URL
	if answer.Response(servertest.Callback).Get("code") == "" || !strings.Contains(allowed, "/oauth2/authorize?continue=") {
		t.Fatalf("no code, from %s", allowed)
	}
	b.Post("/account/applications/end", "client_id", s.Web.ID)
	if page := b.Follow(allowed); !page.Has("/consent") {
		t.Errorf("led to %q", page.Left)
	}
}

func TestConsentIsDenied(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	answer := page.Form("/consent").Press("decision", "deny").Response(servertest.Callback)
	if answer.Get("error") != "access_denied" || answer.Get("state") != servertest.State || answer.Has("code") {
		t.Errorf("the answer is %v", answer)
	}
	if e := event(t, s, "consent_denied"); e.ClientID != s.Web.ID || e.Outcome != "denied" {
		t.Errorf("the event is %+v", e)
	}
	if len(consents(t, s)) != 0 || !b.Authorize(s.Web).Has("/consent") {
		t.Error("a denial counts as something")
	}
}

func TestStatement13ConsentBelongsToOneSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddUser(users.NewUser{ID: 2, Username: "bob", Active: true}, servertest.Password)
	_, page := asked(s, s.Web)
	ticket := page.Form("/consent").Fields.Get("request")
	nobody, bob, again := s.Browser(), s.Browser(), s.Browser()
	bob.SignInAs("bob", servertest.Password)
	again.SignIn() // the same user, in another browser
	for name, b := range map[string]*servertest.Browser{"nobody": nobody, "another user": bob, "another browser": again} {
		for _, decision := range []string{"allow", "deny"} {
			if p := b.Post("/consent", "request", ticket, "decision", decision); p.Status != http.StatusForbidden || p.Left != "" {
				t.Errorf("%s may %s: %d %s", name, decision, p.Status, p.Left)
			}
		}
		if p := b.Get("/consent?" + url.Values{"request": {ticket}}.Encode()); p.Status != http.StatusForbidden || p.Has("/consent") {
			t.Errorf("%s sees the page: %d", name, p.Status)
		}
	}
	if len(consents(t, s)) != 0 {
		t.Error("a consent was kept")
	}
}

func TestStatement13ConsentIsNotForPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	ticket := page.Form("/consent").Fields.Get("request")
	b.PostForeign("/consent", "request", ticket, "decision", "allow").Expect(http.StatusForbidden)
	if len(consents(t, s)) != 0 {
		t.Error("a page of another site has allowed it")
	}
	// Nothing that is no ticket of the page: a continuation is not, and neither is a made-up one.
	waiting, err := url.Parse(s.Browser().Authorize(s.Web).URL)
	if err != nil {
		t.Fatal(err)
	}
	_, blob, _ := strings.Cut(waiting.Query().Get("return_to"), "continue=")
	for _, forged := range []string{blob, "", "x", ticket[1:], ticket + "A"} {
		b.Post("/consent", "request", forged, "decision", "allow").Expect(http.StatusBadRequest)
	}
	b.Post("/consent", "request", ticket, "decision", "yes").Expect(http.StatusBadRequest)
	b.Post("/consent", "request", ticket).Expect(http.StatusBadRequest)
	if len(consents(t, s)) != 0 {
		t.Error("a forged ticket has allowed it")
	}
}

func TestConsentThatIsTooOld(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, page := asked(s, s.Web)
	form := page.Form("/consent")
	s.Clock.Advance(2 * time.Hour)
	if answer := form.Press("decision", "allow"); answer.Status != http.StatusBadRequest || answer.Left != "" {
		t.Errorf("the answer is %d %s", answer.Status, answer.Left)
	}
	if len(consents(t, s)) != 0 {
		t.Error("a consent was kept")
	}
}

func TestConsentAfterSignOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	form := page.Form("/consent")
	b.Get("/account").Form("/account/sign-out").Submit()
	form.Press("decision", "allow").Expect(http.StatusForbidden)
}

func TestStatement14ConsentIsAlwaysAskedForClientsThatAnybodyCanBe(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	callback := "http://127.0.0.1:4711/callback"
	for range 2 {
		page := b.Authorize(s.Native, "redirect_uri", callback)
		if !page.Has("/consent") {
			t.Fatalf("not asked: %s", page.Left)
		}
		if page.Form("/consent").Press("decision", "allow").Response(callback).Get("code") == "" {
			t.Error("no code")
		}
	}
	page := b.Authorize(s.Native, "redirect_uri", callback, "prompt", "none")
	if got := page.Response(callback).Get("error"); got != "consent_required" {
		t.Errorf("prompt=none gives %q", got)
	}
}

func TestStatement14ConsentSaysThatAClientRegisteredItself(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = "open" }))
	made := s.PostJSON("/oauth2/register", map[string]any{
		"client_name": "Bank \u202eknab\u200b <img src=x>" + strings.Repeat("!", 150), "redirect_uris": []string{"https://app.stranger.example/cb"},
		"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"}, "scope": "openid",
	}).Expect(http.StatusCreated)
	c := servertest.Client{ID: made.String("client_id"), Redirect: "https://app.stranger.example/cb"}
	b, page := asked(s, c, "scope", "openid")
	verified, err := s.Clients().Client(t.Context(), s.Web.ID)
	if err != nil || verified.Unverified() {
		t.Fatalf("the operator's client counts as a stranger's (%v)", err)
	}
	for range 2 {
		if !page.Has("/consent") {
			t.Fatalf("not asked: %s", page.Left)
		}
		for _, part := range []string{"app.stranger.example", "unverified"} {
			if !strings.Contains(strings.ToLower(page.Body), part) {
				t.Errorf("%q is not on the page: %s", part, page.Body)
			}
		}
		if strings.ContainsAny(page.Body, "\u202e\u200b") || strings.Contains(page.Body, "<img src=x>") {
			t.Error("the name changes the page")
		}
		if page.Form("/consent").Press("decision", "allow").Response(c.Redirect).Get("code") == "" {
			t.Error("no code")
		}
		page = b.Authorize(c, "scope", "openid", "prompt", "consent")
	}
	if page := b.Authorize(s.Web); strings.Contains(strings.ToLower(page.Body), "unverified") {
		t.Error("the operator's client is called unverified")
	}
}

func TestStatement14ConsentSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/", Name: "The calendar"}); err != nil {
		t.Fatal(err)
	}
	c := s.AddClient(clients.Registration{ID: "shop", Policy: clients.Policy{Resources: []string{"https://api.example/"}}, Metadata: clients.Metadata{
		ClientName: "The <b>Shop</b>", GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read offline_access",
		RedirectURIs: []string{"https://shop.example:8443/cb"}, TokenEndpointAuthMethod: "none",
	}})
	_, page := asked(s, c, "resource", "https://api.example/", "scope", "openid read offline_access")
	page.Form("/consent")
	for _, part := range []string{
		"The &lt;b&gt;Shop&lt;/b&gt;", "shop.example:8443", "read", "The calendar", servertest.Username,
	} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("%q is not on the page: %s", part, page.Body)
		}
	}
	if strings.Contains(page.Body, "<b>Shop") {
		t.Error("the name is markup")
	}
}

// A client that has changed where its answers go is another one: RFC 9700 §4.1.
func TestConsentIsForTheClientAsItWas(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Web)
	page.Form("/consent").Press("decision", "allow")
	_, err := s.Clients().Update(t.Context(), s.Web.ID, func(r *clients.Registration) error {
		r.RedirectURIs = append(r.RedirectURIs, "https://elsewhere.example/cb")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if page := b.Authorize(s.Web); !page.Has("/consent") {
		t.Errorf("not asked again: %s", page.Left)
	}
}

func TestFirstPartyClientAsksNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, page := asked(s, s.Portal)
	if page.Response(servertest.Callback).Get("code") == "" || len(consents(t, s)) != 0 {
		t.Error("a first-party client is asked about")
	}
	if page := b.Authorize(s.Portal, "prompt", "consent"); !page.Has("/consent") {
		t.Errorf("prompt=consent does not ask: %s", page.Left)
	}
}

// What was allowed at one API is asked again at another, and without any; RFC 8707 §3.
func TestA5ConsentIsPerResource(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		apis := []string{"https://api1.example/", "https://api2.example/"}
		c := s.AddClient(clients.Registration{ID: "shop", Policy: clients.Policy{Resources: apis}, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code"}, Scope: "read admin", RedirectURIs: []string{"https://shop.example/cb"},
		}})
		b := s.Browser()
		b.SignIn()
		allow := func(scope, resource string) {
			t.Helper()
			b.Authorize(c, "scope", scope, "resource", resource).Form("/consent").Press("decision", "allow").Response(c.Redirect)
			s.Clock.Advance(time.Second)
		}
		allow("read", apis[0])
		allow("admin", apis[1])
		for _, granted := range [][2]string{{"read", apis[0]}, {"admin", apis[1]}} {
			if page := b.Authorize(c, "scope", granted[0], "resource", granted[1]); page.Has("/consent") {
				t.Errorf("asked again for %v", granted)
			}
		}
		for _, other := range [][2]string{{"admin", apis[0]}, {"read", apis[1]}, {"read admin", apis[0]}, {"read", ""}, {"admin", ""}} {
			page := b.Authorize(c, "scope", other[0], "resource", other[1])
			if !page.Has("/consent") {
				t.Errorf("not asked for %v", other)
			}
		}
		path := c.AuthorizePath("scope", "read", "resource", apis[0]) + "&" + servertest.Form("resource", apis[1]).Encode()
		if !b.Follow(path).Has("/consent") {
			t.Error("not asked for read at both")
		}
		allow("read", "")
		if b.Authorize(c, "scope", "read", "resource", "").Has("/consent") || !b.Authorize(c, "scope", "admin", "resource", "").Has("/consent") {
			t.Error("without a resource it is not what was allowed without one")
		}
	})
}
