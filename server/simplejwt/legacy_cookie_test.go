package simplejwt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
)

const legacyName = "my-refresh-token"

// withLegacy starts a server that reads Django's cookies too, until a day from now.
func withLegacy(t *testing.T, legacy ...simplejwt.LegacyCookie) *servertest.Server {
	t.Helper()
	return withCookie(t, withSliding, func(c *server.Config) {
		c.SimpleJWT.LegacyCookies = append([]simplejwt.LegacyCookie{{Name: legacyName}}, legacy...)
		c.SimpleJWT.AdoptUntil = c.Now().Add(24 * time.Hour)
	})
}

// django writes a refresh token as Django does, which ends at the given time.
func django(s *servertest.Server, jti int, ends time.Duration) string {
	now := s.Clock.Now()
	return signed(fmt.Sprintf(`{"token_type":"refresh","exp":%d,"iat":%d,"jti":"%032x","user_id":1}`, now.Add(ends).Unix(), now.Unix(), jti))
}

// cookies returns the value of each cookie that an answer sets; "" for one that it removes.
func cookies(a *servertest.Answer) map[string]string {
	set := map[string]string{}
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		set[c.Name] = c.Value
	}
	return set
}

func sendCookies(s *servertest.Server, path string, pairs ...string) *servertest.Answer {
	return s.Do("POST", path, "", servertest.Header("Cookie", strings.Join(pairs, "; ")))
}

// A browser that comes from Django with its cookie goes on, and finds its session in both cookies from then on.
func TestDjangosRefreshCookieIsAdopted(t *testing.T) {
	t.Parallel()
	s := withLegacy(t, simplejwt.LegacyCookie{Name: "site_refresh", Path: "/auth", Domain: "example.com"})
	first := sendCookies(s, simplejwt.RefreshPath, legacyName+"="+django(s, 1, time.Hour)).Expect(200)
	if _, inBody := first.JSON()["refresh"]; inBody || first.String("access") == "" {
		t.Fatalf("%s", first.Body)
	}
	value := cookies(first)[cookieName]
	want := []string{
		cookieName + "=" + value + "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Strict",
		legacyName + "=" + value + "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Strict",
		"site_refresh=" + value + "; Path=/auth; Domain=example.com; Max-Age=86400; HttpOnly; Secure; SameSite=Strict",
	}
	if got := first.Header["Set-Cookie"]; value == "" || !slices.Equal(got, want) {
		t.Errorf("the answer sets\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	again := sendCookies(s, simplejwt.RefreshPath, cookieName+"="+value, legacyName+"="+value).Expect(200)
	last := cookies(again)[cookieName]
	out := sendCookies(s, simplejwt.BlacklistPath, cookieName+"="+last, legacyName+"="+last).Expect(200)
	if got := cookies(out); len(got) != 3 || got[cookieName]+got[legacyName]+got["site_refresh"] != "" {
		t.Errorf("a logout leaves cookies: %v", out.Header["Set-Cookie"])
	}
	sendCookies(s, simplejwt.RefreshPath, legacyName+"="+last).Expect(401)
}

// Whose login comes here writes Django's cookie as well, so that a way back finds it.
func TestALoginKeepsDjangosCookieInStep(t *testing.T) {
	t.Parallel()
	s := withLegacy(t)
	set := cookies(s.PostJSON(simplejwt.ObtainPath, credentials).Expect(200))
	if set[cookieName] == "" || set[legacyName] != set[cookieName] {
		t.Errorf("%v", set)
	}
	s.Clock.Advance(25 * time.Hour) // the window is over
	set = cookies(s.PostJSON(simplejwt.ObtainPath, credentials).Expect(200))
	if _, there := set[legacyName]; set[cookieName] == "" || there {
		t.Errorf("after the window: %v", set)
	}
}

// After the window Django's cookie is not read, and it goes with the next answer.
func TestAfterTheWindowDjangosCookieIsRemoved(t *testing.T) {
	t.Parallel()
	s := withLegacy(t)
	a := s.PostJSON(simplejwt.ObtainPath, credentials).Expect(200)
	held := cookies(a)[cookieName]
	s.Clock.Advance(20 * time.Hour)
	held = cookies(sendCookies(s, simplejwt.RefreshPath, cookieName+"="+held).Expect(200))[cookieName]
	s.Clock.Advance(5 * time.Hour)
	sendCookies(s, simplejwt.RefreshPath, legacyName+"="+held).Expect(400).ExpectBody(`{"refresh": ["This field is required."]}`)
	set := cookies(sendCookies(s, simplejwt.RefreshPath, cookieName+"="+held, legacyName+"=x").Expect(200))
	if value, there := set[legacyName]; set[cookieName] == "" || !there || value != "" {
		t.Errorf("%v", set)
	}
}

// Of two tokens the one that ends later was written last: after a way back that is Django's, while one that was left behind in a cookie of
// another path must not look like reuse of a retired token.
func TestTheNewerOfTheCookiesCounts(t *testing.T) {
	t.Parallel()
	s := withLegacy(t)
	old := django(s, 1, time.Hour)
	ours := cookies(sendCookies(s, simplejwt.RefreshPath, legacyName+"="+old).Expect(200))[cookieName]
	for range 3 {
		s.Clock.Advance(5 * time.Minute)
		// The browser sends the stale cookie first.
		a := sendCookies(s, simplejwt.RefreshPath, legacyName+"="+old, legacyName+"="+ours, cookieName+"="+ours).Expect(200)
		ours = cookies(a)[cookieName]
	}
	a := sendCookies(s, simplejwt.RefreshPath, cookieName+"="+ours, legacyName+"="+django(s, 2, 48*time.Hour)).Expect(200)
	sessions := map[any]bool{}
	for _, text := range []string{ours, cookies(a)[cookieName]} {
		sessions[claimsOf(t, text).get("fam")] = true
	}
	if len(sessions) != 2 {
		t.Error("the session that began at Django in between was not taken over")
	}
}

// Another host of the domain can plant a legacy cookie: a token that is not signed with the key does not end a session.
func TestAPlantedCookieDoesNotHideOurs(t *testing.T) {
	t.Parallel()
	s := withLegacy(t)
	ours := cookies(s.PostJSON(simplejwt.ObtainPath, credentials).Expect(200))[cookieName]
	good := django(s, 1, 24*time.Hour*300)
	for _, planted := range []string{"x", "..", good[:len(good)-8] + "AAAAAAAA"} {
		a := sendCookies(s, simplejwt.RefreshPath, legacyName+"="+planted, cookieName+"="+ours).Expect(200)
		set := cookies(a)
		if ours = set[cookieName]; set[legacyName] != ours {
			t.Errorf("%q: %v", planted, set)
		}
	}
	a := sendCookies(s, simplejwt.BlacklistPath, legacyName+"=x", cookieName+"="+ours).Expect(200)
	if set := cookies(a); set[cookieName]+set[legacyName] != "" || len(set) != 2 {
		t.Errorf("%v", set)
	}
}

func TestForeignPagesCanNotUseDjangosCookie(t *testing.T) {
	t.Parallel()
	s := withLegacy(t)
	from := servertest.Header("Origin", "https://evil.example")
	a := s.Do("POST", simplejwt.RefreshPath, "", servertest.Header("Cookie", legacyName+"="+django(s, 1, time.Hour)), from).Expect(403)
	if a.Header["Set-Cookie"] != nil {
		t.Errorf("%v", a.Header)
	}
}

func TestParseLegacyCookie(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]simplejwt.LegacyCookie{
		"refresh_token":                           {Name: "refresh_token"},
		"a; Path=/auth/; domain=.example.com":     {Name: "a", Path: "/auth/", Domain: ".example.com"},
		"__Secure-refresh;Domain=www.example.com": {Name: "__Secure-refresh", Domain: "www.example.com"},
		"__Host-old;Path=/":                       {Name: "__Host-old", Path: "/"},
	} {
		if got, err := simplejwt.ParseLegacyCookie(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "a b", "a=b", "a;path=auth", "a;path=/;path=/", "a;SameSite=Lax", "a;domain=", "a;domain=exa mple", "ä", "a\x00",
		"__Host-a;path=/x", "__host-a;domain=example.com", strings.Repeat("a", 300),
	} {
		if got, err := simplejwt.ParseLegacyCookie(text); err == nil {
			t.Errorf("%q is accepted: %+v", text, got)
		}
	}
}
