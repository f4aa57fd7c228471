package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/storage"
)

// fetch asks for a static file below the issuer's path.
func fetch(t testing.TB, p *web.Pages, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	rt := route.New(route.Config{Logger: slog.New(slog.DiscardHandler), Metrics: metrics.New(), Now: time.Now})
	rt.Public(web.StaticPath, p.Static, p.RenderError, route.Methods(http.MethodGet))
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, r)
	return w
}

func TestStatement11PagesLoadOurFilesOnlyAndNoInlineScript(t *testing.T) {
	t.Parallel()
	p := setup(t)
	const base = "default-src 'none'; style-src 'self'; img-src 'self'"
	const end = "; base-uri 'none'; frame-ancestors 'none'"
	for _, c := range []struct {
		view web.View
		want string
	}{
		{web.Login{}, base + "; form-action 'self'" + end},
		{web.Login{Way: web.Way{Away: true}}, base + end},
		{web.Consent{}, base + end},
		{web.Logout{Way: web.Way{Away: true}}, base + end},
		{web.Logout{}, base + "; form-action 'self'" + end},
		{web.Error{Status: 400}, base + "; form-action 'self'" + end},
		{web.Account{}, base + "; form-action 'self'" + end},
		{web.FormPost{Action: "https://app.example/cb"}, base + "; script-src 'self'" + end},
	} {
		w := show(t, p, c.view)
		if got := w.Header().Get("Content-Security-Policy"); got != c.want {
			t.Errorf("%T: %s", c.view, got)
		}
		if ct := w.Header().Get("Content-Type"); ct != "text/html; charset=utf-8" {
			t.Errorf("%T: %s", c.view, ct)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%T: Cache-Control %q", c.view, got)
		}
		for n := range parse(t, w.Body.String()).Descendants() {
			if n.Data == "style" || n.Data == "script" && attr(n, "src") == "" || attr(n, "style") != "" {
				t.Errorf("%T: <%s> would not be run", c.view, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%T: %s would not be run", c.view, a.Key)
				}
			}
		}
		for _, url := range loaded(t, w.Body.String()) {
			got := fetch(t, p, strings.TrimPrefix(url, "/auth"))
			if !strings.HasPrefix(url, "/auth/static/") || got.Code != http.StatusOK {
				t.Errorf("%T: %s answers %d", c.view, url, got.Code)
			}
			if cc := got.Header().Get("Cache-Control"); cc != "public, max-age=31536000, immutable" {
				t.Errorf("%s: Cache-Control %q", url, cc)
			}
		}
	}
}

func TestStatement19FormPostEscapesWhatItCarries(t *testing.T) {
	t.Parallel()
	state := `"><script>alert(1)</script>` + "\u202e é &amp;"
	w := show(t, setup(t), web.FormPost{Action: `https://app.example/cb?a="b"&c=<d>`, Fields: []web.Field{{Name: "state", Value: state}, {Name: `x"`, Value: ""}}})
	doc := parse(t, w.Body.String())
	if got := all(doc, "input", "name", "state", "value", state); len(got) != 1 {
		t.Errorf("state does not arrive as it is: %s", w.Body)
	}
	if n := len(all(doc, "script")); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be stored")
	}
	// html/template lets no script through, whatever was registered.
	if b := show(t, setup(t), web.FormPost{Action: "javascript:alert(1)"}).Body.String(); strings.Contains(b, "javascript:alert") {
		t.Error("the form runs a script")
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	p := setup(t)
	w := fetch(t, p, "/static/style.css")
	if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=300" || w.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := fetch(t, p, "/static/style.css", "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("an unchanged file answers %d", w.Code)
	}
	if csp := fetch(t, p, "/static/icon.svg").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") {
		t.Errorf("an image may run scripts: %q", csp)
	}
	w = fetch(t, p, "/static/nothing.css")
	if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" || len(all(parse(t, w.Body.String()), "h1")) != 1 {
		t.Errorf("a file that is not there: %d %v", w.Code, w.Header())
	}
}

func TestRenderErrorShowsWhatIsMeantForClients(t *testing.T) {
	t.Parallel()
	p := setup(t)
	refused := func(status int, code string) error {
		return &protocol.Error{
			Status: status, Code: code, Description: "Too many requests.", RetryAfter: 6500 * time.Millisecond, Cause: errors.New("the cause with a secret"),
		}
	}
	for _, c := range []struct {
		err         error
		status      int
		retry, code string
		title       string
	}{
		{&route.Error{Status: 404, Message: "There is nothing at this address."}, 404, "", "not_found", "Page not found"},
		{&route.Error{Status: 403, Message: "A page of another site sent this form."}, 403, "", "invalid_request", "Request refused"},
		{&route.Error{Status: 500, Message: "The server failed."}, 500, "", "server_error", "Something went wrong"},
		{refused(400, "expired"), 400, "7", "expired", "This request has expired"},
		{refused(400, "invalid_request_uri"), 400, "7", "invalid_request_uri", "This request has expired"},
		{refused(400, "invalid_scope"), 400, "7", "invalid_scope", "This request can’t be processed"},
		{fmt.Errorf("authorize: %w", refused(429, "slow_down")), 429, "7", "slow_down", "Please try again in a moment"},
		{fmt.Errorf("read secret row: %w", storage.ErrUnavailable), 503, "2", "temporarily_unavailable", "Please try again in a moment"},
		{errors.New("pq: secret"), 500, "", "server_error", "Something went wrong"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(request.With(r.Context(), &request.Info{ID: "REQ1"}))
		w := httptest.NewRecorder()
		p.RenderError(w, r, c.err)
		doc := parse(t, w.Body.String())
		if w.Code != c.status || w.Header().Get("Retry-After") != c.retry || text(all(doc, "h1")[0]) != c.title {
			t.Errorf("%v: %d, Retry-After %q, %s", c.err, w.Code, w.Header().Get("Retry-After"), text(all(doc, "h1")[0]))
		}
		details := text(all(doc, "dl")[0])
		if !strings.Contains(details, c.code) || !strings.Contains(details, "REQ1") {
			t.Errorf("%v: details are %s", c.err, details)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v is shown", c.err)
		}
	}
}
