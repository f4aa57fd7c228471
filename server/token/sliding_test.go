package token_test

import (
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func (w *world) sliding(r *token.Request) { r.Format = w.format.Sliding() }

func (w *world) loginSliding() storage.Secret {
	w.t.Helper()
	resp := w.loginWith(clients.SimpleJWTID, w.sliding)
	if resp.RefreshToken != "" {
		w.t.Fatal("a refresh token besides the sliding token")
	}
	return resp.AccessToken
}

func (w *world) slide(raw storage.Secret) storage.Secret {
	w.t.Helper()
	resp := w.refreshWith(clients.SimpleJWTID, raw, w.sliding)
	if resp.RefreshToken != "" {
		w.t.Fatal("a refresh token besides the sliding token")
	}
	return resp.AccessToken
}

func (w *world) notSlid(what string, raw storage.Secret, want reasons.Reason) {
	w.t.Helper()
	_, err := w.tryRefreshWith(clients.SimpleJWTID, raw, w.sliding)
	if err == nil || protocol.AsError(err).Reason != want {
		w.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func claimTime(t *testing.T, raw storage.Secret, claim string) time.Time {
	t.Helper()
	_, claims := claimsOf(t, raw)
	n, ok := claims[claim].(float64)
	if !ok {
		t.Fatalf("no %s in %v", claim, claims)
	}
	return time.Unix(int64(n), 0)
}

func TestASlidingTokenSlidesUntilItsEnd(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		w.setRotation(clients.SimpleJWTID, clients.RotationStrict) // nothing of a sliding token is rotated
		began := w.clock.Now()
		first := w.loginSliding()
		_, was := claimsOf(t, first)
		raw := first
		for w.clock.Now().Sub(began) < 24*time.Hour-5*time.Minute {
			w.clock.Advance(4 * time.Minute)
			raw = w.slide(raw)
			_, is := claimsOf(t, raw)
			if is["jti"] != was["jti"] || is["refresh_exp"] != was["refresh_exp"] || is["sid"] != was["sid"] {
				t.Fatalf("%v became %v", was, is)
			}
			if exp := w.clock.Now().Add(5 * time.Minute).Truncate(time.Second); !claimTime(t, raw, "exp").Equal(exp) {
				t.Fatalf("%v, want exp %v", is, exp)
			}
		}
		if !claimTime(t, raw, "exp").After(claimTime(t, raw, "refresh_exp")) {
			t.Error("the last token does not outlive refresh_exp")
		}
		grants, err := store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil || len(grants) != 1 || !grants[0].LastUsedAt.Equal(w.clock.Now()) || !grants[0].ExpiresAt.Equal(began.Add(24*time.Hour+5*time.Minute)) {
			t.Errorf("%+v, %v", grants, err)
		}
		w.clock.Advance(claimTime(t, raw, "refresh_exp").Sub(w.clock.Now()))
		w.active(raw)
		w.notSlid("at refresh_exp", raw, reasons.Expired)
		w.clock.Advance(5 * time.Minute)
		w.inactive(raw)
	})
}

func TestASlidingTokenPastItsExpIsDead(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		old := w.loginSliding()
		w.clock.Advance(4 * time.Minute)
		raw := w.slide(old)
		w.clock.Advance(time.Minute)
		w.notSlid("expired", old, reasons.Expired)
		w.slide(raw)
	})
}

// Better than the original, whose sliding tokens live until their end whatever happens.
func TestTheSessionOfASlidingTokenCanBeEnded(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		ends := func(what string, want reasons.Reason, end func(raw storage.Secret) error) {
			t.Helper()
			w.clock.Advance(time.Second)
			raw := w.slide(w.loginSliding())
			w.active(raw)
			w.clock.Advance(time.Second)
			if err := end(raw); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			w.inactive(raw)
			w.notSlid(what, raw, want)
		}
		ends("revoked", reasons.SessionRevoked, func(raw storage.Secret) error {
			return w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(clients.SimpleJWTID), Token: raw})
		})
		ends("user disabled", reasons.UserInactive, func(storage.Secret) error {
			return w.users.Disable(t.Context(), w.user.ID)
		})
		if err := w.users.Enable(t.Context(), w.user.ID); err != nil {
			t.Fatal(err)
		}
		ends("password changed", reasons.UserSessions, func(storage.Secret) error {
			return w.users.SetPassword(t.Context(), w.user.ID, testPassword)
		})
		ends("user removed", reasons.UserRemoved, func(storage.Secret) error {
			return w.users.Remove(t.Context(), w.user.ID)
		})
	})
}

func TestASlidingTokenOutlivesNoSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	_, err := w.clients.Update(t.Context(), clients.SimpleJWTID, func(r *clients.Registration) error {
		r.Policy.RefreshTokenTTL = clients.Duration(10 * time.Minute)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clientsChanged()
	end := w.clock.Now().Add(10 * time.Minute)
	raw := w.loginSliding()
	if until := claimTime(t, raw, "refresh_exp"); until.After(end) {
		t.Errorf("refresh_exp %v, the session ends at %v", until, end)
	}
	for range 3 {
		w.clock.Advance(3 * time.Minute)
		raw = w.slide(raw)
	}
	if exp := claimTime(t, raw, "exp"); exp.After(end) {
		t.Errorf("exp %v, the session ends at %v", exp, end)
	}
}

func TestTokensOfAnotherTypeDoNotSlide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	pair, raw := w.login(clients.SimpleJWTID), w.loginSliding()
	w.notSlid("a refresh token", pair.RefreshToken, reasons.WrongType)
	w.notSlid("an access token", pair.AccessToken, reasons.WrongType)
	w.refused(clients.SimpleJWTID, raw, reasons.WrongType)
	if err := w.simplejwt.Blacklist(t.Context(), raw); err == nil || protocol.AsError(err).Reason != reasons.WrongType {
		t.Errorf("blacklist: %v", err) // as the original, whose view takes refresh tokens only
	}
	w.slide(raw)
}

func TestVerifyTakesSlidingTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	verify := func(what string, raw storage.Secret, want reasons.Reason) {
		t.Helper()
		err := w.simplejwt.Verify(t.Context(), raw)
		if got := reasons.None; err != nil && protocol.AsError(err).Reason != want || err == nil && want != got {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	raw := w.loginSliding()
	verify("a good one", raw, reasons.None)
	foreign := w.djangoSliding("c1", time.Hour, time.Hour)
	verify("one in flight", foreign, reasons.None)
	for _, r := range []storage.Secret{raw, foreign} {
		if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(clients.SimpleJWTID), Token: r}); err != nil {
			t.Fatal(err)
		}
		verify("an ended one where tokens are retired", r, reasons.SessionRevoked)
	}
	w.setRotation(clients.SimpleJWTID, clients.RotationOff)
	verify("an ended one where they are not", raw, reasons.None)
	w.clock.Advance(5 * time.Minute)
	verify("an expired one", raw, reasons.Expired)
}

// djangoSliding signs a sliding token as Django does, with these left of its life and of the time to refresh it.
func (w *world) djangoSliding(jti string, life, refreshable time.Duration) storage.Secret {
	w.t.Helper()
	now := w.clock.Now()
	return w.djangoWith(jti, w.user.ID, now.Add(-time.Minute), map[string]any{
		"token_type": "sliding", "exp": now.Add(life).Unix(), "refresh_exp": now.Add(refreshable).Unix(),
	})
}

func TestASlidingTokenInFlightBecomesOneSession(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		raw := w.djangoSliding("711ad37301914743ac3c22e68e7c160f", time.Hour, 3*24*time.Hour)
		w.active(raw)
		got, errs := w.inParallel(32, func() (*token.Response, error) {
			return w.tryRefreshWith(clients.SimpleJWTID, raw, w.sliding)
		})
		for i, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
			if got[i].GrantID != got[0].GrantID {
				t.Fatal("parallel first uses made different sessions")
			}
		}
		first := got[0].AccessToken
		_, claims := claimsOf(t, first)
		if claims["jti"] != "711ad37301914743ac3c22e68e7c160f" || claims["favourite"] != "blue" || claims["sid"] != got[0].GrantID.String() {
			t.Errorf("claims %v", claims)
		}
		// Django's token and ours are of one session. It lives as long as Django promised, which is longer than here.
		last := first
		for range 3*24*60/4 - 1 {
			w.clock.Advance(4 * time.Minute)
			last = w.slide(last)
		}
		w.active(last)
		if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(clients.SimpleJWTID), Token: last}); err != nil {
			t.Fatal(err)
		}
		w.notSlid("after its end", last, reasons.SessionRevoked)
		grants, err := store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil || len(grants) != 1 {
			t.Errorf("%d grants, %v; want one", len(grants), err)
		}
	})
}

func TestSlidingTokensInFlightThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	w.notSlid("past refresh_exp", w.djangoSliding("b1", time.Hour, 0), reasons.Expired)
	w.notSlid("past exp", w.djangoSliding("b2", 0, time.Hour), reasons.Expired)
	now := w.clock.Now()
	w.notSlid("without refresh_exp", w.djangoWith("b3", 1, now, map[string]any{"token_type": "sliding"}), reasons.Malformed)
	w.notSlid("of nobody", w.djangoWith("b4", 4711, now, map[string]any{
		"token_type": "sliding", "refresh_exp": now.Add(time.Hour).Unix(),
	}), reasons.UserRemoved)

	raw := w.djangoSliding("b5", time.Hour, time.Hour)
	if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(clients.SimpleJWTID), Token: raw}); err != nil {
		t.Fatal(err)
	}
	w.inactive(raw)
	w.notSlid("ended before its first use", raw, reasons.SessionRevoked)
	grants, err := w.store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
	if err != nil || len(grants) != 1 {
		t.Errorf("%d grants, %v; want that of the last one", len(grants), err)
	}
}
