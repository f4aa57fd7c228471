package storagetest

import (
	"errors"
	"time"

	"latchkey/storage"
)

// attemptOf returns the attempt of the ordinary refresh: the token is the current one, or it is the successor to of the current one.
func attemptOf(g *storage.Grant, to storage.TokenID) storage.GrantAttempt {
	generation := g.Generation
	return storage.GrantAttempt{ID: g.ID, ClientID: g.ClientID, Moves: []storage.AttemptedMove{
		{GrantMove: storage.GrantMove{From: to, Window: 10 * time.Second}},
		{GrantMove: storage.GrantMove{From: g.Current, To: to, Generation: generation + 1, Window: 10 * time.Second}, FromGeneration: &generation},
	}}
}

// attempted makes an attempt that must succeed by the move which.
func (b *bundle) attempted(a storage.GrantAttempt, which int) *storage.LiveGrant {
	b.Helper()
	moved, by, err := b.AttemptGrant(b.ctx, a)
	b.ok(err)
	if by != which {
		b.Errorf("move %d was made, want %d", by, which)
	}
	read := b.live
	if a.Profile {
		read = func(id storage.ID) *storage.LiveGrant {
			g, err := b.GrantWithProfile(b.ctx, id)
			b.ok(err)
			return g
		}
	}
	want := read(a.ID)
	b.same(answerOf(moved), answerOf(want))
	return want
}

// answerOf returns what an answer to an attempt has of a grant.
func answerOf(live *storage.LiveGrant) *storage.LiveGrant {
	g := *live
	g.Offered, g.DPoPKey, g.Address, g.UserAgent, g.Sharing = nil, "", "", "", storage.Sharing{}
	g.Previous, g.PreviousRetiredAt = storage.TokenID{}, time.Time{}
	g.ClientEpoch, g.ClientAuthEpoch, g.ClientExists, g.ClientDisabled = 0, 0, false, false
	return &g
}

// conflicts makes an attempt whose guard must not hold; nothing may change.
func (b *bundle) conflicts(a storage.GrantAttempt) {
	b.Helper()
	before, err := b.Grant(b.ctx, a.ID)
	_, _, refused := b.AttemptGrant(b.ctx, a)
	b.is(refused, storage.ErrConflict)
	if err == nil {
		b.same(b.live(a.ID), before)
	}
}

func grantAttempts() cases {
	all := cases{
		"an attempt does what the move does": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			one, two := b.grant(u, c), newGrant(storage.NewID(b.now), u, c, b.now)
			two.Current = one.Current
			b.ok(b.CreateGrant(b.ctx, two, nil))
			end := kept(b.now.Add(time.Hour))
			for i, m := range []storage.GrantMove{
				{From: one.Current, Window: 10 * time.Second, CurrentExpiresAt: end},
				{From: one.Current, Window: 10 * time.Second},
				{From: one.Current, To: next(one.Current), Generation: 1, CurrentExpiresAt: end},
				{From: next(one.Current), Window: 10 * time.Second},
				{From: next(one.Current), To: storage.TokenID{7}, Generation: 2, Retired: storage.TokenID{8}},
			} {
				b.now = b.now.Add(time.Duration(i) * 4 * time.Second)
				m.ID = one.ID
				_, err := b.MoveGrant(b.ctx, m, nil)
				b.ok(err)
				m.ID = storage.ID{}
				moved := b.attempted(storage.GrantAttempt{ID: two.ID, ClientID: c.ID, Moves: []storage.AttemptedMove{{GrantMove: m}}}, 0)
				want := b.live(one.ID)
				want.ID = two.ID
				b.same(moved, want)
			}
		},
		"of the moves the one is made whose token is current": func(b *bundle) {
			g := b.session()
			to := next(g.Current)
			b.attempted(attemptOf(g, to), 1)
			b.attempted(attemptOf(g, to), 0)
			b.attempted(attemptOf(g, to), 0)
			b.conflicts(attemptOf(g, storage.TokenID{99}))
			if got := b.live(g.ID); got.Current != to || got.Generation != 1 || got.Windows != 1 {
				b.Errorf("got %+v", got.Grant)
			}
		},
		"a session that is bound to a key is not moved": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := newGrant(storage.NewID(b.now), u, c, b.now)
			g.DPoPKey = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
			b.ok(b.CreateGrant(b.ctx, g, nil))
			b.conflicts(attemptOf(g, next(g.Current)))
			b.conflicts(attemptOf(g, g.Current))
		},
		"the answer has what tokens are made of": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := newGrant(storage.NewID(b.now), u, c, b.now)
			g.Scope, g.Audience, g.AMR, g.Claims = []string{"openid", "a"}, []string{"https://api.example"}, []string{"pwd", "otp"}, `{"id_token":{"email":null}}`
			g.SessionID, g.AuthTime, g.CreatedAt = storage.NewID(b.now), kept(b.now.Add(-time.Hour)), kept(b.now.Add(-time.Minute))
			b.ok(b.CreateGrant(b.ctx, g, nil))
			b.attempted(attemptOf(g, next(g.Current)), 1)
			b.attempted(attemptOf(g, next(g.Current)), 0)
		},
		"the answer has the user's profile where it is wanted": func(b *bundle) {
			g := b.session()
			name := "Ada Lovelace"
			b.ok(b.UpdateUser(b.ctx, g.UserID, storage.UserChange{Name: &name}, b.now, nil))
			a := attemptOf(g, next(g.Current))
			a.Profile = true
			if moved := b.attempted(a, 1); moved.User.Name != name {
				b.Errorf("the user has the name %q", moved.User.Name)
			}
		},
		"a network is learned when the token is replaced, and then guards": func(b *bundle) {
			g := b.session()
			to := next(g.Current)
			a := attemptOf(g, g.Current)
			a.Network = 5
			if moved := b.attempted(a, 0); moved.Sharing != (storage.Sharing{}) {
				b.Errorf("a presentation stored %+v", moved.Sharing)
			}
			a = attemptOf(g, to)
			a.Network = 5
			if moved := b.attempted(a, 1); moved.Sharing != (storage.Sharing{Network: 5}) {
				b.Errorf("a replacement stored %+v", moved.Sharing)
			}
			b.attempted(a, 0)
			b.attempted(attemptOf(g, to), 0) // an unknown network is no other one
			a.Network = 6
			b.conflicts(a)
		},
		"what is out of the ordinary is no attempt's": func(b *bundle) {
			g := b.session()
			to := next(g.Current)
			b.ok(b.advance(storage.GrantMove{ID: g.ID, From: g.Current, To: storage.TokenID{40}, Generation: 3}, nil))
			g.Current, g.Generation = storage.TokenID{40}, 3
			for what, change := range map[string]func(*storage.GrantAttempt){
				"another client":                 func(a *storage.GrantAttempt) { a.ClientID = "other" },
				"an unknown grant":               func(a *storage.GrantAttempt) { a.ID = storage.NewID(b.now) },
				"a token that is not current":    func(a *storage.GrantAttempt) { a.Moves = a.Moves[:1] },
				"another generation":             func(a *storage.GrantAttempt) { *a.Moves[1].FromGeneration = 2 },
				"no moves":                       func(a *storage.GrantAttempt) { a.Moves = nil },
				"a jti that was revoked":         func(a *storage.GrantAttempt) { a.NotRevoked = "gone" },
				"a client that no row can have":  func(a *storage.GrantAttempt) { a.ClientID = "a\x00" },
				"a jti that no row can have":     func(a *storage.GrantAttempt) { a.NotRevoked = "a\xff" },
				"a grant that was not used long": func(a *storage.GrantAttempt) { a.Idle = time.Second },
			} {
				b.ok(b.RevokeToken(b.ctx, "gone", b.now.Add(time.Hour), nil))
				b.now = b.now.Add(2 * time.Second)
				a := attemptOf(g, to)
				change(&a)
				b.Logf("%s", what)
				b.conflicts(a)
			}
			for _, s := range []storage.Sharing{{Elsewhere: true}, {Joins: 1}} {
				known := b.live(g.ID).Sharing
				b.ok(b.advance(storage.GrantMove{ID: g.ID, From: g.Current, Was: known, Sharing: s}, nil))
				b.conflicts(attemptOf(g, to))
				b.ok(b.advance(storage.GrantMove{ID: g.ID, From: g.Current, Was: s}, nil))
			}
			a := attemptOf(g, to)
			a.Idle, a.NotRevoked = time.Hour, "another"
			b.attempted(a, 1)
		},
		"a successor is none's once the current token has ended": func(b *bundle) {
			g := b.session()
			b.ok(b.advance(storage.GrantMove{ID: g.ID, From: g.Current, CurrentExpiresAt: b.now.Add(time.Minute)}, nil))
			b.now = b.now.Add(time.Minute)
			b.conflicts(attemptOf(g, next(g.Current)))
			b.now = b.now.Add(-time.Second)
			b.attempted(attemptOf(g, next(g.Current)), 1)
		},
		"a grant that has ended is no attempt's": func(b *bundle) {
			g := b.session()
			b.now = g.ExpiresAt
			b.conflicts(attemptOf(g, next(g.Current)))
		},
		"parallel attempts that replace one token: one wins": func(b *bundle) {
			for range 20 {
				g := b.session()
				b.oneWins(atOnce(16, func(i int) error {
					a := attemptOf(g, storage.TokenID{byte(i + 100)})
					a.Moves = a.Moves[1:]
					_, _, err := b.AttemptGrant(b.ctx, a)
					return err
				}), storage.ErrConflict)
			}
		},
		"parallel attempts on many grants: each has its own verdict": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			list := make([]*storage.Grant, 60)
			for i := range list {
				list[i] = b.grant(u, c)
				if i%3 == 0 {
					_, err := b.RevokeGrant(b.ctx, list[i].ID, "logout", b.now, nil)
					b.ok(err)
				}
			}
			// Each is presented twice: one call moves the chain, the other finds the new token current.
			for i, err := range atOnce(2*len(list), func(i int) error {
				g := list[i/2]
				moved, _, err := b.AttemptGrant(b.ctx, attemptOf(g, next(g.Current)))
				if err == nil && (moved.ID != g.ID || moved.Current != next(g.Current)) {
					return errors.New("the answer of another grant")
				}
				if err != nil && i/2%3 != 0 && errors.Is(err, storage.ErrConflict) { // the other call was faster
					_, _, err = b.AttemptGrant(b.ctx, attemptOf(g, next(g.Current)))
				}
				return err
			}) {
				if i/2%3 == 0 {
					b.is(err, storage.ErrConflict)
				} else {
					b.ok(err)
				}
			}
		},
	}
	for name, end := range ends() {
		all["no attempt succeeds on a grant that "+name] = func(b *bundle) {
			g := b.session()
			end(b, g)
			b.conflicts(attemptOf(g, next(g.Current)))
			b.conflicts(attemptOf(g, g.Current))
		}
	}
	return all
}
