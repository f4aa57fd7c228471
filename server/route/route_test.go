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
		"Content-Security-Policy":   "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
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
	b.API("/acts", ok, render, route.WithoutHead(), route.Methods("GET", "POST"))
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
	for _, m := range []string{"HEAD", "OPTIONS"} {
		if w := do(b, m, "/acts", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, POST" {
			t.Errorf("%s of a route without HEAD: %d, Allow %q", m, w.Code, w.Header().Get("Allow"))
		}
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
	small := setup(t, func(c *route.Config) { c.MaxBody = 10 })
	small.API("/small", echo, render)

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
	} {
		r := httptest.NewRequest("POST", c.path, strings.NewReader(strings.Repeat("x", c.size)))
		if c.chunked {
			r.ContentLength = -1
		}
		w := httptest.NewRecorder()
		of := b
		if c.path == "/small" {
			of = small
		}
		of.ServeHTTP(w, r)
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

// A ninth header makes net/http grow the map of the headers, and the copy that it makes of it, at each answer.
func TestAnswersToProgramsHaveAtMostEightHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Public("/keys", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("ETag", `"1"`)
		return describe(w)
	}, render)
	b.API("/token", func(w http.ResponseWriter, _ *http.Request) error { return describe(w) }, render, route.CORS("POST"))
	for path, method := range map[string]string{"/keys": "GET", "/token": "POST"} {
		if h := do(b, method, path, "").Header(); len(h) > 8 || h.Get("Content-Length") == "" {
			t.Errorf("%s: %d headers: %v", path, len(h), h)
		}
	}
}

// describe writes the headers of every body.
func describe(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "2")
	_, err := w.Write([]byte("{}"))
	return err
}
