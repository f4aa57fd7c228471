package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// allowed makes the user 7, the client c, which goes at the end of the day, a browser session and a code; and the grant that
// the code may become.
func allowed(t *testing.T, s *postgres.Store) (*storage.BrowserSession, *storage.AuthorizationCode, *storage.Grant) {
	t.Helper()
	people(t, s)
	epoch := noon.UnixMicro()
	session := &storage.BrowserSession{
		ID: storage.NewID(noon), Hash: storage.Digest{1}, UserID: 7, UserEpoch: epoch,
		CreatedAt: noon, AuthTime: noon, LastSeenAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
	code := &storage.AuthorizationCode{
		Hash: storage.Digest{2}, ClientID: "c", UserID: 7, SessionID: session.ID, UserEpoch: epoch, ClientEpoch: epoch,
		AuthTime: noon, CreatedAt: noon, ValidUntil: noon.Add(time.Minute), ExpiresAt: noon.Add(time.Hour),
	}
	grant := &storage.Grant{
		ID: storage.NewID(noon), ClientID: "c", UserID: 7, SessionID: session.ID, UserEpoch: epoch, ClientEpoch: epoch,
		AuthTime: noon, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), Current: storage.TokenID{1},
	}
	if err := errors.Join(s.CreateBrowserSession(t.Context(), session, storage.Digest{}, nil), s.CreateAuthorizationCode(t.Context(), code)); err != nil {
		t.Fatal(err)
	}
	return session, code, grant
}

// waiting returns when so many statements of this test wait for a lock.
func waiting(t *testing.T, look *pgx.Conn, n int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); query[int](t, look, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) != n; {
		if time.Now().After(deadline) {
			t.Fatalf("there are never %d that wait", n)
		}
		time.Sleep(time.Millisecond)
	}
}

// A session's end that is not committed yet decides about a redemption: also of a code that was issued too late for this end to
// see it.
func TestARedemptionWaitsForTheEndOfItsSession(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[string]error{"COMMIT": storage.ErrConflict, "ROLLBACK": nil} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.URL(t)
			s, conn, look := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute}), connect(t, url), connect(t, url)
			session, code, grant := allowed(t, s)
			execute(t, conn, `BEGIN`)
			execute(t, conn, `DELETE FROM browser_sessions WHERE hash = $1`, session.Hash[:])
			done := make(chan error, 1)
			go func() { done <- s.RedeemAuthorizationCode(context.Background(), code.Hash, grant) }()
			waiting(t, look, 1)
			execute(t, conn, outcome)
			if err := <-done; !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			grants := 0
			if want == nil {
				grants = 1
			}
			if n := query[int](t, look, `SELECT count(*) FROM grants`); n != grants {
				t.Errorf("%d grants", n)
			}
		})
	}
}

// A redemption that is not committed yet has a grant that nobody sees: who ends its session, or takes its consent back, waits for it.
func TestWhoEndsACodeWaitsForItsRedemption(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*postgres.Store, *storage.BrowserSession) (bool, error){
		"session": func(s *postgres.Store, b *storage.BrowserSession) (bool, error) {
			return s.EndBrowserSession(context.Background(), storage.BrowserSessionEnd{ID: b.ID, UserID: 7, Reason: "ended", Now: noon}, nil)
		},
		"consent": func(s *postgres.Store, _ *storage.BrowserSession) (bool, error) {
			return s.RevokeConsent(context.Background(), storage.ConsentEnd{UserID: 7, ClientID: "c", Reason: "ended", Now: noon}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgrestest.URL(t)
			s, conn, look := open(t, postgres.Config{URL: url, StatementTimeout: time.Minute}), connect(t, url), connect(t, url)
			session, code, grant := allowed(t, s)
			// The redemption's last lock is the client's row, which has an end to clear.
			execute(t, conn, `UPDATE clients SET expires_at = now()`)
			execute(t, conn, `BEGIN`)
			execute(t, conn, `SELECT FROM clients FOR UPDATE`)
			redeemed, ended := make(chan error, 1), make(chan error, 1)
			go func() { redeemed <- s.RedeemAuthorizationCode(context.Background(), code.Hash, grant) }()
			waiting(t, look, 1)
			go func() {
				did, err := end(s, session)
				if err == nil && !did {
					err = errors.New("nothing was ended")
				}
				ended <- err
			}()
			waiting(t, look, 2)
			execute(t, conn, `COMMIT`)
			if err := errors.Join(<-redeemed, <-ended); err != nil {
				t.Fatal(err)
			}
			if reason := query[string](t, look, `SELECT revoke_reason FROM grants WHERE revoked_at IS NOT NULL`); reason != "ended" {
				t.Errorf("revoked as %q", reason)
			}
		})
	}
}

// Noting that a session was seen, and that a code was redeemed, leaves the indexes alone.
func TestSessionsAndCodesAreUpdatedInTheHeapOnly(t *testing.T) {
	t.Parallel()
	s, _, conn := setup(t, noon)
	session, code, grant := allowed(t, s)
	if err := errors.Join(
		s.TouchBrowserSession(t.Context(), session.Hash, noon.Add(time.Minute)),
		s.RedeemAuthorizationCode(t.Context(), code.Hash, grant),
	); err != nil {
		t.Fatal(err)
	}
	s.Close() // sessions report what they counted at their end
	count := func(what string) int {
		return query[int](t, conn, `SELECT sum(`+what+`) FROM pg_stat_user_tables WHERE relname IN ('browser_sessions', 'authorization_codes')`)
	}
	for deadline := time.Now().Add(time.Minute); count("n_tup_upd") < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if updates, hot := count("n_tup_upd"), count("n_tup_hot_upd"); updates != 2 || hot != updates {
		t.Errorf("of %d updates %d were heap-only", updates, hot)
	}
}
