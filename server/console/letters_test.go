package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/console"
	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
	"latchkey/server/proof"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
)

// refusing is an operator's browser at a server whose mail server refuses every letter, until it accepts them.
type refusing struct {
	*testing.T
	*servertest.Server
	operator *servertest.Browser
	box      *servertest.Mailbox
}

func newRefusing(t *testing.T, more ...servertest.Option) *refusing {
	t.Helper()
	r := &refusing{T: t, box: new(servertest.Mailbox)}
	r.Server, r.operator = operating(t, append(more, servertest.Mail(r.box))...)
	r.refuse()
	return r
}

func (r *refusing) refuse() { r.box.Refuse(fmt.Errorf("%w: 550 5.1.1", outbox.ErrRefused)) }

// bob is a user with a verified address.
func (r *refusing) bob() *storage.User {
	r.Helper()
	return r.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true, Profile: storage.UserProfile{EmailVerified: true}}, "a long password")
}

// lost sends what is due and returns the letters that could not be delivered, newest first.
func (r *refusing) lost() []*storage.UndeliveredLetter {
	r.Helper()
	if err := r.SendLetters(r.Context()); err != nil {
		r.Fatal(err)
	}
	list, err := r.Store.ListUndeliveredLetters(r.Context(), storage.UndeliveredLetterFilter{})
	if err != nil {
		r.Fatal(err)
	}
	return list
}

// one returns the page of the only letter, which is of a name.
func (r *refusing) one(name mail.Name) *servertest.Page {
	r.Helper()
	list := r.lost()
	if len(list) != 1 || list[0].Name != string(name) {
		r.Fatalf("%d letters, want one of the name %s: %v", len(list), name, list)
	}
	return r.operator.Get(console.LetterPath + "?id=" + list[0].ID.String())
}

// do sends the form of a button of the page of the only letter.
func (r *refusing) do(what string) *servertest.Page {
	r.Helper()
	return r.operator.Post(console.LetterPath, "id", r.lost()[0].ID.String(), "do", what)
}

func (r *refusing) recorded(action string, userID int64, name mail.Name) {
	r.Helper()
	list, err := r.Store.ListAudit(r.Context(), storage.AuditFilter{Action: action})
	if err != nil || len(list) != 1 || list[0].Actor != "operator" || list[0].ActorID == "" || list[0].UserID != userID || list[0].Reason != string(name) {
		r.Errorf("%s: %v, %v", action, list, err)
	}
}

// A letter that the mail server refused is seen with its user and the reason, and is sent again with a new link.
func TestARefusedLetterIsSeenAndSentAgain(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	bob := r.bob()
	if page := r.operator.Get(console.Path); strings.Contains(page.Body, "Undelivered") {
		t.Error("the overview has undelivered letters where there are none")
	}
	if err := r.Proof().SendPasswordLink(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	page := r.one(mail.Reset)
	has(t, page, "New password", "bob@example.com", "550 5.1.1", "Refused for good", fmt.Sprint(console.UserPath, "?id=", bob.ID), "new link", "Send again")
	has(t, r.operator.Get(console.Path), "Undelivered e-mails", `href="`+console.LettersPath+`"`)
	for _, path := range []string{console.LettersPath, fmt.Sprint(console.UserPath, "?id=", bob.ID)} {
		has(t, r.operator.Get(path), "Undelivered e-mails", ">bob<", "bob@example.com", "550 5.1.1", console.LetterPath)
	}
	has(t, r.operator.Get(console.LettersPath), "E-mails waiting")

	r.box.Refuse(nil)
	has(t, r.do("again"), "The e-mail is on its way.", "Nothing here.")
	if l := r.Letter(r.box, "bob@example.com"); !strings.Contains(l.Link(), proof.ResetPath) {
		t.Errorf("the letter leads to %s", l.Link())
	}
	r.recorded("letter_sent_again", bob.ID, mail.Reset)
	if page := r.operator.Get(fmt.Sprint(console.UserPath, "?id=", bob.ID)); strings.Contains(page.Body, "Undelivered") {
		t.Error("the user's page has a letter that was sent again")
	}
}

// Sending again and dismissing need a recent login, and name a letter that there is.
func TestLettersNeedARecentLogin(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	if err := r.Proof().SendPasswordLink(t.Context(), r.bob()); err != nil {
		t.Fatal(err)
	}
	r.lost()
	r.Clock.Advance(session.ConfirmedFor + time.Second)
	for _, what := range []string{"again", "dismiss"} {
		if page := r.do(what); !page.Has("/login") || len(r.lost()) != 1 {
			t.Errorf("%s leads to %s", what, page.URL)
		}
	}
	r.operator = r.Browser()
	r.operator.SignIn()
	id := r.lost()[0].ID.String()
	if page := r.do("x"); page.Status != http.StatusBadRequest {
		t.Errorf("status %d", page.Status)
	}
	for _, unknown := range []string{"", "x", "00000000-0000-0000-0000-000000000000"} {
		if page := r.operator.Get(console.LetterPath + "?id=" + unknown); page.Status != http.StatusNotFound {
			t.Errorf("%q: status %d", unknown, page.Status)
		}
	}
	has(t, r.do("dismiss"), "Dismissed.", "Nothing here.")
	r.recorded("letter_dismissed", r.lookup("bob").ID, mail.Reset)
	if page := r.operator.Post(console.LetterPath, "id", id, "do", "dismiss"); page.Status != http.StatusOK { // another operator was faster
		t.Errorf("twice: status %d", page.Status)
	}
}

func (r *refusing) lookup(name string) *storage.User {
	r.Helper()
	u, err := r.Store.UserByUsername(r.Context(), name)
	if err != nil {
		r.Fatal(err)
	}
	return u
}

// A notice says the same when it is sent again: what was done, by whom, and when.
func TestANoticeIsRepeatedAsItWas(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	bob := r.bob()
	if err := r.Users().SetPassword(t.Context(), bob.ID, "another long password"); err != nil {
		t.Fatal(err)
	}
	made := r.Clock.Now()
	has(t, r.one(mail.PasswordSet), "The same message", "Send again")
	r.Clock.Advance(5 * time.Minute)
	r.box.Refuse(nil)
	has(t, r.do("again"), "The e-mail is on its way.")
	l := r.Letter(r.box, "bob@example.com")
	if !strings.Contains(l.Text, made.UTC().Format("15:04")) || !strings.Contains(l.Text, "by the people who run") || !strings.HasSuffix(l.Link(), "/account") {
		t.Errorf("the letter of %s is sent again as %s", made, l.Text)
	}
}

// An invitation is replaced by one with the same groups and the same end, of which the link works, and not once it was withdrawn.
func TestAnInvitationIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	first, err := r.Proof().Invite(t.Context(), proof.Invitation{Email: "carol@example.com", Groups: []string{"staff"}, Lang: "de"})
	if err != nil {
		t.Fatal(err)
	}
	has(t, r.one(mail.Invitation), "carol@example.com", "Send again")
	r.Clock.Advance(time.Minute)
	r.box.Refuse(nil)
	has(t, r.do("again"), "The e-mail is on its way.")
	if l := r.Letter(r.box, "carol@example.com"); !strings.Contains(l.Link(), proof.FinishPath) || l.Lang != "de" {
		t.Errorf("the letter leads to %s", l.Link())
	}
	list, err := r.Proof().Invitations(t.Context(), storage.ID{}, 10)
	if err != nil || len(list) != 1 || list[0].ID == first.ID || fmt.Sprint(list[0].Groups) != "[staff]" || !list[0].ExpiresAt.Equal(first.ExpiresAt) {
		t.Fatalf("there are the invitations %v, %v", list, err)
	}

	r.refuse()
	second, err := r.Proof().Invite(t.Context(), proof.Invitation{Email: "dan@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	r.one(mail.Invitation)
	if err := r.Proof().Uninvite(t.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	has(t, r.do("again"), "Nothing was sent", "Dismiss")
	if len(r.lost()) != 1 {
		t.Error("a letter that was not sent again is gone")
	}
}

// What only a person can ask for has no button, and the page says what to do.
func TestALetterThatOnlyThePersonCanAskForIsNotSentAgain(t *testing.T) {
	t.Parallel()
	r := newRefusing(t, servertest.Configure(func(c *server.Config) { c.SignUp = "open" }))
	bob := r.bob()
	for _, lost := range []struct {
		name mail.Name
		hint string
		make func() error
	}{
		{mail.SignUp, "sign up once more", func() error {
			_, err := r.Proof().SignUp(t.Context(), "eve@example.com", "en", "")
			return err
		}},
		{mail.HasAccount, "It can’t be sent again.", func() error {
			_, err := r.Proof().SignUp(t.Context(), bob.Email, "en", "")
			return err
		}},
		{mail.Verify, "asks for a new one on their account page", func() error {
			// The notice to the old address is not what this is about.
			u := *bob
			u.Email = ""
			return r.Proof().ProveAddress(t.Context(), &u, "new@example.com", "en")
		}},
	} {
		if err := lost.make(); err != nil {
			t.Fatal(err)
		}
		page := r.one(lost.name)
		has(t, page, lost.hint, "Dismiss")
		if strings.Contains(page.Body, "Send again") {
			t.Errorf("%s has a button that sends it again", lost.name)
		}
		has(t, r.do("again"), "This e-mail can’t be sent again.")
		has(t, r.do("dismiss"), "Dismissed.")
	}
}

// The address that the user has now is proved by a new letter; a user who is disabled gets none.
func TestWhetherALetterIsSentAgainDependsOnItsUser(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	bob := r.bob()
	if err := r.Proof().ProveAddress(t.Context(), bob, bob.Email, "de"); err != nil {
		t.Fatal(err)
	}
	has(t, r.one(mail.Verify), "Send again")
	r.box.Refuse(nil)
	has(t, r.do("again"), "The e-mail is on its way.")
	if l := r.Letter(r.box, bob.Email); !strings.Contains(l.Link(), proof.VerifyPath) || l.Lang != "de" {
		t.Errorf("the letter leads to %s", l.Link())
	}
	r.refuse()
	if err := r.Proof().SendPasswordLink(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	r.one(mail.Reset)
	if err := r.Users().Disable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	has(t, r.one(mail.Reset), "the user is disabled or has no e-mail address")
	has(t, r.do("again"), "This e-mail can’t be sent again.")
	if err := r.Users().Remove(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	if list := r.lost(); len(list) != 0 {
		t.Errorf("the letters of a user who was removed are kept: %v", list)
	}
}

// Sending again is within the limits of letters.
func TestSendingAgainIsLimited(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	bob := r.bob()
	for range 3 {
		if err := r.Proof().SendPasswordLink(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
	}
	r.lost()
	has(t, r.do("again"), "Too many e-mails were asked for.", "min")
	if list := r.lost(); len(list) != 3 {
		t.Errorf("%d letters are left", len(list))
	}
}

// The list has parts, the newest first, and a letter that can't be read says so.
func TestUndeliveredLettersHaveParts(t *testing.T) {
	t.Parallel()
	r := newRefusing(t)
	for i := range 51 {
		r.Clock.Advance(time.Second)
		m := outbox.Message(mail.Kind, storage.Digest{byte(i + 1)}, []byte("sealed with a secret that is gone"), r.Clock.Now(), time.Hour)
		if err := r.Store.CreateOutboxMessages(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		r.lost()
	}
	page := r.operator.Get(console.LettersPath)
	has(t, page, "E-mail that can’t be read any more", "Next page")
	last := r.lost()[50].ID.String()
	if strings.Contains(page.Body, last) {
		t.Error("the first part has the oldest letter")
	}
	rest := r.operator.Get(console.LettersPath + "?before=" + r.lost()[49].ID.String())
	has(t, rest, last)
	if strings.Count(rest.Body, console.LetterPath+"?id=") != 1 || strings.Contains(rest.Body, "Next page") {
		t.Errorf("the second part is %s", rest.Body)
	}
	if page := r.operator.Get(console.LettersPath + "?before=x"); page.Status != http.StatusNotFound {
		t.Errorf("status %d", page.Status)
	}
}

// Without a mail server the page says so.
func TestLettersWithoutAMailServer(t *testing.T) {
	t.Parallel()
	_, b := operating(t)
	has(t, b.Get(console.LettersPath), "No mail server is set up")
	if page := b.Get(console.LetterPath + "?id=0197c0de-0000-7000-8000-000000000000"); page.Status != http.StatusNotFound {
		t.Errorf("status %d", page.Status)
	}
}

// Every letter has a name in the console, in both languages.
func TestEveryLetterHasAName(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "de"} {
		texts := textsOf(t, language)
		for _, name := range mail.Names() {
			if texts["console.letter."+string(name)] == nil {
				t.Errorf("%s: no name for %s", language, name)
			}
		}
	}
}
