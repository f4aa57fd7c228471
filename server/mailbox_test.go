package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/mail"
	"latchkey/server/servertest"
)

// The letters are shown where the transport is a mailbox, which only the demo has, and nowhere else.
func TestOnlyTheDemoShowsLetters(t *testing.T) {
	t.Parallel()
	box := new(mail.Mailbox)
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.Mail, c.SignUp = server.Mail{Transport: box, From: "Demo <no-reply@demo.example>"}, "open"
	}))
	s.Browser().Get("/sign-up").Form("/sign-up").Set("email", "ann@example.com").Submit().Expect(http.StatusOK)
	if err := s.SendLetters(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 49 {
		if err := box.Deliver(t.Context(), &mail.Post{To: "bob@example.com", Subject: "<script>" + strconv.Itoa(i), Text: "<b>"}); err != nil {
			t.Fatal(err)
		}
	}
	page := s.Get("/mailbox").Expect(http.StatusOK)
	if h := page.Header; h.Get("Content-Type") != "text/plain; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers let a browser run or keep a letter: %v", h)
	}
	for _, part := range []string{"Letters: 50,", "To: ann@example.com", "/sign-up/finish?token=lk_ml_"} {
		if !strings.Contains(string(page.Body), part) {
			t.Errorf("no %q in %s", part, page.Body)
		}
	}
	if err := box.Deliver(t.Context(), &mail.Post{To: "bob@example.com"}); err != nil {
		t.Fatal(err)
	}
	if page := s.Get("/mailbox"); strings.Contains(string(page.Body), "ann@example.com") {
		t.Error("more than 50 letters are kept")
	}
	for _, opts := range [][]servertest.Option{nil, {servertest.Mail(new(servertest.Mailbox))}} {
		servertest.New(t, opts...).Get("/mailbox").Expect(http.StatusNotFound)
	}
}
