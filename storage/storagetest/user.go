package storagetest

import (
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

func users() cases {
	return cases{
		"a user comes back as stored": func(b *bundle) {
			u := &storage.User{
				ID: 4711, Subject: "6f1c-zoe", Username: "Zoë", Email: "zoe@example.org", PasswordHash: "$argon2id$…", Active: true, Staff: true,
				CreatedAt: b.now, LastLogin: b.now.Add(-time.Hour), UserProfile: profile(b.now),
			}
			b.ok(b.CreateUser(b.ctx, u))
			u.CreatedAt, u.LastLogin, u.UpdatedAt = kept(u.CreatedAt), kept(u.LastLogin), kept(u.UpdatedAt)
			got, err := b.User(b.ctx, 4711)
			b.ok(err)
			b.same(got, u)
			got, err = b.UserByUsername(b.ctx, "Zoë")
			b.ok(err)
			b.same(got, u)
			got, err = b.UserBySubject(b.ctx, "6f1c-zoe")
			b.ok(err)
			b.same(got, u)
		},
		"the subject of a user is the decimal ID unless one is given": func(b *bundle) {
			u := b.user("ada")
			got, err := b.UserBySubject(b.ctx, strconv.FormatInt(u.ID, 10))
			b.ok(err)
			b.same(got.ID, u.ID)
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: 5, Subject: "slug", Username: "slug", CreatedAt: b.now}))
			_, err = b.UserBySubject(b.ctx, "5")
			b.is(err, storage.ErrNotFound)
			for _, none := range []string{"", "SLUG", "slug ", "slug\x00", "\xff"} {
				_, err = b.UserBySubject(b.ctx, none)
				b.is(err, storage.ErrNotFound)
			}
		},
		"a subject is unique, the decimal ID too": func(b *bundle) {
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: 7, Username: "seven", CreatedAt: b.now}))
			b.is(b.CreateUser(b.ctx, &storage.User{Subject: "7", Username: "other", CreatedAt: b.now}), storage.ErrExists)
			b.ok(b.CreateUser(b.ctx, &storage.User{Subject: "8", Username: "eight", CreatedAt: b.now}))
			b.is(b.CreateUser(b.ctx, &storage.User{ID: 8, Username: "late", CreatedAt: b.now}), storage.ErrExists)
		},
		"a client's ID is no user's subject, whichever comes first": func(b *bundle) { // A16
			b.client("billing")
			b.is(b.CreateUser(b.ctx, &storage.User{Subject: "billing", Username: "late", CreatedAt: b.now}), storage.ErrExists)
			b.ok(b.CreateUser(b.ctx, &storage.User{Subject: "ledger", Username: "early", CreatedAt: b.now}))
			b.is(b.CreateClient(b.ctx, newClient("ledger", b.now), b.event("client_added")), storage.ErrExists)
			b.audited("client_added", 0)
			b.ok(b.CreateUser(b.ctx, &storage.User{Subject: "Billing", Username: "case", CreatedAt: b.now}))
			for round := range 10 {
				id := fmt.Sprint("both", round)
				b.oneWins(atOnce(2, func(i int) error {
					if i == 0 {
						return b.CreateClient(b.ctx, newClient(id, b.now), nil)
					}
					return b.CreateUser(b.ctx, &storage.User{Subject: id, Username: id, CreatedAt: b.now})
				}), storage.ErrExists)
			}
		},
		"R-max: drawn IDs begin above those of other systems, and follow none that leaves nothing to draw": func(b *bundle) {
			first := b.user("first")
			if first.ID < storage.DrawnUserIDs || first.ID >= storage.UnfollowedUserIDs {
				b.Errorf("drew %d", first.ID)
			}
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: math.MaxInt64, Username: "last", CreatedAt: b.now}))
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: storage.UnfollowedUserIDs, Username: "high", CreatedAt: b.now}))
			if second := b.user("second"); second.ID != first.ID+1 {
				b.Errorf("drew %d after %d", second.ID, first.ID)
			}
		},
		"a user who never logged in has no last login": func(b *bundle) {
			u := b.user("ada")
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if !got.LastLogin.IsZero() {
				b.Errorf("last login is %v", got.LastLogin)
			}
		},
		"the epoch starts at the microsecond of creation": func(b *bundle) {
			u := b.user("ada")
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if want := b.now.UnixMicro(); u.AuthEpoch != want || got.AuthEpoch != want {
				b.Errorf("epoch is %d and stored as %d, want %d", u.AuthEpoch, got.AuthEpoch, want)
			}
		},
		"a drawn ID is above every given one": func(b *bundle) {
			for _, given := range []int64{1, 2, 500, 40} {
				u := &storage.User{ID: given, Username: fmt.Sprint("given ", given), CreatedAt: b.now}
				b.ok(b.CreateUser(b.ctx, u))
			}
			if u := b.user("drawn"); u.ID <= 500 {
				b.Errorf("drew %d", u.ID)
			}
		},
		"an ID is never drawn twice": func(b *bundle) {
			first := b.user("first")
			b.ok(b.RemoveUser(b.ctx, first.ID, nil))
			second := b.user("second")
			if first.ID <= 0 || second.ID <= first.ID {
				b.Errorf("drew %d, then %d", first.ID, second.ID)
			}
			given := &storage.User{ID: second.ID + 100, Username: "given", CreatedAt: b.now}
			b.ok(b.CreateUser(b.ctx, given))
			b.ok(b.RemoveUser(b.ctx, given.ID, nil))
			if third := b.user("third"); third.ID <= given.ID {
				b.Errorf("drew %d after %d was given and removed", third.ID, given.ID)
			}
		},
		"parallel draws differ from each other and from given IDs": func(b *bundle) {
			var highest atomic.Int64
			errs := atOnce(24, func(i int) error {
				u := &storage.User{Username: fmt.Sprint("user ", i), CreatedAt: b.now}
				if i%3 == 0 {
					u.ID = int64(1000 * (i + 1)) // further apart than there are draws
				}
				err := b.CreateUser(b.ctx, u)
				for h := highest.Load(); err == nil && u.ID > h && !highest.CompareAndSwap(h, u.ID); h = highest.Load() {
				}
				return err
			})
			for _, err := range errs {
				b.ok(err)
			}
			if last := b.user("last"); last.ID <= highest.Load() {
				b.Errorf("drew %d after %d", last.ID, highest.Load())
			}
		},
		"of parallel creations with one username exactly one succeeds": func(b *bundle) {
			b.oneWins(atOnce(16, func(int) error {
				return b.CreateUser(b.ctx, &storage.User{Username: "ada", CreatedAt: b.now})
			}), storage.ErrExists)
		},
		"a taken ID or username changes nothing": func(b *bundle) {
			ada := b.user("ada")
			drawn := &storage.User{Username: "ada", Email: "other@example.org", CreatedAt: b.now}
			b.is(b.CreateUser(b.ctx, drawn), storage.ErrExists)
			b.is(b.CreateUser(b.ctx, &storage.User{ID: ada.ID, Username: "bob", CreatedAt: b.now}), storage.ErrExists)
			if drawn.ID != 0 {
				b.Errorf("the refused user got ID %d", drawn.ID)
			}
			list, err := b.ListUsers(b.ctx, 0, 10)
			b.ok(err)
			if len(list) != 1 || list[0].Username != "ada" || list[0].Email != "" {
				b.Errorf("stored are %v", list)
			}
		},
		"usernames are compared byte for byte": func(b *bundle) {
			names := []string{"ada", "Ada", "ADA", "ada ", " ada", "ad\u00e4", "ada\u0308", "ａｄａ"}
			b.variants(names...)
			for _, name := range names {
				u, err := b.UserByUsername(b.ctx, name)
				b.ok(err)
				if u.Username != name {
					b.Errorf("%q finds %q", name, u.Username)
				}
			}
		},
		"a username is taken whatever its case": func(b *bundle) {
			ada, eve := b.user("ada"), b.user("eve")
			for i, name := range []string{"ada", "ADA", "Ada"} {
				b.is(b.CreateUser(b.ctx, b.newUser(name)), storage.ErrExists)
				b.is(b.UpdateUser(b.ctx, eve.ID, storage.UserChange{Username: &name}, b.now, b.event("nothing")), storage.ErrExists)
				token := b.accountToken(nil)
				b.ok(b.CreateAccountTokens(b.ctx, false, token))
				use := storage.AccountTokenUse{Hash: token.Hash, Purpose: token.Purpose, Now: b.now, User: b.newUser(name)}
				b.is(b.UseAccountToken(b.ctx, use, b.event("nothing")), storage.ErrExists)
				use.User = b.newUser(fmt.Sprint("another ", i))
				b.ok(b.UseAccountToken(b.ctx, use, nil)) // the token lives on
			}
			b.audited("nothing", 0)
			own := "ADA"
			b.ok(b.UpdateUser(b.ctx, ada.ID, storage.UserChange{Username: &own}, b.now, nil))
			b.ok(b.CreateUser(b.ctx, b.newUser("ÄDA"))) // only ASCII letters, as at a login
			b.ok(b.CreateUser(b.ctx, b.newUser("äda")))
		},
		"a password is set only while it is what was read": func(b *bundle) {
			u := b.user("ada")
			was, other := u.PasswordHash, "another hash"
			set := func(hash string, was *string) error {
				return b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: u.ID, Hash: hash, Was: was, Now: b.now}, b.event("password_set"))
			}
			b.is(set("nothing", &other), storage.ErrConflict)
			b.ok(set("", &was))
			none := ""
			b.oneWins(atOnce(8, func(i int) error { return set(fmt.Sprint("hash ", i), &none) }), storage.ErrConflict)
			b.audited("password_set", 2)
			b.ok(set("whatever it was", nil))
		},
		"users are listed page by page in the order of their IDs": func(b *bundle) {
			for _, id := range []int64{30, 4, 100, 9, 10} {
				b.ok(b.CreateUser(b.ctx, &storage.User{ID: id, Username: fmt.Sprint(id), CreatedAt: b.now}))
			}
			var ids []int64
			for after := int64(0); ; after = ids[len(ids)-1] {
				page, err := b.ListUsers(b.ctx, after, 2)
				b.ok(err)
				if len(page) > 2 {
					b.Fatalf("a page of %d", len(page))
				}
				for _, u := range page {
					ids = append(ids, u.ID)
				}
				if len(page) < 2 {
					break
				}
			}
			b.same(ids, []int64{4, 9, 10, 30, 100})
		},
		"disabling raises the epoch and enabling keeps it": func(b *bundle) {
			u := b.user("ada")
			later := b.now.Add(time.Second)
			b.ok(b.SetUserActive(b.ctx, u.ID, false, later, b.event("disabled")))
			off, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if off.Active || off.AuthEpoch != later.UnixMicro() {
				b.Errorf("disabled: active %v, epoch %d", off.Active, off.AuthEpoch)
			}
			b.ok(b.SetUserActive(b.ctx, u.ID, true, later.Add(time.Second), b.event("enabled")))
			on, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if !on.Active || on.AuthEpoch != off.AuthEpoch {
				b.Errorf("enabled: active %v, epoch %d", on.Active, on.AuthEpoch)
			}
			b.audited("disabled", 1)
			b.audited("enabled", 1)
		},
		"a new password replaces the hash and raises the epoch": func(b *bundle) {
			u := b.user("ada")
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: u.ID, Hash: "new hash", Now: b.now.Add(time.Second)}, b.event("password_set")))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if got.PasswordHash != "new hash" || got.AuthEpoch <= u.AuthEpoch {
				b.Errorf("hash %q, epoch %d", got.PasswordHash, got.AuthEpoch)
			}
			b.audited("password_set", 1)
		},
		"an epoch rises even when the clock went back": func(b *bundle) {
			u := b.user("ada")
			before := b.now.Add(-time.Hour)
			epoch := u.AuthEpoch
			for _, raise := range []func() error{
				func() error { return b.RaiseUserEpoch(b.ctx, u.ID, before, nil) },
				func() error {
					return b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: u.ID, Hash: "hash", Now: before}, nil)
				},
				func() error { return b.SetUserActive(b.ctx, u.ID, false, before, nil) },
			} {
				b.ok(raise())
				got, err := b.User(b.ctx, u.ID)
				b.ok(err)
				if got.AuthEpoch <= epoch {
					b.Errorf("epoch went from %d to %d", epoch, got.AuthEpoch)
				}
				epoch = got.AuthEpoch
			}
		},
		"parallel raises of an epoch all count": func(b *bundle) {
			u := b.user("ada")
			for _, err := range atOnce(16, func(int) error { return b.RaiseUserEpoch(b.ctx, u.ID, b.now, nil) }) {
				b.ok(err)
			}
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if got.AuthEpoch != u.AuthEpoch+16 {
				b.Errorf("epoch rose by %d", got.AuthEpoch-u.AuthEpoch)
			}
		},
		"who is not there is not found, and nothing is noted": func(b *bundle) {
			u := b.user("ada")
			b.ok(b.RemoveUser(b.ctx, u.ID, b.event("removed")))
			_, err := b.User(b.ctx, u.ID)
			b.is(err, storage.ErrNotFound)
			_, err = b.UserByUsername(b.ctx, "ada")
			b.is(err, storage.ErrNotFound)
			b.is(b.SetUserActive(b.ctx, u.ID, true, b.now, b.event("nothing")), storage.ErrNotFound)
			b.is(b.SetUserActive(b.ctx, u.ID, false, b.now, b.event("nothing")), storage.ErrNotFound)
			b.is(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: u.ID, Hash: "hash", Now: b.now}, b.event("nothing")), storage.ErrNotFound)
			b.is(b.RaiseUserEpoch(b.ctx, u.ID, b.now, b.event("nothing")), storage.ErrNotFound)
			b.is(b.RemoveUser(b.ctx, u.ID, b.event("nothing")), storage.ErrNotFound)
			b.audited("removed", 1)
			b.audited("nothing", 0)
		},
	}
}
