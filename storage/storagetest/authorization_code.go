package storagetest

import (
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
)

// code is an authorization code with what it is of.
type code struct {
	*storage.AuthorizationCode
	user    *storage.User
	client  *storage.Client
	browser *storage.BrowserSession
}

// code makes a user, a client, a session and a code of theirs.
func (b *bundle) code() *code {
	b.Helper()
	b.drawn++
	name := fmt.Sprintf("party-%d", b.drawn)
	u := b.user(name)
	return b.codeOf(u, b.client(name), b.browser(u))
}

// codeOf makes a code that is good for a minute and known for an hour.
func (b *bundle) codeOf(u *storage.User, c *storage.Client, s *storage.BrowserSession) *code {
	b.Helper()
	now := kept(b.now)
	a := &storage.AuthorizationCode{
		Hash: b.digest(), ClientID: c.ID, UserID: u.ID, SessionID: s.ID, UserEpoch: u.AuthEpoch, ClientEpoch: c.AuthEpoch,
		RedirectURI: "https://app.example/cb", AuthTime: now, CreatedAt: now, ValidUntil: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour),
	}
	b.ok(b.CreateAuthorizationCode(b.ctx, a))
	return &code{a, u, c, s}
}

// grant is a grant that the code may become.
func (a *code) grant(now time.Time, scope ...string) *storage.Grant {
	g := newGrant(storage.NewID(now), a.user, a.client, now)
	g.SessionID, g.Scope = a.SessionID, scope
	return g
}

// redeem redeems a code for a grant.
func (b *bundle) redeem(a *code) error {
	return b.RedeemAuthorizationCode(b.ctx, a.Hash, a.grant(b.now), b.event("code_redeemed"))
}

// refused stops the case unless a code can't be redeemed, and nothing comes of it.
func (b *bundle) refused(a *code) {
	b.Helper()
	g := a.grant(b.now)
	b.is(b.RedeemAuthorizationCode(b.ctx, a.Hash, g, b.event("code_redeemed")), storage.ErrConflict)
	_, err := b.Grant(b.ctx, g.ID)
	b.is(err, storage.ErrNotFound)
	b.audited("code_redeemed", 0)
}

// codeEnds are the ways in which a code ends without being redeemed. They begin with what ends any grant of its user and client.
func codeEnds() map[string]func(*bundle, *code) {
	all := map[string]func(*bundle, *code){
		"whose session has ended": func(b *bundle, a *code) { b.end(a.browser) },
		"whose session has ended and whose user has signed in again in the same browser": func(b *bundle, a *code) {
			b.end(a.browser)
			again := b.newBrowser(a.user)
			again.ID = a.browser.ID
			b.ok(b.CreateBrowserSession(b.ctx, again, storage.Digest{}, nil))
		},
		"whose session was replaced by another user's": func(b *bundle, a *code) {
			b.ok(b.CreateBrowserSession(b.ctx, b.newBrowser(b.user("mallory "+a.user.Username)), a.browser.Hash, nil))
		},
		"whose consent was taken back": func(b *bundle, a *code) {
			b.consent(a.user, a.client, "openid")
			b.revoke(a.user, a.client)
		},
		"for which there never was a consent, and all was taken back": func(b *bundle, a *code) { b.revoke(a.user, a.client) },
	}
	for name, end := range ends() {
		switch name {
		case "is revoked", "is revoked among others":
			continue
		}
		all["that "+name] = func(b *bundle, a *code) { end(b, a.grant(b.now)) }
	}
	return all
}

func authorizationCodes() cases {
	all := cases{
		"a code comes back as stored, with its user": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			now := kept(b.now)
			a := &storage.AuthorizationCode{
				Hash: b.digest(), ClientID: c.ID, UserID: u.ID, SessionID: storage.NewID(now), UserEpoch: 3, ClientEpoch: 4,
				RedirectURI: "https://app.example/cb?ü=1", CodeChallenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
				Scope: []string{"openid", "email"}, Audience: []string{"https://api.example/"}, Offered: []string{"urn:b", "urn:c"}, Nonce: "n-0S6_WzA2Mj \"'",
				AuthTime: now.Add(-time.Hour), AMR: []string{"pwd", "otp"}, Claims: `{"id_token": {"acr":null} }`,
				DPoPKey:   "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
				CreatedAt: now, ValidUntil: now.Add(time.Minute), ExpiresAt: now.Add(time.Hour),
			}
			b.ok(b.CreateAuthorizationCode(b.ctx, a, b.event("code_issued")))
			b.audited("code_issued", 1)
			u.CreatedAt = kept(u.CreatedAt)
			got, err := b.AuthorizationCode(b.ctx, a.Hash)
			b.ok(err)
			b.same(got, &storage.LiveAuthorizationCode{AuthorizationCode: *a, User: u})
			b.is(b.CreateAuthorizationCode(b.ctx, a, b.event("code_issued")), storage.ErrExists)
			b.audited("code_issued", 1)
			_, err = b.AuthorizationCode(b.ctx, b.digest())
			b.is(err, storage.ErrNotFound)
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			got, err = b.AuthorizationCode(b.ctx, a.Hash)
			b.ok(err)
			if got.User != nil {
				b.Errorf("the removed user is %+v", got.User)
			}
		},
		"a redemption stores the grant and marks the code": func(b *bundle) {
			a := b.code()
			b.now = b.now.Add(time.Second)
			g := a.grant(kept(b.now), "openid", "offline_access")
			g.AMR, g.Claims, g.Audience = []string{"pwd"}, `{"userinfo":{"email":null}}`, []string{"urn:a"}
			g.Offered = []string{"urn:b", "https://c.example/"}
			g.DPoPKey = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
			b.ok(b.RedeemAuthorizationCode(b.ctx, a.Hash, g, b.event("code_redeemed"), b.event("token_issued")))
			b.same(b.live(g.ID).Grant, *g)
			a.RedeemedAt, a.GrantID = kept(b.now), g.ID
			got, err := b.AuthorizationCode(b.ctx, a.Hash)
			b.ok(err)
			b.same(got.AuthorizationCode, *a.AuthorizationCode)
			b.audited("code_redeemed", 1)
			b.audited("token_issued", 1)
			_, err = b.touch(g.ID, g.Current, time.Second)
			b.ok(err)
			b.selected(storage.GrantFilter{UserID: g.UserID, SessionID: a.SessionID}, g)
			b.selected(storage.GrantFilter{UserID: g.UserID, SessionID: storage.NewID(b.now)})
		},
		"of parallel redemptions exactly one succeeds": func(b *bundle) {
			for range 10 {
				a := b.code()
				grants := make([]*storage.Grant, 20)
				for i := range grants {
					grants[i] = a.grant(b.now)
				}
				winner := b.oneWins(atOnce(len(grants), func(i int) error {
					return b.RedeemAuthorizationCode(b.ctx, a.Hash, grants[i], b.event(fmt.Sprint("redeemed by ", i)))
				}), storage.ErrConflict)
				b.selected(storage.GrantFilter{UserID: a.UserID}, grants[winner])
				got, err := b.AuthorizationCode(b.ctx, a.Hash)
				b.ok(err)
				if got.GrantID != grants[winner].ID {
					b.Errorf("the code names another grant than the winner's")
				}
			}
			events, err := b.ListAudit(b.ctx, storage.AuditFilter{})
			b.ok(err)
			if len(events) != 10 {
				b.Errorf("%d audit events", len(events))
			}
		},
		"a redemption by a taken grant ID leaves the code as it was": func(b *bundle) {
			a := b.code()
			taken := b.session()
			g := a.grant(b.now)
			g.ID = taken.ID
			b.is(b.RedeemAuthorizationCode(b.ctx, a.Hash, g, b.event("code_redeemed")), storage.ErrExists)
			b.audited("code_redeemed", 0)
			b.ok(b.redeem(a))
		},
		"a code is good until its end and no longer": func(b *bundle) {
			a, late := b.code(), b.code()
			b.now = a.ValidUntil
			b.refused(late)
			b.now = a.ValidUntil.Add(time.Hour)
			b.refused(late)
			b.now = a.ValidUntil.Add(-time.Microsecond)
			b.ok(b.redeem(a))
		},
		"a code is good for its client and its user only": func(b *bundle) {
			a, other := b.code(), b.code()
			for what, g := range map[string]*storage.Grant{
				"client": newGrant(storage.NewID(b.now), a.user, other.client, b.now),
				"user":   newGrant(storage.NewID(b.now), other.user, a.client, b.now),
				"hash":   a.grant(b.now),
			} {
				hash := a.Hash
				if what == "hash" {
					hash = b.digest()
				}
				if err := b.RedeemAuthorizationCode(b.ctx, hash, g, b.event("code_redeemed")); !errors.Is(err, storage.ErrConflict) {
					b.Errorf("another %s: %v", what, err)
				}
			}
			b.selected(storage.GrantFilter{})
			b.audited("code_redeemed", 0)
			b.ok(b.redeem(a))
		},
		"a code survives that its user signs in again in the same browser": func(b *bundle) {
			a := b.code()
			again := b.newBrowser(a.user)
			again.ID = a.browser.ID
			b.ok(b.CreateBrowserSession(b.ctx, again, a.browser.Hash, nil))
			b.ok(b.redeem(a))
		},
		"no redemption fails while its user signs in again in the same browser": func(b *bundle) {
			a := b.code()
			browser := a.browser
			for range 5 * rounds {
				a = b.codeOf(a.user, a.client, a.browser)
				again := b.newBrowser(a.user)
				again.ID = browser.ID
				for _, err := range atOnce(2, func(i int) error {
					if i == 0 {
						return b.CreateBrowserSession(b.ctx, again, browser.Hash, &storage.Login{UserID: a.UserID, SetLastLogin: b.now})
					}
					return b.redeem(a)
				}) {
					b.ok(err)
				}
				browser = again
			}
		},
		"ending one session or consent leaves other codes alone": func(b *bundle) {
			u, app, web := b.user("ada"), b.client("app"), b.client("web")
			here, there := b.browser(u), b.browser(u)
			gone, other := b.codeOf(u, app, here), b.codeOf(u, app, there)
			redeemed := b.codeOf(u, app, here)
			b.ok(b.RedeemAuthorizationCode(b.ctx, redeemed.Hash, redeemed.grant(b.now), nil))
			b.end(here)
			b.refused(gone)
			// Its second redemption must be recognised.
			_, err := b.AuthorizationCode(b.ctx, redeemed.Hash)
			b.ok(err)
			b.ok(b.RedeemAuthorizationCode(b.ctx, other.Hash, other.grant(b.now)))
			gone, other = b.codeOf(u, app, there), b.codeOf(u, web, there)
			b.revoke(u, app)
			b.refused(gone)
			_, err = b.AuthorizationCode(b.ctx, redeemed.Hash)
			b.ok(err)
			b.ok(b.RedeemAuthorizationCode(b.ctx, other.Hash, other.grant(b.now)))
		},
		"nothing of a code survives that its session ends at the same time": func(b *bundle) {
			b.raceRedemption(200, nil, func(a *code) error {
				_, err := b.EndBrowserSession(b.ctx, b.ending(a.browser), nil)
				return err
			})
		},
		"only offline access survives that its session ends at the same time": func(b *bundle) {
			b.raceSurvivors(func(a *code) error {
				_, err := b.EndBrowserSession(b.ctx, b.ending(a.browser), nil)
				return err
			})
		},
		"nothing of a code survives that its consent is taken back at the same time": func(b *bundle) {
			b.raceRedemption(200, []string{"offline_access"}, func(a *code) error {
				_, err := b.RevokeConsent(b.ctx, storage.ConsentEnd{UserID: a.UserID, ClientID: a.ClientID, Reason: "account", Now: b.now}, nil)
				return err
			})
		},
		"nothing of a code survives that its user's epoch is raised at the same time": func(b *bundle) {
			b.raceRedemption(2*rounds, []string{"offline_access"}, func(a *code) error { return b.RaiseUserEpoch(b.ctx, a.UserID, b.now, nil) })
		},
		"nothing of a code survives that its user's password is changed at the same time": func(b *bundle) {
			b.raceRedemption(2*rounds, []string{"offline_access"}, func(a *code) error {
				return b.SetUserPassword(b.ctx, storage.PasswordChange{UserID: a.UserID, Hash: "new hash", Now: b.now}, nil)
			})
		},
		"nothing of a code survives that its user is disabled at the same time": func(b *bundle) {
			b.raceRedemption(2*rounds, []string{"offline_access"}, func(a *code) error {
				if err := b.SetUserActive(b.ctx, a.UserID, false, b.now, nil); err != nil {
					return err
				}
				return b.SetUserActive(b.ctx, a.UserID, true, b.now, nil)
			})
		},
		"all ends of a code at once do not keep each other waiting for good": func(b *bundle) {
			for range rounds {
				b.crowd()
			}
		},
	}
	for name, end := range codeEnds() {
		all["a code "+name+" can't be redeemed"] = func(b *bundle) {
			a := b.code()
			b.now = b.now.Add(time.Second)
			end(b, a)
			b.refused(a)
		}
	}
	return all
}

// raceRedemption redeems a code while it ends. Whoever is first: afterwards no grant of it is alive.
func (b *bundle) raceRedemption(rounds int, scope []string, end func(*code) error) {
	b.Helper()
	redeemed := 0
	for range rounds {
		a := b.code()
		g := a.grant(b.now, scope...)
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return end(a)
			}
			return b.RedeemAuthorizationCode(b.ctx, a.Hash, g)
		})
		b.ok(errs[0])
		switch {
		case errs[1] == nil:
			redeemed++
			b.is(second(b.touch(g.ID, g.Current, time.Second)), storage.ErrConflict)
		default:
			b.is(errs[1], storage.ErrConflict)
		}
		b.selected(storage.GrantFilter{UserID: a.UserID, LiveAt: b.now})
		b.is(b.RedeemAuthorizationCode(b.ctx, a.Hash, a.grant(b.now)), storage.ErrConflict)
	}
	b.Logf("%d of %d were redeemed first", redeemed, rounds)
}

// raceSurvivors is raceRedemption for codes with offline access: the grant of one that was redeemed in time is alive.
func (b *bundle) raceSurvivors(end func(*code) error) {
	b.Helper()
	for range 2 * rounds {
		a := b.code()
		g := a.grant(b.now, "openid", "offline_access")
		errs := atOnce(2, func(i int) error {
			if i == 0 {
				return end(a)
			}
			return b.RedeemAuthorizationCode(b.ctx, a.Hash, g)
		})
		b.ok(errs[0])
		if errs[1] == nil {
			b.selected(storage.GrantFilter{UserID: a.UserID, LiveAt: b.now}, g)
			continue
		}
		b.is(errs[1], storage.ErrConflict)
		b.selected(storage.GrantFilter{UserID: a.UserID, LiveAt: b.now})
	}
}

// crowd does all at once what locks the rows of one user: nothing may be given up as a deadlock.
func (b *bundle) crowd() {
	b.Helper()
	a := b.code()
	more := []*code{a, b.codeOf(a.user, a.client, a.browser), b.codeOf(a.user, a.client, a.browser)}
	again := b.newBrowser(a.user)
	again.ID = a.browser.ID
	consent := &storage.Consent{UserID: a.UserID, ClientID: a.ClientID, Scope: []string{"openid"}, CreatedAt: b.now, UpdatedAt: b.now}
	acts := []func() error{
		func() error { return b.GrantConsent(b.ctx, consent, b.event("consent")) },
		func() error {
			return second(b.EndBrowserSession(b.ctx, b.ending(a.browser, b.notice("app")), b.event("signed_out")))
		},
		func() error {
			return second(b.RevokeConsent(b.ctx, storage.ConsentEnd{UserID: a.UserID, ClientID: a.ClientID, Now: b.now}, b.event("consent_revoked")))
		},
		func() error {
			return b.CreateBrowserSession(b.ctx, again, a.browser.Hash, &storage.Login{UserID: a.UserID, SetLastLogin: b.now}, b.event("login"))
		},
		func() error {
			return second(b.RevokeGrants(b.ctx, storage.GrantFilter{UserID: a.UserID}, "all", b.now, b.event("revoked")))
		},
		func() error { return b.RaiseClientEpoch(b.ctx, "", b.now, nil) },
		func() error { return b.RemoveUser(b.ctx, a.UserID, b.event("removed")) },
		func() error { return b.RemoveClient(b.ctx, a.ClientID, b.event("removed")) },
		func() error { return second(b.Maintain(b.ctx, b.now, 10)) },
	}
	for range 2 {
		d := b.deviceOf(a.user, a.client)
		b.ok(b.AnswerDeviceCode(b.ctx, d.answer(b, storage.DeviceApproved), nil))
		acts = append(acts, func() error { return b.redeemDevice(d) })
	}
	for _, a := range more {
		acts = append(acts, func() error { return b.redeem(a) })
	}
	for i, err := range atOnce(len(acts), func(i int) error { return acts[i]() }) {
		if errors.Is(err, storage.ErrUnavailable) ||
			err != nil && !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrExists) {
			b.Errorf("act %d: %v", i, err)
		}
	}
}
