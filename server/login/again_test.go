package login_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/storage"
)

// own are the pages on which users decide about their accounts, with what is only on the page itself.
var own = map[string]string{"/account/email": "Change e-mail address", "/account/export": "Download your data", "/account/remove": "Delete your account"}

// Statements 43 and 56: a signed-in session and the password are not enough to take an account over, to remove it or to copy its data.
func TestStatement56WhatChangesAnAccountWantsTheSecondFactor(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := servertest.New(t, servertest.Mail(box))
	a, _ := enrol(t, s)
	for path, title := range own {
		b := s.Browser()
		b.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", a.next(t)).Submit()
		if page := b.Get(path); page.Status != http.StatusOK || page.Has("/login") || !strings.Contains(page.Body, title) {
			t.Errorf("%s after a login: %s %d", path, page.URL, page.Status)
		}
		s.Clock.Advance(11 * time.Minute)
		page := b.Post(path, "email", "thief@example.com", "current_password", servertest.Password)
		if !page.Has("/login") || page.Form("/login").Fields.Get("return_to") != path {
			t.Fatalf("%s with an old login leads to %s: %s", path, page.URL, page.Body)
		}
		page = page.Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
		if !page.Has("/login/second-factor") || !b.Get(path).Has("/login") {
			t.Fatalf("%s after the password: %s", path, page.URL)
		}
		if page = page.Form("/login/second-factor").Set("code", a.next(t)).Submit(); page.URL != s.URL+path || page.Status != http.StatusOK {
			t.Errorf("after the second factor the way leads to %s: %d", page.URL, page.Status)
		}
	}
	if letters := s.Letters(box, "thief@example.com"); letters != nil {
		t.Errorf("%d letters to another address", len(letters))
	}
	if _, err := s.Users().Find(t.Context(), servertest.Username); err != nil {
		t.Errorf("the user: %v", err)
	}
}

// Without second factors a login of long ago is refused too.
func TestStatement43WhatChangesAnAccountWantsARecentLogin(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Mail(new(servertest.Mailbox)), servertest.Configure(func(c *server.Config) { c.SecondFactor = "off" }))
	b := s.Browser()
	b.SignIn()
	s.Clock.Advance(11 * time.Minute)
	for path := range own {
		for _, page := range []*servertest.Page{b.Get(path), b.Post(path, "current_password", servertest.Password)} {
			if !page.Has("/login") || page.Form("/login").Fields.Get("return_to") != path {
				t.Errorf("%s leads to %s", path, page.URL)
			}
		}
	}
	page := b.Get("/account/remove").Form("/login").Set("username", servertest.Username, "password", servertest.Password).Submit()
	if page.URL != s.URL+"/account/remove" {
		t.Fatalf("the login leads to %s", page.URL)
	}
	page.Form("/account/remove").Submit().Expect(http.StatusOK)
	if s.Browser().SignIn().Status != http.StatusUnauthorized {
		t.Error("the account is there")
	}
}

// Statement 55: a new password, chosen by the link of a letter, is no second factor, and a browser that was remembered is so no more.
func TestStatement55ANewPasswordIsNoSecondFactor(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	s := servertest.New(t, servertest.Mail(box))
	email := "alice@example.com"
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Email: &email}); err != nil {
		t.Fatal(err)
	}
	a, _ := enrol(t, s)
	remembered := s.Browser()
	remembered.SignInAs(servertest.Username, servertest.Password).Form("/login/second-factor").Set("code", a.next(t), "remember", "on").Submit()
	remembered.SetCookie(session.CookieName, "")
	b := s.Browser()
	b.Get("/forgot-password").Form("/forgot-password").Set("identifier", servertest.Username).Submit().Expect(http.StatusOK)
	const next = "another good password"
	page := b.Get(s.Letter(box, email).Link()).Form("/reset-password").Set("new_password", next, "new_password_again", next).Submit()
	if b.Cookie(session.CookieName) != "" {
		t.Error("the link signs in")
	}
	if page = page.Form("/login").Set("username", servertest.Username, "password", next).Submit(); !page.Has("/login/second-factor") || b.Cookie(session.CookieName) != "" {
		t.Errorf("after the new password the way leads to %s", page.URL)
	}
	if page := remembered.SignInAs(servertest.Username, next); !page.Has("/login/second-factor") {
		t.Errorf("a browser that was remembered before is let in: %s", page.URL)
	}
}
