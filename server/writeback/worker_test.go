package writeback_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/server/users"
	"latchkey/server/writeback"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

// blacklist stands for Django's.
type blacklist struct {
	mu    sync.Mutex
	ended map[string]bool
	away  error
}

func (b *blacklist) Add(_ context.Context, tokens []storage.RevokedToken) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away != nil {
		return b.away
	}
	for _, t := range tokens {
		b.ended[t.JTI] = true
	}
	return nil
}

type bundle struct {
	*servertest.Server
	t      *testing.T
	django *blacklist
	worker *writeback.Worker
}

func setup(t *testing.T, store storage.Store, change ...func(*server.Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, django: &blacklist{ended: map[string]bool{}}}
	options := []servertest.Option{servertest.Store(store), servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.SigningKey, c.SimpleJWT.Blacklist, c.SimpleJWT.Sliding = "a key that Django has too, long enough", b.django, true
		c.SimpleJWT.SlidingTokenLifetime, c.SimpleJWT.SlidingTokenRefreshLifetime = 5*time.Minute, 24*time.Hour
	})}
	for _, c := range change {
		options = append(options, servertest.Configure(c))
	}
	b.Server = servertest.New(t, options...)
	b.worker = b.newWorker()
	return b
}

// newWorker makes the worker of another process.
func (b *bundle) newWorker() *writeback.Worker {
	return writeback.New(writeback.Config{Store: b.Store, Blacklist: b.django, Now: b.Clock.Now, Registry: prometheus.NewRegistry()})
}

func (b *bundle) once() {
	b.t.Helper()
	if err := b.worker.Once(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) login(name string) (refresh string) {
	b.t.Helper()
	return b.PostJSON(simplejwt.ObtainPath, map[string]string{"username": name, "password": "the password of " + name}).Expect(200).String("refresh")
}

func (b *bundle) refresh(raw string) string {
	b.t.Helper()
	b.Clock.Advance(time.Minute)
	return b.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": raw}).Expect(200).String("refresh")
}

func (b *bundle) jti(raw string) string {
	jti, _ := servertest.Claims(b.t, raw)["jti"].(string)
	return jti
}

// Whatever ends a session here, Django knows of each refresh token of it that it would accept.
func TestEveryWayOfEndingASessionReachesDjango(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		b := setup(t, open(t), func(c *server.Config) { c.SimpleJWT.Rotation = clients.RotationReissue })
		ctx := t.Context()
		ways := map[string]func(u *storage.User, first, last string){
			"blacklist route": func(_ *storage.User, _, last string) {
				b.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": last}).Expect(200)
			},
			"revocation endpoint": func(_ *storage.User, _, last string) {
				b.PostForm("/oauth2/revoke", servertest.Form("token", last, "client_id", clients.SimpleJWTID)).Expect(200)
			},
			"session revoke": func(u *storage.User, _, _ string) {
				if n, err := b.Store.RevokeGrants(ctx, storage.GrantFilter{UserID: u.ID, Limit: 10}, "operator", b.Clock.Now(), nil); err != nil || n != 1 {
					t.Error(n, err)
				}
			},
			"new password": func(u *storage.User, _, _ string) {
				if err := b.Store.SetUserPassword(ctx, storage.PasswordChange{UserID: u.ID, Hash: "", Now: b.Clock.Now()}, nil); err != nil {
					t.Error(err)
				}
			},
			"disabled": func(u *storage.User, _, _ string) {
				if err := b.Store.SetUserActive(ctx, u.ID, false, b.Clock.Now(), nil); err != nil {
					t.Error(err)
				}
			},
			"removed": func(u *storage.User, _, _ string) {
				if err := b.Store.RemoveUser(ctx, u.ID, nil); err != nil {
					t.Error(err)
				}
			},
			"alive": func(*storage.User, string, string) {},
		}
		names := slices.Sorted(maps.Keys(ways))
		issued := map[string][]string{}
		for i, name := range names {
			u := b.AddUser(users.NewUser{Username: name, Active: true}, storage.Secret("the password of "+name))
			if i == 0 {
				b.once()
			}
			tokens := []string{b.login(name)}
			for range 3 {
				tokens = append(tokens, b.refresh(tokens[len(tokens)-1]))
			}
			ways[name](u, tokens[0], tokens[3])
			issued[name] = tokens
		}
		if len(b.django.ended) > 0 {
			t.Fatalf("written by another than the worker: %v", b.django.ended)
		}
		b.once()
		for name, tokens := range issued {
			for i, raw := range tokens {
				if b.django.ended[b.jti(raw)] != (name != "alive") {
					t.Errorf("%s: token %d: %v", name, i, b.django.ended[b.jti(raw)])
				}
			}
		}
		before := len(b.django.ended)
		b.once()
		b.newWorker().Once(ctx)
		if len(b.django.ended) != before {
			t.Errorf("%d, then %d", before, len(b.django.ended))
		}
	})
}

// Under a policy that retires tokens Django must not accept retired ones either; the current one, and those that may still become it, stay.
func TestRetiredTokensReachDjangoAfterTheOverlap(t *testing.T) {
	t.Parallel()
	for _, rotation := range []clients.Rotation{clients.RotationConfirmed, clients.RotationStrict} {
		b := setup(t, sqlitetest.SQLite(t), func(c *server.Config) { c.SimpleJWT.Rotation = rotation })
		b.AddUser(users.NewUser{Username: "bob", Active: true}, "the password of bob")
		tokens := []string{b.login("bob")}
		for range 4 {
			tokens = append(tokens, b.refresh(tokens[len(tokens)-1]))
		}
		b.Clock.Advance(time.Minute)
		b.once()
		alive := 1
		if rotation == clients.RotationConfirmed {
			alive = 2 // the answer with the last one may be lost
		}
		for i, raw := range tokens {
			if want := i < len(tokens)-alive; b.django.ended[b.jti(raw)] != want {
				t.Errorf("%s: token %d of %d: ended in Django is %v", rotation, i, len(tokens), !want)
			}
		}
		// Reuse ends the session.
		b.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": tokens[0]}).Expect(401)
		b.once()
		for i, raw := range tokens {
			if !b.django.ended[b.jti(raw)] {
				t.Errorf("%s: after reuse token %d is not ended in Django", rotation, i)
			}
		}
	}
}

// A client that never takes the new token gets one at each refresh: all of them end with the session.
func TestTokensOfAClientThatNeverAdoptsReachDjango(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlitetest.SQLite(t))
	b.AddUser(users.NewUser{Username: "bob", Active: true}, "the password of bob")
	first := b.login("bob")
	offered := []string{first}
	for range 3 {
		b.Clock.Advance(time.Hour)
		offered = append(offered, b.PostJSON(simplejwt.RefreshPath, map[string]string{"refresh": first}).Expect(200).String("refresh"))
	}
	b.once()
	if len(b.django.ended) > 0 {
		t.Errorf("ended in Django: %v", b.django.ended)
	}
	b.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": first}).Expect(200)
	b.once()
	for i, raw := range offered {
		if !b.django.ended[b.jti(raw)] {
			t.Errorf("token %d is not ended in Django", i)
		}
	}
}

// A session that Django began ends in Django too, whether it was refreshed here or only logged out, and so does a sliding token.
func TestAdoptedAndSlidingTokensReachDjango(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlitetest.SQLite(t))
	bob := b.AddUser(users.NewUser{Username: "bob", Active: true}, "the password of bob")
	refreshed, loggedOut := djangoToken(b, bob, "0123456789abcdef0123456789abcdef"), djangoToken(b, bob, "a jti of another form")
	ours := b.refresh(refreshed)
	slid := b.PostJSON(simplejwt.SlidingPath, map[string]string{"username": "bob", "password": "the password of bob"}).Expect(200).String("token")
	for _, raw := range []string{ours, loggedOut} {
		b.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": raw}).Expect(200)
	}
	b.PostForm("/oauth2/revoke", servertest.Form("token", slid, "client_id", clients.SimpleJWTID)).Expect(200)
	b.once()
	for name, raw := range map[string]string{"adopted": refreshed, "its successor": ours, "logged out at once": loggedOut, "sliding": slid} {
		if !b.django.ended[b.jti(raw)] {
			t.Errorf("%s: not ended in Django", name)
		}
	}
}

// An outage of Django's database delays nothing here and loses nothing; after the window nothing is recorded.
func TestDjangosDatabaseMayBeAway(t *testing.T) {
	t.Parallel()
	var until time.Time
	b := setup(t, sqlitetest.SQLite(t), func(c *server.Config) {
		until = c.Now().Add(time.Hour)
		c.SimpleJWT.AdoptUntil = until
	})
	b.AddUser(users.NewUser{Username: "bob", Active: true}, "the password of bob")
	b.django.away = errors.New("connection refused")
	raw := b.login("bob")
	b.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": raw}).Expect(200)
	for range 3 {
		if err := b.worker.Once(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%v", err)
		}
	}
	b.django.away = nil
	b.worker = b.newWorker() // after a crash
	b.once()
	if !b.django.ended[b.jti(raw)] {
		t.Error("the token was lost")
	}
	b.Clock.Advance(until.Sub(b.Clock.Now()))
	late := b.login("bob")
	b.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": late}).Expect(200)
	b.once()
	if b.django.ended[b.jti(late)] {
		t.Error("a token is written after the window")
	}
}

// djangoToken writes a refresh token as Django does.
func djangoToken(b *bundle, u *storage.User, jti string) string {
	now := b.Clock.Now()
	payload, _ := json.Marshal(map[string]any{
		"token_type": "refresh", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "jti": jti, "user_id": u.Sub(),
	})
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, []byte("a key that Django has too, long enough"))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
