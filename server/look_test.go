package server_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/factors"
	"latchkey/server/flow"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
	"latchkey/storage/sqlite/sqlitetest"
)

// shop is a client for which the operator has set the look.
func shop(r *clients.Registration) {
	r.ClientName, r.RedirectURIs = "Shop", []string{servertest.Callback}
	r.BrandName, r.BrandAccent, r.BrandTermsURI, r.BrandPrivacyURI = "Acme Shop", "#0b6b4f", "https://shop.example/terms", "https://shop.example/privacy"
	r.Scope = "openid read"
}

func register(change ...func(*clients.Registration)) clients.Registration {
	var r clients.Registration
	for _, f := range change {
		f(&r)
	}
	return r
}

// The pages on the way to a client look as the operator has set it, and every one says whose page it is: issue 14, point 7.
func TestPagesOnTheWayToAClientHaveItsLook(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := servertest.New(t, servertest.Mail(box), servertest.Configure(func(c *server.Config) {
		c.SignUp, c.SecondFactor = selfhelp.SignUpOpen, factors.Required
		c.Look.TermsURL = "https://acme.example/terms"
	}))
	app := s.AddClient(register(shop))
	looks := func(where string, page *servertest.Page, its bool) {
		t.Helper()
		for _, part := range []string{`<span dir="auto">Acme Shop</span>`, "/static/accent.0b6b4f.", "https://shop.example/terms", "https://shop.example/privacy"} {
			if strings.Contains(page.Body, part) != its {
				t.Errorf("%s: %q, want %v: %s", where, part, its, page.Body)
			}
		}
		for _, part := range []string{"Latchkey · <bdi>" + strings.TrimPrefix(s.URL, "http://") + "</bdi>", "· Latchkey</title>"} {
			if !strings.Contains(page.Body, part) {
				t.Errorf("%s does not say %q", where, part)
			}
		}
		if strings.Contains(page.Body, "https://acme.example/terms") == its {
			t.Errorf("%s: the terms of the service, want %v", where, !its)
		}
	}
	b := s.Browser()
	login := b.Authorize(app)
	looks("login", login, true)
	looks("forgotten password", login.Click("Forgot your password?"), true)
	signUp := login.Click("Create an account")
	looks("sign-up", signUp, true)
	sent := signUp.Form("/sign-up").Set("email", "new@example.com").Submit()
	looks("code", sent, true)
	looks("wrong code", sent.Form("/sign-up/code").Set("code", "00000000").Submit(), true)
	letter := s.Letter(box, "new@example.com")
	looks("link of the letter", s.Browser().Get(letter.Link()), true)
	looks("wrong password", login.Form("/login").Set("username", servertest.Username, "password", "x").Submit(), true)
	enrol := login.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	looks("enrolment", enrol, true)

	plain := s.Browser()
	looks("login of another client", plain.Authorize(s.Web), false)
	looks("login of the account", plain.Get("/account"), false)
	looks("a request that is none", plain.Get("/login?return_to=/oauth2/authorize%3Fcontinue%3Dabc"), false)
	looks("sign-up of nobody", plain.Get("/sign-up"), false)
}

func TestConsentAndDeviceHaveTheLookOfTheirClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	app := s.AddClient(register(shop, func(r *clients.Registration) {
		r.GrantTypes = []string{clients.GrantAuthorizationCode, clients.GrantDeviceCode}
	}))
	b := s.Browser()
	b.SignIn()
	const its = `<span dir="auto">Acme Shop</span>`
	if page := b.Authorize(app); !page.Has("/consent") || !strings.Contains(page.Body, its) || !strings.Contains(page.Body, "<bdi>Shop</bdi>") {
		t.Errorf("consent: %s", page.Body)
	}
	a := s.PostAs(app, "/oauth2/device_authorization").Expect(200)
	page := b.Get("/device")
	if strings.Contains(page.Body, its) {
		t.Error("the page for the code has the look before it knows the client")
	}
	page = page.Form("/device").Set("user_code", a.String("user_code")).Submit()
	if !strings.Contains(page.Body, its) {
		t.Errorf("device: %s", page.Body)
	}
	if page = page.Form("/device").Press("decision", "allow"); !strings.Contains(page.Body, its) {
		t.Errorf("done: %s", page.Body)
	}
}

// RFC 7591 §5, RFC 6749 §10.11: a client that registers itself can't make our pages look like another's; one that the operator has verified
// keeps its look until it describes itself anew.
func TestARegisteredClientCannotChangeTheLook(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = "open" }))
	description := map[string]any{
		"client_name": "Shop", "redirect_uris": []string{servertest.Callback}, "token_endpoint_auth_method": "none", "scope": "openid",
		"brand_name": "My Bank", "brand_accent": "#0b6b4f", "brand_logo_uri": "https://bank.example/logo.png", "brand_terms_uri": "https://bank.example/",
	}
	a := s.PostJSON("/oauth2/register", description).Expect(201)
	id := a.String("client_id")
	login := func() string {
		return s.Browser().Authorize(servertest.Client{ID: id}, "redirect_uri", servertest.Callback, "scope", "openid").Body
	}
	if body := login(); strings.Contains(body, "My Bank") || strings.Contains(body, "accent.") || strings.Contains(a.Body, "brand_") {
		t.Errorf("it has set the look: %s %s", a.Body, body)
	}
	set := func(change func(*clients.Registration)) {
		t.Helper()
		if _, err := s.Clients().Update(t.Context(), id, func(r *clients.Registration) error { change(r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set(func(r *clients.Registration) { r.BrandName = "Acme Shop" })
	if strings.Contains(login(), "Acme Shop") {
		t.Error("a client that is not verified has a look")
	}
	set(func(r *clients.Registration) { r.Verified = true })
	if !strings.Contains(login(), "Acme Shop") {
		t.Errorf("a verified client has none: %s", login())
	}
	delete(description, "brand_name")
	description["client_id"], description["client_name"] = id, "My Bank"
	raw, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(http.MethodPut, "/oauth2/register/"+id, string(raw), func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+a.String("registration_access_token"))
		r.Header.Set("Content-Type", "application/json")
	}).Expect(200)
	if strings.Contains(login(), "Acme Shop") {
		t.Error("a client that describes itself anew keeps the look")
	}
}

// A colour that is hard to read is refused with the figure and a proposal.
func TestAccentsOfClientsAreChecked(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*clients.Registration){
		"brand_accent":      func(r *clients.Registration) { r.BrandAccent = "#ffee00" },
		"brand_accent_dark": func(r *clients.Registration) { r.BrandAccentDark = "#102030" },
		"brand_name":        func(r *clients.Registration) { r.BrandName = "a\u202eb" },
		"brand_logo_uri":    func(r *clients.Registration) { r.BrandLogoURI = "javascript:alert(1)" },
		"brand_terms_uri":   func(r *clients.Registration) { r.BrandTermsURI = "data:,x" },
		"brand_privacy_uri": func(r *clients.Registration) { r.BrandPrivacyURI = "/x" },
	} {
		r := register(shop, change)
		_, _, err := clients.Validate(r.Metadata, r.Policy)
		faults := clients.Faults(err)
		if len(faults) != 1 || faults[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if strings.Contains(field, "accent") && (!strings.Contains(err.Error(), "the contrast of #") || !strings.Contains(err.Error(), "such as #")) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The logo of a look is the operator's, and is served as our own: no other server learns who looks at the login page.
func TestTheLogoOfALookIsServedHere(t *testing.T) {
	t.Parallel()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 2, 2))); err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(picture.Bytes()) }))
	t.Cleanup(host.Close)
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
	app := s.AddClient(register(shop, func(r *clients.Registration) { r.BrandName, r.BrandLogoURI = "", host.URL+"/logo.png" }))
	page := s.Browser().Authorize(app)
	if !strings.Contains(page.Body, `<img src="/logo?brand=1&amp;client_id=`+app.ID+`" alt="Shop">`) {
		t.Fatalf("the page: %s", page.Body)
	}
	logo := s.Get("/logo?brand=1&client_id=" + app.ID).Expect(200)
	if logo.Body != picture.String() || logo.Header.Get("Content-Type") != "image/png" {
		t.Errorf("the logo is %q %q", logo.Header.Get("Content-Type"), logo.Body)
	}
	s.Get("/logo?client_id=" + app.ID).Expect(404) // it has no logo_uri
	s.Get("/logo?brand=1&client_id=" + s.Web.ID).Expect(404)
}

// Pages that explain an error of a client's request, and those of a logout, look as the pages before them: issue 14, point 7. Whoever can't
// be told from others has no look: a client that is unknown, not verified or disabled.
func TestErrorsAndLogoutsHaveTheLookOfTheirClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	app := s.AddClient(register(shop, func(r *clients.Registration) { r.PostLogoutRedirectURIs = []string{"https://shop.example/bye"} }))
	b := s.Browser()
	b.SignIn()
	looks := func(where string, page *servertest.Page, status int, its bool) {
		t.Helper()
		if has := strings.Contains(page.Body, `<span dir="auto">Acme Shop</span>`); page.Status != status || has != its {
			t.Errorf("%s: %d, its look %v, want %d and %v: %s", where, page.Status, has, status, its, page.Body)
		}
		if strings.Contains(page.Body, "/static/accent.0b6b4f.") != its || !strings.Contains(page.Body, "Latchkey · <bdi>") {
			t.Errorf("%s: the colours, or no word of whose page it is: %s", where, page.Body)
		}
	}
	all := func(where string, its bool) {
		t.Helper()
		looks(where+", redirect URI", b.Get("/oauth2/authorize?response_type=code&redirect_uri=https://evil.example&client_id="+app.ID), 400, its)
		looks(where+", logout", b.Get("/oauth2/logout?client_id="+app.ID), 200, its)
		looks(where+", logout to elsewhere", b.Get("/oauth2/logout?post_logout_redirect_uri=https://evil.example&client_id="+app.ID), 200, its)
		looks(where+", nothing to log out from", s.Browser().Get("/oauth2/logout?id_token_hint=x&client_id="+app.ID), 400, its)
	}
	all("verified", true)
	for _, strange := range []string{"/oauth2/authorize?client_id=nobody", "/oauth2/authorize", "/oauth2/logout?client_id=nobody", "/oauth2/logout?client_id=" + s.Web.ID, "/nowhere"} {
		page := b.Get(strange)
		looks(strange, page, page.Status, false)
	}
	german := b.Get("/oauth2/authorize?response_type=code&redirect_uri=https://evil.example&ui_locales=de&client_id=" + app.ID)
	if !strings.Contains(german.Body, `<html lang="de"`) {
		t.Errorf("the page is not in the language that the application asks for: %s", german.Body)
	}

	ask := b.Authorize(app, "response_mode", "form_post")
	if !ask.Has("/consent") {
		t.Fatalf("no consent: %s", ask.Body)
	}
	looks("another's consent", s.Browser().Get(ask.URL), 403, true)
	ticket := ask.URL[strings.Index(ask.URL, flow.ParamTicket+"=")+len(flow.ParamTicket)+1:]
	looks("a form that is malformed", b.Post("/consent", flow.ParamTicket, ticket, flow.ParamDecision, "perhaps"), 400, true)
	looks("the answer by a form", ask.Form("/consent").Press("decision", "allow"), 200, true)
	looks("logged out", b.Get("/oauth2/logout?client_id="+app.ID).Form("/oauth2/logout").Press("decision", "logout"), 200, true)

	b.SignIn()
	for _, disabled := range []bool{true, false} {
		if err := s.Clients().SetDisabled(t.Context(), app.ID, disabled); err != nil {
			t.Fatal(err)
		}
		all(map[bool]string{true: "disabled", false: "enabled again"}[disabled], !disabled)
	}
}

// A request that took too long is explained on a page that looks as those before it, and so is an outage.
func TestExpiryAndOutageHaveTheLookOfTheirClient(t *testing.T) {
	t.Parallel()
	outage := servertest.NewOutage(sqlitetest.SQLite(t))
	s := servertest.New(t, servertest.Store(outage))
	app := s.AddClient(register(shop))
	has := func(page *servertest.Page, status int, text string) {
		t.Helper()
		if !strings.Contains(page.Body, `<html lang="de"`) {
			t.Errorf("not in the language that the application asks for: %s", page.Body)
		}
		if page.Status != status || !strings.Contains(page.Body, text) || !strings.Contains(page.Body, `<span dir="auto">Acme Shop</span>`) {
			t.Errorf("%d, want %d with %q in the client's look: %s", page.Status, status, text, page.Body)
		}
	}
	b := s.Browser()
	f := b.Authorize(app, "ui_locales", "de").Form("/login").Set("username", servertest.Username, "password", servertest.Password)
	outage.Away(true)
	has(f.Submit(), 503, "Bitte versuchen Sie es in Kürze noch einmal")
	outage.Away(false)
	s.Clock.Advance(61 * time.Minute)
	has(f.Submit(), 400, "Diese Anfrage ist abgelaufen")
}
