package selfhelp_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

const (
	address = "alice@example.com"
	next    = "a password that is new"
)

// setup gives a server whose user has an address.
func setup(t *testing.T, open ...servertest.Option) (*servertest.Server, *servertest.Mailbox) {
	t.Helper()
	box := new(servertest.Mailbox)
	s := servertest.New(t, append(open, servertest.Mail(box), servertest.Configure(func(c *server.Config) { c.SignUp = selfhelp.SignUpOpen }))...)
	email := address
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Email: &email}); err != nil {
		t.Fatal(err)
	}
	return s, box
}

// forget asks for a new password.
func forget(b *servertest.Browser, named string) *servertest.Page {
	return b.Get("/forgot-password").Form("/forgot-password").Set("identifier", named).Submit()
}

// link gives the link of a forgotten password.
func link(t *testing.T, s *servertest.Server, box *servertest.Mailbox) string {
	t.Helper()
	forget(s.Browser(), servertest.Username).Expect(http.StatusOK)
	return s.Letter(box, address).Link()
}

// choose fills in the form of a link.
func choose(b *servertest.Browser, link, password string) *servertest.Page {
	return b.Get(link).Form("/reset-password").Set("new_password", password, "new_password_again", password).Submit()
}

func TestStatement55AForgottenPasswordIsChosenAnew(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, box := setup(t, servertest.Store(open(t)))
		elsewhere := s.Browser()
		elsewhere.SignIn()
		tokens := s.Login(s.Backend)
		b := s.Browser()
		page := b.Authorize(s.Portal).Click("Forgot your password?")
		page.Form("/forgot-password").Set("identifier", servertest.Username).Submit().Expect(http.StatusOK)
		letter := s.Letter(box, address)
		if !strings.HasPrefix(letter.Link(), s.URL+"/reset-password?token=lk_ml_") || !strings.Contains(letter.Text, servertest.Username) {
			t.Fatalf("the letter: %s", letter.Text)
		}
		for range 3 { // a mail scanner opens it
			s.Browser().Follow(letter.Link()).Expect(http.StatusOK)
		}
		if elsewhere.Get("/account").Status != http.StatusOK {
			t.Error("opening the link has changed something")
		}
		page = choose(s.Browser(), letter.Link(), next)
		if !page.Has("/login") || !strings.Contains(page.Body, "Your password has been changed") {
			t.Fatalf("the browser is at %s: %s", page.URL, page.Body)
		}
		// On to the application that asked, with the new password.
		page = page.Form("/login").Set("username", servertest.Username, "password", next).Submit()
		if page.Response(servertest.Callback).Get("code") == "" {
			t.Errorf("the way leads to %s", page.Left)
		}
		if got := elsewhere.Get("/account"); !got.Has("/login") {
			t.Error("another browser is still signed in")
		}
		s.Refresh(s.Backend, tokens.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
		if s.Browser().SignIn().Status != http.StatusUnauthorized {
			t.Error("the old password is still good")
		}
		s.Browser().Get(letter.Link()).Expect(http.StatusGone)
		if told := s.Letter(box, address); told.Subject != "Your password was changed" {
			t.Errorf("told: %s", told.Subject)
		}
		secret := letter.Link()[strings.Index(letter.Link(), "lk_ml_"):]
		if strings.Contains(s.Log.String(), secret) || strings.Contains(s.Log.String(), next) {
			t.Error("the log has the link or the password")
		}
	})
}

func TestStatement55ALinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s, box := setup(t, servertest.Store(open(t)))
		to := link(t, s, box)
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		const tries = 16
		var wg sync.WaitGroup
		statuses := make([]int, tries)
		for i := range tries {
			b := s.Browser()
			wg.Go(func() {
				password := fmt.Sprint("a new password ", i)
				page := b.Post("/reset-password", "token", u.Query().Get("token"), "new_password", password, "new_password_again", password)
				if statuses[i] = page.Status; len(page.Hops) > 0 {
					statuses[i] = page.Hops[0]
				}
			})
		}
		wg.Wait()
		won, gone := 0, 0
		for _, status := range statuses {
			switch status {
			case http.StatusSeeOther:
				won++
			case http.StatusGone:
				gone++
			}
		}
		if won != 1 || won+gone != tries {
			t.Errorf("%v", statuses)
		}
	})
}

func TestStatement55ALinkEnds(t *testing.T) {
	t.Parallel()
	s, box := setup(t)
	for name, end := range map[string]func(){
		"after half an hour":  func() { s.Clock.Advance(30 * time.Minute) },
		"by another password": func() { ok(t, s.Users().SetPassword(t.Context(), servertest.UserID, servertest.Password)) },
		"by another address": func() {
			other := "other@example.com"
			must(s.Users().Update(t.Context(), 1, storage.UserChange{Email: &other}))
		},
		"with a user disabled": func() { ok(t, s.Users().Disable(t.Context(), servertest.UserID)) },
	} {
		back := address
		must(s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Email: &back}))
		ok(t, s.Users().Enable(t.Context(), servertest.UserID))
		s.Clock.Advance(time.Hour) // the limits
		to := link(t, s, box)
		s.Browser().Get(to).Expect(http.StatusOK)
		end()
		if page := s.Browser().Get(to); page.Status != http.StatusGone {
			t.Errorf("%s: %d", name, page.Status)
		}
	}
	for _, bad := range []string{"", "?token=", "?token=x", "?token=lk_ml_" + strings.Repeat("0", 49), "?token=" + strings.Repeat("x", 5000)} {
		s.Browser().Get("/reset-password" + bad).Expect(http.StatusGone)
		s.Browser().Get("/verify-email" + bad).Expect(http.StatusGone)
		s.Browser().Get("/sign-up/finish" + bad).Expect(http.StatusGone)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The answer says nothing of who has an account, whatever is typed.
func TestForgottenPasswordsEnumerateNobody(t *testing.T) {
	t.Parallel()
	s, box := setup(t)
	s.AddUser(users.NewUser{ID: 2, Username: "nomail", Active: true}, servertest.Password)
	ok(t, s.Users().SetPasswordHash(t.Context(), s.AddUser(users.NewUser{ID: 3, Username: "nopass", Email: "n@example.com", Active: true}, "x").ID, "!"))
	var want string
	for i, named := range []string{servertest.Username, address, strings.ToUpper(address), "nobody", "nobody@example.com", "nomail", "nopass", "", "a\u202eb", strings.Repeat("x", 2000)} {
		s.Clock.Advance(time.Hour)
		page := s.Browser().Post("/forgot-password", "identifier", named)
		page.Expect(http.StatusOK)
		body := page.Body
		if i := strings.Index(body, "<bdi>"); i >= 0 {
			body = body[:i] + body[strings.Index(body, "</bdi>"):]
		}
		if i == 0 {
			want = body
		} else if named != "" && body != want {
			t.Errorf("%.20q shows another page: %s", named, page.Body)
		}
		if list, expected := s.Letters(box, address), i < 3; (len(list) == 1) != expected {
			t.Errorf("%.20q leads to %d letters", named, len(list))
		}
		if list := s.Letters(box, "n@example.com"); list != nil {
			t.Errorf("%.20q leads to letters to a user without a password", named)
		}
	}
	s.Browser().Post("/forgot-password", "identifier", "a\x00b").Expect(http.StatusBadRequest)
	s.Browser().Post("/forgot-password", "identifier", "\xff").Expect(http.StatusBadRequest)
	s.Browser().PostForeign("/forgot-password", "identifier", servertest.Username).Expect(http.StatusForbidden)
}

func TestStatement55LinksAreOfTheIssuer(t *testing.T) {
	t.Parallel()
	s, box := setup(t)
	s.PostForm("/forgot-password", url.Values{"identifier": {servertest.Username}}, func(r *http.Request) {
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("Forwarded", "host=evil.example")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}).Expect(http.StatusOK)
	if letter := s.Letter(box, address); !strings.HasPrefix(letter.Link(), s.URL+"/") || strings.Contains(letter.Text+letter.HTML, "evil") {
		t.Errorf("the letter: %s", letter.Text)
	}
}

// unthrottled turns off the limit on guesses of passwords, as a load test does. Those on letters and codes stay.
func unthrottled(c *server.Config) { c.LoginThrottle = false }

func TestForgottenPasswordsAreNoMailBomb(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(*server.Config){"throttled": func(*server.Config) {}, "--login-throttle off": unthrottled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bomb(t, servertest.Configure(config))
		})
	}
}

func bomb(t *testing.T, option servertest.Option) {
	s, box := setup(t, option)
	letters, refused := 0, 0
	for i := range 30 {
		page := forget(s.Browser(), strings.Repeat(" ", i%3)+[]string{servertest.Username, address, strings.ToUpper(address)}[i%3])
		if page.Status == http.StatusTooManyRequests {
			refused++
			if page.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		letters += len(s.Letters(box, address))
		s.Clock.Advance(2 * time.Second)
	}
	if letters < 1 || letters > 4 || refused < 15 {
		t.Errorf("%d letters, %d refused", letters, refused)
	}
}

func TestANewPasswordIsChecked(t *testing.T) {
	t.Parallel()
	s, box := setup(t)
	to := link(t, s, box)
	for name, pair := range map[string][2]string{
		"short": {"seven77", "seven77"}, "common": {"password123", "password123"}, "name": {servertest.Username, servertest.Username},
		"two": {next, next + "!"}, "empty": {"", ""}, "huge": {strings.Repeat("x", 5000), strings.Repeat("x", 5000)},
	} {
		page := s.Browser().Get(to).Form("/reset-password").Set("new_password", pair[0], "new_password_again", pair[1]).Submit()
		if page.Status != http.StatusBadRequest || !page.Has("/reset-password") || !strings.Contains(page.Body, `id="problem"`) {
			t.Errorf("%s: %d %s", name, page.Status, page.Body)
		}
	}
	if page := choose(s.Browser(), to, next); !page.Has("/login") {
		t.Errorf("the link is used up: %d", page.Status)
	}
}

func TestWithoutMailNothingNeedsIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.SignUp = selfhelp.SignUpOpen }))
	if page := s.Browser().Get("/login"); strings.Contains(page.Body, "Forgot") || strings.Contains(page.Body, "/sign-up") {
		t.Errorf("the login leads to what is off: %s", page.Body)
	}
	if page := s.Browser().Get("/forgot-password"); !strings.Contains(page.Body, "Ask the people") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	for _, path := range []string{"/reset-password", "/verify-email", "/sign-up"} {
		s.Browser().Get(path).Expect(http.StatusNotFound)
	}
}

func TestSignUpLeadsToTheApplication(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		for _, way := range []string{"link", "code"} {
			s, box := setup(t, servertest.Store(open(t)))
			b := s.Browser()
			page := b.Authorize(s.Portal).Click("Create an account").Form("/sign-up").Set("email", " new@example.com ").Submit()
			page.Expect(http.StatusOK)
			letter := s.Letter(box, "new@example.com")
			if way == "code" {
				if wrong := page.Form("/sign-up/code").Set("code", "0000 0000").Submit(); wrong.Status != http.StatusBadRequest {
					t.Errorf("a wrong code: %d", wrong.Status)
				}
				page = page.Form("/sign-up/code").Set("code", letter.Code()).Submit()
			} else {
				s.Browser().Follow(letter.Link()).Expect(http.StatusOK) // a scanner
				b = s.Browser()
				page = b.Get(letter.Link())
			}
			if !strings.Contains(page.Body, "new@example.com") {
				t.Fatalf("%s: %d %s", way, page.Status, page.Body)
			}
			form := func(p *servertest.Page, username string) *servertest.Page {
				return p.Form("/sign-up/finish").Set("username", username, "name", "New <b>", "new_password", next, "new_password_again", next).Submit()
			}
			page = form(page, servertest.Username)
			if page.Status != http.StatusConflict {
				t.Errorf("%s: a username that is taken: %d", way, page.Status)
			}
			page = form(page, "newcomer")
			if page.Response(servertest.Callback).Get("code") == "" {
				t.Fatalf("%s: the way leads to %s %s", way, page.URL, page.Body)
			}
			u, err := s.Users().Find(t.Context(), "newcomer")
			if err != nil || u.Email != "new@example.com" || !u.EmailVerified || u.Name != "New <b>" {
				t.Errorf("%s: %+v, %v", way, u, err)
			}
			s.Browser().Get(letter.Link()).Expect(http.StatusGone)
			if page := s.Browser().SignInAs("newcomer", next); page.Status != http.StatusOK {
				t.Errorf("%s: the password is not good: %d", way, page.Status)
			}
		}
	})
}

func TestSignUpEnumeratesNobodyAndIsNoMailBomb(t *testing.T) {
	t.Parallel()
	s, box := setup(t)
	page := func(email string) string {
		p := s.Browser().Post("/sign-up", "email", email)
		p.Expect(http.StatusOK)
		return strings.ReplaceAll(regexpRequest.ReplaceAllString(p.Body, ""), email, "")
	}
	if page(address) != page("stranger@example.com") {
		t.Error("the page says who has an account")
	}
	if letter := s.Letter(box, address); letter.Code() != "" || !strings.Contains(letter.Text, servertest.Username) {
		t.Errorf("the letter: %s", letter.Text)
	}
	s.Letter(box, "stranger@example.com")
	letters := 0
	for range 20 {
		s.Browser().Post("/sign-up", "email", "victim@example.com")
		letters += len(s.Letters(box, "victim@example.com"))
	}
	if letters > 3 {
		t.Errorf("%d letters to one mailbox", letters)
	}
	for _, bad := range []string{"", "x", "a@b.c, d@e.f", "a@b.c\r\nBcc: x@y.z", strings.Repeat("a", 300) + "@b.c"} {
		s.Clock.Advance(time.Hour)
		s.Browser().Post("/sign-up", "email", bad).Expect(http.StatusBadRequest)
	}
}

var regexpRequest = regexp.MustCompile(`name="request" value="[^"]*"`)

// A code is no way to guess somebody else's address into an account.
func TestCodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	s, box := setup(t, servertest.Configure(unthrottled))
	page := s.Browser().Post("/sign-up", "email", "victim@example.com")
	code := s.Letter(box, "victim@example.com").Code()
	for range 5 {
		page.Form("/sign-up/code").Set("code", "12345678").Submit().Expect(http.StatusBadRequest)
	}
	if p := page.Form("/sign-up/code").Set("code", code).Submit(); p.Status != http.StatusTooManyRequests {
		t.Errorf("after five guesses: %d", p.Status)
	}
	other := s.Browser().Post("/sign-up", "email", "mallory@example.com")
	if p := other.Form("/sign-up/code").Set("code", code).Submit(); p.Status != http.StatusBadRequest {
		t.Errorf("a code of another request: %d", p.Status)
	}
}
