package route_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"latchkey/server/internal/request"
	"latchkey/server/route"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *route.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
	var seen string
	b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
		seen = request.From(r.Context()).ID
		return nil
	}, render)
	send := func(remote, id string) string {
		r := httptest.NewRequest("GET", "/a", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Request-Id", id)
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if got := w.Header().Get("X-Request-Id"); got != seen || got == "" {
			t.Errorf("the header says %q, the context %q", got, seen)
		}
		return seen
	}
	if got := send("192.0.2.7:1", "abc-1.2_3"); got != "abc-1.2_3" {
		t.Errorf("a trusted proxy's id became %q", got)
	}
	first := send("198.51.100.1:1", "abc")
	if first == "abc" || first == send("198.51.100.1:1", "abc") {
		t.Errorf("a stranger's id gave %q", first)
	}
	for _, bad := range []string{"", "a b", "a\nb", "é", strings.Repeat("x", 129), `"`} {
		if got := send("192.0.2.7:1", bad); got == bad {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *route.Config) {
		c.TrustedProxies = []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::ffff:172.16.0.0/108"),
		}
	})
	var got string
	b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
		got = request.From(r.Context()).Address.String()
		return nil
	}, render)
	const xff, fwd = "X-Forwarded-For", "Forwarded"
	for _, c := range []struct {
		name, remote string
		header       []string
		want         string
	}{
		{"no proxy", "198.51.100.1:5", nil, "198.51.100.1"},
		{"a stranger's word", "198.51.100.1:5", []string{xff, "1.2.3.4", fwd, "for=1.2.3.4"}, "198.51.100.1"},
		{"proxy without a header", "10.0.0.1:5", nil, "10.0.0.1"},
		{"one hop", "10.0.0.1:5", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"spoofed left", "10.0.0.1:5", []string{xff, "1.2.3.4, 203.0.113.9"}, "203.0.113.9"},
		{"spoofed in an earlier line", "10.0.0.1:5", []string{xff, "1.2.3.4", xff, "203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.0.0.1:5", []string{xff, "1.2.3.4, 203.0.113.9, 10.9.9.9"}, "203.0.113.9"},
		{"all are ours", "10.0.0.1:5", []string{xff, "10.2.2.2, 10.9.9.9"}, "10.2.2.2"},
		{"with a port", "10.0.0.1:5", []string{xff, "203.0.113.9:4711"}, "203.0.113.9"},
		{"IPv6", "10.0.0.1:5", []string{xff, "2001:db9::1"}, "2001:db9::1"},
		{"IPv6 with a port", "10.0.0.1:5", []string{xff, "[2001:db9::1]:80"}, "2001:db9::1"},
		{"IPv4-mapped hop", "10.0.0.1:5", []string{xff, "1.2.3.4, ::ffff:203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped peer", "[::ffff:10.0.0.1]:5", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped prefix", "172.16.3.4:5", []string{xff, "203.0.113.9"}, "203.0.113.9"},
		{"unreadable", "10.0.0.1:5", []string{xff, "1.2.3.4, unknown"}, "10.0.0.1"},
		{"unreadable behind one of ours", "10.0.0.1:5", []string{xff, "1.2.3.4, x, 10.9.9.9"}, "10.9.9.9"},
		{"empty", "10.0.0.1:5", []string{xff, ""}, "10.0.0.1"},
		{"Forwarded", "10.0.0.1:5", []string{fwd, "for=203.0.113.9"}, "203.0.113.9"},
		{"Forwarded, in full", "10.0.0.1:5", []string{fwd, `for=1.2.3.4;by=10.0.0.2, By=10.0.0.1;FOR="[2001:db9::1]:4711";proto=https;host=a`}, "2001:db9::1"},
		{"Forwarded, two lines", "10.0.0.1:5", []string{fwd, "for=1.2.3.4", fwd, "for=203.0.113.9"}, "203.0.113.9"},
		{"Forwarded, obfuscated", "10.0.0.1:5", []string{fwd, "for=1.2.3.4, for=_hidden"}, "10.0.0.1"},
		{"Forwarded without for", "10.0.0.1:5", []string{fwd, "for=1.2.3.4, proto=https"}, "10.0.0.1"},
		{"Forwarded with an open quote in front", "10.0.0.1:5", []string{fwd, `for="1.2.3.4, for=203.0.113.9`}, "10.0.0.1"},
		{"Forwarded with a quoted comma", "10.0.0.1:5", []string{fwd, `for=1.2.3.4;by="a, for=9.9.9.9", for=203.0.113.9`}, "203.0.113.9"},
		{"Forwarded with an open pair in front", "10.0.0.1:5", []string{fwd, "for=6.6.6.6;, for=203.0.113.9"}, "10.0.0.1"},
		{"both agree", "10.0.0.1:5", []string{xff, "1.1.1.1, 203.0.113.9", fwd, "for=203.0.113.9"}, "203.0.113.9"},
		{"both disagree: one is the client's lie", "10.0.0.1:5", []string{xff, "203.0.113.9", fwd, "for=6.6.6.6"}, "10.0.0.1"},
	} {
		r := httptest.NewRequest("GET", "/a", nil)
		r.RemoteAddr = c.remote
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Add(c.header[i], c.header[i+1])
		}
		b.ServeHTTP(httptest.NewRecorder(), r)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestUserAgentIsTextForTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got string
	b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
		got = request.From(r.Context()).UserAgent
		return nil
	}, render)
	do(b, "GET", "/a", "", "User-Agent", "cu\xffrl\x00"+strings.Repeat("é", 200))
	if want := "curl" + strings.Repeat("é", 125); got != want {
		t.Errorf("%q", got)
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add(`for=1.2.3.4;by="a, for=9.9.9.9"`, "abc")
	f.Add(`for="\"`, "a b")
	f.Add("for=6.6.6.6;", "")
	f.Fuzz(func(t *testing.T, attacker, id string) {
		b := setup(t, func(c *route.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
		var got string
		b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
			got = request.From(r.Context()).Address.String()
			return nil
		}, render)
		r := httptest.NewRequest("GET", "/a", nil)
		r.RemoteAddr = "10.0.0.1:5"
		r.Header["Forwarded"] = []string{attacker + ", for=203.0.113.9"}
		r.Header["X-Request-Id"] = []string{id}
		b.ServeHTTP(httptest.NewRecorder(), r)
		// Whatever the client writes in front, the proxy's own entry counts, or nothing does.
		if got != "203.0.113.9" && got != "10.0.0.1" {
			t.Errorf("the client made itself %s with %q", got, attacker)
		}
	})
}
