package directory_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users/external"
	"latchkey/storage"
	"latchkey/storage/testclock"
)

// grace is how long accounts are missing before users are removed in these tests.
const grace = 30 * 24 * time.Hour

func removing(c *server.Config) { c.AbsentUsersAfter = grace }

// sweep looks for missing accounts some time after the start of the test.
func sweep(t testing.TB, s *servertest.Server, after time.Duration) {
	t.Helper()
	if err := s.SweepAbsent(t.Context(), testclock.Epoch.Add(after)); err != nil {
		t.Fatal(err)
	}
}

// kept reports whether there is a row of a user.
func (s *site) kept(subject string) bool {
	s.Helper()
	list, err := s.store.ListPresence(s.Context(), 0, 1000)
	if err != nil {
		s.Fatal(err)
	}
	for _, p := range list {
		if p.Sub() == subject {
			return true
		}
	}
	return false
}

func (s *site) removals() int {
	s.Helper()
	list, err := s.store.ListAudit(s.Context(), storage.AuditFilter{Action: "user_removed", Limit: 1000})
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range list {
		if e.Actor != "server" || e.UserID == 0 || !strings.Contains(string(e.Details), "absent_since") {
			s.Errorf("%+v", e)
		}
	}
	return len(list)
}

// What is kept of a person who was deleted in Django goes once the account has been missing for long, and not before; what is kept of others stays.
func TestUsersDeletedInDjangoAreRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs), servertest.Configure(removing))
		own := &storage.User{Username: "own", CreatedAt: testclock.Epoch} // never had an account in Django
		if err := site.store.CreateUser(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		old := login(s, "ada", "secret").Expect(200).String("refresh")
		other := login(s, "bob", "secret").Expect(200).String("refresh")
		s.Browser().SignInAs("ada", "secret")
		ada, err := s.Users().Find(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		sweep(t, s, 0)
		site.do(`DELETE FROM auth_user WHERE username = 'ada'`)
		s.RefreshSimpleJWT(old).Expect(401)
		sweep(t, s, 2*time.Hour)
		sweep(t, s, grace)
		if !site.kept(site.key) {
			t.Fatal("removed before the time is over")
		}
		sweep(t, s, grace+3*time.Hour)
		if site.kept(site.key) || !site.kept(site.other) || !site.kept(own.Sub()) || site.removals() != 1 {
			t.Fatalf("ada kept: %v, bob kept: %v, own kept: %v, %d events", site.kept(site.key), site.kept(site.other), site.kept(own.Sub()), site.removals())
		}
		if list, err := site.store.ListBrowserSessions(t.Context(), ada.ID, testclock.Epoch, 10); err != nil || len(list) > 0 {
			t.Errorf("%d browser sessions are kept: %v", len(list), err)
		}
		grants, err := site.store.ListGrants(t.Context(), storage.GrantFilter{UserID: ada.ID, Limit: 10})
		for _, g := range grants {
			if g.Address != "" || g.UserAgent != "" {
				t.Errorf("a grant keeps %q %q", g.Address, g.UserAgent)
			}
		}
		if err != nil {
			t.Error(err)
		}
		s.RefreshSimpleJWT(other).Expect(200)
		site.do(`INSERT INTO auth_user (id, username, password, date_joined) VALUES ($1, 'ada', $2, '2026-01-01')`, site.key, hash("secret"))
		s.RefreshSimpleJWT(old).Expect(401)
		login(s, "ada", "secret").Expect(200)
	})
}

// The clients of a user who is removed because the account is missing are notified, as when an operator removes a user: of each session that
// the user began in a browser, whether or not the browser is still signed in.
func TestClientsOfAbsentUsersAreNotified(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "uuid")
			s := site.serve(servertest.Configure(stringIDs), servertest.Configure(removing))
			add := func(id, logout string) servertest.Client {
				return s.AddClient(clients.Registration{ID: id, Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
					GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid read", TokenEndpointAuthMethod: "none",
					RedirectURIs: []string{servertest.Callback}, BackchannelLogoutURI: logout,
				}})
			}
			told, untold := add("told", "https://rp.example/logout"), add("untold", "")
			signIn := func(name string) {
				b := s.Browser()
				b.SignInAs(name, "secret")
				for _, c := range []servertest.Client{told, untold, told} {
					s.Redeem(c, b.Code(c, "scope", "openid")).Expect(200)
				}
			}
			signIn("ada")
			signIn("ada")
			signIn("bob")
			login(s, "ada", "secret").Expect(200) // without a browser
			sweep(t, s, 0)
			site.do(`DELETE FROM auth_user WHERE username = 'ada'`)
			sweep(t, s, 2*time.Hour)
			due := func() []*storage.LogoutNotice {
				list, err := s.Store.ClaimLogoutNotices(t.Context(), s.Clock.Now(), time.Minute, 10)
				if err != nil {
					t.Fatal(err)
				}
				return list
			}
			if list := due(); len(list) > 0 {
				t.Fatalf("%d notices before the removal", len(list))
			}
			sweep(t, s, grace+3*time.Hour)
			sessions := map[storage.ID]bool{}
			for _, n := range due() {
				if sessions[n.SessionID] = true; n.ClientID != "told" || n.Sub() != site.key || n.SessionID.IsZero() {
					t.Errorf("a notice to %s of %s, session %s", n.ClientID, n.Sub(), n.SessionID)
				}
			}
			if len(sessions) != 2 || site.kept(site.key) {
				t.Errorf("the clients hear of %d sessions, and there were 2; ada is kept: %v", len(sessions), site.kept(site.key))
			}
			sweep(t, s, grace+5*time.Hour)
			if list := due(); len(list) > 0 {
				t.Errorf("%d notices more", len(list))
			}
		})
	}
}

// A table that is away, empty or another one removes nobody, and neither does one where many accounts are missing at once: an operator has to say so.
func TestAMissingTableRemovesNobody(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "integer")
			s := site.serve(servertest.Configure(removing))
			const more = 38
			site.do(fmt.Sprintf(`WITH RECURSIVE numbers (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < %d)
				INSERT INTO auth_user (id, username, password) SELECT n, 'user' || n, 'x' FROM numbers`, 99+more))
			for i := range more {
				if _, err := site.store.EnterUser(t.Context(), storage.UserEntry{ID: int64(100 + i), PasswordHash: "x", Now: testclock.Epoch}); err != nil {
					t.Fatal(err)
				}
			}
			session := login(s, "ada", "secret").Expect(200).String("refresh")
			login(s, "bob", "secret").Expect(200)
			day := 24 * time.Hour
			at := time.Duration(0)
			for _, broken := range [][2]string{
				{`ALTER TABLE auth_user RENAME TO hidden`, `ALTER TABLE hidden RENAME TO auth_user`},
				{`CREATE TABLE copy AS SELECT * FROM auth_user; DELETE FROM auth_user`, `INSERT INTO auth_user SELECT * FROM copy`},
				{`UPDATE auth_user SET id = id + 1000 WHERE id BETWEEN 100 AND 104`, ``}, // 5 of 40
			} {
				for _, statement := range strings.Split(broken[0], ";") {
					site.do(statement)
				}
				for range 3 {
					sweep(t, s, at)
					at += 40 * day
				}
				if list, err := site.store.ListPresence(t.Context(), 0, 100); err != nil || len(list) != more+2 {
					t.Fatalf("%d users are left: %v", len(list), err)
				}
				if broken[1] != "" {
					site.do(broken[1])
					time.Sleep(1100 * time.Millisecond) // a table that was broken is not looked at again for a second
				}
			}
			if !strings.Contains(s.Log.String(), "so many accounts are missing") || !strings.Contains(s.Log.String(), `"absent":5,"users":40`) {
				t.Error("the log does not say that many are missing")
			}
			site.do(`UPDATE auth_user SET id = 104 WHERE id = 1104`) // one is back, and 4 of 40 are not many
			sweep(t, s, at)
			if n := site.removals(); n != 4 || !site.kept("104") || site.kept("103") {
				t.Errorf("%d were removed", n)
			}
			s.RefreshSimpleJWT(session).Expect(200)
		})
	}
}

// Two servers sweep at the same time: each user is removed once.
func TestReplicasRemoveEachUserOnce(t *testing.T) {
	t.Parallel()
	site := newSite(t, "other", "integer")
	a := site.serve(servertest.Configure(removing))
	b := a.Replica(t, servertest.Directory(site.directory(storage.LoginNames{})), servertest.Configure(removing))
	login(a, "ada", "secret").Expect(200)
	login(a, "bob", "secret").Expect(200)
	site.do(`DELETE FROM auth_user WHERE username = 'ada'`)
	sweep(t, a, 0)
	failed := make(chan error, 2)
	for _, s := range []*servertest.Server{a, b} {
		go func() { failed <- s.SweepAbsent(t.Context(), testclock.Epoch.Add(grace+time.Hour)) }()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if site.kept(site.key) || site.removals() != 1 {
		t.Errorf("%d removals", site.removals())
	}
}

func TestTooManyAbsent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		absent, seen int
		want         bool
	}{{0, 0, false}, {1, 1, false}, {2, 3, true}, {2, 20, false}, {3, 29, true}, {3, 30, false}, {100_000, 1_000_000, false}, {100_001, 1_000_000, true}} {
		if got := external.TooManyAbsent(c.absent, c.seen); got != c.want {
			t.Error(fmt.Sprint(c), got)
		}
	}
}
