package storagetest

import (
	"strconv"
	"time"

	"latchkey/storage"
)

// userEntries are about users whose accounts are in another database.
func userEntries() cases {
	return cases{
		"a user enters once, whatever the key is": func(b *bundle) {
			for _, e := range []storage.UserEntry{{ID: 7}, {Subject: "b5b3a0a2-7f0e-4c54-8b7e-0d7f6a1d2c3b"}, {ID: 1 << 60}} {
				e.PasswordHash, e.Now = "md5$a$b", b.now
				u, err := b.EnterUser(b.ctx, e)
				b.ok(err)
				b.same([]any{u.Sub(), u.PasswordHash, u.Active, u.ID > 0}, []any{e.Sub(), "md5$a$b", true, true})
				if u.AuthEpoch <= 0 || u.AuthEpoch > u.CreatedAt.UnixMicro() {
					b.Errorf("the epoch is %d, the creation %d", u.AuthEpoch, u.CreatedAt.UnixMicro())
				}
				again, err := b.EnterUser(b.ctx, e)
				b.ok(err)
				b.same(again, u)
				found, err := b.UserBySubject(b.ctx, e.Sub())
				b.ok(err)
				b.same(found, u)
			}
			drawn := b.user("drawn") // not after the given one
			if drawn.ID < storage.DrawnUserIDs || drawn.ID >= storage.UnfollowedUserIDs {
				b.Errorf("drew %d", drawn.ID)
			}
		},
		"of users who enter at the same time one is stored": func(b *bundle) {
			for _, e := range []storage.UserEntry{{ID: 9}, {Subject: "nine"}} {
				e.Now = b.now
				ids := make([]int64, 8)
				for _, err := range atOnce(len(ids), func(i int) error {
					u, err := b.EnterUser(b.ctx, e)
					if err == nil {
						ids[i] = u.ID
					}
					return err
				}) {
					b.ok(err)
				}
				for _, id := range ids {
					b.same(id, ids[0])
				}
			}
		},
		"another password ends the grants, another hash of the same one does not": func(b *bundle) {
			c := b.client("app")
			e := storage.UserEntry{ID: 7, PasswordHash: "one", Now: b.now}
			u, err := b.EnterUser(b.ctx, e)
			b.ok(err)
			g := newGrant(storage.NewID(b.now), u, c, b.now)
			b.ok(b.CreateGrant(b.ctx, g, nil))
			e.PasswordHash, e.SamePassword = "one, hashed again", true
			u, err = b.EnterUser(b.ctx, e)
			b.ok(err)
			b.same([]any{u.PasswordHash, u.AuthEpoch}, []any{"one, hashed again", g.UserEpoch})
			e.PasswordHash, e.SamePassword, e.Now = "two", false, b.now.Add(time.Hour)
			u, err = b.EnterUser(b.ctx, e)
			b.ok(err)
			b.same([]any{u.PasswordHash, u.AuthEpoch}, []any{"two", g.UserEpoch + 1})
			_, err = b.MoveGrant(b.ctx, storage.GrantMove{ID: g.ID, From: g.Current, Window: time.Minute}, nil)
			b.is(err, storage.ErrConflict)
		},
		"nobody enters under the ID of another user or of a client": func(b *bundle) {
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: 5, Subject: "slug", Username: "slug", CreatedAt: b.now}))
			_, err := b.EnterUser(b.ctx, storage.UserEntry{ID: 5, Now: b.now})
			b.is(err, storage.ErrExists)
			b.client("billing")
			_, err = b.EnterUser(b.ctx, storage.UserEntry{Subject: "billing", Now: b.now})
			b.is(err, storage.ErrExists)
			own := b.user("own") // a user of this database keeps name and profile
			u, err := b.EnterUser(b.ctx, storage.UserEntry{ID: own.ID, PasswordHash: "theirs", Now: b.now})
			b.ok(err)
			b.same([]any{u.Sub(), u.Username, u.PasswordHash}, []any{strconv.FormatInt(own.ID, 10), "own", "theirs"})
		},
	}
}
