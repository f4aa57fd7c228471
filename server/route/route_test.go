package route_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/request"
	"latchkey/server/route"
)

// bench is a router with what it wrote to its log.
type bench struct {
	*route.Router
	metrics *metrics.Metrics
	log     *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// events are the request events so far.
func (l *logBuffer) events(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var events []map[string]any
	for line := range strings.Lines(l.b.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}

const spa = "https://app.example"

func setup(t testing.TB, change ...func(*route.Config)) *bench {
	t.Helper()
	b := &bench{metrics: metrics.New(), log: new(logBuffer)}
	cfg := route.Config{
		Logger:      slog.New(slog.NewJSONHandler(b.log, nil)),
		Metrics:     b.metrics,
		AllowOrigin: func(_ context.Context, origin string) bool { return origin == spa },
		Now:         time.Now,
	}
	for _, c := range change {
		c(&cfg)
	}
	b.Router = route.New(cfg)
	return b
}

// render writes the error's status and text, as a protocol would.
func render(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusTeapot
	var e *route.Error
	if errors.As(err, &e) {
		status = e.Status
	}
	w.WriteHeader(status)
	fmt.Fprint(w, "rendered")
}

func ok(w http.ResponseWriter, _ *http.Request) error {
	_, err := io.WriteString(w, "ok")
	return err
}

func do(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAPIAnswersAreNeverStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", ok, render)
	w := do(b, "POST", "/a", "")
	for name, want := range map[string]string{
		"Cache-Control":             "no-store", // RFC 6749 §5.1
		"Pragma":                    "no-cache",
		"X-Content-Type-Options":    "nosniff",
		"Referrer-Policy":           "no-referrer",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"Strict-Transport-Security": "",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHSTSOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *route.Config) { c.HSTS = true })
	b.API("/a", ok, render)
	if got := do(b, "GET", "/a", "").Header().Get("Strict-Transport-Security"); !strings.Contains(got, "max-age=") {
		t.Errorf("Strict-Transport-Security is %q", got)
	}
}

func TestPublicAnswersAreForEveryOriginAndCacheable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fail := false
	b.Public("/keys", func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("ETag", `"1"`)
		if fail {
			return errors.New("broken")
		}
		return ok(w, r)
	}, render, route.Methods("GET"))

	w := do(b, "GET", "/keys", "", "Origin", "https://anybody.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("headers are %v", w.Header())
	}
	fail = true
	w = do(b, "GET", "/keys", "")
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("ETag") != "" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers of an error are %v", w.Header())
	}
}

func TestRoutesAreExact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/api/token/", ok, render)
	b.API("/oauth2/token", ok, render)
	for _, path := range []string{"/api/token", "/oauth2/token/", "//oauth2/token", "/oauth2/./token", "/x/../oauth2/token", "/", "/OAUTH2/token"} {
		w := do(b, "POST", path, "")
		if w.Code != http.StatusNotFound || w.Header().Get("Location") != "" {
			t.Errorf("%s answers %d, Location %q", path, w.Code, w.Header().Get("Location"))
		}
		if ct := w.Header().Get("Content-Type"); ct != "application/json" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: %s: %s", path, ct, w.Body)
		}
		if w.Header().Get("X-Request-Id") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the class is missing: %v", path, w.Header())
		}
	}
	for _, path := range []string{"/api/token/", "/oauth2/token"} {
		if w := do(b, "POST", path, ""); w.Code != http.StatusOK {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/post", ok, render, route.Methods("POST"))
	b.API("/get", ok, render, route.Methods("GET"))
	b.API("/raw", func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, "handler saw "+r.Method)
		return err
	}, render)

	if w := do(b, "GET", "/post", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || w.Body.String() != "rendered" {
		t.Errorf("GET /post: %d, Allow %q, %q", w.Code, w.Header().Get("Allow"), w.Body)
	}
	if w := do(b, "HEAD", "/get", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD of a GET route answers %d", w.Code)
	}
	if w := do(b, "DELETE", "/get", ""); w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow is %q", w.Header().Get("Allow"))
	}
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "BREW"} {
		if w := do(b, m, "/raw", ""); w.Body.String() != "handler saw "+m {
			t.Errorf("%s /raw: %d %q", m, w.Code, w.Body)
		}
	}
}

func TestBodyCap(t *testing.T) {
	t.Parallel()
	var read int
	echo := func(w http.ResponseWriter, r *http.Request) error {
		b, err := io.ReadAll(r.Body)
		read = len(b)
		if err != nil {
			return fmt.Errorf("read form: %w", err)
		}
		return ok(w, r)
	}
	b := setup(t)
	b.API("/capped", echo, render)
	b.API("/small", echo, render, route.MaxBody(10))
	b.API("/own", echo, render, route.MaxBody(-1))

	for _, c := range []struct {
		path    string
		size    int
		chunked bool
		want    int
	}{
		{"/capped", 64 << 10, false, 200},
		{"/capped", 64<<10 + 1, false, 413},
		{"/capped", 64 << 10, true, 200},
		{"/capped", 64<<10 + 1, true, 413},
		{"/small", 10, false, 200},
		{"/small", 11, false, 413},
		{"/own", 1 << 20, false, 200},
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(strings.Repeat("x", c.size)))
		if c.chunked {
			r.ContentLength = -1
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v answers %d", c, w.Code)
		}
		if c.want == 413 && !c.chunked && read != 0 {
			t.Errorf("%+v: %d bytes were read of a body that says it is too large", c, read)
		}
	}
}

func TestPanicIsRenderedAndLoggedWithItsStack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("ETag", `"half-made"`)
		w.Header().Set("WWW-Authenticate", "Basic")
		panic("kaboom")
	}, render, route.CORS())
	w := do(b, "POST", "/a", "", "Origin", spa)
	if w.Code != http.StatusInternalServerError || w.Body.String() != "rendered" {
		t.Errorf("answer %d %q", w.Code, w.Body)
	}
	if w.Header().Get("ETag") != "" || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("headers of the failed handler are left: %v", w.Header())
	}
	if w.Header().Get("Access-Control-Allow-Origin") != spa || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers of the class are missing: %v", w.Header())
	}
	e := b.log.events(t)
	if len(e) != 1 || e[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(e[0]["error"]), "kaboom") ||
		!strings.Contains(fmt.Sprint(e[0]["stack"]), "route_test.go") || e[0]["status"] != 500.0 {
		t.Errorf("log is %v", e)
	}
}

// A panic behind the first byte must break the connection: a client must not take the half for the whole.
func TestPanicBehindTheFirstByteBreaksTheConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", func(w http.ResponseWriter, _ *http.Request) error {
		io.WriteString(w, strings.Repeat("x", 10_000))
		http.NewResponseController(w).Flush()
		panic("kaboom")
	}, render)
	s := httptest.NewServer(b)
	defer s.Close()
	resp, err := s.Client().Get(s.URL + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer looks whole")
	}
	if e := b.log.events(t); len(e) != 1 || e[0]["level"] != "ERROR" {
		t.Errorf("log is %v", e)
	}
}

func TestOneLogEventPerRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/oauth2/register/{client_id}", func(w http.ResponseWriter, r *http.Request) error {
		request.From(r.Context()).Event.Add(slog.String("client_id", route.Var(r, "client_id")))
		return ok(w, r)
	}, render)
	w := do(b, "GET", "/oauth2/register/abc?token=lk_rt_canary", "", "User-Agent", "x")
	do(b, "GET", "/nowhere/lk_rt_canary", "")
	e := b.log.events(t)
	if len(e) != 2 {
		t.Fatalf("%d events", len(e))
	}
	want := map[string]any{
		"msg": "request", "level": "INFO", "method": "GET", "route": "/oauth2/register/{client_id}", "status": 200.0, "bytes": 2.0,
		"request_id": w.Header().Get("X-Request-Id"), "client_address": "192.0.2.1", "client_id": "abc",
	}
	for k, v := range want {
		if e[0][k] != v {
			t.Errorf("%s is %v, want %v", k, e[0][k], v)
		}
	}
	if _, ok := e[0]["duration_ms"].(float64); !ok {
		t.Error("no duration")
	}
	if e[1]["route"] != route.Unmatched || e[1]["status"] != 404.0 {
		t.Errorf("the second event is %v", e[1])
	}
	if strings.Contains(b.log.b.String(), "canary") {
		t.Errorf("a token from the address is in the log: %s", b.log.b.String())
	}
	if got := testutil.ToFloat64(b.metrics.Requests.WithLabelValues("/oauth2/register/{client_id}", "GET", "200")); got != 1 {
		t.Errorf("counted %v", got)
	}
	do(b, "BREW", "/nowhere", "")
	if got := testutil.ToFloat64(b.metrics.Requests.WithLabelValues(route.Unmatched, "other", "404")); got != 1 {
		t.Errorf("an invented method is counted %v times as other", got)
	}
}

func TestClientThatGoesAwayIsNoError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return fmt.Errorf("read grant: %w", r.Context().Err())
	}, render)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/a", nil).WithContext(ctx))
	if e := b.log.events(t); len(e) != 1 || e[0]["level"] != "INFO" || e[0]["status"] != 499.0 {
		t.Errorf("log is %v", e)
	}
}

func TestErrorLevels(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{400: "INFO", 401: "INFO", 429: "INFO", 500: "ERROR", 503: "WARN"} {
		b := setup(t)
		b.API("/a", func(http.ResponseWriter, *http.Request) error { return &route.Error{Status: status} }, render)
		do(b, "POST", "/a", "")
		if e := b.log.events(t); len(e) != 1 || e[0]["level"] != want {
			t.Errorf("%d: log is %v", status, e)
		}
	}
}

func TestBrokenBodyIsTheClientsFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.API("/a", func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}, render)
	r := httptest.NewRequest("POST", "/a", io.MultiReader(strings.NewReader("gr"), errReader{}))
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("answers %d", w.Code)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

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
		if got, want := h.Get("Access-Control-Expose-Headers"), "Retry-After, WWW-Authenticate, X-Request-Id, X-Latchkey-Reason"; (got == want) != (c.want != "") {
			t.Errorf("%s: exposed is %q", c.name, got)
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
		if got, want := h.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type, Accept, X-Requested-With, x-csrftoken"; got != want {
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
