package route_test

import (
	"net/http"
	"slices"
	"testing"

	"latchkey/server/route"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/token", ok, render, route.Methods("POST"), route.CORS())
	b.API("/raw/", ok, render, route.CORS("POST"))
	b.API("/authorize", ok, render)

	for _, c := range []struct {
		name, method, path, origin, want string
	}{
		{"allowed", "POST", "/token", spa, spa},
		{"allowed, on an error too", "GET", "/token", spa, spa},
		{"another origin", "POST", "/token", "https://evil.example", ""},
		{"null", "POST", "/token", "null", ""},
		{"none", "POST", "/token", "", ""},
		{"route without CORS", "POST", "/authorize", spa, ""},
		{"raw", "GET", "/raw/", spa, spa},
	} {
		w := do(b, c.method, c.path, "", "Origin", c.origin)
		h := w.Header()
		if got := h.Get("Access-Control-Allow-Origin"); got != c.want {
			t.Errorf("%s: Access-Control-Allow-Origin is %q", c.name, got)
		}
		if vary := slices.Contains(h.Values("Vary"), "Origin"); vary != (c.path != "/authorize") {
			t.Errorf("%s: Vary is %q", c.name, h.Values("Vary"))
		}
		if _, ok := h["Access-Control-Allow-Credentials"]; ok {
			t.Errorf("%s: credentials are allowed", c.name)
		}
		if got, want := h.Get("Access-Control-Expose-Headers"), "Retry-After, WWW-Authenticate, DPoP-Nonce, X-Request-Id, X-Latchkey-Reason"; (got == want) != (c.want != "") {
			t.Errorf("%s: exposed is %q", c.name, got)
		}
	}
}

// Cookies go to the named origins alone, on the routes that ask for them, and never to everybody.
func TestCredentials(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookies := route.Credentials("*", "", spa, "https://not-allowed.example")
	b.API("/cookie", ok, render, route.CORS("POST"), cookies)
	b.API("/token", ok, render, route.CORS("POST"))
	b.API("/no-cors", ok, render, cookies)
	b.API("/other-origin", ok, render, route.CORS("POST"), route.Credentials("https://other.example"))
	b.Public("/public", ok, render, cookies)
	for _, c := range []struct {
		path, origin string
		want         string
	}{
		{"/cookie", spa, "true"},
		{"/cookie", "https://evil.example", ""},
		{"/cookie", "https://not-allowed.example", ""}, // named, but CORS does not allow it
		{"/cookie", "null", ""},
		{"/cookie", "*", ""},
		{"/cookie", "", ""},
		{"/other-origin", spa, ""},
		{"/token", spa, ""},
		{"/no-cors", spa, ""},
		{"/public", spa, ""},
	} {
		for _, method := range []string{"POST", "OPTIONS"} {
			h := do(b, method, c.path, "", "Origin", c.origin, "Access-Control-Request-Method", "POST").Header()
			if got := h.Get("Access-Control-Allow-Credentials"); got != c.want {
				t.Errorf("%s %s from %q: Access-Control-Allow-Credentials is %q", method, c.path, c.origin, got)
			}
		}
	}
}

func TestUnvaried(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", ok, render, route.CORS("POST"), route.Unvaried())
	h := do(b, "POST", "/a", "", "Origin", spa).Header()
	if h.Get("Access-Control-Allow-Origin") != spa || h.Get("Vary") != "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers are %v", h)
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	var calls []string
	note := func(w http.ResponseWriter, r *http.Request) error {
		calls = append(calls, r.Method)
		return nil
	}
	b := setup(t)
	b.API("/token", note, render, route.Methods("POST"), route.CORS())
	b.API("/raw/", note, render, route.CORS("POST"))
	b.Public("/keys", note, render, route.Methods("GET"))

	ask := func(path, origin, headers string) http.Header {
		w := do(b, "OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", headers)
		if w.Code != http.StatusNoContent {
			t.Errorf("%s from %s: status %d", path, origin, w.Code)
		}
		return w.Header()
	}
	for _, path := range []string{"/token", "/raw/"} {
		h := ask(path, spa, "content-type, x-csrftoken, bad header, <script>")
		if h.Get("Access-Control-Allow-Origin") != spa || h.Get("Access-Control-Allow-Methods") != "POST" || h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("%s: %v", path, h)
		}
		if got, want := h.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type, Accept, X-Requested-With, DPoP, x-csrftoken"; got != want {
			t.Errorf("%s: headers %q, want %q", path, got, want)
		}
		for _, origin := range []string{"https://evil.example", "null"} {
			h := ask(path, origin, "")
			if h.Get("Access-Control-Allow-Origin")+h.Get("Access-Control-Allow-Methods") != "" || !slices.Contains(h.Values("Vary"), "Origin") {
				t.Errorf("%s from %s: %v", path, origin, h)
			}
		}
	}
	if h := ask("/keys", "https://anybody.example", ""); h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, HEAD" {
		t.Errorf("/keys: %v", h)
	}
	if len(calls) != 0 {
		t.Errorf("preflights reached the handler: %v", calls)
	}
	do(b, "OPTIONS", "/raw/", "", "Origin", spa)
	do(b, "OPTIONS", "/raw/", "", "Access-Control-Request-Method", "POST")
	do(b, "OPTIONS", "/raw/", "")
	if len(calls) != 3 {
		t.Errorf("of three OPTIONS that are no preflight the handler saw %d", len(calls))
	}
}
