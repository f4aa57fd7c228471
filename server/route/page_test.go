package route_test

import (
	"net/http"
	"testing"

	"latchkey/server/route"
)

const origin = "https://id.example"

func pages(t *testing.T) *bench {
	b := setup(t, func(c *route.Config) { c.Origin = origin })
	b.Page("/login", ok, render)
	b.Page("/oauth2/authorize", ok, render, route.AllowCrossSite())
	b.API("/oauth2/token", ok, render)
	return b
}

func TestStatement11PagesAreNeitherFramedNorStoredNorTold(t *testing.T) {
	t.Parallel()
	b := pages(t)
	// The same when the class refuses: the error page is a page.
	for _, w := range []http.Header{
		do(b, "GET", "/login", "").Header(),
		do(b, "GET", "/login", "", "User-Agent", "Mozilla/5.0", "Sec-Fetch-Site", "none").Header(),
		do(b, "POST", "/login", "", "Sec-Fetch-Site", "cross-site").Header(),
	} {
		for name, want := range map[string]string{
			"Cache-Control":           "no-store",
			"X-Content-Type-Options":  "nosniff",
			"X-Frame-Options":         "DENY",
			"Referrer-Policy":         "no-referrer",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		} {
			if got := w.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestStatement13FormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := pages(t)
	const safari15 = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Safari/605.1.15"
	for _, c := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"our page", "POST", "/login", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, 200},
		{"another site", "POST", "/login", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		{"a neighbour", "POST", "/login", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://app.id.example"}, 403},
		{"a sandboxed frame", "POST", "/login", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, 403},
		{"a script", "POST", "/login", nil, 200},
		{"an old browser, our page", "POST", "/login", []string{"User-Agent", safari15, "Origin", origin}, 200},
		{"an old browser, another site", "POST", "/login", []string{"User-Agent", safari15, "Origin", "https://evil.example"}, 403},
		{"an old browser, a sandboxed frame", "POST", "/login", []string{"User-Agent", safari15, "Origin", "null"}, 403},
		{"any unsafe method", "DELETE", "/login", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a link", "GET", "/login", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		{"a request that applications send", "POST", "/oauth2/authorize", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, 200},
		{"no page", "POST", "/oauth2/token", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example"}, 200},
	} {
		if w := do(b, c.method, c.path, "", c.header...); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		} else if c.want == 403 && w.Body.String() != "rendered" {
			t.Errorf("%s: the route's renderer did not answer: %s", c.name, w.Body)
		}
	}
	// What makes the form of an old browser pass: it may tell our own server where it comes from.
	if got := do(b, "GET", "/login", "", "User-Agent", safari15).Header().Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("an old browser is told %q", got)
	}
}
