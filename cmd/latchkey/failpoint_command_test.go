package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/migrations"
	"latchkey/storage/postgres/postgrestest"
)

// command is what an operator does while the server runs.
type command struct {
	args    []string
	decides string
	// undo makes it possible once more.
	undo []string
	// ends says that it ends the session of the user with the client confirmed.
	ends bool
	// gone says that its repetition after the commit finds nothing.
	gone bool
	// short is part of the short form, at its first point and after its commit.
	short bool
}

var failpointCommands = []command{
	{args: []string{"session", "revoke", "--user", failpointUser}, decides: "raise user epoch", ends: true, short: true},
	{args: []string{"session", "revoke", "--client", "confirmed"}, decides: "raise client epoch", ends: true},
	{args: []string{"user", "disable", failpointUser}, decides: "set user active", undo: []string{"user", "enable", failpointUser}, ends: true},
	{args: []string{"client", "disable", "confirmed"}, decides: "update client", undo: []string{"client", "enable", "confirmed"}, ends: true, short: true},
	{args: []string{"key", "rotate"}, decides: "create signing key", short: true},
	{args: []string{"key", "rotate", "--immediately"}, decides: "create signing key"},
	{args: []string{"user", "remove", "victim"}, decides: "remove user", undo: []string{"user", "add", "victim", "--no-password"}, gone: true},
}

// A command that is killed before its commit has done nothing, and after it everything; repeating it succeeds. What was acknowledged as
// ended is dead, and no key is left that signs but is not published.
func TestKillNineOfCommandsAtFailpoints(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, onPostgres, long bool) {
		k := startKilled(t, onPostgres)
		k.Run("", "user", "add", "victim", "--no-password")
		k.commandsApart()
		for _, c := range failpointCommands {
			if long || c.short {
				k.killCommand(c, long)
			}
		}
	})
}

func (k *killed) killCommand(c command, long bool) {
	k.t.Helper()
	undo := func() {
		if c.undo != nil {
			k.Run("", c.undo...)
		}
	}
	points := k.passed(func() { k.Run("", c.args...) })
	undo()
	commit := slices.Index(points, c.decides+"/after")
	if commit < 0 {
		k.t.Fatalf("%v passes %q, without %s", c.args, points, c.decides)
	}
	for i, point := range points {
		if !long && i > 0 && i != commit {
			continue
		}
		tokens := k.mustLogIn()
		k.runKilled(point, c.args...)
		if c.ends && i < commit {
			tokens = k.mustGoOn(point, tokens)
		}
		if _, err := k.Instance.Run(k.t.Context(), "", c.args...); err != nil && !(c.gone && i >= commit) {
			k.t.Errorf("%v, repeated after %s: %v", c.args, point, err)
		}
		if c.ends {
			if r := k.refresh("confirmed", refreshToken(tokens)); r.ok() {
				k.t.Errorf("%v at %s, repeated: the session lives", c.args, point)
			}
		} else {
			k.mustGoOn(point, tokens)
			k.mustKnow(tokens)
		}
		undo()
	}
	k.t.Logf("%v: killed at %q", c.args, points)
}

// mustLogIn returns the tokens of a new session.
func (k *killed) mustLogIn() (r reply) {
	k.t.Helper()
	for end := time.Now().Add(latchkeytest.Patience); ; time.Sleep(50 * time.Millisecond) {
		// The server notices within a second that the client has changed; until then a session may begin that is over already.
		if r = k.login("confirmed"); r.ok() {
			if r = k.refresh("confirmed", refreshToken(r)); r.ok() {
				return r
			}
		}
		if time.Now().After(end) {
			k.t.Fatalf("%d %s", r.status, r.body)
		}
	}
}

func (k *killed) mustGoOn(point string, tokens reply) reply {
	k.t.Helper()
	r := k.refresh("confirmed", refreshToken(tokens))
	if !r.ok() {
		k.t.Errorf("killed at %s: %d %s", point, r.status, r.body)
	}
	return r
}

// mustKnow asks who a token is about.
func (k *killed) mustKnow(tokens reply) {
	k.t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	json.Unmarshal([]byte(tokens.body), &answer)
	if r := k.request(http.MethodGet, "/oauth2/userinfo", "", "", "Authorization", "Bearer "+answer.AccessToken); r.status == http.StatusUnauthorized {
		k.t.Errorf("a token that was issued before: %d %s", r.status, r.body)
	}
}

// A migration that is killed, in its middle or between two, is done by the next one.
func TestKillNineOfMigrations(t *testing.T) {
	t.Parallel()
	kills := 3
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		kills = 24
	}
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return postgrestest.EmptyURL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := func() *latchkeytest.Server {
				return latchkeytest.New(t, latchkeytest.Config{Binary: watched(t), Database: database(t), Env: []string{promptly, "LATCHKEY_SECRET=" + strings.Repeat("s", 40)}})
			}
			whole := start()
			began := time.Now()
			whole.Run("", "migrate", "up")
			took := time.Since(began)
			want := applied(whole)
			for i := range kills {
				s := start()
				cmd := exec.Command(s.Binary, "migrate", "up")
				cmd.Dir, cmd.Env = s.Folder, s.Environment()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(took * time.Duration(i+1) / time.Duration(kills+1)) // any moment will do
				cmd.Process.Kill()
				cmd.Wait()
				s.Run("", "migrate", "up")
				if got := applied(s); !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
		})
	}
}

// applied returns the names of the migrations, all of which must be applied.
func applied(s *latchkeytest.Server) (names []string) {
	var all []migrations.State
	json.Unmarshal(s.Run("", "migrate", "status", "--json"), &all)
	for _, m := range all {
		if m.AppliedAt != nil {
			names = append(names, m.Name)
		}
	}
	return names
}
