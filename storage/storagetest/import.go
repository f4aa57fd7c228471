package storagetest

import (
	"strconv"
	"time"

	"latchkey/storage"
)

func imports() cases {
	return cases{
		"users are stored under their id or subject": func(b *bundle) {
			one, two := b.imported(7, "", "one"), b.imported(0, "0b5c4a8e-uuid", "two")
			one.GivenName, one.Groups, one.LastLogin = "Ada", []string{"b", "a b"}, b.now.Add(-time.Hour).Truncate(time.Second)
			b.same(b.importAll(one, two), []storage.ImportOutcome{{Created: true}, {Created: true}})
			got, err := b.User(b.ctx, 7)
			b.ok(err)
			b.same([]any{got.Username, got.GivenName, got.Groups, got.LastLogin.Unix(), got.AuthEpoch, got.Sub(), got.CreatedAt.Unix()},
				[]any{"one", "Ada", one.Groups, one.LastLogin.Unix(), one.AuthEpoch, "7", one.CreatedAt.Unix()})
			got, err = b.UserBySubject(b.ctx, "0b5c4a8e-uuid")
			b.ok(err)
			if got.ID < storage.DrawnUserIDs {
				b.Errorf("drew the id %d", got.ID)
			}
			b.same(b.importAll(one, two), []storage.ImportOutcome{{}, {}})
			b.ok(b.FinishImport(b.ctx))
			b.user("after")
		},
		"what changed there is taken over": func(b *bundle) {
			u := b.imported(7, "", "one")
			u.Groups = []string{"staff"}
			b.importAll(u)
			u.Username, u.Email, u.Staff, u.PasswordHash, u.Groups, u.FamilyName = "uno", "u@example.com", true, "md5$b$c", nil, "Byron"
			b.same(b.importAll(u), []storage.ImportOutcome{{Changed: true}})
			got, err := b.User(b.ctx, 7)
			b.ok(err)
			b.same([]any{got.Username, got.Email, got.Staff, got.PasswordHash, len(got.Groups), got.FamilyName, got.AuthEpoch},
				[]any{"uno", "u@example.com", true, "md5$b$c", 0, "Byron", u.AuthEpoch})
			u.Username = "eins"
			outcomes, err := b.ImportUsers(b.ctx, storage.Import{Now: b.now, NewOnly: true}, []storage.ImportedUser{u})
			b.ok(err)
			b.same(outcomes, []storage.ImportOutcome{{}})
		},
		"an address that is verified there is verified here, and the other way round as long as it is the same": func(b *bundle) {
			verified := func() bool {
				b.Helper()
				u, err := b.User(b.ctx, 7)
				b.ok(err)
				return u.EmailVerified
			}
			u := b.imported(7, "", "one")
			u.Email, u.EmailVerified = "one@example.com", true
			b.importAll(u)
			b.same(verified(), true)
			u.EmailVerified = false
			b.same(b.importAll(u), []storage.ImportOutcome{{}})
			b.same(verified(), true)
			u.Email = "uno@example.com"
			b.same(b.importAll(u), []storage.ImportOutcome{{Changed: true}})
			b.same(verified(), false)
			u.EmailVerified = true
			b.same(b.importAll(u), []storage.ImportOutcome{{Changed: true}})
			b.same(verified(), true)
		},
		"what was decided here stays": func(b *bundle) {
			u := b.imported(7, "", "one")
			b.importAll(u)
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: 7, Hash: "$argon2id$ours", Now: b.now}, nil))
			b.ok(b.SetUserActive(b.ctx, 7, false, b.now, nil))
			b.same(b.importAll(u), []storage.ImportOutcome{{KeptPassword: true, KeptInactive: true}})
			got, err := b.User(b.ctx, 7)
			b.ok(err)
			b.same([]any{got.PasswordHash, got.Active}, []any{"$argon2id$ours", false})
		},
		"who becomes inactive loses the sessions": func(b *bundle) {
			u := b.imported(7, "", "one")
			b.importAll(u)
			u.Active = false
			b.same(b.importAll(u), []storage.ImportOutcome{{Changed: true}})
			got, err := b.User(b.ctx, 7)
			b.ok(err)
			if got.Active || got.AuthEpoch < b.now.UnixMicro() {
				b.Errorf("active %t, epoch %d", got.Active, got.AuthEpoch)
			}
		},
		"a name or an id that another user has is not taken": func(b *bundle) {
			b.user("local")
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: 9, Subject: "slug", Username: "nine", CreatedAt: b.now}))
			b.same(b.importAll(b.imported(1, "", "local"), b.imported(2, "", "two"), b.imported(3, "", "two"), b.imported(9, "", "new")),
				[]storage.ImportOutcome{{Taken: true}, {Created: true}, {Taken: true}, {Taken: true}})
		},
		"a name that is taken costs the others of the batch nothing": func(b *bundle) {
			b.user("local")
			b.importAll(b.imported(1, "", "one"))
			renamed := b.imported(1, "", "uno")
			b.same(b.importAll(renamed, b.imported(2, "", "local"), b.imported(3, "", "three"), b.imported(4, "", "one")),
				[]storage.ImportOutcome{{Changed: true}, {Taken: true}, {Created: true}, {Created: true}})
			for id, name := range map[int64]string{1: "uno", 3: "three", 4: "one"} {
				u, err := b.User(b.ctx, id)
				b.ok(err)
				b.same(u.Username, name)
			}
		},
		"A16: an id that a client has is not taken": func(b *bundle) {
			b.client("slug")
			b.client("12")
			b.same(b.importAll(b.imported(0, "slug", "one"), b.imported(12, "", "two"), b.imported(0, "other", "three")),
				[]storage.ImportOutcome{{Taken: true}, {Taken: true}, {Created: true}})
		},
		"names that are typed alike are reported": func(b *bundle) {
			odd := b.imported(2, "", "ﬁ")
			odd.Typed = "fi"
			b.same(b.importAll(b.imported(1, "", "fi"), odd), []storage.ImportOutcome{{Created: true}, {Created: true, Shared: true}})
			upper, lower := b.imported(3, "", "Bob"), b.imported(4, "", "bob")
			upper.Typed = "bob"
			outcomes, err := b.ImportUsers(b.ctx, storage.Import{Now: b.now, Fold: true}, []storage.ImportedUser{upper, lower})
			b.ok(err)
			b.same(outcomes, []storage.ImportOutcome{{Created: true, Shared: true}, {Created: true, Shared: true}})
		},
		"names that differ in case only are stored and reported": func(b *bundle) {
			b.user("ada")
			b.same(b.importAll(b.imported(1, "", "ADA"), b.imported(2, "", "bob"), b.imported(3, "", "Bob"), b.imported(4, "", "ÄDA"), b.imported(5, "", "äda")),
				[]storage.ImportOutcome{{Created: true, CaseVariant: true}, {Created: true, CaseVariant: true}, {Created: true, CaseVariant: true}, {Created: true}, {Created: true}})
		},
		"a dry run changes nothing": func(b *bundle) {
			outcomes, err := b.ImportUsers(b.ctx, storage.Import{Now: b.now, DryRun: true}, []storage.ImportedUser{b.imported(7, "", "one")})
			b.ok(err)
			b.same(outcomes, []storage.ImportOutcome{{Created: true}})
			_, err = b.User(b.ctx, 7)
			b.is(err, storage.ErrNotFound)
		},
		"revoked tokens are imported once": func(b *bundle) {
			var tokens []storage.RevokedToken
			for i := range 500 {
				tokens = append(tokens, storage.RevokedToken{JTI: strconv.Itoa(i), ExpiresAt: b.now.Add(time.Hour)})
			}
			for _, want := range []int64{500, 0} {
				n, err := b.ImportRevokedTokens(b.ctx, append(tokens, tokens[0]))
				b.ok(err)
				b.same(n, want)
			}
			b.state("499", "app", &storage.TokenState{Revoked: true})
		},
	}
}

// imported is a user of another system.
func (b *bundle) imported(id int64, subject, name string) storage.ImportedUser {
	return storage.ImportedUser{Typed: name, User: storage.User{
		ID: id, Subject: subject, Username: name, PasswordHash: "md5$a$b", Active: true, AuthEpoch: 42, CreatedAt: b.now.Add(-1000 * time.Hour),
	}}
}

// variants imports users with names, which may differ in case only.
func (b *bundle) variants(names ...string) {
	b.Helper()
	for _, name := range names {
		if o := b.importAll(b.imported(0, "subject of "+name, name)); !o[0].Created {
			b.Errorf("%q is not imported", name)
		}
	}
}

func (b *bundle) importAll(users ...storage.ImportedUser) []storage.ImportOutcome {
	b.Helper()
	outcomes, err := b.ImportUsers(b.ctx, storage.Import{Now: b.now}, users)
	b.ok(err)
	return outcomes
}
