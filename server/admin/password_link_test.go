package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// A user whom a directory has provisioned gets the first password by a link that an operator sends.
func TestThePasswordLinkOfAnOperator(t *testing.T) {
	t.Parallel()
	box := new(servertest.Mailbox)
	b := setup(t, servertest.Mail(box))
	add := func(name, email string, active bool) string {
		u, err := b.Users().Add(t.Context(), users.NewUser{Username: name, Email: email, Active: active})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("/users/%d/password-link", u.ID)
	}
	nora := add("nora", "nora@example.com", true)
	b.call("POST", nora+"?dry_run=true", "").Expect(http.StatusAccepted)
	if letters := b.Letters(box, "nora@example.com"); len(letters) != 0 {
		t.Errorf("a dry run sent %v", letters)
	}
	b.call("POST", nora, "").Expect(http.StatusAccepted)
	b.audited("password_reset_sent", "client:automation")
	letter := b.Letter(box, "nora@example.com")
	if !strings.Contains(letter.Text, "“nora”") || !strings.Contains(letter.Text, "within 24 hours") {
		t.Errorf("the letter is %s", letter.Text)
	}
	link := letter.Link()
	b.Clock.Advance(23 * time.Hour)
	browser := b.Browser()
	page := browser.Get(link)
	page.Form("/reset-password").Set("new_password", "a first password", "new_password_again", "a first password").Submit()
	browser.SignInAs("nora", "a first password")
	if p := browser.Get("/account"); p.Status != http.StatusOK || p.Has("/login") {
		t.Errorf("with the first password: %d %s", p.Status, p.URL)
	}

	b.token = b.issue(b.root, allScopes())
	for name, path := range map[string]string{
		"without an address": add("noaddress", "", true), "disabled": add("disabled", "disabled@example.com", false),
	} {
		if p := b.problem(b.call("POST", path, ""), http.StatusConflict); p["type"] != "urn:latchkey:problem:no-address" {
			t.Errorf("%s: %v", name, p)
		}
	}
	b.problem(b.call("POST", "/users/4711/password-link", ""), http.StatusNotFound)
	b.problem(b.call("POST", nora, "", as("x")), http.StatusUnauthorized)

	bob := add("bob", "bob@example.com", true)
	status := 0
	for range 20 {
		if a := b.call("POST", bob, ""); a.Status != http.StatusAccepted {
			status = a.Status
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("twenty letters to one user: %d", status)
	}
	list, err := b.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "password_reset_sent", Limit: 50})
	if err != nil || len(list) > 15 {
		t.Errorf("%d letters, %v", len(list), err)
	}
}

func TestNoPasswordLinkWithoutMail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := fmt.Sprintf("/users/%d/password-link", servertest.UserID)
	if p := b.problem(b.call("POST", path, ""), http.StatusConflict); p["type"] != "urn:latchkey:problem:no-mail" {
		t.Errorf("without mail: %v", p)
	}
}
