package storagetest

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/storage"
)

// oddText may come over the network where a name is expected. It begins with a and ends with b.
func oddText() map[string]string {
	return map[string]string{
		"NUL":             "a\x00b",
		"invalid UTF-8":   "a\xffb",
		"cut UTF-8":       "a\xf0\x9f\x98b",
		"surrogate":       "a\xed\xa0\x80b",
		"10 kB":           "a" + strings.Repeat("x", 10_000) + "b",
		"emoji":           "a👩‍🚀🏳️‍🌈b",
		"SQL":             `a'; DROP TABLE users; --"b`,
		"pattern":         `a%_*?\b`,
		"placeholders":    "a$1 ?1 :x @y b",
		"control":         "a\r\n\t\x1b[31m\x7fb",
		"right to left":   "a\u202e\u2066b",
		"replacement":     "a\ufffdb",
		"JSON":            `a","b":{"\u0000b`,
		"4 kB and a rune": "a" + strings.Repeat("ü", 2048) + "b",
	}
}

// storable tells whether a name of a row can be such a text.
func storable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0) && len(s) <= 255
}

func texts() cases {
	return cases{
		"no text that is looked up breaks anything": func(b *bundle) {
			for name, s := range oddText() {
				for what, err := range map[string]error{
					"user":         second(b.UserByUsername(b.ctx, s)),
					"client":       second(b.Client(b.ctx, s)),
					"update":       b.UpdateClient(b.ctx, &storage.Client{ID: s, Metadata: []byte(`{}`), Version: 1, UpdatedAt: b.now}, nil),
					"raise":        b.RaiseClientEpoch(b.ctx, s, b.now, nil),
					"remove":       b.RemoveClient(b.ctx, s, nil),
					"retire key":   b.RetireSigningKey(b.ctx, s, b.now, b.now, nil),
					"free a place": b.RemoveResource(b.ctx, s, nil),
				} {
					if !errors.Is(err, storage.ErrNotFound) {
						b.Errorf("%s, %s: %v", what, name, err)
					}
				}
				for what, err := range map[string]error{
					"browser session": second(b.BrowserSession(b.ctx, b.digest(), s)),
					"pushed request":  second(b.TakePushedRequest(b.ctx, b.digest(), s, b.now)),
					"pushed, read":    second(b.PushedRequest(b.ctx, b.digest(), s, b.now)),
					"consent":         b.GrantConsent(b.ctx, &storage.Consent{UserID: 1, ClientID: s, CreatedAt: b.now, UpdatedAt: b.now}, nil),
				} {
					if !errors.Is(err, storage.ErrNotFound) {
						b.Errorf("%s, %s: %v", what, name, err)
					}
				}
				g := newGrant(storage.NewID(b.now), &storage.User{ID: 1}, &storage.Client{ID: s}, b.now)
				b.is(b.RedeemAuthorizationCode(b.ctx, b.digest(), g), storage.ErrConflict)
				revoked, err := b.RevokeConsent(b.ctx, storage.ConsentEnd{UserID: 1, ClientID: s, Now: b.now}, nil)
				b.ok(err)
				if revoked {
					b.Errorf("%s: a consent was revoked", name)
				}
				check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: s, Now: b.now})
				b.ok(err)
				b.same(check, &storage.LoginCheck{})
				b.state(s, s, &storage.TokenState{})
				b.selected(storage.GrantFilter{ClientID: s})
				n, err := b.RevokeGrants(b.ctx, storage.GrantFilter{ClientID: s}, "all", b.now, nil)
				b.ok(err)
				events, err := b.ListAudit(b.ctx, storage.AuditFilter{ClientID: s})
				b.ok(err)
				if n+len(events) != 0 {
					b.Errorf("%s: %d grants, %d events", name, n, len(events))
				}
			}
		},
		"an attempt at a name that no user can have counts": func(b *bundle) {
			for _, s := range oddText() {
				attempt := storage.LoginAttempt{Username: s, Now: b.now, Untrusted: b.bucket(1, 1e9)}
				b.allowed(attempt, 0)
				b.allowed(attempt, 1e9)
			}
		},
		"a name comes back byte for byte": func(b *bundle) {
			for name, s := range oddText() {
				if !storable(s) {
					continue
				}
				u, c := b.user(s), b.client(s)
				got, err := b.UserByUsername(b.ctx, s)
				b.ok(err)
				client, err := b.Client(b.ctx, s)
				b.ok(err)
				if got.ID != u.ID || got.Username != s || client.ID != s {
					b.Errorf("%s: user %q, client %q", name, got.Username, client.ID)
				}
				g := b.grant(u, c)
				if live := b.live(g.ID); live.ClientID != s || live.User.Username != s || !live.ClientExists {
					b.Errorf("%s: grant of %q for %q", name, live.ClientID, live.User.Username)
				}
				b.selected(storage.GrantFilter{ClientID: s, LiveAt: b.now}, g)
				b.ok(b.RevokeToken(b.ctx, s, b.now, nil))
				b.state(s, s, &storage.TokenState{Revoked: true, ClientExists: true, ClientAuthEpoch: c.AuthEpoch})
				b.ok(b.CreateResource(b.ctx, &storage.Resource{Identifier: s, CreatedAt: b.now}, nil))
				b.ok(b.RemoveResource(b.ctx, s, nil))
			}
		},
		"text that is not the name finds nothing": func(b *bundle) {
			b.user("a\ufffdb")
			b.client("a\ufffdb")
			for name, s := range oddText() {
				if s == "a\ufffdb" {
					continue
				}
				if err := second(b.UserByUsername(b.ctx, s)); !errors.Is(err, storage.ErrNotFound) {
					b.Errorf("user, %s: %v", name, err)
				}
				if err := second(b.Client(b.ctx, s)); !errors.Is(err, storage.ErrNotFound) {
					b.Errorf("client, %s: %v", name, err)
				}
				b.state("jti", s, &storage.TokenState{})
			}
		},
		"a name that no database can keep is refused": func(b *bundle) {
			for name, s := range oddText() {
				if utf8.ValidString(s) && !strings.ContainsRune(s, 0) && len(s) < 10_000 {
					continue
				}
				for what, err := range map[string]error{
					"user":     b.CreateUser(b.ctx, &storage.User{Username: s, CreatedAt: b.now}),
					"client":   b.CreateClient(b.ctx, newClient(s, b.now), nil),
					"register": second(b.CreateRegisteredClient(b.ctx, b.registration(s, b.digest()), 10, nil)),
					"resource": b.CreateResource(b.ctx, &storage.Resource{Identifier: s, CreatedAt: b.now}, nil),
				} {
					// Not unavailable: trying again does not help.
					if err == nil || errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrExists) {
						b.Errorf("%s, %s: %v", what, name, err)
					}
				}
			}
			list, err := b.ListUsers(b.ctx, 0, 10)
			b.ok(err)
			if len(list) != 0 {
				b.Errorf("%d users", len(list))
			}
		},
		"no text that only describes fails the write it comes with": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			for name, s := range oddText() {
				g := newGrant(storage.NewID(b.now), u, c, b.now)
				g.Address, g.UserAgent, g.Claims = s, s, s
				browser, notice := b.newBrowser(u), b.notice(s)
				browser.Address, browser.UserAgent, notice.ID = s, s, browser.ID
				b.ok(b.CreateBrowserSession(b.ctx, browser, storage.Digest{}, nil))
				signedIn := b.signedIn(browser.Hash)
				_, err := b.EndBrowserSession(b.ctx, b.ending(browser, notice), nil)
				b.ok(err)
				told, err := b.ClaimLogoutNotices(b.ctx, b.now, time.Minute, 1)
				b.ok(err)
				a := b.code()
				a.Hash, a.Nonce, a.Claims, a.CodeChallenge = b.digest(), s, s, s
				b.ok(b.CreateAuthorizationCode(b.ctx, a.AuthorizationCode))
				code, err := b.AuthorizationCode(b.ctx, a.Hash)
				b.ok(err)
				e := b.event("login")
				e.Address, e.RequestID, e.ClientID, e.Reason, e.GrantID = s, s, s, s, g.ID
				b.ok(b.CreateGrant(b.ctx, g, nil, e))
				_, err = b.RevokeGrant(b.ctx, g.ID, s, b.now, nil)
				b.ok(err)
				live := b.live(g.ID)
				events, err := b.ListAudit(b.ctx, storage.AuditFilter{GrantID: g.ID})
				b.ok(err)
				if len(events) != 1 {
					b.Fatalf("%s: %d events", name, len(events))
				}
				got := events[0]
				for _, text := range []string{
					signedIn.Address, signedIn.UserAgent, told[0].ClientID, code.Nonce, code.Claims, code.CodeChallenge, live.Claims,
					live.Address, live.UserAgent, live.RevokeReason, got.Address, got.RequestID, got.ClientID, got.Reason,
				} {
					if storable(s) && text != s || !utf8.ValidString(text) || strings.ContainsRune(text, 0) ||
						!strings.HasPrefix(text, "a") || !strings.HasSuffix(text, "b") {
						b.Errorf("%s: came back as %.100q", name, text)
					}
				}
			}
		},
	}
}

// second is the error of an answer with two parts.
func second[T any](_ T, err error) error { return err }
