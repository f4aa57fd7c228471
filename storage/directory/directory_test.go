package directory_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/testclock"
)

// login logs in on the compatibility route.
func login(s *servertest.Server, name, password string) *servertest.Answer {
	return s.PostJSON("/api/token/", map[string]string{"username": name, "password": password})
}

func stringIDs(c *server.Config) { c.SimpleJWT.UserIDInteger = false }

// What Django knows holds here at once: a new user logs in; a new password, an inactive or a deleted account ends the sessions.
func TestDjangoDecidesAboutSessions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs))
		refresh := func(token string) *servertest.Answer { return s.RefreshSimpleJWT(token) }
		login(s, "ada", "wrong").Expect(401)
		login(s, "nobody", "secret").Expect(401)
		begin := func() (refresh, native string) {
			t.Helper()
			a := login(s, "ada", "secret").Expect(200)
			if got := servertest.Claims(t, a.String("access"))["user_id"]; got != site.key {
				t.Fatalf("user_id is %v", got)
			}
			return a.String("refresh"), s.Token(s.Backend, "grant_type", "password", "username", "ada", "password", "secret").Expect(200).String("refresh_token")
		}
		change := map[string]func(){
			"new password": func() { site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("secret")+" ") },
			"inactive":     func() { site.do(`UPDATE auth_user SET is_active = false WHERE username = 'ada'`) },
			"deleted":      func() { site.do(`DELETE FROM auth_user WHERE username = 'ada'`) },
			"made again": func() {
				site.do(`DELETE FROM auth_user WHERE username = 'ada'`)
				site.do(`INSERT INTO auth_user (id, username, password, date_joined) VALUES ($1, 'eve', $2, now())`, site.key, hash("secret"))
			},
		}
		for name, change := range change {
			old, native := begin()
			asleep := login(s, "ada", "secret").Expect(200).String("refresh") // not refreshed until all is over
			next := refresh(old).Expect(200).String("refresh")
			native = s.Refresh(s.Backend, native).Expect(200).String("refresh_token")
			other := login(s, "bob", "secret").Expect(200).String("refresh")
			change()
			refresh(next).Expect(401)
			s.Refresh(s.Backend, native).ExpectError(400, "invalid_grant")
			refresh(other).Expect(200)
			if name == "made again" {
				login(s, "eve", "secret").Expect(200)
			}
			site.do(`DELETE FROM auth_user WHERE id = $1`, site.key)
			site.do(`INSERT INTO auth_user (id, username, password) VALUES ($1, 'ada', $2)`, site.key, hash("secret"))
			login(s, "ada", "secret").Expect(200)
			refresh(next).Expect(401)
			if a := refresh(asleep); a.Status != 401 && name == "made again" {
				t.Errorf("%s: another user has the session", name)
			}
		}
		events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "account_changed", Limit: 50})
		if err != nil || len(events) == 0 || events[0].Actor != "server" || events[0].UserID == 0 {
			t.Errorf("%d events of sessions that ended with their account in Django, %v", len(events), err)
		}
		site.do(`INSERT INTO auth_user (id, username, password) SELECT $1, 'new', $2`, map[string]string{"7": "9"}[site.key]+map[bool]string{true: "", false: "11111111-7f0e-4c54-8b7e-0d7f6a1d2c3b"}[site.key == "7"], hash("theirs"))
		login(s, "new", "theirs").Expect(200)
	})
}

// A hash that Django has made anew of the same password is no new password: at the next login the sessions go on.
func TestAHashAnewIsNoNewPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs))
		session := login(s, "ada", "secret").Expect(200).String("refresh")
		site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("secret"))
		login(s, "ada", "secret").Expect(200)
		session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
		site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("another"))
		login(s, "ada", "secret").Expect(401)
		login(s, "ada", "another").Expect(200)
		s.RefreshSimpleJWT(session).Expect(401)
	})
}

// A deactivated user who is active again has no session that was refused meanwhile, and Latchkey's own end of all sessions holds too.
func TestEndsOfLatchkeysOwnHold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs))
		session := login(s, "ada", "secret").Expect(200).String("refresh")
		u, err := s.Users().Find(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if u.Email != "ada@example.org" || u.GivenName != "Ada" || u.Name != "Ada Lovelace" || u.Sub() != site.key {
			t.Errorf("found %+v", u)
		}
		if err := s.Users().EndSessions(t.Context(), u.ID); err != nil {
			t.Fatal(err)
		}
		s.RefreshSimpleJWT(session).Expect(401)
		login(s, "ada", "secret").Expect(200)
	})
}

// A search finds users who have had a session here, by what Django says of them, page by page.
func TestUsersOfDjangosAreSearched(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs))
		d := site.directory(storage.LoginNames{})
		if err := d.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		search := func(f storage.UserFilter) []*storage.User {
			found, err := d.SearchUsers(t.Context(), f)
			if err != nil {
				t.Fatalf("%+v: %v", f, err)
			}
			return found
		}
		login(s, "ada", "secret").Expect(200)
		if found := search(storage.UserFilter{}); len(found) != 1 || found[0].Username != "ada" {
			t.Errorf("before bob's session: %+v", found)
		}
		login(s, "bob", "secret").Expect(200)
		all := search(storage.UserFilter{})
		if n, err := d.CountUsers(t.Context(), storage.UserFilter{}); n != 2 || len(all) != 2 || err != nil {
			t.Fatalf("all: %+v, %d, %v", all, n, err)
		}
		if found := search(storage.UserFilter{Text: "LOVELACE"}); len(found) != 1 || found[0].GivenName != "Ada" {
			t.Errorf("by name: %+v", found)
		}
		for _, f := range []storage.UserFilter{{After: all[0].ID}, {Offset: 1}, {Offset: 1, Limit: 1}} {
			if found := search(f); len(found) != 1 || found[0].ID != all[1].ID {
				t.Errorf("%+v: %+v", f, found)
			}
		}
		if found := search(storage.UserFilter{Limit: 1}); len(found) != 1 || found[0].ID != all[0].ID {
			t.Errorf("the first: %+v", found)
		}
	})
}

// Tokens in flight are adopted for users of Django's of whom Latchkey knows nothing, also after their password was changed in Django.
func TestTokensOfDjangosAreAdopted(t *testing.T) {
	t.Parallel()
	const key = "a signing key that is long enough for it"
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "integer")
			s := site.serve(servertest.Configure(func(c *server.Config) { c.SimpleJWT.SigningKey = key }))
			token := func(id int, jti string) string {
				return signed(key, servertest.Members{
					"token_type": "refresh", "user_id": id, "jti": jti, "iat": s.Clock.Now().Add(-time.Hour).Unix(), "exp": s.Clock.Now().Add(time.Hour).Unix(),
				})
			}
			first := s.RefreshSimpleJWT(token(7, "one")).Expect(200).String("refresh")
			s.RefreshSimpleJWT(token(99, "two")).Expect(401)
			site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("another"))
			s.RefreshSimpleJWT(first).Expect(401)
			second := s.RefreshSimpleJWT(token(7, "three")).Expect(200).String("refresh")
			third := s.RefreshSimpleJWT(token(7, "four")).Expect(200).String("refresh")
			second = s.RefreshSimpleJWT(second).Expect(200).String("refresh")
			site.do(`UPDATE auth_user SET password = $1 WHERE username = 'ada'`, hash("a third one"))
			s.RefreshSimpleJWT(second).Expect(401)
			s.RefreshSimpleJWT(third).Expect(401)
		})
	}
}

// A column of the site's says whose addresses are verified, at once; one that was verified here counts too.
func TestAColumnOfDjangosVerifiesAddresses(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "integer")
			site.do(`ALTER TABLE auth_user ADD confirmed boolean`)
			site.config.Table.Columns["email_verified"] = "confirmed"
			s := site.serve()
			verified := func(name string) any {
				t.Helper()
				b := s.Browser()
				b.SignInAs(name, "secret")
				tokens := s.Redeem(s.Portal, b.Authorize(s.Portal, "scope", "openid email").Response(servertest.Callback).Get("code")).Expect(200)
				return s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+tokens.String("access_token"))).Expect(200).JSON()["email_verified"]
			}
			if got := verified("ada"); got != false {
				t.Errorf("with NULL: %v", got)
			}
			site.do(`UPDATE auth_user SET confirmed = true`)
			if got := verified("ada"); got != true {
				t.Errorf("with true: %v", got)
			}
			if got := verified("bob"); got == true {
				t.Error("an address that there is not is verified")
			}
			site.do(`UPDATE auth_user SET confirmed = false`)
			if err := site.store.UpdateUser(t.Context(), 7, storage.UserChange{Email: new("ada@example.org"), EmailVerified: new(true)}, testclock.Epoch, nil); err != nil {
				t.Fatal(err)
			}
			if got := verified("ada"); got != true {
				t.Errorf("verified before the users were in Django: %v", got)
			}
			site.do(`UPDATE auth_user SET email = 'eve@example.org' WHERE username = 'ada'`)
			if got := verified("ada"); got != false {
				t.Errorf("another address: %v", got)
			}
		})
	}
}

// The browser's session, a code and a device code end like sessions do.
func TestDjangoDecidesAboutBrowsersAndCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve()
		b := s.Browser()
		b.SignInAs("ada", "secret")
		code := func() string {
			p := b.Authorize(s.Portal)
			return p.Response(servertest.Callback).Get("code")
		}
		tokens := s.Redeem(s.Portal, code()).Expect(200)
		late := code()
		site.do(`UPDATE auth_user SET is_active = false WHERE username = 'ada'`)
		s.Redeem(s.Portal, late).ExpectError(400, "invalid_grant")
		s.Get("/oauth2/userinfo", servertest.Header("Authorization", "Bearer "+tokens.String("access_token"))).Expect(401)
		if p := b.Authorize(s.Portal); !p.Has("/login") {
			t.Errorf("the browser is still signed in: %q", p.Left)
		}
	})
}

// signed returns a JWT as Django writes it.
func signed(key string, claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func strict(c *server.Config) {
	c.SimpleJWT.Rotation, c.Rotation = clients.RotationStrict, clients.RotationStrict
}
