package selfhelp_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/proof"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// byInvitation is the sign-up of invited people alone.
func byInvitation(c *server.Config) { c.SignUp = selfhelp.SignUpInvite }

func finish(page *servertest.Page, username string) {
	page.Form("/sign-up/finish").Set("username", username, "new_password", next, "new_password_again", next).Submit()
}

// An invitation makes one account, in its groups, however often and in however many browsers it is opened. One that was sent proves the
// address; one that the operator passed on does not.
func TestAnInvitationMakesOneAccount(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		box := new(servertest.Mailbox)
		s := servertest.New(t, servertest.Store(open(t)), servertest.Mail(box), servertest.Configure(byInvitation))
		s.Browser().Get("/sign-up").Expect(http.StatusNotFound)
		mailed, err := s.Proof().Invite(t.Context(), proof.Invitation{Email: "ann@example.com", Groups: []string{"staff"}})
		if err != nil || mailed.Link != "" || !mailed.Sent {
			t.Fatalf("%+v besides the letter, %v", mailed, err)
		}
		sent := s.Letter(box, "ann@example.com").Link()
		made, err := s.Proof().Invite(t.Context(), proof.Invitation{Groups: []string{"guests"}})
		if err != nil || made.Link == "" || made.Sent {
			t.Fatalf("no link to pass on: %+v, %v", made, err)
		}
		passed := made.Link
		for range 2 { // a scanner
			s.Browser().Follow(sent).Expect(http.StatusOK)
		}
		var wg sync.WaitGroup
		pages := make([]*servertest.Page, 8)
		for i := range pages { // all are open before the first is sent
			pages[i] = s.Browser().Get(sent)
		}
		for i, page := range pages {
			wg.Go(func() { finish(page, "ann"+strings.Repeat("n", i)) })
		}
		wg.Wait()
		accounts := 0
		for i := range pages {
			u, err := s.Users().Find(t.Context(), "ann"+strings.Repeat("n", i))
			if err != nil {
				continue
			}
			accounts++
			if u.Email != "ann@example.com" || !u.EmailVerified || strings.Join(u.Groups, " ") != "staff" {
				t.Errorf("the account is %+v", u)
			}
		}
		if accounts != 1 {
			t.Errorf("%d accounts of one invitation", accounts)
		}
		s.Browser().Get(sent).Expect(http.StatusGone)
		finish(s.Browser().Get(passed), "guest")
		if u, err := s.Users().Find(t.Context(), "guest"); err != nil || u.EmailVerified || strings.Join(u.Groups, " ") != "guests" {
			t.Errorf("of the link that was passed on: %+v, %v", u, err)
		}
	})
}

func TestAnInvitationEnds(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(byInvitation))
	made, err := s.Proof().Invite(t.Context(), proof.Invitation{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.Browser().Get(made.Link).Expect(http.StatusOK)
	s.Browser().Get(made.Link + "x").Expect(http.StatusGone)
	s.Clock.Advance(made.ExpiresAt.Sub(s.Clock.Now()) + time.Second)
	s.Browser().Get(made.Link).Expect(http.StatusGone)
}
