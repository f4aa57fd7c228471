package token_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/keys"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

func encodeSegment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func decodeSegment(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newUser(name string, password *storage.Secret, active bool) users.NewUser {
	return users.NewUser{Username: name, Password: password, Active: active}
}

// django signs a refresh token as Django does.
func (w *world) django(jti string, user any, issued time.Time) storage.Secret {
	w.t.Helper()
	return w.djangoWith(jti, user, issued, nil)
}

// djangoWith signs a token with other claims than those of django; nil takes one away.
func (w *world) djangoWith(jti string, user any, issued time.Time, other map[string]any) storage.Secret {
	w.t.Helper()
	all := map[string]any{
		"token_type": "refresh", "exp": issued.Add(7 * 24 * time.Hour).Unix(), "iat": issued.Unix(), "jti": jti, "user_id": user,
		"favourite": "blue",
	}
	for name, value := range other {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	claims, err := json.Marshal(all)
	if err != nil {
		w.t.Fatal(err)
	}
	input := encodeSegment(`{"alg":"HS256","typ":"JWT"}`) + "." + encodeSegment(string(claims))
	h := hmac.New(sha256.New, []byte(testLegacyKey))
	h.Write([]byte(input))
	return storage.Secret(input + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil)))
}

func rootOf(t *testing.T, secrets ...string) *keys.Root {
	t.Helper()
	var previous []storage.Secret
	for _, s := range secrets[1:] {
		previous = append(previous, storage.Secret(s))
	}
	root, err := keys.NewRoot(storage.Secret(secrets[0]), previous...)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestATokenInFlightBecomesOneGrant(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		raw := w.django("711ad37301914743ac3c22e68e7c160f", w.user.ID, w.clock.Now().Add(-time.Hour))
		got, errs := w.inParallel(32, func() (*token.Response, error) { return w.tryRefresh(clients.SimpleJWTID, raw) })
		for i, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
			if got[i].GrantID != got[0].GrantID || got[i].RefreshToken != got[0].RefreshToken {
				t.Fatal("parallel first uses made different sessions")
			}
		}
		w.clock.Advance(time.Hour)
		if again := w.refresh(clients.SimpleJWTID, raw); again.GrantID != got[0].GrantID {
			t.Error("the same token found another session")
		}
		next := w.refresh(clients.SimpleJWTID, got[0].RefreshToken)
		w.clock.Advance(time.Minute)
		if _, claims := claimsOf(t, next.AccessToken); claims["favourite"] != "blue" {
			t.Errorf("a claim was lost on the way: %v", claims)
		}
		w.refused(clients.SimpleJWTID, raw, reasons.Retired)
		grants, err := store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil || len(grants) != 1 {
			t.Errorf("%d grants, %v; want one", len(grants), err)
		}
	})
}

func TestTokensInFlightThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	inactive, err := w.users.Add(t.Context(), newUser("bob", nil, false))
	if err != nil {
		t.Fatal(err)
	}
	before := w.clock.Now().Add(-time.Hour)
	w.refused(clients.SimpleJWTID, w.django("a1", inactive.ID, before), reasons.UserInactive)
	w.refused(clients.SimpleJWTID, w.django("a2", 4711, before), reasons.UserRemoved)
	w.refused(clients.SimpleJWTID, w.django("a3", "no number", before), reasons.UserRemoved)

	// One that was issued before the user's sessions were ended here is dead, one that was issued after lives.
	w.clock.Advance(time.Second)
	if err := w.store.RaiseUserEpoch(t.Context(), w.user.ID, w.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	w.refused(clients.SimpleJWTID, w.django("a4", w.user.ID, before), reasons.UserSessions)
	w.clock.Advance(2 * time.Second)
	w.refresh(clients.SimpleJWTID, w.django("a5", w.user.ID, w.clock.Now().Add(-time.Second)))

	// Ended before its first use.
	raw := w.django("a6", w.user.ID, w.clock.Now())
	if err := w.simplejwt.Blacklist(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	w.refused(clients.SimpleJWTID, raw, reasons.SessionRevoked)
}

// An operator who changes the root secret must not bring back to life what was ended.
func TestATokenInFlightKeepsItsGrantWhenTheRootSecretChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	now := w.clock.Now()
	ended, retired, used := w.django("b1", w.user.ID, now), w.django("b2", w.user.ID, now), w.django("b3", w.user.ID, now)
	w.refresh(clients.SimpleJWTID, ended)
	if err := w.simplejwt.Blacklist(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	w.refresh(clients.SimpleJWTID, w.refresh(clients.SimpleJWTID, retired).RefreshToken)
	before := w.refresh(clients.SimpleJWTID, used)
	w.clock.Advance(time.Minute)

	root, err := keys.NewRoot("another root secret, long enough for this", storage.Secret(bytes.Repeat([]byte("s"), 32)))
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Root = root
	if w.svc, err = token.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	w.refused(clients.SimpleJWTID, ended, reasons.SessionRevoked)
	w.refused(clients.SimpleJWTID, retired, reasons.Retired)
	if again := w.refresh(clients.SimpleJWTID, used); again.GrantID != before.GrantID {
		t.Error("the same token found another session")
	}
}
