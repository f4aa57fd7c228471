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
	for _, c := range []struct{ do, undo []string }{
		{do: []string{"session", "revoke", "--user", failpointUser}},
		{do: []string{"session", "revoke", "--all"}},
		{do: []string{"user", "disable", failpointUser}, undo: []string{"user", "enable", failpointUser}},
		{do: []string{"user", "remove", failpointUser}},
	} {
		k.browse()
		k.Run("", c.do...)
		if n := k.queued(); n != 1 {
			t.Errorf("%s queued %d notices", strings.Join(c.do, " "), n)
		}
		if c.undo != nil {
			k.Run("", c.undo...)
		}
	}
}

// queued returns how many logout notices there are, and removes them.
func (k *killed) queued() int {
	k.t.Helper()
	list, err := k.store.ClaimLogoutNotices(k.t.Context(), time.Now().Add(12*time.Hour), time.Microsecond, 100)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, notice := range list {
		if err := k.store.FinishLogoutNotice(k.t.Context(), notice.ID); err != nil {
			k.t.Fatal(err)
		}
	}
	return len(list)
}

// browse begins a session of the user in a browser, with one client.
func (k *killed) browse() {
	k.t.Helper()
	// The server notices within a second that sessions of clients have ended; until then a code may be one of before.
	for end := time.Now().Add(latchkeytest.Patience); !k.redeem(k.code(newJar())).ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			k.t.Fatal("no session begins")
		}
	}
}

// A command that is killed before its commit ends nothing and notifies nobody, and after it the notices are there: a client that were told of an end that
// did not come would sign its users out for nothing, and one that were not told would keep them signed in.
func TestKillNineBetweenAnEndAndItsNotices(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, onPostgres, long bool) {
		k := startKilled(t, onPostgres)
		k.commandsApart()
		for _, c := range []command{
			{args: []string{"user", "disable", failpointUser}, decides: "set user active", undo: []string{"user", "enable", failpointUser}},
			{args: []string{"session", "revoke", "--user", failpointUser}, decides: "raise user epoch"},
			{args: []string{"user", "remove", failpointUser}, decides: "remove user"},
		} {
			points := []string{c.decides + "/before", c.decides + "/after"}
			k.queued()
			k.browse()
			for i, point := range points {
				k.runKilled(point, c.args...)
				if n := k.queued(); n != i {
					t.Errorf("%v, killed at %s: %d notices", c.args, point, n)
				}
				if i > 0 && c.undo != nil {
					k.Run("", c.undo...)
				}
			}
		}
	})
}
