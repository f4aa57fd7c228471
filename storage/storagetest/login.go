package storagetest

import (
	"sync/atomic"
	"time"

	"latchkey/storage"
)

func logins() cases {
	return cases{
		"a login finds the one user who has the name": func(b *bundle) {
			add := func(id int64, name, email string) {
				b.ok(b.CreateUser(b.ctx, &storage.User{ID: id, Username: name, Email: email, CreatedAt: b.now}))
			}
			add(1, "Ada", "ada@example.org")
			add(2, "bob", "Bob@Example.org")
			b.variants("BOB") // an import stores it beside bob
			add(4, "ada@example.org", "")
			add(5, "\u00c4da", "\u00c4@example.org")
			add(6, "both", "both")
			email := storage.LoginNames{Email: true}
			only := storage.LoginNames{Email: true, NoUsername: true}
			fold, all := storage.LoginNames{Fold: true}, storage.LoginNames{Email: true, Fold: true}
			for _, c := range []struct {
				names storage.LoginNames
				name  string
				want  int64
			}{
				{storage.LoginNames{}, "Ada", 1},
				{storage.LoginNames{}, "ada", 0},
				{storage.LoginNames{}, "Bob@Example.org", 0},
				{email, "Ada", 1},
				{email, "Bob@Example.org", 2},
				{email, "bob@example.org", 0},
				{email, "ada@example.org", 0},
				{email, "both", 6},
				{only, "both", 6},
				{only, "ada@example.org", 1},
				{only, "Ada", 0},
				{only, "", 0},
				{email, "", 0},
				{fold, "ada", 1},
				{fold, "bob", 0},
				{fold, "\u00e4da", 0},
				{fold, "\u00c4da", 5},
				{all, "bob@example.org", 2},
				{all, "ada@example.org", 0},
				{all, "both", 6},
			} {
				check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: c.name, Names: c.names, Now: b.now})
				b.ok(err)
				if c.want == 0 && check.User != nil || c.want != 0 && (check.User == nil || check.User.ID != c.want) {
					b.Errorf("%+v, %q: %+v", c.names, c.name, check.User)
				}
			}
			for names, want := range map[storage.LoginNames]int{{}: 0, email: 1, only: 0, fold: 1, all: 2} {
				n, err := b.AmbiguousLogins(b.ctx, names)
				b.ok(err)
				if n != want {
					b.Errorf("%+v: %d ambiguous names, want %d", names, n, want)
				}
			}
		},
		"an attempt reads the user": func(b *bundle) {
			u := b.user("ada")
			check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: "ada", Now: b.now, Known: b.digest()})
			b.ok(err)
			u.CreatedAt = kept(u.CreatedAt)
			b.same(check, &storage.LoginCheck{User: u})
		},
		"an attempt at an unknown name counts like any other": func(b *bundle) {
			attempt := storage.LoginAttempt{Username: "nobody", Now: b.now, Known: b.digest(), Untrusted: b.bucket(1, time.Second)}
			check, err := b.BeginLogin(b.ctx, attempt)
			b.ok(err)
			b.same(check, &storage.LoginCheck{})
			check, err = b.BeginLogin(b.ctx, attempt)
			b.ok(err)
			b.same(check, &storage.LoginCheck{RetryAfter: time.Second})
		},
		"attempts are taken from both kinds of buckets": func(b *bundle) {
			b.user("ada")
			attempt := storage.LoginAttempt{
				Username: "ada", Now: b.now, Known: b.digest(), Always: b.bucket(3, time.Second), Untrusted: b.bucket(2, time.Minute),
			}
			for range 2 {
				b.allowed(attempt, 0)
			}
			b.allowed(attempt, time.Minute)
			attempt.Untrusted = nil
			b.allowed(attempt, 0)
			b.allowed(attempt, time.Second)
		},
		"strangers don't lock the owner out of a known place": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			home := b.digest()
			attempt := storage.LoginAttempt{
				Username: "ada", Now: b.now, Known: b.digest(), Always: b.bucket(100, time.Second), Untrusted: b.bucket(2, time.Hour),
			}
			login := &storage.Login{UserID: u.ID, Known: home, KnownUntil: b.now.Add(time.Hour)}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			b.allowed(attempt, 0)
			b.allowed(attempt, 0)
			b.allowed(attempt, time.Hour)
			attempt.Known = home
			for range 5 {
				check := b.allowed(attempt, 0)
				if !check.KnownNetwork {
					b.Error("the place is not known")
				}
			}
		},
		"a known place is limited too": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			home := b.digest()
			login := &storage.Login{UserID: u.ID, Known: home, KnownUntil: b.now.Add(time.Hour)}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			attempt := storage.LoginAttempt{Username: "ada", Now: b.now, Known: home, Always: b.bucket(1, time.Second)}
			b.allowed(attempt, 0)
			b.allowed(attempt, time.Second)
		},
		"a place is known until its time and no longer": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			home, until := b.digest(), b.now.Add(time.Hour)
			login := &storage.Login{UserID: u.ID, Known: home, KnownUntil: until}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			for at, want := range map[time.Time]bool{b.now: true, until.Add(-time.Microsecond): true, until: false} {
				check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: "ada", Now: at, Known: home})
				b.ok(err)
				if check.KnownNetwork != want {
					b.Errorf("at %v known is %v", at, check.KnownNetwork)
				}
			}
			login.KnownUntil = until.Add(time.Hour)
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: "ada", Now: until, Known: home})
			b.ok(err)
			if !check.KnownNetwork {
				b.Error("the second login did not prolong it")
			}
		},
		"of parallel attempts no more are allowed than the bucket holds": func(b *bundle) {
			b.user("ada")
			attempt := storage.LoginAttempt{
				Username: "ada", Now: b.now, Known: b.digest(), Always: b.bucket(100, time.Hour), Untrusted: b.bucket(10, time.Hour),
			}
			var allowed atomic.Int64
			for _, err := range atOnce(100, func(int) error {
				check, err := b.BeginLogin(b.ctx, attempt)
				if err == nil && check.RetryAfter == 0 {
					allowed.Add(1)
				}
				return err
			}) {
				b.ok(err)
			}
			if n := allowed.Load(); n < 1 || n > 10 {
				b.Errorf("%d attempts were allowed", n)
			}
		},
		"a login gives back its attempt": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			buckets := b.bucket(1, time.Hour)
			attempt := storage.LoginAttempt{Username: "ada", Now: b.now, Known: b.digest(), Untrusted: buckets}
			b.allowed(attempt, 0)
			b.allowed(attempt, time.Hour)
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), &storage.Login{UserID: u.ID, GiveBack: buckets}))
			b.allowed(attempt, 0)
			b.allowed(attempt, time.Hour)
		},
		"a login sets the last login and a better hash, and keeps the epoch": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			later := b.now.Add(time.Minute)
			login := &storage.Login{UserID: u.ID, SetLastLogin: later, OldHash: "old hash", NewHash: "better hash"}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			want := *u
			want.CreatedAt, want.LastLogin, want.PasswordHash = kept(u.CreatedAt), kept(later), "better hash"
			b.same(got, &want)
			login = &storage.Login{UserID: u.ID, OldHash: "better hash", NewHash: "best hash"}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			got, err = b.User(b.ctx, u.ID)
			b.ok(err)
			want.PasswordHash = "best hash"
			b.same(got, &want)
		},
		"a login does not undo a new password": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: u.ID, Hash: "new password", Now: b.now}, nil))
			login := &storage.Login{UserID: u.ID, OldHash: "old hash", NewHash: "better hash"}
			b.ok(b.CreateGrant(b.ctx, newGrant(storage.NewID(b.now), u, c, b.now), login))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if got.PasswordHash != "new password" || !got.LastLogin.IsZero() {
				b.Errorf("hash %q, last login %v", got.PasswordHash, got.LastLogin)
			}
		},
	}
}

// bucket makes one bucket.
func (b *bundle) bucket(burst int, interval time.Duration) []storage.Bucket {
	return []storage.Bucket{{Key: b.digest(), Burst: burst, Interval: interval}}
}

// allowed makes an attempt and stops the case unless it has to wait that long.
func (b *bundle) allowed(a storage.LoginAttempt, wait time.Duration) *storage.LoginCheck {
	b.Helper()
	check, err := b.BeginLogin(b.ctx, a)
	b.ok(err)
	if check.RetryAfter != wait {
		b.Fatalf("retry after %v, want %v", check.RetryAfter, wait)
	}
	return check
}
