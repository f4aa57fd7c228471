package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/pquerna/otp/totp"

	"latchkey/server"
	"latchkey/server/console"
	"latchkey/server/internal/alert"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

const bobsPassword, bobsNext = "the password of bob", "a new and long password"

// alerting is a server with bob, whose address is verified, and an operator; both are signed in.
func alerting(t *testing.T, options ...servertest.Option) *ending {
	t.Helper()
	box := new(servertest.Mailbox)
	s := servertest.New(t, append([]servertest.Option{
		servertest.Mail(box), servertest.Configure(func(c *server.Config) { c.Console, c.AdminGroup = true, "operators" }),
	}, options...)...)
	groups := []string{"operators"}
	if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	u := s.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true, Profile: storage.UserProfile{EmailVerified: true}}, bobsPassword)
	e := &ending{t: t, Server: s, box: box, theirs: s.Browser(), operators: s.Browser(), user: u}
	e.theirs.Languages = "de-CH, en;q=0.5"
	e.theirs.SignInAs("bob", bobsPassword)
	e.operators.SignIn()
	return e
}

// changeOwn changes bob's password on the account page.
func (e *ending) changeOwn() {
	e.theirs.Get("/account").Form("/account/password").
		Set("current_password", bobsPassword, "new_password", bobsNext, "new_password_again", bobsNext).Submit().Expect(http.StatusOK)
}

// addTOTP adds an authenticator app on the page of second factors.
func (e *ending) addTOTP() {
	page := e.theirs.Get("/account/security")
	secret := strings.ReplaceAll(regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.Body)[1], " ", "")
	code, err := totp.GenerateCode(secret, e.Clock.Now())
	if err != nil {
		e.t.Fatal(err)
	}
	page.FormWith("code").Set("code", code).Submit().Expect(http.StatusOK)
}

// OWASP ASVS 5.0 6.3.7: users are notified of each change of what they sign in with, in their language if they made it themselves.
func TestUsersAreNotifiedOfChangedCredentials(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		act func(e *ending)
		// subject and by are parts of the letter: the subject, and who or what it was.
		subject, by string
	}{
		"the user changes the password": {(*ending).changeOwn, "Ihr Passwort wurde geändert", "auf der Kontoseite"},
		"an operator sets a password": {func(e *ending) {
			e.ok(e.Users().SetPassword(e.t.Context(), e.user.ID, bobsNext))
		}, "Your password was changed", "by the people who run"},
		"an operator sets a hash": {func(e *ending) {
			e.ok(e.Users().SetPasswordHash(e.t.Context(), e.user.ID, e.user.PasswordHash))
		}, "Your password was changed", "by the people who run"},
		"an operator takes the password away": {func(e *ending) {
			e.ok(e.Users().SetPasswordHash(e.t.Context(), e.user.ID, ""))
		}, "Your password was removed", "by the people who run"},
		"a directory provisions a password": {func(e *ending) {
			secret := storage.Secret(bobsNext)
			e.ok(e.Users().ChangeProvisioned(e.t.Context(), e.user.ID, storage.ProvisionedChange{}, &secret))
		}, "Your password was changed", "by the people who run"},
		"the user adds an authenticator app": {(*ending).addTOTP, "Ihrem Konto wurde ein zweiter Faktor hinzugefügt", "eine Authenticator-App"},
		"the user removes a passkey": {func(e *ending) {
			e.addTOTP() // the page asks for a second factor that there is
			e.Letter(e.box, "bob@example.com")
			id := e.factor(storage.FactorWebAuthn)
			e.theirs.Post("/account/security", "action", "remove", "factor", id.String()).Expect(http.StatusOK)
		}, "Ein zweiter Faktor Ihres Kontos wurde entfernt", "Ein Passkey oder Sicherheitsschlüssel"},
		"an operator removes all factors": {func(e *ending) {
			e.factor(storage.FactorTOTP)
			e.operators.Post(console.UserPath, "id", fmt.Sprint(e.user.ID), "do", "reset-factors").Expect(http.StatusOK)
		}, "The second factors of your account were removed", "by the people who run"},
		"the user makes recovery codes": {func(e *ending) {
			e.addTOTP()
			e.Letter(e.box, "bob@example.com")
			e.theirs.Post("/account/security", "action", "codes").Expect(http.StatusOK)
		}, "Neue Wiederherstellungscodes für Ihr Konto", "neue Wiederherstellungscodes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := alerting(t)
			at := e.Clock.Now().UTC().Format("2006-01-02 15:04 UTC")
			c.act(e)
			letter := e.Letter(e.box, "bob@example.com")
			if letter.Subject != c.subject {
				t.Errorf("the subject is %q", letter.Subject)
			}
			for _, part := range []string{c.by, at, "bob"} {
				if !strings.Contains(letter.Text, part) || !strings.Contains(letter.HTML, part) {
					t.Errorf("no %q in the letter:\n%s", part, letter.Text)
				}
			}
			if letter.Link() != e.URL+"/account" || strings.Count(letter.Text, "://") != 1 {
				t.Errorf("the links of the letter:\n%s", letter.Text)
			}
		})
	}
}

func (e *ending) ok(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// Nothing else leads to a letter, nor does what has not happened, and an address that is not verified gets no letter.
func TestNoLettersOfOtherChanges(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(e *ending){
		"a browser is forgotten": func(e *ending) {
			id := e.factor(storage.FactorBrowser)
			e.theirs.Post("/account/security", "action", "remove", "factor", id.String()).Expect(http.StatusOK)
			if list, err := e.Store.ListFactors(e.t.Context(), e.user.ID); len(list) != 0 || err != nil {
				e.t.Errorf("%d factors are left (%v)", len(list), err)
			}
		},
		"the profile changes": func(e *ending) {
			e.theirs.Post("/account/profile", "name", "Bob").Expect(http.StatusOK)
		},
		"the password is refused": func(e *ending) {
			e.theirs.Post("/account/password", "current_password", "guess", "new_password", bobsNext, "new_password_again", bobsNext).Expect(http.StatusUnauthorized)
		},
		"the address is not verified": func(e *ending) {
			no := false
			if _, err := e.Users().Update(e.t.Context(), e.user.ID, storage.UserChange{EmailVerified: &no}); err != nil {
				e.t.Fatal(err)
			}
			e.changeOwn()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := alerting(t)
			act(e)
			if list := e.Letters(e.box, "bob@example.com"); len(list) != 0 {
				t.Errorf("letters: %s", list[0].Text)
			}
		})
	}
}

// Where no letters are sent, nothing is left in the outbox.
func TestNoAlertsWithoutMail(t *testing.T) {
	t.Parallel()
	e := alerting(t, servertest.Configure(func(c *server.Config) { c.Mail = server.Mail{} }))
	e.changeOwn()
	if n, _, err := e.Store.WaitingOutboxMessages(t.Context(), alert.Kind); n != 0 || err != nil {
		t.Errorf("%d messages (%v)", n, err)
	}
}
