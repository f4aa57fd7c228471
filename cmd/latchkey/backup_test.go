package main

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"latchkey/latchkeytest"
	"latchkey/storage/postgres/postgrestest"
)

// A backup is taken while the server runs, work goes on, and the backup is restored elsewhere. Sessions that were there go on with the tokens
// that their clients have by now; what was ended after the backup is listed from the audit trail and ended again.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		database func(t *testing.T) string
		// copy puts a copy of a server's database where another server has its own.
		copy func(t *testing.T, from, to *latchkeytest.Server)
	}{
		"sqlite": {
			func(*testing.T) string { return "" },
			func(t *testing.T, from, to *latchkeytest.Server) {
				db, err := sql.Open("sqlite", filepath.Join(from.Folder, "latchkey.db"))
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.ExecContext(t.Context(), `VACUUM INTO ?`, filepath.Join(to.Folder, "latchkey.db")); err != nil {
					t.Fatal(err)
				}
			},
		},
		"postgres": {
			func(t *testing.T) string { return postgrestest.EmptyURL(t) },
			func(t *testing.T, from, to *latchkeytest.Server) {
				dump := filepath.Join(t.TempDir(), "dump.sql")
				for _, args := range [][]string{
					{postgrestest.Program(t, "pg_dump"), "--no-owner", "--file", dump, from.Database},
					{postgrestest.Program(t, "psql"), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", dump, to.Database},
				} {
					if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
						t.Fatalf("%s: %v: %s", args[0], err, out)
					}
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, restored := newServer(t, c.database(t)), newServer(t, c.database(t))
			restored.Issuer = old.Issuer
			if old.Database != "" && name == "postgres" {
				old.Run("", "migrate", "up")
			}
			for _, user := range []string{"alice", "bob", "carol", "dora"} {
				old.Run("wonderland-7\n", "user", "add", user, "--password-stdin")
			}
			for _, rotation := range []string{"confirmed", "strict"} {
				old.AddClient("--client-id", rotation, "--token-endpoint-auth-method", "none", "--rotation", rotation,
					"--grant-type", "password", "--grant-type", "refresh_token")
			}
			old.Start("serve")
			s := &restoring{t: t, server: old}
			keep := []*held{s.login("alice", "confirmed"), s.login("alice", "strict"), s.login("dora", "strict")}
			revoked, bobs, carols := s.login("alice", "confirmed"), s.login("bob", "strict"), s.login("carol", "confirmed")
			before := s.login("dora", "confirmed") // ended before the backup
			s.revoke(before)
			for _, h := range append(keep, revoked, bobs, carols) {
				s.refresh(h, 2)
			}

			c.copy(t, old, restored)

			for _, h := range keep {
				s.refresh(h, 7)
			}
			s.refresh(revoked, 3)
			s.revoke(revoked)
			old.Run("", "session", "revoke", "--user", "bob")
			again := s.login("bob", "strict")
			old.Run("", "user", "disable", "carol")
			trail := filepath.Join(t.TempDir(), "audit.json")
			if err := os.WriteFile(trail, old.Run("", "audit", "list", "--limit", "0", "--json"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := old.Stop(); err != nil {
				t.Fatal(err)
			}

			restored.Start("serve")
			s.server = restored
			for _, h := range keep {
				s.refresh(h, 3) // nobody is logged out
			}
			ended := func(flags ...string) map[string]int {
				var list []struct {
					Action string
					Ended  int
				}
				out := restored.Run("", append([]string{"session", "revoke", "--json", "--from-audit", trail}, flags...)...)
				if err := json.Unmarshal(out, &list); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				n := map[string]int{}
				for _, e := range list {
					n[e.Action] += e.Ended
				}
				return n
			}
			want := map[string]int{"token_revoked": 1, "user_sessions_ended": 1, "user_disabled": 1}
			for _, flags := range [][]string{{"--dry-run"}, nil} {
				got := ended(flags...)
				for action, n := range want {
					if got[action] != n || len(got) != len(want) {
						t.Errorf("%v: ended %v, want %v", flags, got, want)
					}
				}
			}
			for action, n := range ended() {
				if n != 0 {
					t.Errorf("at the second time %s ends %d", action, n)
				}
			}
			for what, h := range map[string]*held{"revoked": revoked, "bob's": bobs, "carol's": carols, "ended before": before, "younger than the backup": again} {
				s.refused(what, h)
			}
			if status, _ := s.post(url.Values{"grant_type": {"password"}, "client_id": {"strict"}, "username": {"carol"}, "password": {"wonderland-7"}}); status != 400 {
				t.Errorf("a user who was disabled after the backup logs in: %d", status)
			}
			for _, h := range keep {
				s.refresh(h, 3)
			}
			s.refresh(s.login("bob", "strict"), 1)
		})
	}
}

// restoring is what clients do with the server of the moment.
type restoring struct {
	t      *testing.T
	server *latchkeytest.Server
}

// held is a session as its client knows it.
type held struct{ client, refresh string }

func (s *restoring) post(form url.Values) (int, []byte) {
	return post(s.t.Context(), "http://"+s.server.Listen+"/oauth2/token", form)
}

func (s *restoring) tokens(what string, form url.Values) string {
	s.t.Helper()
	status, body := s.post(form)
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); status != http.StatusOK || err != nil {
		s.t.Fatalf("%s: %d %s", what, status, body)
	}
	return answer.RefreshToken
}

func (s *restoring) login(user, client string) *held {
	s.t.Helper()
	return &held{client, s.tokens("login of "+user, url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {"wonderland-7"},
	})}
}

func (s *restoring) refresh(h *held, times int) {
	s.t.Helper()
	for range times {
		h.refresh = s.tokens("refresh at "+h.client, url.Values{"grant_type": {"refresh_token"}, "client_id": {h.client}, "refresh_token": {h.refresh}})
	}
}

func (s *restoring) refused(what string, h *held) {
	s.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {h.client}, "refresh_token": {h.refresh}}
	if status, body := s.post(form); status != http.StatusBadRequest {
		s.t.Errorf("%s: %d %s", what, status, body)
	}
}

func (s *restoring) revoke(h *held) {
	s.t.Helper()
	status, body := post(s.t.Context(), "http://"+s.server.Listen+"/oauth2/revoke", url.Values{"token": {h.refresh}, "client_id": {h.client}})
	if status != http.StatusOK {
		s.t.Fatalf("revoke: %d %s", status, body)
	}
}
