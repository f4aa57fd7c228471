package hatest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"latchkey/latchkeytest"
)

const (
	// endedUser and endedClient are those whose sessions the operator ends.
	endedUser   = "bob"
	endedClient = "ended"
)

// operate ends sessions as operators do, without end: all of a user, a user, a client. What a command has acknowledged is dead.
func (t *traffic) operate() {
	commands := [][]string{
		{"session", "revoke", "--user", endedUser},
		{"user", "disable", endedUser},
		{"user", "enable", endedUser},
		{"client", "disable", endedClient},
		{"client", "enable", endedClient},
	}
	c := &client{traffic: t, name: "operator", policy: endedClient, user: endedUser}
	for ; t.ctx.Err() == nil; t.sleep(time.Second) {
		for i := 0; i < len(commands) && t.ctx.Err() == nil; i++ {
			c.mustLogIn()
			if !t.command(commands[i]...) {
				continue
			}
			if commands[i][1] == "disable" {
				i++
				t.command(commands[i]...)
				t.sleep(2 * time.Second) // until every replica knows
			}
			c.remember(c.refresh)
		}
	}
}

// command runs a command as often as it takes, and reports whether it was acknowledged.
func (t *traffic) command(args ...string) bool {
	operator := *t.s.replicas[0].Instance // with an environment of its own: that of the replica changes
	r := &replica{Instance: &operator}
	r.configure(t.s.direct)
	for t.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(t.ctx, latchkeytest.Patience)
		_, err := r.Run(ctx, "", args...)
		cancel()
		switch {
		case err == nil:
			return true
		case t.ctx.Err() != nil:
		case strings.Contains(err.Error(), "unavailable"), strings.Contains(err.Error(), "database"), strings.Contains(err.Error(), "killed"):
			t.sleep(time.Second)
		default:
			t.note(&t.odd, "operator: %s", brief(fmt.Sprint(err)))
			t.sleep(time.Second)
		}
	}
	return false
}
