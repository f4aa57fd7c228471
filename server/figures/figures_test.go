package figures_test

import (
	"testing"
	"time"

	"latchkey/server/figures"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// Issue 14, point 2: what happened is counted by hours, each once, and shown by hours and days.
func TestFigures(t *testing.T) {
	t.Parallel()
	store, now := sqlitetest.SQLite(t), time.Date(2026, 3, 31, 12, 30, 0, 0, time.UTC)
	happen := func(action string, ago ...time.Duration) {
		for _, d := range ago {
			if err := store.AppendAudit(t.Context(), storage.NewAuditEvent(action, "user", now.Add(-d))); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func() {
		t.Helper()
		if err := figures.Count(t.Context(), store, now); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (map[string]figures.Figures, time.Time) {
		t.Helper()
		list, until, err := figures.Read(t.Context(), store, now)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]figures.Figures{}
		for _, f := range list {
			all[f.Kind] = f
		}
		return all, until
	}
	count()
	if _, until := read(); !until.IsZero() {
		t.Errorf("nothing has happened, but is counted until %s", until)
	}
	happen("login_succeeded", 0, time.Hour, time.Hour, 25*time.Hour, 29*24*time.Hour, 40*24*time.Hour)
	happen("refresh_token_reused", 3*time.Hour)
	happen("user_created", 3*time.Hour)
	begun := now.Add(-2 * time.Hour) // of a user and of a client that are no more
	if err := store.CreateGrant(t.Context(), &storage.Grant{
		ID: storage.NewID(begun), UserID: 1, ClientID: "app", AuthTime: begun, CreatedAt: begun, LastUsedAt: begun, ExpiresAt: now.Add(time.Hour),
		Current: storage.TokenID{1},
	}, nil); err != nil {
		t.Fatal(err)
	}
	count()
	count()
	got, until := read()
	if !until.Equal(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("counted until %s", until)
	}
	login := got["login"]
	if h := login.Hours; len(h) != 24 || h[23] != 2 || sum(h) != 2 {
		t.Errorf("logins by hours: %v", h)
	}
	if d := login.Days; len(d) != 30 || d[29] != 2 || d[28] != 1 || sum(d) != 4 {
		t.Errorf("logins by days: %v", d)
	}
	if h := got["reuse.detected"].Hours; h[21] != 1 || sum(h) != 1 {
		t.Errorf("reuse by hours: %v", h)
	}
	if b := got[figures.DirectSessions]; sum(b.Hours) != 1 || b.Hours[22] != 1 || sum(got[figures.BrowserSessions].Hours) != 0 {
		t.Errorf("sessions begun: %v, in a browser %v", b.Hours, got[figures.BrowserSessions].Hours)
	}
	now = now.Add(time.Hour) // the hour that has ended meanwhile
	count()
	if got, _ := read(); got["login"].Hours[23] != 1 || sum(got["login"].Hours) != 3 {
		t.Errorf("an hour later: %v", got["login"].Hours)
	}
}

func sum(numbers []int64) (all int64) {
	for _, n := range numbers {
		all += n
	}
	return all
}
