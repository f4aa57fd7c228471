package token_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// resigned is a refresh token with other claims, as whoever has Django's key can sign it; nil takes one away.
func (w *world) resigned(raw storage.Secret, other map[string]any) storage.Secret {
	w.t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(raw.Reveal(), ".")[1])
	if err != nil {
		w.t.Fatal(err)
	}
	var claims map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(claims, other)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	input := encodeSegment(`{"alg":"HS256","typ":"JWT"}`) + "." + encodeSegment(string(payload))
	h := hmac.New(sha256.New, []byte(testLegacyKey))
	h.Write([]byte(input))
	return storage.Secret(input + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil)))
}

// rotatedByDjango is what Django makes of a refresh token under ROTATE_REFRESH_TOKENS: the same claims, the seal too, with another jti,
// exp and iat.
func (w *world) rotatedByDjango(raw storage.Secret, jti string) storage.Secret {
	now := w.clock.Now()
	return w.resigned(raw, map[string]any{"jti": jti, "iat": now.Unix(), "exp": now.Add(7 * 24 * time.Hour).Unix()})
}

// configure makes the format of simplejwt anew, with other settings.
func (w *world) configure(change func(*simplejwt.Settings)) {
	w.t.Helper()
	w.settings = change
	w.build()
}

const jti1, jti2 = "711ad37301914743ac3c22e68e7c160f", "811ad37301914743ac3c22e68e7c160f"

func TestA8ATokenThatDjangoHasRotatedIsInFlight(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client = clients.SimpleJWTID
		first := func() storage.Secret { return w.login(client).RefreshToken }
		next := func(r storage.Secret) storage.Secret { return w.refresh(client, r).RefreshToken }
		ways := map[string]func() storage.Secret{
			"the first":     first,
			"the successor": func() storage.Secret { return next(first()) },
			"the current":   func() storage.Secret { r := next(first()); next(r); return r },
		}
		for _, rotation := range []clients.Rotation{clients.RotationConfirmed, clients.RotationStrict} {
			w.setRotation(client, rotation)
			for name, way := range ways {
				ours := way()
				w.clock.Advance(time.Hour)
				theirs := w.rotatedByDjango(w.rotatedByDjango(ours, jti1), jti2)
				w.clock.Advance(time.Hour)
				got, errs := w.inParallel(8, func() (*token.Response, error) { return w.tryRefresh(client, theirs) })
				served := storage.Secret("")
				for i, err := range errs {
					switch {
					case err == nil:
						served = got[i].RefreshToken
					case rotation == clients.RotationConfirmed:
						t.Fatalf("%s, %s: %v", rotation, name, err)
					}
				}
				if served == "" {
					t.Fatalf("%s, %s: nobody was served: %v", rotation, name, errs)
				}
				w.clock.Advance(time.Minute)
				after := next(served)
				w.clock.Advance(time.Minute)
				// It is retired by now, and proves nothing: the session lives.
				w.refused(client, theirs, reasons.Unsealed)
				after = next(after)
				w.refused(client, theirs, reasons.Unsealed)
				next(after)
			}
		}
		if n := w.count("refresh_token_reused"); n != 0 {
			t.Errorf("%d verdicts on tokens that Django has signed", n)
		}
	})
}

// A tab has its token written anew by Django and goes on with that here; another tab, a moment later, presents the one that it was written
// from. After the overlap that is reuse.
func TestASlowTabWhoseTokenDjangoHasRotated(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client = clients.SimpleJWTID
		next := func(r storage.Secret) storage.Secret { return w.refresh(client, r).RefreshToken }
		shared := next(next(w.login(client).RefreshToken))
		w.clock.Advance(time.Hour)
		latest := next(w.rotatedByDjango(shared, jti1))
		w.clock.Advance(5 * time.Second)
		next(next(shared))
		latest = next(latest)
		w.clock.Advance(time.Hour)
		next(latest)
		w.refused(client, shared, reasons.Retired)
		if n := w.count("refresh_token_reused"); n != 1 {
			t.Errorf("%d verdicts", n)
		}
	})
}

func TestA8TheSharedKeyTakesOverNoSession(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client = clients.SimpleJWTID
		bob, err := w.users.Add(t.Context(), newUser("bob", nil, true))
		if err != nil {
			t.Fatal(err)
		}
		first := w.login(client)
		r := first.RefreshToken
		for range 3 {
			w.clock.Advance(time.Minute)
			r = w.refresh(client, r).RefreshToken
		}
		family := first.GrantID.String()
		forged := func(other map[string]any) storage.Secret {
			return w.djangoWith(jti1, w.user.ID, w.clock.Now(), other)
		}
		for name, forgery := range map[string]struct {
			raw    storage.Secret
			reason reasons.Reason
		}{
			"far ahead":                 {forged(map[string]any{"fam": family, "gen": 1_000_000}), reasons.Unsealed},
			"long retired":              {forged(map[string]any{"fam": family, "gen": 0}), reasons.Unsealed},
			"with a seal of its own":    {forged(map[string]any{"fam": family, "gen": 9, "seal": "AAAAAAAAAAA"}), reasons.Unsealed},
			"of another user":           {w.resigned(r, map[string]any{"user_id": bob.ID}), reasons.OtherUser},
			"of no user":                {w.resigned(r, map[string]any{"user_id": nil}), reasons.OtherUser},
			"in flight to another user": {w.resigned(r, map[string]any{"user_id": bob.ID, "jti": jti2}), reasons.OtherUser},
		} {
			w.refused(client, forgery.raw, forgery.reason)
			if err := w.simplejwt.Verify(t.Context(), forgery.raw); err == nil {
				t.Errorf("%s: verified", name)
			}
			if a := w.introspect(forgery.raw); a.Active {
				t.Errorf("%s: active", name)
			}
		}
		w.refresh(client, r)
		if n := w.count("refresh_token_reused") + w.count("grant_fast_forwarded"); n != 0 {
			t.Errorf("%d verdicts on forgeries", n)
		}
	})
}

func TestA8TokensOfEarlierReleasesLiveOn(t *testing.T) {
	t.Parallel()
	for _, adopt := range []bool{true, false} {
		w := newWorld(t, sqlitetest.SQLite(t))
		w.configure(func(s *simplejwt.Settings) { s.Adopt = adopt })
		const client = clients.SimpleJWTID
		earlier := func(r storage.Secret) storage.Secret { return w.resigned(r, map[string]any{"seal": nil}) }
		// One that never adopts, and one that has a successor of that release.
		r0 := earlier(w.login(client).RefreshToken)
		for range 3 {
			w.clock.Advance(time.Hour)
			w.refresh(client, r0)
		}
		r1 := earlier(w.refresh(client, r0).RefreshToken)
		r2 := w.refresh(client, r1).RefreshToken
		w.clock.Advance(5 * time.Second)
		w.refresh(client, r0) // a slow tab
		w.clock.Advance(time.Minute)
		r3 := w.refresh(client, r2).RefreshToken
		w.refused(client, r0, reasons.Unsealed)
		w.clock.Advance(time.Minute)
		w.refresh(client, r3)
		// What that release has not retired is judged as before once it has a seal.
		w.clock.Advance(time.Minute)
		w.refused(client, r2, reasons.Retired)
	}
}

func TestA8AdoptionEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	const client = clients.SimpleJWTID
	until := w.clock.Now().Add(time.Hour)
	w.configure(func(s *simplejwt.Settings) { s.AdoptUntil = until })
	adopted := w.refresh(client, w.django("a1", w.user.ID, w.clock.Now())).RefreshToken
	ours := w.login(client).RefreshToken
	w.clock.Advance(time.Hour)
	// The time of issue is what the signer says.
	w.refused(client, w.django("a2", w.user.ID, w.clock.Now().Add(-2*time.Hour)), reasons.UnknownGrant)
	w.refused(client, w.rotatedByDjango(ours, jti1), reasons.Unsealed)
	if err := w.simplejwt.Verify(t.Context(), w.django("a3", w.user.ID, w.clock.Now())); err == nil {
		t.Error("verified after the end of adoption")
	}
	w.refresh(client, adopted)
	w.refresh(client, ours)
}

func TestA8TheJTIOfAnotherUserIsAnotherSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	bob, err := w.users.Add(t.Context(), newUser("bob", nil, true))
	if err != nil {
		t.Fatal(err)
	}
	alices, bobs := w.django(jti1, w.user.ID, w.clock.Now()), w.django(jti1, bob.ID, w.clock.Now())
	first, second := w.refresh(clients.SimpleJWTID, alices), w.refresh(clients.SimpleJWTID, bobs)
	if first.GrantID == second.GrantID {
		t.Fatal("two users share a session")
	}
	if err := w.simplejwt.Blacklist(t.Context(), bobs); err != nil {
		t.Fatal(err)
	}
	w.refresh(clients.SimpleJWTID, alices)
}

// What Django has blacklisted is in revoked_tokens. That ends the token, not its session.
func TestATokenThatDjangoHasEndedIsRefused(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client = clients.SimpleJWTID
		end := func(jti string) {
			if err := store.RevokeToken(t.Context(), jti, w.clock.Now().Add(24*time.Hour), nil); err != nil {
				t.Fatal(err)
			}
		}
		end("ended")
		w.refused(client, w.django("ended", w.user.ID, w.clock.Now()), reasons.Retired)
		if n := w.count("session_adopted"); n != 0 {
			t.Errorf("%d sessions were made for a token that has ended", n)
		}
		ours := w.login(client).RefreshToken
		end(jti1)
		w.refused(client, w.rotatedByDjango(ours, jti1), reasons.Retired)
		w.refresh(client, w.rotatedByDjango(ours, jti2))
	})
}

// The grant that an earlier release has made for a token is found under the name that it had then.
func TestATokenThatAnEarlierReleaseHasAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	now := w.clock.Now()
	grant := func(jti string) *storage.Grant {
		sum := sha256.Sum256([]byte("adopted session\x00" + jti))
		g := &storage.Grant{
			ID: storage.NewIDFrom(time.UnixMilli(0), [10]byte(sum[:10])), ClientID: clients.SimpleJWTID, UserID: w.user.ID,
			UserEpoch: w.user.AuthEpoch, AuthTime: now, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(24 * time.Hour),
			Current: codec.TokenIDOf(jti),
		}
		client, err := w.clients.Client(t.Context(), clients.SimpleJWTID)
		if err != nil {
			t.Fatal(err)
		}
		g.ClientEpoch = client.AuthEpoch
		if err := w.store.CreateGrant(t.Context(), g, nil); err != nil {
			t.Fatal(err)
		}
		return g
	}
	used, ended := grant("used"), grant("ended")
	if _, err := w.store.RevokeGrant(t.Context(), ended.ID, "logout", now, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.refresh(clients.SimpleJWTID, w.django("used", w.user.ID, now)); got.GrantID != used.ID {
		t.Error("the token began another session")
	}
	w.refused(clients.SimpleJWTID, w.django("ended", w.user.ID, now), reasons.SessionRevoked)
}
