package safehttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"latchkey/latchkeytest/canary"
	"latchkey/server/internal/safehttp"
)

const timeout = 500 * time.Millisecond

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// names is a resolver: each name has its answers, one after the other, the last for ever.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   int
}

func (n *names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	list := n.answers[host]
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(list) > 1 {
		n.answers[host] = list[1:]
	}
	if list[0] == "silence" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var addrs []netip.Addr
	for _, a := range strings.Fields(list[0]) {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

// site is a TLS server at an address of its own.
type site struct {
	*httptest.Server
	port string
	hits atomic.Int64
}

func newSite(t *testing.T, address string, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		h(w, r)
	}))
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	return s
}

func (s *site) at(host string) string { return "https://" + host + ":" + s.port + "/doc" }

func (s *site) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// journal is a logger that can be read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := newSite(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "v", Path: "/"})
		w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
		io.WriteString(w, strings.Repeat("x", 100))
	})
	c := safehttp.New(safehttp.Config{
		TestAllow: loopback, Roots: s.roots(), Resolver: &names{answers: map[string][]string{"example.com": {"127.0.0.1"}}},
	})
	for range 2 {
		res, err := c.Get(t.Context(), s.at("example.com"), safehttp.Options{ContentTypes: []string{"application/json", "+json"}, MaxBytes: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(res.Body) != 100 {
			t.Errorf("%+v", res)
		}
		want := http.Header{"User-Agent": {"Latchkey"}, "Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "Connection": {"close"}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the request had %v, want %v", got, want)
		}
	}
}

func TestRequestsAreTracedByHostAndSendNoTrace(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := newSite(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusTeapot)
	})
	c := safehttp.New(safehttp.Config{
		TestAllow: loopback, Roots: s.roots(), Timeout: timeout,
		Resolver: &names{answers: map[string][]string{"example.com": {"127.0.0.1"}, "away.example": {"192.0.2.1"}}},
	})
	recorder := tracetest.NewSpanRecorder()
	ctx, parent := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test").Start(t.Context(), "request")
	trusted := safehttp.Options{Trusted: true}
	if _, err := c.Get(ctx, s.at("example.com")+"?canary", trusted); err == nil {
		t.Error("status 418 is no error")
	}
	if _, err := c.PostForm(ctx, "https://away.example/canary", url.Values{"token": {"canary"}}, trusted); err == nil {
		t.Error("a refused address is no error")
	}
	if got.Get("Traceparent") != "" || got == nil {
		t.Errorf("the request had %v", got)
	}
	if len(recorder.Ended()) != 2 {
		t.Fatalf("%d spans", len(recorder.Ended()))
	}
	for i, want := range []struct {
		name  string
		about []attribute.KeyValue
		code  codes.Code
	}{
		{"GET", []attribute.KeyValue{attribute.String("server.address", "example.com"), attribute.Int("http.response.status_code", 418)}, codes.Unset},
		{"POST", []attribute.KeyValue{attribute.String("server.address", "away.example")}, codes.Error},
	} {
		span := recorder.Ended()[i]
		if span.Name() != want.name || !slices.Equal(span.Attributes(), want.about) || span.Status() != (sdktrace.Status{Code: want.code}) ||
			span.Parent().SpanID() != parent.SpanContext().SpanID() || span.SpanKind() != trace.SpanKindClient || len(span.Events()) != 0 {
			t.Errorf("%s %v %v", span.Name(), span.Attributes(), span.Status())
		}
	}
}

func TestStatement59CanarySeesNothing(t *testing.T) {
	t.Parallel()
	can := canary.New(t)
	redirecting := newSite(t, "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://127.0.0.1:"+can.Port+"/", http.StatusFound)
	})
	resolver := &names{answers: map[string][]string{
		"redirect.example.com": {"127.0.0.2"},
		"v4.example":           {"127.0.0.1"}, "v6.example": {"::1"}, "mapped.example": {"::ffff:127.0.0.1"}, "zero.example": {"0.0.0.0"},
		"zero6.example": {"::"}, "private.example": {"10.0.0.1 172.16.0.1 192.168.0.1"}, "cloud.example": {"169.254.169.254"},
		"cgnat.example": {"100.64.0.1 100.100.100.200"}, "ula.example": {"fd00:ec2::254"}, "nat64.example": {"64:ff9b::7f00:1 64:ff9b:1::1"},
		"local.example": {"fe80::1"}, "multi.example": {"224.0.0.1 ff02::1 255.255.255.255"}, "docs.example": {"192.0.2.1 2001:db8::1"},
		"6to4.example": {"2002:7f00:1::1"}, "teredo.example": {"2001::1"}, "compat.example": {"::127.0.0.1"}, "azure.example": {"168.63.129.16"},
		"localhost": {"127.0.0.1"}, "localhost.": {"127.0.0.1"},
	}}
	j := &journal{}
	c := safehttp.New(safehttp.Config{
		Timeout: timeout, TestAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Roots: redirecting.roots(),
		Resolver: resolver, Logger: j.logger(), MaxConcurrent: 100,
	})
	urls := []string{redirecting.at("redirect.example.com")}
	for name := range resolver.answers {
		if name != "redirect.example.com" {
			urls = append(urls, "https://"+name+":"+can.Port+"/")
		}
	}
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "0", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1",
		"0x7f000001", "0x7f.0.0.1", "0x7F.1", "0x", "127.0.0.1.", "127.0.0.0x1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.31.255.255",
		"100.64.0.1", "[fc00::1]", "[fe80::1]", "[fe80::1%25lo]", "[64:ff9b::7f00:1]", "user@127.0.0.1", "１２７.0.0.1", "%31%32%37.0.0.1", "127。0。0。1",
	} {
		urls = append(urls, "https://"+host+":"+can.Port+"/", "http://"+host+":"+can.Port+"/")
	}
	if interfaces, err := net.InterfaceAddrs(); err == nil { // the machine's own, which may be public
		for _, i := range interfaces {
			urls = append(urls, (&url.URL{Scheme: "https", Host: net.JoinHostPort(i.(*net.IPNet).IP.String(), can.Port), Path: "/"}).String())
		}
	}
	var wg sync.WaitGroup
	for _, u := range urls {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), u, safehttp.Options{AllowHTTP: true}); err != safehttp.ErrFetch {
				t.Errorf("%s: %v", u, err)
			}
			if _, err := c.PostForm(t.Context(), u, nil, safehttp.Options{AllowHTTP: true}); err != safehttp.ErrFetch && u != urls[0] {
				t.Errorf("POST %s: %v", u, err)
			}
		})
	}
	wg.Wait()
	if n := can.Hits(); n != 0 {
		t.Errorf("the canary saw %d connections", n)
	}
	if redirecting.hits.Load() != 2 {
		t.Errorf("the redirecting server saw %d requests: the canary proves nothing", redirecting.hits.Load())
	}
	for _, bad := range []string{"connection refused", "timeout", "unreachable", "deadline"} {
		if strings.Contains(j.String(), bad) {
			t.Errorf("somebody was called: %s", j)
		}
	}
}

// The canary is worth something: a URL that may lead to it does.
func TestCanarySings(t *testing.T) {
	t.Parallel()
	can := canary.New(t)
	c := safehttp.New(safehttp.Config{Timeout: timeout, Allow: loopback})
	u := "https://127.0.0.1:" + can.Port + "/"
	c.Get(t.Context(), u, safehttp.Options{})
	if can.Hits() != 0 {
		t.Error("a stranger's URL led to a network that is for the operator's clients")
	}
	c.Get(t.Context(), u, safehttp.Options{Trusted: true})
	if can.Hits() == 0 {
		t.Error("the canary saw nothing")
	}
}

func TestStatement59RebindingGainsNothing(t *testing.T) {
	t.Parallel()
	good, can := newSite(t, "127.0.0.2", answer("{}")), canary.New(t)
	cfg := safehttp.Config{TestAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Roots: good.roots(), Timeout: timeout}
	flips := &names{answers: map[string][]string{"example.com": {"127.0.0.2", "127.0.0.1"}}}
	cfg.Resolver = flips
	if _, err := safehttp.New(cfg).Get(t.Context(), good.at("example.com"), safehttp.Options{}); err != nil {
		t.Error(err)
	}
	if flips.asked != 1 {
		t.Errorf("the name was resolved %d times", flips.asked)
	}
	// Both at once: the address that may not be reached is passed over.
	cfg.Resolver = &names{answers: map[string][]string{"example.com": {"127.0.0.1 ::ffff:127.0.0.2"}}}
	if _, err := safehttp.New(cfg).Get(t.Context(), good.at("example.com"), safehttp.Options{}); err != nil {
		t.Error(err)
	}
	cfg.Resolver = &names{answers: map[string][]string{"example.com": {"127.0.0.1 127.0.0.2"}}}
	safehttp.New(cfg).Get(t.Context(), "https://example.com:"+can.Port, safehttp.Options{})
	if can.Hits() != 1 { // that of 127.0.0.2, where the canary listens too
		t.Errorf("the canary saw %d connections", can.Hits())
	}
}

func TestOwnListenersAreNeverReached(t *testing.T) {
	t.Parallel()
	own := newSite(t, "127.0.0.1", answer("{}"))
	port := netip.MustParseAddrPort(own.Listener.Addr().String()).Port()
	for name, addr := range map[string]netip.AddrPort{
		"by address": netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port), "unspecified": netip.AddrPortFrom(netip.IPv6Unspecified(), port),
	} {
		cfg := safehttp.Config{Timeout: timeout, Allow: loopback, Roots: own.roots()}
		o := safehttp.Options{Trusted: true}
		if _, err := safehttp.New(cfg).Get(t.Context(), own.URL, o); err != nil {
			t.Fatalf("%s: the test proves nothing: %v", name, err)
		}
		cfg.Own = []netip.AddrPort{addr}
		if _, err := safehttp.New(cfg).Get(t.Context(), own.URL, o); err != safehttp.ErrFetch {
			t.Errorf("%s: %v", name, err)
		}
	}
	if own.hits.Load() != 2 {
		t.Errorf("%d requests", own.hits.Load())
	}
}

func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 10<<20))
	z.Close()
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		cause string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		}, "status 307"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush() // no Content-Length
			io.WriteString(w, strings.Repeat("x", 101))
		}, "more than 100 bytes"},
		"says that it is too large": {answer(strings.Repeat("x", 101)), "a body of 101 bytes"},
		"drip":                      {drip, "deadline"},
		"silence":                   {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline"},
		"bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, "content encoding"},
		"headers": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 32<<10)) }, "headers exceeded"},
		"html": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "{}")
		}, "content type"},
		"no type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "{}")
		}, "content type"},
		"nothing": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "status 204"},
		"error":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "status 500"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "50")
			w.Header().Set("Content-Type", "application/json")
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, j := newSite(t, "127.0.0.1", c.h), &journal{}
			client := safehttp.New(safehttp.Config{TestAllow: loopback, Roots: s.roots(), Timeout: timeout, Logger: j.logger()})
			res, err := client.Get(t.Context(), s.URL+"?secret=s3cret", safehttp.Options{ContentTypes: []string{"application/json"}, MaxBytes: 100})
			if err != safehttp.ErrFetch || res != nil {
				t.Errorf("%v, %v", res, err)
			}
			if !strings.Contains(j.String(), c.cause) || strings.Contains(j.String(), "s3cret") {
				t.Errorf("the log has %q", j)
			}
			if s.hits.Load() != 1 {
				t.Errorf("%d requests", s.hits.Load())
			}
		})
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	s := newSite(t, "127.0.0.1", answer("{}"))
	resolver := &names{answers: map[string][]string{"example.net": {"127.0.0.1"}}}
	for name, c := range map[string]*safehttp.Client{
		"unknown authority": safehttp.New(safehttp.Config{TestAllow: loopback, Timeout: timeout, Resolver: resolver}),
		"another name":      safehttp.New(safehttp.Config{TestAllow: loopback, Timeout: timeout, Resolver: resolver, Roots: s.roots()}),
	} {
		if _, err := c.Get(t.Context(), s.at("example.net"), safehttp.Options{}); err != safehttp.ErrFetch {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusedURLs(t *testing.T) {
	t.Parallel()
	resolver := &names{answers: map[string][]string{"example.com": {"127.0.0.1"}}}
	c := safehttp.New(safehttp.Config{TestAllow: loopback, Timeout: timeout, Resolver: resolver, MaxConcurrent: 100})
	var wg sync.WaitGroup
	for _, u := range []string{
		"", "example.com", "//example.com/", "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com:70/", "data:application/json,{}",
		"https:example.com", "https://", "https:///x", "https://user@example.com/", "https://:@example.com/", "https://example.com/#", "https://example.com/#x",
		"https://example.com:/", "https://example.com:0/", "https://example.com:22/", "https://example.com:25/", "https://example.com:80/", "https://example.com:6667/",
		"https://example.com:65536/", "https://example.com:x/", "https://exa mple.com/", "https://example.com\\@x/", "https://exämple.com/", "https://example.com/\n",
		"https://" + strings.Repeat("a", 254) + "/", "https://example.com/" + strings.Repeat("a", 2048),
	} {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), u, safehttp.Options{}); err != safehttp.ErrFetch {
				t.Errorf("%q: %v", u, err)
			}
		})
	}
	wg.Wait()
	if resolver.asked != 0 {
		t.Errorf("%d names were resolved", resolver.asked)
	}
}

// A failure is told when the time is over, in the same words, whatever it was.
func TestStatement60FailuresLookTheSame(t *testing.T) {
	t.Parallel()
	open := newSite(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	silent := newSite(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	noTLS := canary.New(t)
	closed := newSite(t, "127.0.0.1", answer(""))
	closed.Close()
	config := safehttp.Config{
		TestAllow: loopback, Timeout: timeout, Roots: open.roots(), MaxConcurrent: 1000,
		Resolver: &names{answers: map[string][]string{"private.example": {"10.0.0.1"}, "silent.example": {"silence"}}},
	}
	c := safehttp.New(config)
	var wg sync.WaitGroup
	for name, u := range map[string]string{
		"open": open.URL, "silent": silent.URL, "no TLS": "https://127.0.0.1:" + noTLS.Port, "closed": closed.URL,
		"absent": "https://absent.example/", "private": "https://private.example/", "silent name server": "https://silent.example/", "decimal": "https://2130706433/",
	} {
		wg.Go(func() {
			begin := time.Now()
			_, err := c.Get(t.Context(), u, safehttp.Options{})
			if took := time.Since(begin); err != safehttp.ErrFetch || took < timeout || took > timeout+20*time.Second {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
	wg.Wait()
	// The operator's own clients need not wait.
	config.Timeout = time.Minute
	c = safehttp.New(config)
	begin := time.Now()
	if _, err := c.Get(t.Context(), open.URL, safehttp.Options{Trusted: true}); err != safehttp.ErrFetch || time.Since(begin) > config.Timeout/2 {
		t.Errorf("trusted: %v after %v", err, time.Since(begin))
	}
	// Nor does anybody once the caller has gone.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begin = time.Now()
	if _, err := c.Get(ctx, open.URL, safehttp.Options{}); err != safehttp.ErrFetch || time.Since(begin) > config.Timeout/2 {
		t.Errorf("cancelled: %v after %v", err, time.Since(begin))
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	s := newSite(t, "127.0.0.1", func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(5 * time.Millisecond)
		now.Add(-1)
	})
	c := safehttp.New(safehttp.Config{TestAllow: loopback, Roots: s.roots(), MaxConcurrent: 3})
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.Get(t.Context(), s.URL, safehttp.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.hits.Load() != 30 || most.Load() > 3 {
		t.Errorf("%d requests, %d at once", s.hits.Load(), most.Load())
	}
}

// Those of strangers that hang keep none of the operator's waiting.
func TestStrangersHaveALaneOfTheirOwn(t *testing.T) {
	t.Parallel()
	hung := newSite(t, "127.0.0.1", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	good := newSite(t, "127.0.0.1", answer("{}"))
	c := safehttp.New(safehttp.Config{TestAllow: loopback, Roots: good.roots(), MaxConcurrent: 1, Timeout: 10 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go c.Get(ctx, hung.URL, safehttp.Options{})
	for hung.hits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := c.Get(t.Context(), good.URL, safehttp.Options{Trusted: true}); err != nil {
		t.Error(err)
	}
}

func TestPostForm(t *testing.T) {
	t.Parallel()
	var form url.Values
	s := newSite(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		form = r.PostForm
		http.Redirect(w, r, "/other", http.StatusFound)
	})
	c := safehttp.New(safehttp.Config{Allow: loopback, Roots: s.roots(), Timeout: timeout})
	status, err := c.PostForm(t.Context(), s.URL, url.Values{"logout_token": {"a b"}}, safehttp.Options{Trusted: true})
	if err != nil || status != 302 || form.Get("logout_token") != "a b" || s.hits.Load() != 1 {
		t.Errorf("%d, %v, %v, %d requests", status, err, form, s.hits.Load())
	}
	if _, err := c.PostForm(t.Context(), s.URL, nil, safehttp.Options{}); !errors.Is(err, safehttp.ErrFetch) {
		t.Errorf("a stranger's: %v", err)
	}
}

// Not parallel: it sets the environment.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	proxy := canary.New(t)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:"+proxy.Port)
	s := newSite(t, "127.0.0.1", answer("{}"))
	c := safehttp.New(safehttp.Config{
		TestAllow: loopback, Roots: s.roots(), Timeout: timeout, Resolver: &names{answers: map[string][]string{"example.com": {"127.0.0.1"}}},
	})
	if _, err := c.Get(t.Context(), s.at("example.com"), safehttp.Options{}); err != nil || proxy.Hits() != 0 {
		t.Errorf("%v, %d connections to the proxy", err, proxy.Hits())
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, time.Hour},
		{http.Header{"Cache-Control": {"public, max-age=600"}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"public", "Max-Age=\"600\""}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=900"}, "Age": {"300"}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=900"}, "Age": {"800"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=900"}, "Age": {"99999999999"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=99999999999"}}, 24 * time.Hour},
		{http.Header{"Cache-Control": {", ,="}}, time.Hour},
		{http.Header{"Cache-Control": {"max-age=600"}, "Date": {date}, "Expires": {"Mon, 02 Jan 2006 15:34:05 GMT"}}, 10 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=-1"}}, time.Hour},
		{http.Header{"Cache-Control": {"max-age=1"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"max-age=7200, no-store"}}, 5 * time.Minute},
		{http.Header{"Cache-Control": {"no-cache"}, "Expires": {date}}, 5 * time.Minute},
		{http.Header{"Date": {date}, "Expires": {"Mon, 02 Jan 2006 15:34:05 GMT"}}, 30 * time.Minute},
		{http.Header{"Date": {date}, "Expires": {"0"}}, 5 * time.Minute},
	} {
		if got := (&safehttp.Response{Header: c.header}).Fresh(5*time.Minute, time.Hour, 24*time.Hour); got != c.want {
			t.Errorf("%v: %v, want %v", c.header, got, c.want)
		}
	}
}
