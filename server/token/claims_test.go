package token_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt"
	"latchkey/server/token"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// says makes sure that a token has these claims, in their order and right behind the user.
func says(t *testing.T, what string, raw storage.Secret, want string) {
	t.Helper()
	payload := string(decodeSegment(t, strings.Split(raw.Reveal(), ".")[1]))
	if !strings.Contains(payload, want) {
		t.Errorf("%s says %s, want %s in it", what, payload, want)
	}
}

func TestClaimsOfTheUserAreComputedAtEachRefresh(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		w.claims = []string{"is_staff", "username", "email", "is_active", "id"}
		w.build()
		w.addClient("django-api", clients.Policy{AccessTokenFormat: clients.FormatSimpleJWT})
		staff, err := w.users.Add(t.Context(), users.NewUser{Username: "zoë", Email: "zoe@example.org", Staff: true, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		alice := fmt.Sprintf(`"user_id":%d,"is_staff":false,"username":"alice","email":"","is_active":true,"id":%d,`, w.user.ID, w.user.ID)
		zoe := fmt.Sprintf(`"user_id":%d,"is_staff":true,"username":"zo\u00eb","email":"zoe@example.org","is_active":true,"id":%d,`, staff.ID, staff.ID)

		pair := w.login(clients.SimpleJWTID)
		says(t, "a refresh token", pair.RefreshToken, alice)
		says(t, "an access token", pair.AccessToken, alice)
		next := w.refresh(clients.SimpleJWTID, pair.RefreshToken)
		says(t, "a rotated refresh token", next.RefreshToken, alice)
		says(t, "a refreshed access token", next.AccessToken, alice)
		raw := w.loginSliding()
		says(t, "a sliding token", raw, alice)
		says(t, "a refreshed sliding token", w.slide(raw), alice)
		other := w.login("django-api")
		says(t, "an access token of another client", other.AccessToken, alice)
		says(t, "a refreshed one", w.refresh("django-api", other.RefreshToken).AccessToken, alice)

		// What a token in flight says of its user gives way to what is true now, in its place.
		issued := w.clock.Now().Add(-time.Hour)
		adopted := w.refresh(clients.SimpleJWTID, w.djangoWith("d1", staff.ID, issued, nil))
		says(t, "the access token of one in flight", adopted.AccessToken, zoe)
		says(t, "its successor", adopted.RefreshToken, zoe)
		stale := w.djangoWith("d2", staff.ID, issued, map[string]any{"username": "zoe", "is_staff": false})
		adopted = w.refresh(clients.SimpleJWTID, stale)
		says(t, "the access token", adopted.AccessToken, `"is_staff":true`)
		says(t, "the access token", adopted.AccessToken, `"username":"zo\u00eb"`)
	})
}

func TestClaimsOfTheUserAreAClosedSet(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"password", "hash_password", "last_login", "user_id", ""} {
		settings := simplejwt.Settings{Claims: []string{"username", name}}
		if _, err := simplejwt.NewFormat(nil, settings, nil, nil); err == nil {
			t.Errorf("a claim %q is taken", name)
		}
	}
}

func TestNoClaimsOfTheUserUnlessAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	_, claims := claimsOf(t, w.login(clients.SimpleJWTID).AccessToken)
	for _, name := range simplejwt.UserClaims() {
		if _, there := claims[name]; there {
			t.Errorf("claims %v", claims)
		}
	}
}

// hashClaim is what simplejwt writes under CHECK_REVOKE_TOKEN.
func hashClaim(stored string) string {
	sum := md5.Sum([]byte(stored))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

func TestTokensInFlightFromBeforeAPasswordAreRefused(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const stored = "md5$salt$ca0f0b8e8aee5b4ba4d5c1bd0fb3ba5e" // of nothing in particular
		bob, err := w.users.Add(t.Context(), users.NewUser{Username: "bob", PasswordHash: stored, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		issued := w.clock.Now().Add(-time.Minute)
		with := func(jti, typ string, claim any) storage.Secret {
			return w.djangoWith(jti, bob.ID, issued, map[string]any{
				"token_type": typ, "refresh_exp": issued.Add(time.Hour).Unix(), "hash_password": claim,
			})
		}
		good, old := hashClaim(stored), hashClaim("md5$salt$the one before")

		next := w.refresh(clients.SimpleJWTID, with("e1", "refresh", good))
		says(t, "the access token", next.AccessToken, `"hash_password":"`+good+`"`)
		w.slide(with("e2", "sliding", good))
		w.refresh(clients.SimpleJWTID, with("e3", "refresh", nil)) // signed before the setting was switched on
		w.active(with("e4", "access", good))

		stale := with("f1", "refresh", old)
		w.refused(clients.SimpleJWTID, stale, reasons.PasswordChanged)
		w.refused(clients.SimpleJWTID, with("f2", "refresh", strings.ToLower(good)), reasons.PasswordChanged)
		w.refused(clients.SimpleJWTID, with("f3", "refresh", 7), reasons.PasswordChanged)
		w.notSlid("a sliding token", with("f4", "sliding", old), reasons.PasswordChanged)
		w.inactive(with("f5", "access", old))
		w.inactive(with("f6", "sliding", old))
		if err := w.simplejwt.Blacklist(t.Context(), stale); err == nil || protocol.AsError(err).Reason != reasons.PasswordChanged {
			t.Errorf("blacklist: %v", err)
		}
		grants, err := store.ListGrants(t.Context(), storage.GrantFilter{Limit: 10})
		if err != nil || len(grants) != 3 {
			t.Errorf("%d grants, %v; want those of the three good ones", len(grants), err)
		}

		// A change of the password here ends them all, the claim or not.
		w.clock.Advance(time.Second)
		if err := w.users.SetPassword(t.Context(), bob.ID, testPassword); err != nil {
			t.Fatal(err)
		}
		w.refused(clients.SimpleJWTID, with("g1", "refresh", good), reasons.UserSessions)
	})
}

// Latchkey writes its own kind of hash over Django's at the first login. Sessions on other devices go on.
func TestAHashThatWasUpgradedHereEndsNoTokenInFlight(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		sum := md5.Sum([]byte("salt" + testPassword))
		stored := "md5$salt$" + hex.EncodeToString(sum[:])
		bob, err := w.users.Add(t.Context(), users.NewUser{Username: "bob", PasswordHash: stored, Active: true})
		if err != nil {
			t.Fatal(err)
		}
		raw := w.djangoWith("h1", bob.ID, w.clock.Now().Add(-time.Minute), map[string]any{"hash_password": hashClaim(stored)})
		w.loginWith(clients.SimpleJWTID, func(r *token.Request) { r.Username = "bob" })
		now, err := store.User(t.Context(), bob.ID)
		if err != nil || now.PasswordHash == stored {
			t.Fatalf("the hash was not upgraded: %v", err)
		}
		w.refresh(clients.SimpleJWTID, raw)
	})
}
