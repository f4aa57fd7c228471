package login_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
)

const (
	bob      = "bob"
	bobsWord = "another correct horse"
)

func addBob(s *servertest.Server) {
	s.AddUser(users.NewUser{Username: bob, Active: true}, bobsWord)
}

// bad are the answers that are refused everywhere, made from a good authenticator.
var bad = map[string]func(*authenticator){
	"another origin":            func(a *authenticator) { a.origin = "https://localhost.evil.example" },
	"another port":              func(a *authenticator) { a.origin = "http://localhost:1" },
	"another relying party":     func(a *authenticator) { a.rpID = "evil.example" },
	"in a frame of a site":      func(a *authenticator) { a.crossOrigin = true },
	"another challenge":         func(a *authenticator) { a.challenge = b64(make([]byte, 32)) },
	"another kind of ceremony":  func(a *authenticator) { a.kind = "payment.get" },
	"nobody at the device":      func(a *authenticator) { a.flags = 0 },
	"synced without being able": func(a *authenticator) { a.flags |= 16 },
}

// badUse are those that are refused when a passkey is used.
var badUse = map[string]func(*authenticator){
	"a counter that went back":   func(a *authenticator) { a.counter -= 3 },
	"a counter that is the same": func(a *authenticator) { a.counter-- },
	"a counter that is gone":     func(a *authenticator) { a.counter = 0 },
	"an unknown passkey":         func(a *authenticator) { a.id = []byte("an id that no user has added") },
	"the handle of another user": func(a *authenticator) { a.handle = []byte("a handle that is another's") },
}

// refusedAnswer checks that an answer signed nobody in.
func refusedAnswer(t *testing.T, what string, page *servertest.Page, b *servertest.Browser) {
	t.Helper()
	if page.Status != http.StatusUnauthorized || b.Cookie(session.CookieName) != "" {
		t.Errorf("%s: %d, signed in: %v", what, page.Status, b.Cookie(session.CookieName) != "")
	}
}

// Web Authentication §7.2: a passkey signs in alone, and nothing else in its place does.
func TestPasskeyInsteadOfThePassword(t *testing.T) {
	t.Parallel()
	s := relyingParty(t)
	a := addPasskey(t, s, servertest.Username, servertest.Password)
	enter := func(a *authenticator, password ...string) (*servertest.Page, *servertest.Browser) {
		b := s.Browser()
		q, form := ask(t, b.Authorize(s.Portal))
		if q.UserVerification != "required" || len(q.AllowCredentials) != 0 || q.RPID != "localhost" {
			t.Errorf("the page asks %+v", q)
		}
		return form.Set("answer", a.get(t, q)).Submit(), b
	}
	if page, _ := enter(a); page.Left == "" {
		t.Fatalf("a good passkey: %d at %s", page.Status, page.URL)
	}
	other := newAuthenticator(t, s)
	for _, list := range []map[string]func(*authenticator){bad, badUse, {
		"no user verification": func(a *authenticator) { a.flags = present }, // it is the only factor (§6.2.3)
		"another key":          func(a *authenticator) { a.key = other.key },
	}} {
		for what, change := range list {
			page, b := enter(a.but(change))
			refusedAnswer(t, what, page, b)
		}
	}
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: "passkey_counter_went_back", Limit: 9})
	if err != nil || len(list) != 3 {
		t.Errorf("%d events of a counter that went back, %v", len(list), err)
	}
	page, _ := enter(a)
	claims := s.Redeem(s.Portal, page.Response(servertest.Callback).Get("code")).Expect(200).IDToken()
	if !sameList(claims["amr"], "hwk", "user", "mfa") || claims["acr"] != "phr" {
		t.Errorf("amr %v, acr %v", claims["amr"], claims["acr"])
	}
	if err := s.Users().Disable(t.Context(), servertest.UserID); err != nil {
		t.Fatal(err)
	}
	page, b := enter(a)
	refusedAnswer(t, "a disabled user", page, b)
}

// §13.4.3: one challenge, one login, although the counter of a synced passkey doesn't show a replay; at two servers at once, too.
func TestPasskeyAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	s := relyingParty(t)
	a := addPasskey(t, s, servertest.Username, servertest.Password, func(a *authenticator) { a.counter = 0 })
	replica := s.Replica(t, servertest.Configure(func(c *server.Config) { c.Issuer = s.URL }))
	q, form := ask(t, s.Browser().Get("/login"))
	answer := a.get(t, q)
	browsers := make([]*servertest.Browser, 6)
	var wg sync.WaitGroup
	for i := range browsers {
		browsers[i] = s.Browser()
		if i%2 == 1 {
			browsers[i] = replica.Browser()
		}
		wg.Go(func() {
			browsers[i].Post("/login/passkey", "return_to", "/account", "state", form.Fields.Get("state"), "answer", answer)
		})
	}
	wg.Wait()
	in := 0
	for _, b := range browsers {
		if b.Cookie(session.CookieName) != "" {
			in++
		}
	}
	if in != 1 {
		t.Errorf("%d are signed in with one answer", in)
	}
	// The question goes stale, and a new one is there.
	b := s.Browser()
	q, form = ask(t, b.Get("/login"))
	s.Clock.Advance(31 * time.Minute)
	page := form.Set("answer", a.get(t, q)).Submit()
	if page.Status != http.StatusBadRequest || b.Cookie(session.CookieName) != "" {
		t.Errorf("after half an hour: %d", page.Status)
	}
	if q, form = ask(t, page); form.Set("answer", a.get(t, q)).Submit().URL != s.URL+"/account" {
		t.Error("the question of the page after it is no good")
	}
}

// A passkey after the password proves that it is the same user's.
func TestPasskeyAfterThePassword(t *testing.T) {
	t.Parallel()
	s := relyingParty(t)
	addBob(s)
	alices := addPasskey(t, s, servertest.Username, servertest.Password)
	bobs := addPasskey(t, s, bob, bobsWord)
	enter := func(username, password string) (*servertest.Browser, question, *servertest.PageForm) {
		b := s.Browser()
		page := b.Authorize(s.Portal).Form("/login").Set("username", username, "password", password).Submit()
		q, form := ask(t, page)
		if len(q.AllowCredentials) != 1 {
			t.Errorf("the page asks %+v", q)
		}
		return b, q, form
	}
	for _, list := range []map[string]func(*authenticator){bad, badUse, {
		"of another user":                      func(a *authenticator) { *a = *bobs },
		"of another user, with alice's handle": func(a *authenticator) { h := a.handle; *a = *bobs; a.handle = h },
		"of another user, with alice's id":     func(a *authenticator) { a.key = bobs.key },
	}} {
		for what, change := range list {
			b, q, form := enter(servertest.Username, servertest.Password)
			refusedAnswer(t, what, form.Set("answer", alices.but(change).get(t, q)).Submit(), b)
		}
	}
	// A question that was for another user, or for a login without a password.
	_, q, bobsForm := enter(bob, bobsWord)
	loginQuestion, loginForm := ask(t, s.Browser().Get("/login"))
	for what, wrong := range map[string][2]string{
		"bob's question and answer": {bobsForm.Fields.Get("state"), bobs.get(t, q)},
		"a login's":                 {loginForm.Fields.Get("state"), alices.get(t, loginQuestion)},
	} {
		b, _, form := enter(servertest.Username, servertest.Password)
		page := form.Set("state", wrong[0], "answer", wrong[1]).Submit()
		if page.Status != http.StatusBadRequest || b.Cookie(session.CookieName) != "" {
			t.Errorf("%s: %d", what, page.Status)
		}
	}
	// After a password the device need not verify its user: two factors as it is.
	_, q, form := enter(servertest.Username, servertest.Password)
	alices.flags = present
	answer := alices.get(t, q)
	page := form.Set("answer", answer).Submit()
	claims := s.Redeem(s.Portal, page.Response(servertest.Callback).Get("code")).Expect(200).IDToken()
	if !sameList(claims["amr"], "pwd", "hwk", "user", "mfa") {
		t.Errorf("amr %v", claims["amr"])
	}
	b, _, again := enter(servertest.Username, servertest.Password)
	refusedAnswer(t, "a replay", again.Set("state", form.Fields.Get("state"), "answer", answer).Submit(), b)
}

// The first factor is proved when it is added, so that the page and applications don't ask for it once more.
func TestTheFirstFactorIsProvedWhenItIsAdded(t *testing.T) {
	t.Parallel()
	s := relyingParty(t)
	addBob(s)
	for username, password := range map[string]string{servertest.Username: servertest.Password, bob: bobsWord} {
		b, want := s.Browser(), []string{"pwd", "otp", "mfa"}
		page := b.Get("/account/security").Form("/login").Set("username", username, "password", password).Submit()
		before := b.Cookie(session.CookieName)
		if username == bob {
			q, form := ask(t, page)
			page, want = form.Set("answer", newAuthenticator(t, s).create(t, q)).Submit(), []string{"pwd", "hwk", "user", "mfa"}
		} else {
			page = totpForm(page).Set("code", readApp(t, s, page).code(t)).Submit()
		}
		if len(recoveryText.FindAllString(page.Body, -1)) != 10 || b.Cookie(session.CookieName) == before {
			t.Errorf("%s: %d, the session is the same: %v", username, page.Status, b.Cookie(session.CookieName) == before)
		}
		if page := b.Get("/account/security"); !page.Has("/account/security") {
			t.Errorf("%s is asked once more: %s", username, page.URL)
		}
		answer := b.Authorize(s.Portal, "acr_values", "http://schemas.openid.net/pape/policies/2007/06/multi-factor").Response(servertest.Callback)
		if claims := s.Redeem(s.Portal, answer.Get("code")).Expect(200).IDToken(); !sameList(claims["amr"], want...) {
			t.Errorf("%s: amr %v", username, claims["amr"])
		}
		other := s.Browser()
		other.SetCookie(session.CookieName, before)
		if !other.Get("/account").Has("/login") {
			t.Error("the session from before goes on")
		}
	}
}

// Web Authentication §7.1: what is added is what the page has asked for.
func TestAddingAPasskey(t *testing.T) {
	t.Parallel()
	s := relyingParty(t)
	addBob(s)
	b := s.Browser()
	signIn := func(b *servertest.Browser, username, password string) {
		b.Get("/account/security").Form("/login").Set("username", username, "password", password).Submit()
	}
	signIn(b, servertest.Username, servertest.Password)
	good := newAuthenticator(t, s)
	add := func(b *servertest.Browser, a *authenticator) *servertest.Page {
		q, form := ask(t, b.Get("/account/security"))
		return form.Set("answer", a.create(t, q)).Submit()
	}
	for what, change := range bad {
		if page := add(b, good.but(change)); page.Status != http.StatusBadRequest || !strings.Contains(page.Body, `role="alert" id="problem"`) {
			t.Errorf("%s: %d", what, page.Status)
		}
	}
	q, form := ask(t, b.Get("/account/security"))
	answer := good.create(t, q)
	state := form.Fields.Get("state")
	if page := form.Set("answer", answer).Submit(); len(recoveryText.FindAllString(page.Body, -1)) != 10 {
		t.Fatalf("a good one: %d", page.Status)
	}
	if page := b.Post("/account/security", "action", "add", "state", state, "answer", answer); page.Status != http.StatusBadRequest {
		t.Errorf("the same once more: %d", page.Status)
	}
	// Another user has neither the question nor the passkey.
	other := s.Browser()
	signIn(other, bob, bobsWord)
	if page := other.Post("/account/security", "action", "add", "state", state, "answer", answer); page.Status != http.StatusBadRequest {
		t.Errorf("alice's answer for bob: %d", page.Status)
	}
	if page := add(other, good.but(func(*authenticator) {})); page.Status != http.StatusBadRequest {
		t.Errorf("alice's passkey for bob: %d", page.Status)
	}
	list, err := s.Store.ListFactors(t.Context(), servertest.UserID)
	if err != nil || len(list) != 11 {
		t.Errorf("alice has %d factors with the recovery codes, %v", len(list), err)
	}
}
