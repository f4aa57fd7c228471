package device_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/testclock"
	"latchkey/storage/teststore"
)

const endpoint = "/oauth2/device_authorization"

// tv adds a client for devices.
func tv(s *servertest.Server, change ...func(*clients.Registration)) servertest.Client {
	r := clients.Registration{ID: "tv", Metadata: clients.Metadata{
		ClientName: "Television", Scope: "openid email read", TokenEndpointAuthMethod: "none",
		GrantTypes: []string{clients.GrantDeviceCode, clients.GrantRefreshToken},
	}}
	for _, f := range change {
		f(&r)
	}
	return s.AddClient(r)
}

// ask sends a device authorization request.
func ask(s *servertest.Server, c servertest.Client, pairs ...string) *servertest.Answer {
	return s.PostAs(c, endpoint, pairs...)
}

// poll asks for the tokens.
func poll(s *servertest.Server, c servertest.Client, code string) *servertest.Answer {
	return s.Token(c, "grant_type", clients.GrantDeviceCode, "device_code", code)
}

// enter enters a code, signed in.
func enter(b *servertest.Browser, code string) *servertest.Page {
	return b.Get("/device").Form("/device").Set("user_code", code).Submit()
}

func signedIn(s *servertest.Server) *servertest.Browser {
	b := s.Browser()
	b.SignIn()
	return b
}

func TestDeviceLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	a := ask(s, c, "scope", "openid read").Expect(200)
	code, user := a.String("device_code"), a.String("user_code")
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(user) || !strings.HasPrefix(code, "lk_dc_") {
		t.Errorf("the codes are %s", a.Body)
	}
	if a.String("verification_uri") != s.URL+"/device" || a.String("verification_uri_complete") != s.URL+"/device?user_code="+user ||
		a.JSON()["interval"] != 5.0 || a.JSON()["expires_in"] != 600.0 || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer is %s", a.Body)
	}
	poll(s, c, code).ExpectError(400, "authorization_pending")

	// The address of verification_uri_complete leads through the login to the page, with the code filled in.
	b := s.Browser()
	page := b.Get(a.String("verification_uri_complete")).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if got := page.Form("/device").Fields.Get("user_code"); got != user {
		t.Errorf("the code filled in is %q at %s", got, page.URL)
	}
	page = page.Form("/device").Submit()
	page.Expect(200)
	for _, part := range []string{"Television", user, "127.0.0.1", "in front of you"} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("%q is not on the page: %s", part, page.Body)
		}
	}
	done := page.Form("/device").Press("decision", "allow")
	if done.Expect(200); !strings.Contains(done.Body, "Device connected") {
		t.Errorf("the page is %s", done.Body)
	}
	s.Clock.Advance(5 * time.Second)
	tokens := poll(s, c, code).Expect(200)
	if tokens.String("scope") != "openid read" || tokens.String("id_token") == "" || tokens.String("refresh_token") == "" {
		t.Errorf("the tokens are %s", tokens.Body)
	}
	s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+tokens.String("access_token"))).Expect(200)
	next := s.Refresh(c, tokens.String("refresh_token")).Expect(200)

	// The session is the device's own: signing out in the browser leaves it, the account page ends it.
	b.Get("/account").Form("/account/sign-out").Submit()
	next = s.Refresh(c, next.String("refresh_token")).Expect(200)
	b = signedIn(s)
	if !strings.Contains(b.Get("/account").Body, "Television") {
		t.Error("the application is not on the account page")
	}
	b.Post("/account/applications/end", "client_id", c.ID)
	s.Refresh(c, next.String("refresh_token")).ExpectError(400, "invalid_grant")
	for _, action := range []string{"device_approved", "device_code_redeemed"} {
		list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: action})
		if err != nil || len(list) != 1 || list[0].ClientID != c.ID {
			t.Errorf("events %s: %v %v", action, list, err)
		}
	}
}

func TestDeviceIsDenied(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	a := ask(s, c).Expect(200)
	page := enter(signedIn(s), a.String("user_code"))
	page.Form("/device").Press("decision", "deny").Expect(200)
	for range 2 {
		poll(s, c, a.String("device_code")).ExpectError(400, "access_denied")
	}
	page.Form("/device").Press("decision", "allow").Expect(400) // it was answered
	poll(s, c, a.String("device_code")).ExpectError(400, "access_denied")
}

func TestDeviceCodeExpires(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	a, b := ask(s, c).Expect(200), ask(s, c).Expect(200)
	page := enter(signedIn(s), b.String("user_code"))
	s.Clock.Advance(10*time.Minute - time.Second)
	poll(s, c, a.String("device_code")).ExpectError(400, "authorization_pending")
	s.Clock.Advance(time.Second)
	poll(s, c, a.String("device_code")).ExpectError(400, "expired_token")
	if answer := page.Form("/device").Press("decision", "allow"); answer.Status != 400 || !strings.Contains(answer.Body, "No device is waiting") {
		t.Errorf("a late approval gives %d", answer.Status)
	}
	poll(s, c, b.String("device_code")).ExpectError(400, "expired_token")
	enter(signedIn(s), a.String("user_code")).Expect(400)
}

// slow_down holds across replicas, and an approved code is given to a device that was slowed down.
func TestDeviceIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	other := s.Replica(t)
	c := tv(s)
	a := ask(s, c).Expect(200)
	code := a.String("device_code")
	for i, step := range []struct {
		after time.Duration
		at    *servertest.Server
		want  string
	}{
		{0, s, "authorization_pending"},
		{5 * time.Second, other, "authorization_pending"},
		{time.Second, s, "slow_down"},                  // 10 s from now on
		{5 * time.Second, other, "slow_down"},          // 15 s
		{15 * time.Second, s, "authorization_pending"}, // kept
		{10 * time.Second, other, "slow_down"},         // 20 s
	} {
		s.Clock.Advance(step.after)
		if got := poll(step.at, c, code).Expect(400).String("error"); got != step.want {
			t.Errorf("poll %d: %s, want %s", i, got, step.want)
		}
	}
	enter(signedIn(s), a.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
	poll(other, c, code).Expect(200)
}

func TestDeviceCodeIsRedeemedOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	other := s.Replica(t)
	c := tv(s)
	a := ask(s, c).Expect(200)
	enter(signedIn(s), a.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
	answers := make([]*servertest.Answer, 16)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = poll([]*servertest.Server{s, other}[i%2], c, a.String("device_code")) })
	}
	wg.Wait()
	var won *servertest.Answer
	for _, answer := range answers {
		if answer.Status == 200 {
			if won != nil {
				t.Error("two polls got tokens")
			}
			won = answer
			continue
		}
		answer.ExpectError(400, "invalid_grant")
	}
	if won == nil {
		t.Fatal("no poll got tokens")
	}
	won = s.Refresh(c, won.String("refresh_token")).Expect(200) // parallel polls are not taken for theft
	s.Clock.Advance(2 * time.Second)
	poll(s, c, a.String("device_code")).ExpectError(400, "invalid_grant")
	s.Refresh(c, won.String("refresh_token")).ExpectError(400, "invalid_grant")
}

func TestDeviceCodeIsOneClients(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	other := tv(s, func(r *clients.Registration) { r.ID = "radio" })
	secret := tv(s, func(r *clients.Registration) { r.ID, r.TokenEndpointAuthMethod = "box", "client_secret_basic" })
	a := ask(s, c).Expect(200)
	for range 3 { // which slows nobody down
		poll(s, other, a.String("device_code")).ExpectError(400, "invalid_grant")
	}
	poll(s, c, a.String("device_code")).ExpectError(400, "authorization_pending")
	enter(signedIn(s), a.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
	poll(s, other, a.String("device_code")).ExpectError(400, "invalid_grant")
	tokens := poll(s, c, a.String("device_code")).Expect(200)
	s.Clock.Advance(time.Minute)
	poll(s, other, a.String("device_code")).ExpectError(400, "invalid_grant") // and ends nothing
	s.Refresh(c, tokens.String("refresh_token")).Expect(200)

	ask(s, secret).Expect(200)
	ask(s, servertest.Client{ID: "box"}).ExpectError(401, "invalid_client")
	ask(s, servertest.Client{ID: "box", Secret: "wrong"}).ExpectError(401, "invalid_client")
	ask(s, servertest.Client{ID: "nobody"}).ExpectError(401, "invalid_client")
	ask(s, s.Native).ExpectError(400, "unauthorized_client")
	s.Token(s.Native, "grant_type", clients.GrantDeviceCode, "device_code", a.String("device_code")).ExpectError(400, "unauthorized_client")
}

func TestDeviceAuthorizationRefusesBadInput(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	ask(s, c, "scope", "admin").ExpectError(400, "invalid_scope")
	ask(s, c, "scope", "openid", "scope", "read").ExpectError(400, "invalid_request")
	ask(s, c, "scope", "read\x00").ExpectError(400, "invalid_request")
	ask(s, c, "scope", strings.Repeat("x", 9000)).ExpectError(400, "invalid_request")
	ask(s, c, "resource", "https://nobody.example/").ExpectError(400, "invalid_target")
	s.PostJSON(endpoint, map[string]string{"client_id": c.ID}).Expect(400)
	s.Get(endpoint).Expect(405)
	for _, code := range []string{"x", "lk_dc_" + strings.Repeat("A", 49), strings.Repeat("y", 5000), "\x00", "\xff"} {
		poll(s, c, code).Expect(400)
	}
	s.Token(c, "grant_type", clients.GrantDeviceCode).ExpectError(400, "invalid_request")
	b := signedIn(s)
	for _, code := range []string{"", "x", "BCDF-GHJ", "AEIO-UAEI", strings.Repeat("B", 2000), "\x00", "\xff\xfe", "ＢＣＤＦＧＨＪＫ", "<script>"} {
		if page := b.Post("/device", "user_code", code); page.Status != 400 || strings.Contains(page.Body, "<script>") {
			t.Errorf("%q gives %d", code, page.Status)
		}
		s.Clock.Advance(time.Minute)
	}
}

func TestDeviceCodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	b := signedIn(s)
	for _, typed := range []func(string) string{
		strings.ToLower,
		func(code string) string { return strings.ReplaceAll(code, "-", "") },
		func(code string) string { return " " + strings.ReplaceAll(code, "-", " – ") + " " },
		func(code string) string { return strings.Join(strings.Split(code, ""), " ") },
	} {
		user := ask(s, c).Expect(200).String("user_code")
		if page := enter(b, typed(user)); page.Status != 200 || !strings.Contains(page.Body, user) {
			t.Errorf("%q gives %d", typed(user), page.Status)
		}
	}
}

// RFC 8628 §5.1: right codes cost the same as wrong ones, and parallel guesses get no more than the bucket holds.
func TestDeviceCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	user := ask(s, c).Expect(200).String("user_code")
	browsers := make([]*servertest.Browser, 10)
	for i := range browsers {
		browsers[i] = signedIn(s)
	}
	var mu sync.Mutex
	status := make(map[int]int)
	var wg sync.WaitGroup
	for i, b := range browsers {
		wg.Go(func() {
			for j := range 3 {
				guess := "BBBB-BBBB"
				if i == 0 && j == 0 {
					guess = user
				}
				page := b.Post("/device", "user_code", guess)
				mu.Lock()
				status[page.Status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if status[429] != 20 || status[200]+status[400] != 10 {
		t.Errorf("the answers are %v", status)
	}
	page := browsers[0].Post("/device", "user_code", user)
	if page.Status != 429 || page.Header.Get("Retry-After") == "" || !page.Has("/device") {
		t.Errorf("a right code gets %d %v", page.Status, page.Header)
	}
	// Looking at the page with a code costs nothing: a page of another site may do so in the name of the user.
	s.Clock.Advance(30 * time.Second)
	for range 20 {
		browsers[0].Follow("/device?user_code=BBBB-BBBB").Expect(200)
	}
	browsers[0].Post("/device", "user_code", user).Expect(200)

	// Another user in the same network is limited with it.
	s.AddUser(users.NewUser{ID: 2, Username: "bob", Active: true}, servertest.Password)
	s.AddUser(users.NewUser{ID: 3, Username: "carol", Active: true}, servertest.Password)
	s.AddUser(users.NewUser{ID: 4, Username: "dave", Active: true}, servertest.Password)
	tried := 0
	for _, name := range []string{"bob", "carol", "dave"} {
		b := s.Browser()
		b.SignInAs(name, servertest.Password)
		for range 12 {
			if b.Post("/device", "user_code", "BBBB-BBBB").Status == 400 {
				tried++
			}
		}
	}
	if tried < 20 || tried > 25 {
		t.Errorf("the network has tried %d codes", tried)
	}
}

func TestDeviceAnswerBelongsToOneSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	a := ask(s, c).Expect(200)
	b := signedIn(s)
	ticket := enter(b, a.String("user_code")).Form("/device").Fields.Get("request")
	again := signedIn(s)
	again.Post("/device", "request", ticket, "decision", "allow").Expect(http.StatusForbidden)
	if page := s.Browser().Post("/device", "request", ticket, "decision", "allow"); !page.Has("/login") {
		t.Errorf("nobody sees %d %s", page.Status, page.URL)
	}
	b.PostForeign("/device", "request", ticket, "decision", "allow").Expect(http.StatusForbidden)
	b.PostForeign("/device", "user_code", a.String("user_code")).Expect(http.StatusForbidden)
	for _, forged := range []string{"", "x", ticket[1:], ticket + "A"} {
		b.Post("/device", "request", forged, "decision", "allow").Expect(http.StatusForbidden)
	}
	b.Post("/device", "request", ticket, "decision", "yes").Expect(http.StatusBadRequest)
	b.Post("/device", "request", ticket).Expect(http.StatusBadRequest)
	poll(s, c, a.String("device_code")).ExpectError(400, "authorization_pending")
	b.Post("/device", "request", ticket, "decision", "allow").Expect(200)
}

// What is allowed is what the page showed.
func TestDeviceOfAClientThatChanges(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	a := ask(s, c).Expect(200)
	page := enter(signedIn(s), a.String("user_code"))
	_, err := s.Clients().Update(t.Context(), c.ID, func(r *clients.Registration) error {
		r.ClientName = "Your bank"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page = page.Form("/device").Press("decision", "allow")
	if !strings.Contains(page.Body, "Your bank") || !page.Has("/device") {
		t.Fatalf("the page is %s", page.Body)
	}
	poll(s, c, a.String("device_code")).ExpectError(400, "authorization_pending")
	page.Form("/device").Press("decision", "allow").Expect(200)
	poll(s, c, a.String("device_code")).Expect(200)
}

// An approval ends with what it came from.
func TestDeviceApprovalEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*servertest.Server, *servertest.Browser, servertest.Client){
		"signed out everywhere": func(_ *servertest.Server, b *servertest.Browser, _ servertest.Client) {
			b.Get("/account").Form("/account/sessions/end-all").Submit()
		},
		"taken back": func(_ *servertest.Server, b *servertest.Browser, c servertest.Client) {
			b.Post("/account/applications/end", "client_id", c.ID)
		},
		"user disabled": func(s *servertest.Server, _ *servertest.Browser, _ servertest.Client) {
			if err := s.Store.SetUserActive(t.Context(), servertest.UserID, false, s.Clock.Now(), nil); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			c := tv(s)
			a := ask(s, c).Expect(200)
			b := signedIn(s)
			enter(b, a.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
			s.Clock.Advance(time.Second)
			end(s, b, c)
			poll(s, c, a.String("device_code")).ExpectError(400, "invalid_grant")
		})
	}
}

func TestDeviceIsInTheMetadata(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s)
	user := ask(s, c).Expect(200).String("user_code")
	b := signedIn(s)
	page := s.Get("/device")
	if page.Status != http.StatusSeeOther || page.Header.Get("Location") != "/login?"+(url.Values{"return_to": {"/device"}}).Encode() {
		t.Errorf("nobody gets %d %s", page.Status, page.Header.Get("Location"))
	}
	if got := enter(b, user); !strings.Contains(got.Body, "<form") {
		t.Errorf("the page is %s", got.Body)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		m := s.Get(path).Expect(200)
		if m.String("device_authorization_endpoint") != s.URL+endpoint || !strings.Contains(m.Body, clients.GrantDeviceCode) {
			t.Errorf("%s: %s", path, m.Body)
		}
	}
}

// With clients and keys cached, these requests cost this many round trips to the database.
func TestDeviceRoundTrips(t *testing.T) {
	t.Parallel()
	counter := new(postgrestest.RoundTrips)
	store, err := postgres.Open(t.Context(), postgres.Config{
		URL: postgrestest.URL(t), Tracer: counter, Now: func() time.Time { return testclock.Epoch },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	s := servertest.New(t, servertest.Store(store))
	c := tv(s, func(r *clients.Registration) { r.TokenEndpointAuthMethod = "client_secret_basic" })
	b := signedIn(s)
	login := func(count func(string, int, func())) {
		var a *servertest.Answer
		var page *servertest.Page
		count("ask", 1, func() { a = ask(s, c).Expect(200) })
		count("poll", 1, func() { poll(s, c, a.String("device_code")).ExpectError(400, "authorization_pending") })
		count("a device code that is none", 0, func() { poll(s, c, "lk_dc_forged").ExpectError(400, "invalid_grant") })
		count("the page", 1, func() { b.Get("/device") })
		count("enter", 3, func() { page = b.Post("/device", "user_code", a.String("user_code")) })
		count("answer", 2, func() { page.Form("/device").Press("decision", "allow").Expect(200) })
		count("redeem", 2, func() { poll(s, c, a.String("device_code")).Expect(200) })
	}
	login(func(_ string, _ int, f func()) { f() }) // makes the keys
	login(func(what string, want int, f func()) {
		t.Helper()
		before := counter.Count()
		f()
		if got := int(counter.Count() - before); got != want {
			t.Errorf("%s: %d round trips, want %d", what, got, want)
		}
	})
}

// Row N against A5: the page shows what the device may name at the token endpoint alone, and it may name nothing else.
func TestRowNADeviceNamesWhatTheUserHasSeen(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)))
		c := tv(s)
		add := func(identifier string, scopes ...string) {
			if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: identifier, Scopes: scopes}); err != nil {
				t.Fatal(err)
			}
		}
		add("https://films.example/", "read")
		add("https://pay.example/", "pay")
		b := signedIn(s)
		approved := func() string {
			a := ask(s, c, "scope", "openid read").Expect(200)
			page := enter(b, a.String("user_code"))
			if !strings.Contains(page.Body, "https://films.example/") || strings.Contains(page.Body, "https://pay.example/") {
				t.Errorf("the page shows %s", page.Body)
			}
			page.Form("/device").Press("decision", "allow").Expect(200)
			return a.String("device_code")
		}
		redeem := func(code, resource string) *servertest.Answer {
			return s.Token(c, "grant_type", clients.GrantDeviceCode, "device_code", code, "resource", resource)
		}
		redeem(approved(), "https://pay.example/").ExpectError(400, "invalid_target")
		redeem(approved(), "https://films.example/").Expect(200)
		session := redeem(approved(), "").Expect(200).String("refresh_token")
		refresh := func(resource string) *servertest.Answer {
			return s.Token(c, "grant_type", "refresh_token", "refresh_token", session, "resource", resource)
		}
		refresh("https://pay.example/").ExpectError(400, "invalid_target")
		refresh("https://films.example/").Expect(200)
	})
}

// RFC 9449 §5: the poll that redeems a device code binds the session of a public client to its key; a proof that is missing costs nothing.
func TestDPoPOfADevice(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	c := tv(s, func(r *clients.Registration) { r.DPoPBoundAccessTokens = true })
	key, other := servertest.NewKey(t), servertest.NewKey(t)
	b := signedIn(s)
	a := ask(s, c, "scope", "openid read").Expect(200)
	code := a.String("device_code")
	with := func(k *servertest.Key, pairs ...string) *servertest.Answer {
		return s.PostForm("/oauth2/token", servertest.Form(append(pairs, "client_id", c.ID)...), k.DPoP(s))
	}
	redeem := []string{"grant_type", clients.GrantDeviceCode, "device_code", code}
	with(key, redeem...).ExpectError(400, "authorization_pending")
	enter(b, a.String("user_code")).Form("/device").Press("decision", "allow").Expect(200)
	poll(s, c, code).ExpectError(400, "invalid_dpop_proof")
	tokens := with(key, redeem...).Expect(200)
	if tokens.String("token_type") != "DPoP" || tokens.String("id_token") == "" {
		t.Errorf("the tokens: %s", tokens.Body)
	}
	cnf, _ := s.Introspect(s.Inspector, tokens.String("access_token")).JSON()["cnf"].(map[string]any)
	if cnf["jkt"] != key.Thumbprint {
		t.Errorf("cnf is %v, want the key %s", cnf, key.Thumbprint)
	}
	refresh := []string{"grant_type", "refresh_token", "refresh_token", tokens.String("refresh_token")}
	with(other, refresh...).ExpectError(400, "invalid_grant")
	s.Token(c, refresh...).ExpectError(400, "invalid_dpop_proof")
	with(key, refresh...).Expect(200)
	with(other, redeem...).ExpectError(400, "invalid_grant") // a replay, at once
}

// RFC 9470: a device that is to get at the API for operators gets the login of a person who has just proved who they are; otherwise no login
// through a device would ever be recent enough for a change.
func TestADeviceForTheAPIForOperatorsNeedsARecentLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	cli := tv(s, func(r *clients.Registration) { r.Scope = "latchkey:users:read" })
	b := signedIn(s)
	s.Clock.Advance(time.Hour)
	a := ask(s, cli, "resource", s.URL+"/admin/v1").Expect(200)
	page := enter(b, a.String("user_code"))
	page = page.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if !strings.Contains(page.URL, "user_code="+a.String("user_code")) {
		t.Fatalf("the login leads to %s", page.URL)
	}
	confirm := page.Form("/device").Submit() // the code is filled in
	// The page was left open.
	s.Clock.Advance(9 * time.Minute)
	s.Clock.Advance(90 * time.Second)
	if page := confirm.Form("/device").Press("decision", "allow"); !page.Has("/login") {
		t.Errorf("an old login allows a device: %s", page.URL)
	}
	a = ask(s, cli, "resource", s.URL+"/admin/v1").Expect(200)
	b = signedIn(s)
	enter(b, a.String("user_code")).Form("/device").Press("decision", "allow")
	poll(s, cli, a.String("device_code")).Expect(200)
}
