package storagetest

import (
	"fmt"
	"time"

	"latchkey/storage"
)

// browser makes a session of a user that lives for a day.
func (b *bundle) browser(u *storage.User) *storage.BrowserSession {
	b.Helper()
	s := b.newBrowser(u)
	b.ok(b.CreateBrowserSession(b.ctx, s, storage.Digest{}, nil))
	return s
}

func (b *bundle) newBrowser(u *storage.User) *storage.BrowserSession {
	now := kept(b.now)
	return &storage.BrowserSession{
		ID: storage.NewID(now), Hash: b.digest(), UserID: u.ID, UserEpoch: u.AuthEpoch,
		CreatedAt: now, AuthTime: now, LastSeenAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
}

// signedIn reads a session.
func (b *bundle) signedIn(hash storage.Digest) *storage.LiveBrowserSession {
	b.Helper()
	live, err := b.BrowserSession(b.ctx, hash, "")
	b.ok(err)
	return live
}

// gone stops the case unless there is no session with a hash.
func (b *bundle) gone(hash storage.Digest) {
	b.Helper()
	_, err := b.BrowserSession(b.ctx, hash, "")
	b.is(err, storage.ErrNotFound)
}

// end ends a session and tells whether this call did.
func (b *bundle) end(s *storage.BrowserSession, notices ...*storage.LogoutNotice) bool {
	b.Helper()
	ended, err := b.EndBrowserSession(b.ctx, b.ending(s, notices...), b.event("signed_out"))
	b.ok(err)
	return ended
}

func (b *bundle) ending(s *storage.BrowserSession, notices ...*storage.LogoutNotice) storage.BrowserSessionEnd {
	return storage.BrowserSessionEnd{ID: s.ID, UserID: s.UserID, Reason: "logout", Now: b.now, Notices: notices}
}

func browserSessions() cases {
	return cases{
		"a session comes back as stored, with its user and what the user has allowed": func(b *bundle) {
			u, web := b.user("ada"), b.client("web")
			b.client("app")
			s := b.newBrowser(u)
			s.AMR, s.Remember, s.Address, s.UserAgent = []string{"pwd", "otp"}, true, "2001:db8::1", "Mozilla/5.0"
			s.AuthTime, s.LastSeenAt = s.CreatedAt.Add(time.Second), s.CreatedAt.Add(2*time.Second)
			b.ok(b.CreateBrowserSession(b.ctx, s, storage.Digest{}, nil, b.event("login"), b.event("login")))
			b.audited("login", 2)
			k := b.consent(u, web, "openid", "email")
			u.CreatedAt = kept(u.CreatedAt)
			for client, consent := range map[string]*storage.Consent{"web": k, "app": nil, "": nil, "nobody": nil} {
				got, err := b.BrowserSession(b.ctx, s.Hash, client)
				b.ok(err)
				b.same(got, &storage.LiveBrowserSession{BrowserSession: *s, User: u, Consent: consent})
			}
			_, err := b.BrowserSession(b.ctx, b.digest(), "web")
			b.is(err, storage.ErrNotFound)
			_, err = b.BrowserSession(b.ctx, storage.Digest{}, "web")
			b.is(err, storage.ErrNotFound)
		},
		"a session is created with what the login changes": func(b *bundle) {
			u := b.user("ada")
			buckets, home := b.bucket(1, time.Hour), b.digest()
			b.take(0, buckets...)
			login := &storage.Login{
				UserID: u.ID, GiveBack: buckets, Known: home, KnownUntil: b.now.Add(time.Hour), SetLastLogin: b.now,
				OldHash: "old hash", NewHash: "better hash",
			}
			b.ok(b.CreateBrowserSession(b.ctx, b.newBrowser(u), storage.Digest{}, login))
			b.take(0, buckets...)
			check, err := b.BeginLogin(b.ctx, storage.LoginAttempt{Username: u.Username, Now: b.now, Known: home})
			b.ok(err)
			if !check.KnownNetwork || check.User.PasswordHash != "better hash" || !check.User.LastLogin.Equal(kept(b.now)) {
				b.Errorf("got %+v of %+v", check, check.User)
			}
			if check.User.AuthEpoch != u.AuthEpoch {
				b.Error("the epoch was raised")
			}
		},
		"a new sign-in replaces the session and keeps its ID": func(b *bundle) {
			u := b.user("ada")
			first := b.browser(u)
			again := b.newBrowser(u)
			again.ID = first.ID
			b.ok(b.CreateBrowserSession(b.ctx, again, first.Hash, nil))
			b.gone(first.Hash)
			b.same(b.signedIn(again.Hash).BrowserSession, *again)
		},
		"a session of another user replaces the one before": func(b *bundle) {
			first := b.browser(b.user("ada"))
			bobs := b.newBrowser(b.user("bob"))
			b.ok(b.CreateBrowserSession(b.ctx, bobs, first.Hash, nil))
			b.gone(first.Hash)
			b.same(b.signedIn(bobs.Hash).BrowserSession, *bobs)
		},
		"replacing what is not there is no error": func(b *bundle) {
			s := b.newBrowser(b.user("ada"))
			b.ok(b.CreateBrowserSession(b.ctx, s, b.digest(), nil))
			b.signedIn(s.Hash)
		},
		"a taken ID or hash changes nothing": func(b *bundle) {
			u := b.user("ada")
			first, other := b.browser(u), b.browser(u)
			stolen := b.newBrowser(u)
			stolen.ID = other.ID
			login := &storage.Login{UserID: u.ID, SetLastLogin: b.now}
			for _, replaces := range []storage.Digest{{}, first.Hash, b.digest()} {
				b.is(b.CreateBrowserSession(b.ctx, stolen, replaces, login, b.event("login")), storage.ErrExists)
			}
			same := b.newBrowser(u)
			same.Hash = other.Hash
			b.is(b.CreateBrowserSession(b.ctx, same, first.Hash, login, b.event("login")), storage.ErrExists)
			b.same(b.signedIn(first.Hash).BrowserSession, *first)
			b.same(b.signedIn(other.Hash).BrowserSession, *other)
			b.gone(stolen.Hash)
			b.audited("login", 0)
			if got, err := b.User(b.ctx, u.ID); err != nil || !got.LastLogin.IsZero() {
				b.Errorf("last login %v: %v", got.LastLogin, err)
			}
		},
		"of parallel sign-ins that replace one session exactly one keeps its ID": func(b *bundle) {
			u := b.user("ada")
			first := b.browser(u)
			next := make([]*storage.BrowserSession, 16)
			for i := range next {
				next[i] = b.newBrowser(u)
				next[i].ID = first.ID
			}
			winner := b.oneWins(atOnce(len(next), func(i int) error {
				return b.CreateBrowserSession(b.ctx, next[i], first.Hash, &storage.Login{UserID: u.ID, SetLastLogin: b.now}, b.event("login"))
			}), storage.ErrExists)
			b.gone(first.Hash)
			b.same(b.signedIn(next[winner].Hash).BrowserSession, *next[winner])
			b.audited("login", 1)
		},
		"a session tells that its user was removed, lost the epoch or was disabled": func(b *bundle) {
			u := b.user("ada")
			s := b.browser(u)
			b.ok(b.SetUserActive(b.ctx, u.ID, false, b.now.Add(time.Second), nil))
			if live := b.signedIn(s.Hash); live.User.Active || live.User.AuthEpoch == live.UserEpoch {
				b.Errorf("got %+v", live.User)
			}
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			b.gone(s.Hash)
			// Whoever signs in at this moment gets a session that is good for nobody.
			late := b.browser(u)
			if live := b.signedIn(late.Hash); live.User != nil {
				b.Errorf("the removed user is %+v", live.User)
			}
		},
		"a touch never goes back": func(b *bundle) {
			s := b.browser(b.user("ada"))
			later := s.LastSeenAt.Add(time.Minute)
			for _, at := range []time.Time{later, s.LastSeenAt, later.Add(-time.Microsecond)} {
				b.ok(b.TouchBrowserSession(b.ctx, s.Hash, at))
				s.LastSeenAt = later
				b.same(b.signedIn(s.Hash).BrowserSession, *s)
			}
			b.ok(b.TouchBrowserSession(b.ctx, b.digest(), later))
		},
		"a list has the sessions that have not ended, the latest sign-in first": func(b *bundle) {
			u, other := b.user("ada"), b.user("bob")
			b.browser(other)
			var want []*storage.BrowserSession
			for _, minutes := range []time.Duration{2, 9, 4} {
				s := b.newBrowser(u)
				s.AuthTime, s.ExpiresAt = s.AuthTime.Add(minutes*time.Minute), s.ExpiresAt.Add(-minutes*time.Minute)
				b.ok(b.CreateBrowserSession(b.ctx, s, storage.Digest{}, nil))
				want = append(want, s)
			}
			want = []*storage.BrowserSession{want[1], want[2], want[0]}
			list := func(at time.Time, limit int) []*storage.BrowserSession {
				b.Helper()
				list, err := b.ListBrowserSessions(b.ctx, u.ID, at, limit)
				b.ok(err)
				return list
			}
			b.same(list(b.now, 10), want)
			b.same(list(b.now, 2), want[:2])
			b.same(list(want[0].ExpiresAt, 10), want[1:])
			b.same(list(want[0].ExpiresAt.Add(-time.Microsecond), 10), want)
			b.ok(b.RaiseUserEpoch(b.ctx, u.ID, b.now, nil))
			b.same(list(b.now, 10), []*storage.BrowserSession{})
		},
		"an end takes the grants that are not for offline access, and no others": func(b *bundle) {
			u, bob, c := b.user("ada"), b.user("bob"), b.client("app")
			s, other := b.browser(u), b.browser(u)
			grant := func(u *storage.User, session storage.ID, scope ...string) *storage.Grant {
				g := newGrant(storage.NewID(b.now), u, c, b.now)
				g.SessionID, g.Scope = session, scope
				b.ok(b.CreateGrant(b.ctx, g, nil))
				return g
			}
			gone := []*storage.Grant{
				grant(u, s.ID), grant(u, s.ID, "openid"), grant(u, s.ID, "openid", "offline_access2"), grant(u, s.ID, "x:offline_access", "OFFLINE_ACCESS"),
			}
			stay := []*storage.Grant{
				grant(u, s.ID, "offline_access"), grant(u, s.ID, "openid", "offline_access", "email"), grant(u, other.ID), grant(u, storage.ID{}), grant(bob, s.ID),
			}
			b.selected(storage.GrantFilter{UserID: u.ID, SessionID: s.ID, LiveAt: b.now}, append(gone, stay[:2]...)...)
			notice := b.notice("app")
			if !b.end(s, notice) {
				b.Error("it was not ended")
			}
			b.gone(s.Hash)
			b.selected(storage.GrantFilter{LiveAt: b.now}, stay...)
			if got := b.live(gone[0].ID); got.RevokeReason != "logout" || !got.RevokedAt.Equal(kept(b.now)) {
				b.Errorf("revoked at %v, reason %q", got.RevokedAt, got.RevokeReason)
			}
			b.audited("signed_out", 1)
			b.signedIn(other.Hash)
			b.same(b.claim(b.now, 10), []storage.ID{notice.ID})
		},
		"of parallel ends exactly one ends the session": func(b *bundle) {
			s := b.browser(b.user("ada"))
			ended := make([]bool, 16)
			notices := make([]*storage.LogoutNotice, len(ended))
			for i := range notices {
				notices[i] = b.notice(fmt.Sprint("app ", i))
			}
			for _, err := range atOnce(len(ended), func(i int) (err error) {
				ended[i], err = b.EndBrowserSession(b.ctx, b.ending(s, notices[i]), b.event("signed_out"))
				return err
			}) {
				b.ok(err)
			}
			var want []storage.ID
			for i, e := range ended {
				if e {
					want = append(want, notices[i].ID)
				}
			}
			if len(want) != 1 {
				b.Errorf("%d calls ended it", len(want))
			}
			b.same(b.claim(b.now, 100), want)
			b.audited("signed_out", 1)
		},
		"another user's session can't be ended": func(b *bundle) {
			s, mallory := b.browser(b.user("ada")), b.user("mallory")
			mine := *s
			mine.UserID = mallory.ID
			if b.end(&mine, b.notice("app")) {
				b.Error("it was ended")
			}
			mine.ID, mine.UserID = storage.NewID(b.now), s.UserID
			if b.end(&mine, b.notice("app")) {
				b.Error("what is not there was ended")
			}
			b.signedIn(s.Hash)
			b.audited("signed_out", 0)
			b.same(b.claim(b.now, 10), []storage.ID(nil))
		},
	}
}
