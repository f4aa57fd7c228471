package storagetest

import (
	"slices"
	"strings"
	"time"

	"latchkey/storage"
)

// issue records tokens of a grant at generations 0, 1, …, named after the grant.
func (b *bundle) issue(g *storage.Grant, name string, generations int64) {
	b.Helper()
	var tokens []storage.IssuedToken
	for i := range generations {
		tokens = append(tokens, storage.IssuedToken{
			JTI: name + "-" + string(rune('0'+i)), GrantID: g.ID, Generation: i, IssuedAt: b.now, ExpiresAt: b.now.Add(time.Hour),
		})
	}
	b.ok(b.RecordIssuedTokens(b.ctx, tokens, nil))
}

// ended stops the case unless these tokens are ended, in any order.
func (b *bundle) ended(now time.Time, want ...string) {
	b.Helper()
	tokens, err := b.EndedTokens(b.ctx, now, 100)
	b.ok(err)
	got := []string{}
	for _, t := range tokens {
		if got = append(got, t.JTI); !t.ExpiresAt.Equal(b.now.Add(time.Hour).Truncate(time.Microsecond)) {
			b.Errorf("%s ends at %s", t.JTI, t.ExpiresAt)
		}
	}
	slices.Sort(got)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		b.Fatalf("ended are %v, want %v", got, want)
	}
}

func issuedTokens() cases {
	return cases{
		"every way of ending a session ends its tokens": func(b *bundle) {
			c := b.client("app")
			grants := map[string]*storage.Grant{}
			owners := map[string]*storage.User{}
			for _, name := range []string{"alive", "revoked", "all", "password", "disabled", "removed"} {
				owners[name] = b.user(name)
				grants[name] = b.grant(owners[name], c)
				b.issue(grants[name], name, 2)
			}
			b.ended(b.now)
			_, err := b.RevokeGrant(b.ctx, grants["revoked"].ID, "logout", b.now, nil)
			b.ok(err)
			b.ended(b.now, "revoked-0", "revoked-1")
			b.ok(b.ForgetIssuedTokens(b.ctx, []string{"revoked-0", "revoked-1", "unknown"}))
			_, err = b.RevokeGrants(b.ctx, storage.GrantFilter{UserID: owners["all"].ID, Limit: 10}, "logout", b.now, nil)
			b.ok(err)
			b.ended(b.now, "all-0", "all-1")
			b.ok(b.ForgetIssuedTokens(b.ctx, []string{"all-0", "all-1"}))
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: owners["password"].ID, Hash: "hash", Now: b.now}, nil))
			b.ended(b.now, "password-0", "password-1")
			b.ok(b.SetUserActive(b.ctx, owners["disabled"].ID, false, b.now, nil))
			b.ok(b.RemoveUser(b.ctx, owners["removed"].ID, nil))
			b.ended(b.now, "disabled-0", "disabled-1", "password-0", "password-1", "removed-0", "removed-1")
			b.ended(b.now.Add(time.Hour)) // expired
		},
		"the epoch or the removal of a client ends its tokens": func(b *bundle) {
			raised, removed := b.client("raised"), b.client("removed")
			b.issue(b.grant(b.user("u"), raised), "raised", 1)
			b.issue(b.grant(b.user("v"), removed), "removed", 1)
			raised.AuthEpoch++
			b.ok(b.UpdateClient(b.ctx, raised, nil))
			b.ended(b.now, "raised-0")
			b.ok(b.RemoveClient(b.ctx, "removed", nil))
			b.ended(b.now, "raised-0", "removed-0")
		},
		"retired tokens are ended at their time, the current one is not": func(b *bundle) {
			g := b.grant(b.user("u"), b.client("app"))
			b.issue(g, "t", 4)
			next := []storage.IssuedToken{{JTI: "t-2b", GrantID: g.ID, Generation: 2, IssuedAt: b.now, ExpiresAt: b.now.Add(time.Hour)}}
			b.ok(b.RecordIssuedTokens(b.ctx, next, nil))
			retired := &storage.RetiredTokens{GrantID: g.ID, Generation: 2, Current: "t-2", At: b.now.Add(10 * time.Second)}
			b.ok(b.RecordIssuedTokens(b.ctx, nil, retired))
			b.ok(b.RecordIssuedTokens(b.ctx, next, retired)) // again
			b.ended(b.now)
			b.ended(b.now.Add(10*time.Second), "t-0", "t-1", "t-2b")
			_, err := b.RevokeGrant(b.ctx, g.ID, "logout", b.now, nil)
			b.ok(err)
			b.ended(b.now, "t-0", "t-1", "t-2", "t-2b", "t-3")
		},
		"what was recorded while its session ended is not missed": func(b *bundle) {
			u := b.user("u")
			c := b.client("app")
			revoked, ended, alive := b.grant(u, c), b.grant(b.user("v"), c), b.grant(b.user("w"), c)
			_, err := b.RevokeGrant(b.ctx, revoked.ID, "logout", b.now, nil)
			b.ok(err)
			b.ok(b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: ended.UserID, Hash: "hash", Now: b.now.Add(time.Second)}, nil))
			b.issue(revoked, "revoked", 1)
			b.issue(ended, "ended", 1)
			b.issue(alive, "alive", 1)
			b.ended(b.now)
			n, err := b.MissedTokens(b.ctx, b.now.Add(time.Second/2))
			b.ok(err)
			b.same(n, int64(0)) // recorded before
			n, err = b.MissedTokens(b.ctx, b.now)
			b.ok(err)
			b.same(n, int64(2))
			b.ended(b.now, "ended-0", "revoked-0")
		},
		"expired tokens are removed": func(b *bundle) {
			b.issue(b.grant(b.user("u"), b.client("app")), "t", 3)
			m, err := b.Maintain(b.ctx, b.now.Add(time.Hour), 2)
			b.ok(err)
			if m.IssuedTokens != 2 || !m.More {
				b.Errorf("%+v", m)
			}
		},
	}
}
