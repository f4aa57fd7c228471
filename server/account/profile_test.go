package account_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

func profiles(t *testing.T, fields []string, open ...servertest.Option) (*servertest.Server, *servertest.Browser) {
	t.Helper()
	s := servertest.New(t, append(open, servertest.Configure(func(c *server.Config) { c.AccountFields = fields }))...)
	b := s.Browser()
	b.SignIn()
	return s, b
}

func user(t *testing.T, s *servertest.Server) *storage.User {
	t.Helper()
	u, err := s.Store.User(t.Context(), servertest.UserID)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Users change what --account-fields allows; applications see it.
func TestAccountFields(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, b := profiles(t, nil, servertest.Store(open(t)))
		form := b.Get("/account").Form("/account/profile")
		for _, name := range []string{"name", "given_name", "family_name", "picture", "locale", "zoneinfo"} {
			if !form.Fields.Has(name) {
				t.Errorf("%s can't be changed", name)
			}
		}
		if form.Fields.Has("email") || form.Fields.Has("groups") {
			t.Errorf("the form has %v", form.Fields)
		}
		page := form.Set("name", " Alice Ä. <b> ", "given_name", "Alice", "zoneinfo", "Europe/Vienna", "locale", "de-AT").Submit()
		if page.Status != 200 || !strings.Contains(page.Body, "Your details have been saved.") || !strings.Contains(page.Body, "Your details were changed") {
			t.Errorf("the page: %d %s", page.Status, page.Body)
		}
		if strings.Contains(page.Body, "<b>") || page.Form("/account/profile").Fields.Get("name") != "Alice Ä. <b>" {
			t.Errorf("the name is markup, or not what was typed: %s", page.Body)
		}
		u := user(t, s)
		if u.Name != "Alice Ä. <b>" || u.GivenName != "Alice" || u.ZoneInfo != "Europe/Vienna" || u.Locale != "de-AT" || u.FamilyName != "" {
			t.Errorf("the user is %+v", u)
		}
		got := s.Redeem(s.Portal, b.Authorize(s.Portal, "scope", "openid profile").Response(servertest.Callback).Get("code")).Expect(200)
		if claims := servertest.Claims(t, got.String("id_token")); claims["name"] != "Alice Ä. <b>" || claims["zoneinfo"] != "Europe/Vienna" {
			t.Errorf("the claims are %v", claims)
		}
		// A field that is emptied is removed; one that the form does not have stays.
		b.Post("/account/profile", "given_name", "").Expect(200)
		if u := user(t, s); u.GivenName != "" || u.Name == "" {
			t.Errorf("the user is %+v", u)
		}
	})
}

// What the operator does not let users change is shown, and no form changes it.
func TestAccountFieldsAreTheOperatorsChoice(t *testing.T) {
	t.Parallel()
	s, b := profiles(t, []string{"picture"})
	set := func(text string) *string { return &text }
	groups, verified := []string{"staff", "on <call>"}, true
	change := storage.UserChange{Name: set("Alice"), Locale: set("de"), Groups: &groups, Email: set("alice@example.com"), EmailVerified: &verified}
	if err := s.Store.UpdateUser(t.Context(), servertest.UserID, change, s.Clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	page := b.Get("/account")
	for _, part := range []string{"Alice", "staff", "on &lt;call&gt;", "Verified", "alice@example.com"} {
		if !strings.Contains(page.Body, part) {
			t.Errorf("%q is not on the page: %s", part, page.Body)
		}
	}
	page = b.Post("/account/profile", "name", "Mallory", "email", "m@example.com", "groups", "admin", "staff", "1", "username", "root",
		"email_verified", "true", "is_staff", "true", "picture", "https://example.com/a.png", "attributes", `{"admin":true}`)
	page.Expect(200)
	u := user(t, s)
	if u.Name != "Alice" || u.Email != "alice@example.com" || u.Staff || u.Username != servertest.Username || len(u.Groups) != 2 || len(u.Attributes) > 0 {
		t.Errorf("the user is %+v", u)
	}
	if u.Picture != "https://example.com/a.png" {
		t.Errorf("the picture is %q", u.Picture)
	}

	none, nobody := profiles(t, []string{})
	if nobody.Get("/account").Has("/account/profile") {
		t.Error("there is a form where nothing can be changed")
	}
	nobody.Post("/account/profile", "name", "Mallory")
	if u := user(t, none); u.Name != "" {
		t.Errorf("the name is %q", u.Name)
	}
}

func TestAccountFieldsAreChecked(t *testing.T) {
	t.Parallel()
	s, b := profiles(t, []string{"name", "picture", "locale", "zoneinfo"})
	for _, bad := range [][2]string{
		{"name", strings.Repeat("x", 256)},
		{"name", "a\x00b"},
		{"name", "\xff"},
		{"name", "a\u202eb"},
		{"name", "a\nb"},
		{"picture", "javascript:alert(1)"},
		{"picture", "https://u:p@example.com/"},
		{"picture", "alice.png"},
		{"locale", "German"},
		{"zoneinfo", "../etc/passwd"},
		{"zoneinfo", "Mars/"},
	} {
		page := b.Post("/account/profile", bad[0], bad[1], "name", "Alice")
		if bad[0] == "name" {
			page = b.Post("/account/profile", bad[0], bad[1])
		}
		if page.Status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, page.Status, page.Body)
			continue
		}
		if strings.Contains(bad[1], "\x00") || !utf8.ValidString(bad[1]) { // no text at all: the form is refused as a whole
			continue
		}
		if !strings.Contains(page.Body, `aria-invalid="true"`) || !strings.Contains(page.Body, `id="problem"`) || strings.Contains(page.Body, "Please try again") {
			t.Errorf("%q: the page does not say what is wrong: %s", bad, page.Body)
		}
	}
	if u := user(t, s); u.Name != "" || u.Picture != "" || u.Locale != "" || u.ZoneInfo != "" {
		t.Errorf("the user is %+v", u)
	}
	b.PostForeign("/account/profile", "name", "Mallory").Expect(http.StatusForbidden)
	if page := s.Browser().Post("/account/profile", "name", "Mallory"); !page.Has("/login") {
		t.Errorf("signed out: %d", page.Status)
	}
	if u := user(t, s); u.Name != "" {
		t.Errorf("the name is %q", u.Name)
	}
}

// A10: each change is an audit event, so users don't choose how many there are.
func TestAccountFieldsAreChangedNowAndThen(t *testing.T) {
	t.Parallel()
	s, b := profiles(t, nil)
	const tries = 30
	refused := 0
	for i := range tries {
		page := b.Post("/account/profile", "name", strings.Repeat("x", i+1))
		if page.Status == http.StatusTooManyRequests {
			refused++
			if page.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if refused == 0 || refused == tries {
		t.Errorf("%d of %d were refused", refused, tries)
	}
	list, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{UserID: servertest.UserID, Action: "user_updated", Limit: tries})
	if err != nil || len(list) != tries-refused {
		t.Errorf("%d events for %d changes (%v)", len(list), tries-refused, err)
	}
}
