package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
)

const asBrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

// Row P: an address that is typed into a browser answers with a page.
func TestRowPPagesAnswerPages(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/auth", "/a/b"} {
		s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Issuer += base }))
		get := func(path, accept string) *servertest.Answer { return s.Get(path, servertest.Header("Accept", accept)) }
		for _, unknown := range []string{"/nothing", "/oauth2/nothing", "/logi", "/login//", "/LOGIN", "/account/nothing/", "/%2e%2e/x", "//evil.example/"} {
			a := get(base+unknown, asBrowser).Expect(404)
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.Body, "Page not found") ||
				a.Header.Get("X-Frame-Options") != "DENY" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s%s: %v %s", base, unknown, a.Header, a.Body)
			}
			for _, accept := range []string{"application/json", "*/*", ""} {
				if a := get(base+unknown, accept).Expect(404); a.String("error") != "not_found" {
					t.Errorf("%s%s, %q: %s", base, unknown, accept, a.Body)
				}
			}
		}
		s.Do("POST", base+"/nothing", "", servertest.Header("Accept", asBrowser)).ExpectError(404, "not_found")
		s.Do("POST", base+"/oauth2/token/", "", servertest.Header("Accept", asBrowser)).ExpectError(404, "not_found")
		if !strings.Contains(s.Get(base+"/nothing", servertest.Header("Accept", asBrowser), servertest.Header("Accept-Language", "de")).Body, "Seite nicht gefunden") {
			t.Errorf("%s: not in German", base)
		}

		for path, to := range map[string]string{
			"/login/": "../login", "/account/": "../account", "/consent/?request=x": "../consent?request=x",
			"/oauth2/authorize/?client_id=a&scope=b%20c": "../authorize?client_id=a&scope=b%20c", "/oauth2/logout/": "../logout",
		} {
			if a := get(base+path, asBrowser).Expect(http.StatusPermanentRedirect); a.Header.Get("Location") != to {
				t.Errorf("%s%s: to %q", base, path, a.Header.Get("Location"))
			}
		}
		b := s.Browser()
		if page := b.Follow(base + "/login/"); page.Status != 200 || !page.Has(base+"/login") {
			t.Errorf("%s: %d", base, page.Status)
		}
		// The issuer itself leads to the account.
		for _, root := range []string{base, base + "/"} {
			if page := s.Browser().Follow(root); page.Status != 200 || !page.Has(base+"/login") {
				t.Errorf("%q: %d %s", root, page.Status, page.URL)
			}
		}
		for _, document := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/jwks"} {
			s.Get(base + document).Expect(200)
			s.Get(base + document + "/").Expect(200)
		}
		if base != "" { // a proxy may have cut the path off; RFC 8414 §3.1 inserts the well-known part
			s.Get("/.well-known/oauth-authorization-server" + base).Expect(200)
			s.Get("/oauth2/jwks").Expect(200)
		}
	}
}
