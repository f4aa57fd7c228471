package oauth_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

func logoutPath(pairs ...string) string {
	return "/oauth2/logout?" + servertest.Form(pairs...).Encode()
}

func isSignedIn(b *servertest.Browser) bool { return !b.Get("/account").Has("/login") }

// notices returns the clients that are to be notified of a logout.
func notices(t *testing.T, s *servertest.Server) (ids []string) {
	t.Helper()
	list, err := s.Store.ClaimLogoutNotices(t.Context(), s.Clock.Now(), time.Minute, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		ids = append(ids, n.ClientID)
		if err := s.Store.FinishLogoutNotice(t.Context(), n.ID); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// Row E: oauth2-proxy's --backend-logout-url and the recipes for federated logout send an ID token from a server, without a cookie.
func TestRowELogoutWithoutACookieEndsTheSessionThatTheHintNames(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		listener := s.AddClient(clients.Registration{ID: "listener", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
			GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read",
			RedirectURIs: []string{"https://listener.example/cb"}, BackchannelLogoutURI: "https://listener.example/logout",
		}})
		for name, logout := range map[string]func(hint string) *servertest.Answer{
			"GET": func(hint string) *servertest.Answer { return s.Get(logoutPath("id_token_hint", hint)) },
			"GET client_id": func(hint string) *servertest.Answer {
				return s.Get(logoutPath("id_token_hint", hint, "client_id", "web"))
			},
			"POST": func(hint string) *servertest.Answer {
				return s.PostForm("/oauth2/logout", servertest.Form("id_token_hint", hint))
			},
			"foreign form": func(hint string) *servertest.Answer {
				return s.Browser().PostForeign("/oauth2/logout", "id_token_hint", hint).Answer
			},
			"expired": func(hint string) *servertest.Answer {
				s.Clock.Advance(3 * time.Hour)
				return s.Get(logoutPath("id_token_hint", hint))
			},
		} {
			b := s.Browser()
			s.Redeem(listener, b.Code(listener)).Expect(200)
			got := s.Redeem(s.Web, b.Code(s.Web)).Expect(200)
			bystander := s.Browser() // the same user's other browser
			other := s.Redeem(s.Portal, bystander.Code(s.Portal)).Expect(200)
			notices(t, s)

			answer := logout(got.String("id_token")).Expect(200)
			if !strings.Contains(answer.Body, "You are signed out") {
				t.Errorf("%s: %s", name, answer.Body)
			}
			if isSignedIn(b) {
				t.Errorf("%s: the session lives", name)
			}
			if !isSignedIn(bystander) {
				t.Errorf("%s: another session of the user has ended", name)
			}
			s.Refresh(s.Web, got.String("refresh_token")).ExpectError(400, "invalid_grant")
			s.Refresh(s.Portal, other.String("refresh_token")).Expect(200)
			if told := notices(t, s); len(told) != 1 || told[0] != listener.ID {
				t.Errorf("%s: notified %v", name, told)
			}
			logout(got.String("id_token")).Expect(200) // once more
			if told := notices(t, s); len(told) != 0 {
				t.Errorf("%s: notified twice: %v", name, told)
			}
			events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "browser_session_ended", Limit: 1})
			if err != nil || len(events) != 1 || events[0].ClientID != "web" || events[0].Actor != "client" || events[0].Reason != "signed_out_by_client" {
				t.Errorf("%s: audit %+v, %v", name, events, err)
			}
		}
	})
}

// Without a session in the browser a client that no operator has verified gets a link in place of the redirect (RFC 9700 §4.11.2).
func TestRowEALinkBackToAnUnverifiedClient(t *testing.T) {
	t.Parallel()
	s := registering(t, "open")
	const back = "https://app.example/out"
	made := s.PostJSON(registerPath, app("redirect_uris", []string{"https://app.example/callback"}, "post_logout_redirect_uris", []string{back})).Expect(201)
	c := servertest.Client{ID: made.String("client_id"), Redirect: "https://app.example/callback"}
	b := s.Browser()
	hint := s.Redeem(c, b.Code(c, "scope", "openid")).Expect(200).String("id_token")
	path := logoutPath("id_token_hint", hint, "post_logout_redirect_uri", back, "state", "q")
	if page := s.Browser().Follow(path); page.Status != 200 || !strings.Contains(page.Body, `href="`+back+`?state=q"`) || !strings.Contains(page.Body, "Return to <bdi>app.example</bdi>") {
		t.Errorf("without a session: %d %s %s", page.Status, page.Left, page.Body)
	}
	b = s.Browser()
	hint = s.Redeem(c, b.Code(c, "scope", "openid")).Expect(200).String("id_token")
	if page := b.Follow(logoutPath("id_token_hint", hint, "post_logout_redirect_uri", back, "state", "q")); page.Left != back+"?state=q" {
		t.Errorf("with a session: %d %s %s", page.Status, page.Left, page.Body)
	}
}

// Row E: what proves nothing ends nothing, and the answer does not say that it did.
func TestRowELogoutWithoutAValidHintClaimsNoSuccess(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	got := s.Redeem(s.Web, b.Code(s.Web)).Expect(200)
	hint, access := got.String("id_token"), got.String("access_token")
	parts := strings.Split(hint, ".")
	none := encode(`{"alg":"none"}`) + "." + parts[1] + "."
	const goodbye = servertest.Origin + "/goodbye"
	for name, bad := range map[string]string{
		"garbage": "x", "empty": "", "no signature": parts[0] + "." + parts[1] + ".", "none": none, "huge": strings.Repeat("a.", 10_000),
		"modified": parts[0] + "." + encode(`{"iss":"`+s.URL+`","sub":"1","aud":"web"}`) + "." + parts[2], "an access token": access,
		"a refresh token": got.String("refresh_token"), "cut": hint[:len(hint)-4], "NUL": hint + "\x00",
	} {
		for _, pairs := range [][]string{
			{"id_token_hint", bad},
			{"id_token_hint", bad, "client_id", "web", "post_logout_redirect_uri", goodbye},
		} {
			if bad == "" && len(pairs) > 2 {
				continue // as without a hint: the client gets back who is not signed in
			}
			for _, answer := range []*servertest.Answer{
				s.Get(logoutPath(pairs...)), s.PostForm("/oauth2/logout", servertest.Form(pairs...)), s.Browser().Follow(logoutPath(pairs...)).Answer,
			} {
				if answer.Status < 400 || strings.Contains(answer.Body, "You are signed out") {
					t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
				}
			}
		}
		// A browser that is signed in is asked, and is not redirected afterwards.
		if name == "empty" || name == "NUL" {
			continue
		}
		signedIn := s.Browser()
		signedIn.SignIn()
		page := signedIn.Follow(logoutPath("id_token_hint", bad, "client_id", "web", "post_logout_redirect_uri", goodbye))
		if page = page.Form("/oauth2/logout").Press("decision", "logout"); page.Left != "" || page.Status != 200 || isSignedIn(signedIn) {
			t.Errorf("%s: %d %q", name, page.Status, page.Left)
		}
	}
	s.Get(logoutPath("id_token_hint", hint, "client_id", "portal")).Expect(400) // RP-Initiated Logout §2
	if s.Get(logoutPath()).Expect(400); !isSignedIn(b) {
		t.Fatal("the session has ended")
	}
	stranger := s.Browser()
	if page := stranger.Follow(logoutPath()); page.Status != 200 || strings.Contains(page.Body, "You are signed out") {
		t.Errorf("nobody is signed in: %d %s", page.Status, page.Body)
	}
}

// RFC 9110 §9.2.1: HEAD has no effects. Scanners of links send it.
func TestHeadHasNoEffects(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	hint := s.Redeem(s.Web, b.Code(s.Web)).Expect(200).String("id_token")
	cookie := servertest.Header("Cookie", b.Header())
	for _, path := range []string{logoutPath("id_token_hint", hint), s.Portal.AuthorizePath()} {
		for _, method := range []string{"HEAD", "OPTIONS"} {
			for _, edits := range [][]servertest.Edit{nil, {cookie}} {
				if a := s.Do(method, path, "", edits...).Expect(405); a.Header.Get("Allow") != "GET, POST" { // RFC 9110 §10.2.1
					t.Errorf("%s %s: Allow is %q", method, path, a.Header.Get("Allow"))
				}
			}
		}
	}
	if !isSignedIn(b) {
		t.Error("the session has ended")
	}
}

// Row E: an ID token that is stolen can end its session, and nothing else; least of all that of the browser that it is used in.
func TestRowEAHintOfAnotherSessionAsks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	owner, visitor := s.Browser(), s.Browser()
	hint := s.Redeem(s.Web, owner.Code(s.Web)).Expect(200).String("id_token")
	s.AddUser(newUser("bob"), "another password")
	visitor.SignInAs("bob", "another password")
	page := visitor.Follow(logoutPath("id_token_hint", hint))
	if !page.Has("/oauth2/logout") || !isSignedIn(visitor) || !isSignedIn(owner) {
		t.Fatalf("not asked: %d", page.Status)
	}
	page.Form("/oauth2/logout").Press("decision", "logout")
	if isSignedIn(visitor) || isSignedIn(owner) {
		t.Error("a session of the two lives")
	}
}

// A form of another site comes without the cookie, so that the server can't know yet who is signed in.
func TestRowEAForeignFormWithoutAHintAsks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	page := b.PostForeign("/oauth2/logout", "client_id", "web", "state", "x")
	if !page.Has("/oauth2/logout") || !isSignedIn(b) {
		t.Errorf("not asked: %d %s", page.Status, page.Body)
	}
}

// The modules of the OpenID Foundation's plan for RP-Initiated Logout, in their order.
func TestRowERPInitiatedLogoutPlan(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const goodbye = servertest.Origin + "/goodbye"
	for name, c := range map[string]struct {
		pairs []string // besides the hint
		hint  func(string) string
		left  string // empty: asked
	}{
		"logout":                {pairs: []string{"post_logout_redirect_uri", goodbye, "state", "s"}, left: goodbye + "?state=s"},
		"no state":              {pairs: []string{"post_logout_redirect_uri", goodbye}, left: goodbye},
		"no params":             {hint: func(string) string { return "" }},
		"only state":            {hint: func(string) string { return "" }, pairs: []string{"state", "s"}},
		"no hint":               {hint: func(string) string { return "" }, pairs: []string{"post_logout_redirect_uri", goodbye, "state", "s"}},
		"bad hint":              {hint: func(string) string { return "bad" }, pairs: []string{"post_logout_redirect_uri", goodbye, "state", "s"}},
		"modified hint":         {hint: func(h string) string { return h[:len(h)-5] + "AAAAA" }, pairs: []string{"post_logout_redirect_uri", goodbye}},
		"bad redirect":          {pairs: []string{"post_logout_redirect_uri", goodbye + "/other", "state", "s"}},
		"query added":           {pairs: []string{"post_logout_redirect_uri", goodbye + "?foo=bar", "state", "s"}},
		"redirect of no client": {hint: func(string) string { return "" }, pairs: []string{"post_logout_redirect_uri", "https://other.example/"}},
	} {
		b := s.Browser()
		hint := s.Redeem(s.Web, b.Code(s.Web)).Expect(200).String("id_token")
		if c.hint != nil {
			hint = c.hint(hint)
		}
		pairs := c.pairs
		if hint != "" {
			pairs = append([]string{"id_token_hint", hint}, pairs...)
		}
		page := b.Follow(logoutPath(pairs...))
		if c.left != "" {
			if page.Left != c.left || isSignedIn(b) {
				t.Errorf("%s: %d %q", name, page.Status, page.Left)
			}
			continue
		}
		if !page.Has("/oauth2/logout") || !isSignedIn(b) {
			t.Errorf("%s: not asked: %d %q", name, page.Status, page.Left)
			continue
		}
		if page = page.Form("/oauth2/logout").Press("decision", "logout"); page.Left != "" || page.Status != 200 || isSignedIn(b) {
			t.Errorf("%s, allowed: %d %q", name, page.Status, page.Left)
		}
	}
}

// Row K: simple-oauth2 reads the answer as JSON.
func TestRowKRevocationAnswersJSON(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, token := range []string{"unknown", s.Login(s.Backend).Refresh} {
		a := s.Revoke(s.Backend, token).Expect(200).ExpectBody("{}")
		if kind := a.Header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("Content-Type: %q", kind)
		}
	}
}
