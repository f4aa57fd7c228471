package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/console"
	"latchkey/server/figures"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

const group = "operators"

// operating returns a server with the console, and a browser in which an operator is signed in.
func operating(t *testing.T, more ...servertest.Option) (*servertest.Server, *servertest.Browser) {
	t.Helper()
	s := servertest.New(t, append(more, servertest.Configure(func(c *server.Config) { c.Console, c.AdminGroup = true, group }))...)
	groups := []string{group}
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	b := s.Browser()
	b.SignIn()
	return s, b
}

func has(t *testing.T, p *servertest.Page, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.Body, text) {
			t.Errorf("%s has no %q:\n%s", p.URL, text, p.Body)
		}
	}
}

var paths = []string{
	console.Path, console.UsersPath, fmt.Sprint(console.UserPath, "?id=", servertest.UserID), console.ClientsPath, console.ClientPath + "?id=spa",
	console.NewClientPath + "?kind=web", console.WebhooksPath, console.LettersPath, console.KeysPath, console.AuditPath,
}

func TestOperatorsOnly(t *testing.T) {
	t.Parallel()
	s, _ := operating(t)
	stranger := s.Browser()
	for _, path := range paths {
		if page := stranger.Get(path); !page.Has("/login") || page.Form("/login").Fields.Get("return_to") != path {
			t.Errorf("%s leads to %s", path, page.URL)
		}
	}
	password := storage.Secret("the password of somebody")
	if _, err := s.Users().Add(t.Context(), newUser("somebody", &password)); err != nil {
		t.Fatal(err)
	}
	other := s.Browser()
	other.SignInAs("somebody", password.Reveal())
	for _, path := range paths {
		if page := other.Get(path); page.Status != http.StatusForbidden || strings.Contains(page.Body, "<nav") {
			t.Errorf("%s: status %d", path, page.Status)
		}
	}
	for _, path := range []string{console.UserPath, console.ClientPath, console.NewClientPath, console.WebhooksPath, console.WebhookPath} {
		if page := other.Post(path, "id", fmt.Sprint(servertest.UserID), "do", "disable"); page.Status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, page.Status)
		}
	}
	// Nor from another site, in an operator's browser (route.Router.Page).
	_, operator := operating(t)
	if page := operator.PostForeign(console.ClientPath, "id", "spa", "do", "disable"); page.Status != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", page.Status)
	}
	// Without the option there is none.
	off := servertest.New(t, servertest.Configure(func(c *server.Config) { c.AdminGroup = group }))
	off.Get("/console").Expect(404)
}

// Events have the names of their users; one who was removed is a number.
func TestEventsHaveTheNamesOfUsers(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	const removed = 4242
	event := storage.NewAuditEvent("user_removed", "operator", s.Clock.Now())
	event.UserID = removed
	if err := s.Store.AppendAudit(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	link := func(id int64, text any) string {
		return fmt.Sprintf(`href="%s?id=%d"><bdi>%v</bdi></a>`, console.UserPath, id, text)
	}
	for _, path := range []string{console.Path, console.AuditPath} {
		has(t, b.Get(path), link(servertest.UserID, servertest.Username), link(removed, removed))
	}
}

func TestEveryPageIsShown(t *testing.T) {
	t.Parallel()
	_, b := operating(t)
	for _, path := range paths {
		if page := b.Get(path); page.Status != http.StatusOK || strings.Contains(page.Body, "&lt;no value") {
			t.Errorf("%s: status %d\n%s", path, page.Status, page.Body)
		}
	}
	for _, path := range []string{
		console.UserPath, console.UserPath + "?id=x", console.UserPath + "?id=-1", console.UserPath + "?id=99999999999999999999", console.UserPath + "?id=12345",
		console.ClientPath, console.ClientPath + "?id=%00", console.ClientPath + "?id=nobody", console.NewClientPath, console.NewClientPath + "?kind=x",
		console.AuditPath + "?before=x", console.WebhookPath, console.WebhookPath + "?id=x",
		console.WebhookPath + "?id=0197c0de-0000-7000-8000-000000000000", console.UsersPath + "?after=x",
	} {
		if page := b.Get(path); page.Status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, page.Status)
		}
	}
	for _, query := range []string{"text=%00", "text=%ff", "text=" + strings.Repeat("x", 5000), "group=%00", "text=%25_"} {
		if page := b.Get(console.UsersPath + "?" + query); page.Status >= 500 {
			t.Errorf("%.40s: status %d", query, page.Status)
		}
	}
	for _, query := range []string{"user=%00", "client=%00", "action=%ff", "user=nobody"} {
		if page := b.Get(console.AuditPath + "?" + query); page.Status >= 500 {
			t.Errorf("%s: status %d", query, page.Status)
		}
	}
}

// A change needs a recent login; the login leads back to the page.
func TestAChangeNeedsARecentLogin(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	s.Clock.Advance(11 * time.Minute)
	page := b.Post(console.ClientPath, "id", "spa", "do", "disable")
	if !page.Has("/login") {
		t.Fatalf("it leads to %s", page.URL)
	}
	form := page.Form("/login")
	if to := form.Fields.Get("return_to"); to != console.ClientPath+"?id=spa" {
		t.Errorf("the login leads to %q", to)
	}
	if c, err := s.Clients().Client(t.Context(), "spa"); err != nil || c.Disabled {
		t.Fatalf("the client was disabled without a login: %v", err)
	}
	page = form.Set("username", servertest.Username, "password", servertest.Password).Submit()
	has(t, page, "spa")
	b.Post(console.ClientPath, "id", "spa", "do", "disable")
	if c, err := s.Clients().Client(t.Context(), "spa"); err != nil || !c.Disabled {
		t.Errorf("the client was not disabled after the login: %v", err)
	}
}

// What ends more than one session says how many first.
func TestTheNumberOfSessionsIsConfirmed(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	tokens := []servertest.Tokens{s.Login(s.SPA), s.Login(s.SPA), s.Login(s.SPA)}
	page := b.Post(console.ClientPath, "id", "spa", "do", "end")
	has(t, page, ">3<")
	s.Refresh(s.SPA, tokens[0].Refresh).Expect(200)
	more := s.Login(s.SPA) // the number has grown: it asks again
	page = page.Form(console.ClientPath).Submit()
	has(t, page, ">4<")
	s.Refresh(s.SPA, more.Refresh).Expect(200)
	has(t, page.Form(console.ClientPath).Submit(), "The sessions have ended.")
	s.Refresh(s.SPA, tokens[1].Refresh).ExpectError(400, "invalid_grant")
	events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{ClientID: "spa", Action: "client_sessions_ended", Limit: 1})
	if err != nil || len(events) != 1 || events[0].Actor != "operator" || events[0].ActorID != fmt.Sprint(servertest.UserID) {
		t.Errorf("%d events, %v; want one of the operator", len(events), err)
	}
}

func TestAUserIsDisabledAndEnabled(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	password := storage.Secret("the password of somebody")
	u, err := s.Users().Add(t.Context(), newUser("<b>some</b>body", &password))
	if err != nil {
		t.Fatal(err)
	}
	page := b.Get(console.UsersPath + "?text=body")
	has(t, page, "&lt;b&gt;some&lt;/b&gt;body")
	id := fmt.Sprint(u.ID)
	has(t, b.Post(console.UserPath, "id", id, "do", "disable"), "Disabled.", "user_disabled")
	s.Token(s.SPA, "grant_type", "password", "username", u.Username, "password", password.Reveal()).ExpectError(400, "invalid_grant")
	has(t, b.Post(console.UserPath, "id", id, "do", "enable"), "Enabled.")
	s.Token(s.SPA, "grant_type", "password", "username", u.Username, "password", password.Reveal()).Expect(200)
	for _, what := range []string{"", "x", "verify"} {
		if page := b.Post(console.UserPath, "id", id, "do", what); page.Status != http.StatusBadRequest {
			t.Errorf("%q: status %d", what, page.Status)
		}
	}
}

func TestAClientIsRegisteredAndItsSecretShownOnce(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	form := b.Get(console.NewClientPath + "?kind=web").Form(console.NewClientPath)
	page := form.Set("client_name", "Wiki", "redirect_uris", "https://wiki.example/callback#fragment").Submit()
	has(t, page, "can’t be registered", "redirect_uris", "https://wiki.example/callback#fragment")
	page = page.Form(console.NewClientPath).Set("redirect_uris", "https://wiki.example/callback\r\nhttps://wiki.example/other").Submit()
	has(t, page, "The client is registered.", "not shown again")
	list, err := s.Clients().List(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		if c.ClientName != "Wiki" {
			continue
		}
		if len(c.RedirectURIs) != 2 || !c.UsesSecret() {
			t.Errorf("it is registered with %+v", c.Metadata)
		}
		secret := between(page.Body, "lk_cs_")
		if !s.Clients().CheckSecret(c, storage.Secret(secret)) {
			t.Errorf("%q is not the secret", secret)
		}
		again := b.Get(console.ClientPath + "?id=" + c.ID)
		if strings.Contains(again.Body, "lk_cs_") {
			t.Error("the secret is shown again")
		}
		rotated := between(b.Post(console.ClientPath, "id", c.ID, "do", "rotate", "keep", "0s").Body, "lk_cs_")
		c, err = s.Clients().Client(t.Context(), c.ID)
		if err != nil || rotated == secret || !s.Clients().CheckSecret(c, storage.Secret(rotated)) || s.Clients().CheckSecret(c, storage.Secret(secret)) {
			t.Errorf("the secret was not replaced: %v", err)
		}
		has(t, b.Post(console.ClientPath, "id", c.ID, "do", "remove", "repeat", "wiki"), "Nothing was removed.")
		has(t, b.Post(console.ClientPath, "id", c.ID, "do", "remove", "repeat", c.ID), "Removed.")
		return
	}
	t.Error("it is not registered")
}

// Issue 14, point 7: the look of a client's pages is a form; a colour that is hard to read is refused, and what was typed stays.
func TestTheLookOfAClientIsAForm(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	submit := func(name, accent string) *servertest.Page {
		return b.Post(console.ClientPath, "id", s.Web.ID, "do", "look", "brand_name", name, "brand_accent", accent)
	}
	has(t, b.Get(console.ClientPath+"?id="+s.Web.ID), "Look of the pages", `name="brand_accent_dark"`)
	has(t, submit("Acme Shop", "#ffee00"), "Nothing was saved.", "the contrast of #ffee00 on #ffffff is 1.20", `value="Acme Shop"`, `value="#ffee00"`)
	has(t, submit("Acme Shop", " #0b6b4f "), "The look has been saved.", `value="#0b6b4f"`)
	if c, err := s.Clients().Client(t.Context(), s.Web.ID); err != nil || c.BrandName != "Acme Shop" || c.BrandAccent != "#0b6b4f" {
		t.Errorf("%+v %v", c, err)
	}
	has(t, s.Browser().Authorize(s.Web), "Acme Shop", "/static/accent.0b6b4f.")
	if page := submit("", ""); strings.Contains(page.Body, "Acme Shop\"") {
		t.Errorf("an empty field does not go back to the service's: %s", page.Body)
	}
	if strings.Contains(b.Get(console.ClientPath+"?id="+s.Inspector.ID).Body, "Look of the pages") {
		t.Error("a client that leads nobody to a page has a form for their look")
	}
}

// between returns the word of a text that begins with a prefix.
func between(text, prefix string) string {
	_, rest, _ := strings.Cut(text, prefix)
	return prefix + rest[:strings.IndexFunc(rest, func(r rune) bool { return r == '<' || r == ' ' || r == '"' })]
}

// One person can't log in at one application: its page says why.
func TestARefusedRequestIsExplained(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	visitor := s.Browser()
	visitor.Authorize(s.Portal, "redirect_uri", "https://elsewhere.example/callback")
	eventually.True(t, "the refusal is written", func() bool {
		return strings.Contains(b.Get(console.ClientPath+"?id="+s.Portal.ID).Body, "https://elsewhere.example/callback")
	})
	has(t, b.Get(console.ClientPath+"?id="+s.Portal.ID), "register it beside the others")
	has(t, b.Get(console.AuditPath+"?client="+s.Portal.ID), "client_refused")
}

func newUser(name string, password *storage.Secret) users.NewUser {
	return users.NewUser{Username: name, Active: true, Password: password}
}

// textsOf returns the texts of the pages in a language.
func textsOf(t *testing.T, language string) (texts map[string]any) {
	t.Helper()
	data, err := os.ReadFile("../web/texts/" + language + ".json")
	if err == nil {
		err = json.Unmarshal(data, &texts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// Each text of the console is used, and each that is used exists: the pages of these tests would fail otherwise.
func TestTextsAreUsed(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, pattern := range []string{"*.go", "../operators.go", "../mail/letter.go", "../web/console.go", "../web/panel/*.go", "../web/templates/console.html"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(text)
		}
	}
	texts := textsOf(t, "en")
	made := []string{"console.done.", "console.kind.", "console.kind_for.", "console.letter.", "console.nav."} // with a name that follows in the code
	for key := range texts {
		prefix := func(p string) bool {
			name, ok := strings.CutPrefix(key, p)
			return ok && strings.Contains(source.String(), `"`+name+`"`)
		}
		if strings.HasPrefix(key, "console.") && !strings.Contains(source.String(), `"`+key+`"`) && !slices.ContainsFunc(made, prefix) {
			t.Errorf("%s is on no page", key)
		}
	}
}

// The overview shows the servers on the database, also those that are not like the others.
func TestServersInTheConsole(t *testing.T) {
	t.Parallel()
	s, b := operating(t, servertest.Background())
	now := s.Clock.Now().Add(-time.Minute)
	other := &storage.Replica{ID: storage.NewID(now), Host: "<b>older", Release: "v0.9.0", Schema: 20, ClockAhead: 61_000, StartedAt: now, SeenAt: now}
	if err := s.Store.NoteReplica(t.Context(), other, now); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the server has noted that it runs", func() bool {
		return strings.Count(b.Get(console.Path).Body, "Running") == 2
	})
	has(t, b.Get(console.Path), "&lt;b&gt;older", `<span class="badge warn"><bdi>v0.9.0`, `<span class="badge bad"><bdi>&#43;61000 ms`)
}

// What was counted is drawn, and said in words for who does not see it.
func TestPlotsInTheConsole(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	has(t, b.Get(console.Path), "Nothing has been counted yet")
	s.Clock.Advance(2 * time.Hour)
	if err := figures.Count(t.Context(), s.Store, s.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	has(t, b.Get(console.Path), "The last 30 days", `aria-label="Logins: 1"`, `height="60.00"`, "Refused logins: <strong>0", "<bdi>1</bdi> in the busiest", "As a table")
}
