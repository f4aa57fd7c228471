package oauth_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/server/session"
)

// pushRequest pushes the request that the pairs describe, and returns the path that opens it.
func pushRequest(s *servertest.Server, c servertest.Client, pairs ...string) string {
	var all []string
	for name, values := range c.AuthorizeParams(pairs...) {
		all = append(all, name, values[0])
	}
	uri := s.PostAs(c, "/oauth2/par", all...).Expect(201).String("request_uri")
	return "/oauth2/authorize?" + servertest.Form("client_id", c.ID, "request_uri", uri).Encode()
}

// answered fails the test unless a pushed request is refused by a page.
func answered(t *testing.T, what string, page *servertest.Page) {
	t.Helper()
	if page.Status != http.StatusBadRequest || page.Left != "" || !strings.Contains(page.Body, "This request has expired") {
		t.Errorf("%s: %d %s %v", what, page.Status, page.Left, page.Hops)
	}
}

// A pushed request is used up by its answer: a reload, a preview of the link and the back button before that find it.
func TestAPushedRequestIsUsedUpByItsAnswer(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b, path := s.Browser(), pushRequest(s, s.Web)
		s.Browser().Follow(path) // a preview
		for range 3 {
			if !b.Follow(path).Has("/login") {
				t.Fatal("a reload before the sign-in is refused")
			}
		}
		page := b.Follow(path).Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
		if !page.Has("/consent") || !b.Follow(path).Has("/consent") {
			t.Fatalf("a reload before the consent is refused: %d %s", page.Status, page.Body)
		}
		allowed := page.Form("/consent").Press("decision", "allow")
		s.Redeem(s.Web, allowed.Response(servertest.Callback).Get("code")).Expect(200)
		answered(t, "opened again", b.Follow(path))
		answered(t, "the way back to the decision", b.Follow(allowed.URL))
		answered(t, "allowed again", page.Form("/consent").Press("decision", "allow"))
		answered(t, "denied afterwards", page.Form("/consent").Press("decision", "deny"))

		// What was allowed before is answered at once.
		path = pushRequest(s, s.Web)
		if b.Follow(path).Response(servertest.Callback).Get("code") == "" {
			t.Error("no code for what was allowed before")
		}
		answered(t, "remembered consent", b.Follow(path))
	})
}

func TestARefusalUsesUpAPushedRequest(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b, path := s.Browser(), pushRequest(s, s.Web, "prompt", "none")
		if got := b.Follow(path).Response(servertest.Callback).Get("error"); got != "login_required" {
			t.Errorf("the error is %q", got)
		}
		answered(t, "after login_required", b.Follow(path))

		b.SignIn()
		path = pushRequest(s, s.Web, "prompt", "none")
		if got := b.Follow(path).Response(servertest.Callback).Get("error"); got != "consent_required" {
			t.Errorf("the error is %q", got)
		}
		answered(t, "after consent_required", b.Follow(path))

		path = pushRequest(s, s.Web)
		page := b.Follow(path)
		if got := page.Form("/consent").Press("decision", "deny").Response(servertest.Callback).Get("error"); got != "access_denied" {
			t.Errorf("the error is %q", got)
		}
		answered(t, "after access_denied", b.Follow(path))
		answered(t, "allowed after access_denied", page.Form("/consent").Press("decision", "allow"))

		// With what was allowed before, prompt=none gets one code.
		b.Authorize(s.Web).Through()
		path = pushRequest(s, s.Web, "prompt", "none")
		if b.Follow(path).Response(servertest.Callback).Get("code") == "" {
			t.Error("no code")
		}
		answered(t, "after the code of prompt=none", b.Follow(path))
	})
}

// The life of the reference is that of its first opening: who has opened it has as long as for any other request.
func TestALateAnswerToAPushedRequest(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b, path := s.Browser(), pushRequest(s, s.Web)
	s.Clock.Advance(89 * time.Second)
	page := b.Follow(path)
	s.Clock.Advance(time.Second)
	answered(t, "opened after 90 seconds", b.Follow(path))
	s.Clock.Advance(59 * time.Minute)
	if page.Through().Response(servertest.Callback).Get("code") == "" {
		t.Error("no code")
	}
}

// RFC 9126 §4 lets the same reference be opened in two browsers; docs/decisions/0019. One of them gets the answer.
func TestAPushedRequestInTwoBrowsers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	path := pushRequest(s, s.Web)
	first, second := s.Browser(), s.Browser()
	first.SignIn()
	second.SignIn()
	one, other := first.Follow(path), second.Follow(path)
	if one.Form("/consent").Press("decision", "allow").Response(servertest.Callback).Get("code") == "" {
		t.Error("no code in the first browser")
	}
	answered(t, "the second browser", other.Form("/consent").Press("decision", "allow"))
}

// Of parallel decisions one is answered, whatever they are.
func TestParallelDecisionsOnAPushedRequestGetOneAnswer(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		b := s.Browser()
		b.SignIn()
		page := b.Follow(pushRequest(s, s.Web))
		ticket := page.Form("/consent").Fields.Get("request")
		const n = 32
		begin, wait := make(chan struct{}), sync.WaitGroup{}
		answers := make([]*servertest.Page, n)
		for i := range n {
			tab, decision := s.Browser(), "allow"
			tab.SetCookie(session.CookieName, b.Cookie(session.CookieName))
			if i%4 == 3 {
				decision = "deny"
			}
			wait.Go(func() {
				<-begin
				answers[i] = tab.Post("/consent", "request", ticket, "decision", decision)
			})
		}
		close(begin)
		wait.Wait()
		given := 0
		for _, page := range answers {
			if page.Left != "" {
				given++
				page.Response(servertest.Callback)
				continue
			}
			answered(t, "one of those that came too late", page)
		}
		if given != 1 {
			t.Errorf("%d answers were given", given)
		}
	})
}
