package storagetest

import (
	"fmt"
	"slices"
	"time"

	"latchkey/storage"
)

// adopted is the time of IDs that every database removes row by row, partitions or not.
var adopted = time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)

func maintain() cases {
	return cases{
		"what has ended is removed in batches": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			soon := b.now.Add(time.Minute)
			for i := range 7 {
				g := newGrant(storage.NewID(adopted), u, c, b.now)
				g.ExpiresAt = soon
				b.ok(b.CreateGrant(b.ctx, g, nil))
				b.ok(b.RevokeToken(b.ctx, fmt.Sprint("jti ", i), soon, nil))
				b.take(0, b.bucket(1, time.Minute)...)
			}
			m, err := b.Maintain(b.ctx, soon.Add(-time.Second), 3)
			b.ok(err)
			if m.Grants+m.RevokedTokens+m.Throttles != 0 || m.More {
				b.Fatalf("before the end: %+v", m)
			}
			var sum storage.Maintenance
			for calls := 1; ; calls++ {
				m, err := b.Maintain(b.ctx, soon, 3)
				b.ok(err)
				if m.Grants > 3 || m.RevokedTokens > 3 || m.Throttles > 3 {
					b.Fatalf("more than a batch: %+v", m)
				}
				sum.Grants, sum.RevokedTokens, sum.Throttles = sum.Grants+m.Grants, sum.RevokedTokens+m.RevokedTokens, sum.Throttles+m.Throttles
				if !m.More {
					break
				}
				if calls > 10 {
					b.Fatal("there is always more")
				}
			}
			if sum.Grants != 7 || sum.RevokedTokens != 7 || sum.Throttles != 7 {
				b.Errorf("removed were %+v", sum)
			}
			list, err := b.ListGrants(b.ctx, storage.GrantFilter{})
			b.ok(err)
			if len(list) != 0 {
				b.Errorf("%d grants are left", len(list))
			}
			b.state("jti 0", "app", &storage.TokenState{ClientExists: true, ClientAuthEpoch: c.AuthEpoch})
		},
		"audit events are pruned by age, and younger ones stay": func(b *bundle) { // A10
			for i := range 7 {
				b.ok(b.AppendAudit(b.ctx, storage.NewAuditEvent(fmt.Sprint("old", i), "client", adopted)))
			}
			b.ok(b.AppendAudit(b.ctx, storage.NewAuditEvent("young", "client", b.now)))
			for calls := 0; ; calls++ {
				n, _, err := b.PruneAudit(b.ctx, b.now.AddDate(0, -1, 0), 3)
				b.ok(err)
				if n > 3 || calls > 10 {
					b.Fatalf("removed %d in call %d", n, calls)
				}
				if n == 0 {
					break
				}
			}
			list, err := b.ListAudit(b.ctx, storage.AuditFilter{Limit: 20})
			b.ok(err)
			if len(list) != 1 || list[0].Action != "young" {
				b.Errorf("%d events are left", len(list))
			}
		},
		"what lives is kept": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := newGrant(storage.NewID(adopted), u, c, b.now)
			home, bucket := b.digest(), b.bucket(1, time.Hour)
			b.ok(b.CreateGrant(b.ctx, g, &storage.Login{UserID: u.ID, Known: home, KnownUntil: b.now.Add(time.Hour)}))
			b.ok(b.RevokeToken(b.ctx, "jti", b.now.Add(time.Hour), nil))
			b.take(0, bucket...)
			m, err := b.Maintain(b.ctx, b.now.Add(30*time.Minute), 100)
			b.ok(err)
			if m.Grants+m.RevokedTokens+m.Throttles != 0 {
				b.Errorf("removed were %+v", m)
			}
			b.live(g.ID)
			b.state("jti", "", &storage.TokenState{Revoked: true})
			b.take(time.Hour, bucket...)
			check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: "ada", Now: b.now, Known: home})
			b.ok(err)
			if !check.KnownNetwork {
				b.Error("the known place is forgotten")
			}
		},
		"a revoked token is kept until the latest end that was recorded": func(b *bundle) {
			b.ok(b.RevokeToken(b.ctx, "jti", b.now.Add(time.Hour), nil))
			b.ok(b.RevokeToken(b.ctx, "jti", b.now.Add(time.Minute), nil))
			_, err := b.Maintain(b.ctx, b.now.Add(30*time.Minute), 100)
			b.ok(err)
			b.state("jti", "", &storage.TokenState{Revoked: true})
		},
		"what has ended of sessions, codes and registrations is removed in batches": func(b *bundle) {
			soon := kept(b.now.Add(time.Minute))
			u, c := b.user("ada"), b.client("app")
			browser := b.browser(u)
			for i := range 7 {
				s, a, p := b.newBrowser(u), b.codeOf(u, c, browser).AuthorizationCode, &storage.PushedRequest{ClientID: "app", CreatedAt: b.now}
				n, t, r := b.notice("app"), &storage.RegistrationToken{ID: storage.NewID(b.now), CreatedAt: b.now}, b.registration(fmt.Sprint("r ", i), b.digest())
				a.Hash, p.Hash, t.Hash = b.digest(), b.digest(), b.digest()
				s.ExpiresAt, a.ExpiresAt, p.ExpiresAt, n.ExpiresAt, t.ExpiresAt, r.ExpiresAt = soon, soon, soon, soon, soon, soon
				d := &storage.DeviceCode{Hash: b.digest(), UserCode: b.digest(), ClientID: "app", CreatedAt: b.now, ValidUntil: b.now, ExpiresAt: soon}
				b.ok(b.CreateDeviceCode(b.ctx, d))
				b.ok(b.CreateBrowserSession(b.ctx, s, storage.Digest{}, nil))
				b.ok(b.CreateAuthorizationCode(b.ctx, a))
				b.ok(b.CreatePushedRequest(b.ctx, p))
				b.ok(b.note(n))
				token := b.accountToken(u)
				token.ExpiresAt = soon
				b.ok(b.CreateAccountTokens(b.ctx, false, token))
				mail := b.mail()
				mail.ExpiresAt = soon
				b.ok(b.CreateOutboxMessages(b.ctx, mail))
				lost, message := b.undelivered(u), b.mail()
				lost.ExpiresAt = soon
				b.ok(b.CreateOutboxMessages(b.ctx, message))
				b.ok(b.AbandonLetter(b.ctx, message.ID, lost))
				b.ok(b.CreateRegistrationToken(b.ctx, t, nil))
				b.ok(second(b.CreateRegisteredClient(b.ctx, r, 10, nil)))
				b.ok(b.UseJTI(b.ctx, "app", b.digest(), soon))
				b.ok(second(b.ClaimIdempotencyKey(b.ctx, &storage.IdempotencyKey{Hash: b.digest(), Request: b.digest(), CreatedAt: b.now, ExpiresAt: soon}, 10)))
			}
			kinds := func(m storage.Maintenance) []int64 {
				return []int64{
					m.BrowserSessions, m.AuthorizationCodes, m.PushedRequests, m.LogoutNotices, m.RegistrationTokens, m.Clients, m.UsedJTIs, m.DeviceCodes,
					m.IdempotencyKeys, m.OutboxMessages, m.AccountTokens, m.UndeliveredLetters,
				}
			}
			m, err := b.Maintain(b.ctx, soon.Add(-time.Second), 3)
			b.ok(err)
			b.same(kinds(m), make([]int64, 12))
			for _, want := range []int64{3, 3, 1, 0} {
				m, err := b.Maintain(b.ctx, soon, 3)
				b.ok(err)
				b.same(kinds(m), slices.Repeat([]int64{want}, 12))
				if m.More != (want == 3) {
					b.Errorf("after %d of each there is more: %v", want, m.More)
				}
			}
			b.signedIn(browser.Hash)
			list, err := b.ListClients(b.ctx, "", 10)
			b.ok(err)
			if len(list) != 1 {
				b.Errorf("%d clients are left", len(list))
			}
		},
		// A refresh token of another system becomes a grant at its first use, whose ID follows from the token.
		// If the row of the revoked grant went first, the token would make a new one.
		"a revoked grant is kept until its end": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := newGrant(storage.NewID(adopted), u, c, b.now)
			b.ok(b.CreateGrant(b.ctx, g, nil))
			_, err := b.RevokeGrant(b.ctx, g.ID, "logout", b.now, nil)
			b.ok(err)
			_, err = b.Maintain(b.ctx, b.now.Add(time.Minute), 100)
			b.ok(err)
			b.is(b.CreateGrant(b.ctx, newGrant(g.ID, u, c, b.now), nil), storage.ErrExists)
		},
		"many may maintain at once": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			for range 30 {
				g := newGrant(storage.NewID(adopted), u, c, b.now)
				g.ExpiresAt = b.now
				b.ok(b.CreateGrant(b.ctx, g, nil))
			}
			removed := make([]int64, 6)
			for _, err := range atOnce(len(removed), func(i int) error {
				for {
					m, err := b.Maintain(b.ctx, b.now, 4)
					removed[i] += m.Grants
					if err != nil || !m.More {
						return err
					}
				}
			}) {
				b.ok(err)
			}
			var sum int64
			for _, n := range removed {
				sum += n
			}
			if sum != 30 {
				b.Errorf("%d grants were removed", sum)
			}
		},
	}
}
