package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server/internal/outbox"
	"latchkey/server/proof"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// losing is a server with a user, to whom n links for a password could not be delivered.
func losing(t *testing.T, n int) (b *bundle, box *servertest.Mailbox, bob *storage.User) {
	t.Helper()
	box = new(servertest.Mailbox)
	b = setup(t, servertest.Mail(box))
	bob = b.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "a long password")
	box.Refuse(fmt.Errorf("%w: 550 5.1.1", outbox.ErrRefused))
	for range n {
		b.Clock.Advance(time.Second)
		if err := b.Proof().SendPasswordLink(t.Context(), bob); err != nil {
			t.Fatal(err)
		}
		if err := b.SendLetters(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return b, box, bob
}

// A letter that could not be delivered is listed with its user and the reason, is sent again, and is dismissed; each is recorded.
func TestLettersThatCouldNotBeDelivered(t *testing.T) {
	t.Parallel()
	b, box, bob := losing(t, 2)
	list := items(t, b.call("GET", "/letters", ""))
	if len(list) != 2 || list[0]["id"].(string) < list[1]["id"].(string) {
		t.Fatalf("listed %v", list)
	}
	l := list[0]
	if l["name"] != "reset" || l["username"] != "bob" || l["user_id"] != float64(bob.ID) || l["recipient"] != "bob@example.com" || l["refused"] != true ||
		l["attempts"] != float64(1) || l["can_send_again"] != true || !strings.Contains(l["last_error"].(string), "550 5.1.1") {
		t.Errorf("listed %v", l)
	}
	path := "/letters/" + l["id"].(string)
	if again := b.call("GET", path, "").Expect(http.StatusOK).JSON(); fmt.Sprint(again) != fmt.Sprint(l) {
		t.Errorf("shown %v", again)
	}
	box.Refuse(nil)
	b.call("POST", path+"/send-again?dry_run=true", "").Expect(http.StatusAccepted)
	b.call("DELETE", path+"?dry_run=true", "").Expect(http.StatusOK)
	if sent := b.Letters(box, bob.Email); len(sent) != 0 || len(items(t, b.call("GET", "/letters", ""))) != 2 {
		t.Errorf("dry runs sent %v", sent)
	}
	b.call("POST", path+"/send-again", "").Expect(http.StatusAccepted)
	if sent := b.Letter(box, bob.Email); !strings.Contains(sent.Link(), proof.ResetPath) {
		t.Errorf("sent again: %s", sent.Text)
	}
	b.audited("letter_sent_again", "client:automation")
	b.call("DELETE", "/letters/"+list[1]["id"].(string), "").Expect(http.StatusOK)
	b.audited("letter_dismissed", "client:automation")
	for _, gone := range []*servertest.Answer{b.call("GET", path, ""), b.call("POST", path+"/send-again", ""), b.call("DELETE", path, "")} {
		b.problem(gone, http.StatusNotFound)
	}
}

// The list has parts and a filter.
func TestLettersAreListedInParts(t *testing.T) {
	t.Parallel()
	b, _, bob := losing(t, 3)
	page := b.call("GET", "/letters?limit=2", "")
	rest := b.call("GET", "/letters?limit=2&cursor="+page.String("next_cursor"), "")
	if n, m := len(items(t, page)), len(items(t, rest)); n != 2 || m != 1 || rest.String("next_cursor") != "" {
		t.Errorf("parts of %d and %d", n, m)
	}
	for user, want := range map[int64]int{bob.ID: 3, servertest.UserID: 0} {
		if got := len(items(t, b.call("GET", fmt.Sprint("/letters?user_id=", user), ""))); got != want {
			t.Errorf("%d letters about user %d, want %d", got, user, want)
		}
	}
}

// What can't be sent again is refused, and stays: beyond the limits, to a user who is disabled, and an invitation that is gone.
func TestLettersThatCantBeSentAgain(t *testing.T) {
	t.Parallel()
	b, _, bob := losing(t, 3)
	refused := func(kind string, status int) {
		t.Helper()
		list := items(t, b.call("GET", "/letters", ""))
		p := b.problem(b.call("POST", "/letters/"+list[0]["id"].(string)+"/send-again", ""), status)
		if kind != "" && p["type"] != "urn:latchkey:problem:"+kind {
			t.Errorf("%s: %v", kind, p)
		}
		if after := items(t, b.call("GET", "/letters", "")); len(after) != len(list) {
			t.Errorf("%s: %d letters of %d are left", kind, len(after), len(list))
		}
	}
	refused("", http.StatusTooManyRequests)
	if err := b.Users().Disable(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	refused("not-again", http.StatusConflict)
	invited, err := b.Proof().Invite(t.Context(), proof.Invitation{Email: "ann@example.com"})
	if err == nil {
		b.Clock.Advance(time.Second)
		err = b.SendLetters(t.Context())
	}
	if err == nil {
		err = b.Proof().Uninvite(t.Context(), invited.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	refused("gone", http.StatusConflict)
}

// Letters are about users and their addresses: they need the scopes of users. Without a mail server there are none.
func TestLetterScopes(t *testing.T) {
	t.Parallel()
	b, _, _ := losing(t, 1)
	path := "/letters/" + items(t, b.call("GET", "/letters", ""))[0]["id"].(string)
	for scope, want := range map[string][2]int{
		"latchkey:audit:read":  {http.StatusForbidden, http.StatusForbidden},
		"latchkey:users:read":  {http.StatusOK, http.StatusForbidden},
		"latchkey:users:write": {http.StatusForbidden, http.StatusOK},
	} {
		token := servertest.Header("Authorization", "Bearer "+b.issue(b.root, scope))
		b.call("GET", path, "", token).Expect(want[0])
		b.call("DELETE", path+"?dry_run=true", "", token).Expect(want[1])
	}
	without := setup(t)
	for _, call := range [][2]string{{"GET", "/letters"}, {"GET", path}, {"POST", path + "/send-again"}, {"DELETE", path}} {
		if p := without.problem(without.call(call[0], call[1], ""), http.StatusConflict); p["type"] != "urn:latchkey:problem:no-mail" {
			t.Errorf("%s: %v", call, p)
		}
	}
}
