package main

import (
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// Commands that end the sessions of a user notify their clients, as the pages and the API for operators do (OpenID Connect Back-Channel
// Logout 1.0): the command queues the notices, and a server sends them.
func TestCommandsQueueLogoutNotices(t *testing.T) {
	t.Parallel()
	k := startKilled(t, false)
	queued := func() (n int) {
		t.Helper()
		list, err := k.store.ClaimLogoutNotices(t.Context(), time.Now().Add(12*time.Hour), time.Microsecond, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, notice := range list {
			if err := k.store.FinishLogoutNotice(t.Context(), notice.ID); err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	for _, c := range []struct{ do, undo []string }{
		{do: []string{"session", "revoke", "--user", failpointUser}},
		{do: []string{"session", "revoke", "--all"}},
		{do: []string{"user", "disable", failpointUser}, undo: []string{"user", "enable", failpointUser}},
		{do: []string{"user", "remove", failpointUser}},
	} {
		// The server notices within a second that sessions of clients have ended; until then a code may be one of before.
		for end := time.Now().Add(latchkeytest.Patience); !k.redeem(k.code(newJar())).ok(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("no session begins")
			}
		}
		k.Run("", c.do...)
		if n := queued(); n != 1 {
			t.Errorf("%s queued %d notices", strings.Join(c.do, " "), n)
		}
		if c.undo != nil {
			k.Run("", c.undo...)
		}
	}
}
