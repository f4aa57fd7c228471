package account_test

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
)

// leaks is a service that knows which passwords have leaked.
type leaks struct {
	mu     sync.Mutex
	answer func(w http.ResponseWriter)
	asked  []string
}

// took returns what was asked for since the last call.
func (l *leaks) took() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := l.asked
	l.asked = nil
	return asked
}

func (l *leaks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, r.URL.String())
	l.answer(w)
}

// ASVS 6.2.12: a password that is known from a data breach is refused, and the service that knows it learns five digits of a hash. Without an answer
// passwords are accepted.
func TestALeakedPasswordIsRefused(t *testing.T) {
	t.Parallel()
	const leaked = "a phrase that leaked"
	hash := fmt.Sprintf("%X", sha1.Sum([]byte(leaked)))
	service := new(leaks)
	list := httptest.NewServer(service)
	t.Cleanup(list.Close)
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.BreachedPasswordsURL, c.OutboundAllow = list.URL+"/range", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}))
	lines := func(count string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "%s:3\r\n%s:%s\r\n%s:0", strings.Repeat("0", 35), hash[5:], count, strings.Repeat("F", 35))
		}
	}
	current := servertest.Password
	for _, c := range []struct {
		name     string
		answer   func(http.ResponseWriter)
		password string
		refused  bool
	}{
		{"known", lines("17"), leaked, true},
		{"another one with the same beginning", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, strings.Repeat("0", 35)+":9")
		}, "some unrelated words", false},
		{"a line that hides how many there are", lines("0"), leaked, false},
		{"no answer", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, leaked + "!", false},
		{"nonsense", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, strings.Repeat("x", 100_000)+"\n:::\n\x00")
		}, leaked + "?", false},
		{"a page", func(w http.ResponseWriter) { fmt.Fprint(w, "<html>"+hash[5:]+":1") }, leaked, false},
	} {
		service.mu.Lock()
		service.answer = c.answer
		service.mu.Unlock()
		b := s.Browser()
		b.SignInAs(servertest.Username, current)
		if asked := service.took(); len(asked) != 0 {
			t.Errorf("%s: a login asks %q", c.name, asked)
		}
		page := b.Get("/account").Form("/account/password").Set("current_password", current, "new_password", c.password, "new_password_again", c.password).Submit()
		if refused := page.Status == http.StatusBadRequest; refused != c.refused {
			t.Errorf("%s: status %d", c.name, page.Status)
		}
		if c.refused && !strings.Contains(page.Body, "known from a data breach") {
			t.Errorf("%s: the page is %s", c.name, page.Body)
		}
		want := "/range/" + fmt.Sprintf("%X", sha1.Sum([]byte(c.password)))[:5]
		if asked := service.took(); len(asked) != 1 || asked[0] != want {
			t.Errorf("%s: asked for %q, want %s alone", c.name, asked, want)
		}
		if !c.refused {
			current = c.password
		}
	}
}
