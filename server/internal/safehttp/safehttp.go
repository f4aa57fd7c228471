package safehttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"latchkey/internal/span"
)

// ErrFetch is the one error of this package: whether a host is not there, refuses, answers something else or must not be
// reached is for the log, and for nobody who named the URL.
var ErrFetch = errors.New("the URL could not be fetched")

// Defaults of a Config.
const (
	DefaultTimeout       = 5 * time.Second
	DefaultMaxConcurrent = 16
)

const (
	userAgent       = "Latchkey"
	maxHeaderBytes  = 16 << 10
	defaultMaxBytes = 64 << 10
)

// Config is what a Client is made of.
type Config struct {
	// Allow are networks that would be refused but that URLs of the operator's own clients may lead to: [Options.Trusted].
	Allow []netip.Prefix
	// Own are the server's own listeners, which nothing leads to; an unspecified address stands for all of the machine's.
	Own []netip.AddrPort
	// Timeout is for a whole request; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxConcurrent is how many requests are under way at once, of trusted URLs and of others each; zero means
	// DefaultMaxConcurrent. Who comes later waits, within its timeout.
	MaxConcurrent int
	// Logger gets the causes of failures; nil = nobody does.
	Logger *slog.Logger

	// TestAllow are networks that every URL may lead to. It is for tests, whose servers are on loopback.
	TestAllow []netip.Prefix
	// Resolver finds addresses; nil means the machine's.
	Resolver Resolver
	// Roots are the certificate authorities that count; nil means the machine's.
	Roots *x509.CertPool
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	timeout  time.Duration
	logger   *slog.Logger
	trusted  *lane
	stranger *lane
}

// lane is a way out: what it may reach, and how many are on it.
type lane struct {
	http  *http.Client
	slots chan struct{}
}

// New makes a Client.
func New(cfg Config) *Client {
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.MaxConcurrent <= 0 {
		cfg.MaxConcurrent = DefaultMaxConcurrent
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	return &Client{
		timeout: cfg.Timeout, logger: cfg.Logger,
		trusted:  newLane(&cfg, slices.Concat(cfg.TestAllow, cfg.Allow)),
		stranger: newLane(&cfg, cfg.TestAllow),
	}
}

func newLane(cfg *Config, allow []netip.Prefix) *lane {
	d := newDialer(cfg.Resolver, allow, cfg.Own, cfg.Timeout*9/10)
	return &lane{
		slots: make(chan struct{}, cfg.MaxConcurrent),
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  nil, // a proxy would resolve the name once more, out of our sight
				DialContext:            d.dial,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
				DisableKeepAlives:      true, // each request vets its own connection
				DisableCompression:     true, // what is not unpacked is no bomb
				MaxResponseHeaderBytes: maxHeaderBytes,
				TLSHandshakeTimeout:    cfg.Timeout, // the transport goes on connecting for nobody
			},
		},
	}
}

// Options say what a request is for.
type Options struct {
	// Trusted: the URL is of a client that the operator added, so it may lead to the networks of Config.Allow.
	Trusted bool
	// AllowHTTP lets http URLs through.
	AllowHTTP bool
	// Accept is the header of that name; empty means the ContentTypes.
	Accept string
	// ContentTypes are the media types that count, in lower case; "+json" stands for every one that ends so. None means all do.
	ContentTypes []string
	// MaxBytes is the most that a body may have; zero means 64 KiB.
	MaxBytes int64
}

// Response is what a GET brought.
type Response struct {
	// Status is 200: everything else is an error.
	Status int
	// ContentType is the media type, in lower case and without parameters.
	ContentType string
	Header      http.Header
	Body        []byte
}

// Get fetches a URL. The error is ErrFetch.
//
// A failure of a URL that is not trusted is told when Config.Timeout is over and no sooner, whatever it was: the time must not
// tell a closed port from an absent host, or a page that is there from one that is not. Callers remember failures.
func (c *Client) Get(ctx context.Context, rawURL string, o Options) (*Response, error) {
	over := time.NewTimer(c.timeout)
	defer over.Stop()
	res, err := c.get(ctx, rawURL, o)
	if err == nil {
		return res, nil
	}
	c.log(ctx, rawURL, o, err)
	if !o.Trusted {
		select {
		case <-over.C:
		case <-ctx.Done():
		}
	}
	return nil, ErrFetch
}

// PostForm sends a form to a URL and gives the status of the answer, whose body nobody reads. The error is ErrFetch: there was no
// answer. Nobody outside waits for it, so a failure is told at once.
func (c *Client) PostForm(ctx context.Context, rawURL string, form url.Values, o Options) (status int, err error) {
	res, done, err := c.do(ctx, http.MethodPost, rawURL, strings.NewReader(form.Encode()), o)
	if err != nil {
		c.log(ctx, rawURL, o, err)
		return 0, ErrFetch
	}
	defer done()
	return res.StatusCode, nil
}

func (c *Client) get(ctx context.Context, rawURL string, o Options) (*Response, error) {
	res, done, err := c.do(ctx, http.MethodGet, rawURL, nil, o)
	if err != nil {
		return nil, err
	}
	defer done()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	kind, err := contentType(res.Header, o.ContentTypes)
	if err != nil {
		return nil, err
	}
	body, err := readBody(res, o)
	if err != nil {
		return nil, err
	}
	return &Response{Status: res.StatusCode, ContentType: kind, Header: res.Header, Body: body}, nil
}

// do sends a request and waits for the headers of the answer. done ends it.
//
// It has nine tenths of the time, so that a failure by time-out, too, is told when the time is over and not a moment later.
func (c *Client) do(ctx context.Context, method, rawURL string, body io.Reader, o Options) (res *http.Response, done func(), err error) {
	u, err := parseURL(rawURL, o.AllowHTTP)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout*9/10)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	l := c.stranger
	if o.Trusted {
		l = c.trusted
	}
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for a slot: %w", ctx.Err())
	}
	release := func() { <-l.slots }
	defer func() {
		if err != nil {
			release()
		}
	}()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, nil, err
	}
	setHeaders(req.Header, body != nil, o)
	// The span knows the host alone, and the host does not learn of the trace: there is no traceparent header.
	_, traced := span.Start(ctx, method, attribute.String("server.address", u.Hostname()))
	if res, err = l.http.Do(req); err != nil {
		span.Fail(traced)
		traced.End()
		return nil, nil, err
	}
	traced.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	return res, func() {
		res.Body.Close()
		traced.End()
		cancel()
		release()
	}, nil
}

func setHeaders(h http.Header, form bool, o Options) {
	h.Set("User-Agent", userAgent)
	h.Set("Accept-Encoding", "identity")
	if form {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	accept := o.Accept
	if accept == "" {
		accept = strings.Join(slices.DeleteFunc(slices.Clone(o.ContentTypes), isSuffix), ", ")
	}
	if accept != "" {
		h.Set("Accept", accept)
	}
}

// isSuffix reports whether a content type stands for those of a structured syntax (RFC 6838 §4.2.8).
func isSuffix(kind string) bool { return strings.HasPrefix(kind, "+") }

func contentType(h http.Header, allowed []string) (string, error) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if len(allowed) == 0 {
		return kind, nil
	}
	ok := err == nil && slices.ContainsFunc(allowed, func(a string) bool {
		return kind == a || isSuffix(a) && strings.HasSuffix(kind, a)
	})
	if !ok {
		return "", fmt.Errorf("content type %q", h.Get("Content-Type"))
	}
	return kind, nil
}

func readBody(res *http.Response, o Options) ([]byte, error) {
	if coding := res.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("content encoding %q", coding)
	}
	most := o.MaxBytes
	if most <= 0 {
		most = defaultMaxBytes
	}
	if res.ContentLength > most {
		return nil, fmt.Errorf("a body of %d bytes", res.ContentLength)
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, io.LimitReader(res.Body, most+1)); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(body.Len()) > most {
		return nil, fmt.Errorf("a body of more than %d bytes", most)
	}
	return body.Bytes(), nil
}

// log tells the operator what callers must not know. It is the one place that has the cause, so it does not leave it to them.
func (c *Client) log(ctx context.Context, rawURL string, o Options, err error) {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err // the outer one says the URL once more
	}
	c.logger.InfoContext(ctx, "an outbound request failed",
		slog.String("url", shorten(rawURL)), slog.Bool("trusted", o.Trusted), slog.String("cause", err.Error()))
}

// shorten keeps the log readable, and out of it what may be secret in a query.
func shorten(rawURL string) string {
	const most = 200
	rawURL, _, _ = strings.Cut(rawURL, "?")
	if len(rawURL) > most {
		return rawURL[:most] + "…"
	}
	return rawURL
}
