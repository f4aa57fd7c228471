package simplejwt_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
	"latchkey/storage"
	"latchkey/storage/teststore"
)

// A jti that comes from Django's blacklist ends that token alone: one that was never used here, the current one of an adopted session, and one
// that Django has written anew. The session goes on with its other tokens, and other sessions with theirs.
func TestAnImportedJTIEndsOnlyItself(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		s := servertest.New(t, servertest.Store(open(t)), servertest.Configure(withSliding), servertest.Configure(func(c *server.Config) {
			c.SimpleJWT.Rotation = clients.RotationConfirmed
		}))
		jti := func(raw string) string { text, _ := claimsOf(t, raw).get("jti").(string); return text }
		end := func(raws ...string) {
			t.Helper()
			var tokens []storage.RevokedToken
			for _, raw := range raws {
				tokens = append(tokens, storage.RevokedToken{JTI: jti(raw), ExpiresAt: s.Clock.Now().Add(48 * time.Hour)})
			}
			for range 2 { // the import may run again
				if _, err := s.Store.ImportRevokedTokens(t.Context(), tokens); err != nil {
					t.Fatal(err)
				}
			}
		}
		refused := func(what, raw string) {
			t.Helper()
			a := s.RefreshSimpleJWT(raw).Expect(401)
			if !strings.Contains(string(a.Body), "blacklisted") {
				t.Errorf("%s: %s", what, a.Body)
			}
			// simplejwt looks at its blacklist at both, too.
			s.PostJSON(simplejwt.BlacklistPath, map[string]string{"refresh": raw}).Expect(401)
			if a := s.PostJSON(simplejwt.VerifyPath, map[string]string{"token": raw}); a.Status == 200 {
				t.Errorf("%s: verify says it is good", what)
			}
		}

		dead, other := django(s, 1, time.Hour), django(s, 2, time.Hour)
		end(dead)
		refused("a token that was never used here", dead)
		refused("again", dead)
		adopted := s.RefreshSimpleJWT(other).Expect(200).String("refresh")

		// The session was adopted; now Django's end of its first token arrives, late.
		end(other)
		refused("the first token of an adopted session", other)
		s.Clock.Advance(time.Minute)
		next := s.RefreshSimpleJWT(adopted).Expect(200).String("refresh")

		// Back at Django, that rotates (BLACKLIST_AFTER_ROTATION): the old jti is ended, the new one goes on here.
		anew := signed(strings.Replace(string(claimsOf(t, next).json()), jti(next), strings.Repeat("ab", 16), 1))
		end(next)
		refused("the one that Django has rotated", next)
		s.Clock.Advance(time.Minute)
		after := s.RefreshSimpleJWT(anew).Expect(200).String("refresh")
		s.Clock.Advance(time.Minute)
		s.RefreshSimpleJWT(after).Expect(200)

		// Of two sessions of a user one is ended.
		one, two := s.LoginSimpleJWT().Refresh, s.LoginSimpleJWT().Refresh
		end(one)
		refused("a session that began here", one)
		s.RefreshSimpleJWT(two).Expect(200)
	})
}
