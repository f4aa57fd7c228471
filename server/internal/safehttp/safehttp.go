package safehttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"latchkey/storage/span"
)

// ErrFetch is the only error of this package. The cause is logged, but must not be revealed to the client that supplied the
// URL.
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

// Config configures a Client.
type Config struct {
	// Allow are networks that are otherwise refused, but allowed with [Options.Trusted].
	Allow []netip.Prefix
	// Own are the server's own listeners, which are always refused; an unspecified address stands for all of the machine's.
	Own []netip.AddrPort
	// Timeout limits a whole request; zero means DefaultTimeout.
	Timeout time.Duration
	// MaxConcurrent limits the concurrent requests to trusted URLs, and separately to others; zero means
	// DefaultMaxConcurrent. Further requests wait, within their timeout.
	MaxConcurrent int
	// Logger logs the causes of failures; nil means they are not logged.
	Logger *slog.Logger

	// TestAllow are networks that are allowed for every URL, for tests with servers on loopback addresses.
	TestAllow []netip.Prefix
	// Resolver resolves names; nil means the machine's resolver.
	Resolver Resolver
	// Roots are the trusted certificate authorities; nil means the machine's.
	Roots *x509.CertPool
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	timeout   time.Duration
	logger    *slog.Logger
	trusted   *lane
	untrusted *lane
}

// lane is an HTTP client with its slots for concurrent requests.
type lane struct {
	http   *http.Client
	dialer *dialer
	slots  chan struct{}
}

// New returns a Client.
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
		trusted:   newLane(&cfg, slices.Concat(cfg.TestAllow, cfg.Allow)),
		untrusted: newLane(&cfg, cfg.TestAllow),
	}
}

func newLane(cfg *Config, allow []netip.Prefix) *lane {
	d := newDialer(cfg.Resolver, allow, cfg.Own, cfg.Timeout*9/10)
	return &lane{
		dialer: d,
		slots:  make(chan struct{}, cfg.MaxConcurrent),
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  nil, // a proxy would resolve the name again, without our checks
				DialContext:            d.dial,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
				DisableKeepAlives:      true, // each request checks its own connection
				DisableCompression:     true, // avoids decompression bombs
				MaxResponseHeaderBytes: maxHeaderBytes,
				TLSHandshakeTimeout:    cfg.Timeout, // otherwise the transport would continue after the request has ended
			},
		},
	}
}

// Options are the options of a request.
type Options struct {
	// Trusted means that the operator added the client with this URL, so that Config.Allow applies.
	Trusted bool
	// AllowHTTP permits http URLs.
	AllowHTTP bool
	// Accept is the header of that name; empty means the ContentTypes.
	Accept string
	// ContentTypes are the accepted media types, in lower case; "+json" matches every type with this suffix. Empty means all.
	ContentTypes []string
	// Header has more headers of the request.
	Header http.Header
	// MaxBytes is the maximum size of a body; zero means 64 KiB.
	MaxBytes int64
}

// Response is a response with status 200: everything else is an error.
type Response struct {
	Header http.Header
	Body   []byte
}

// Get fetches a URL. The error is ErrFetch.
//
// If the URL is not trusted, a failure is returned only after Config.Timeout, so that its time does not reveal whether a port is
// closed, a host is absent or a page does not exist. Callers should cache failures.
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

// PostForm sends a form to a URL and returns the status of the response; its body is not read. The error is ErrFetch if there was
// no response. Clients cannot observe when it fails, so it fails at once.
func (c *Client) PostForm(ctx context.Context, rawURL string, form url.Values, o Options) (status int, err error) {
	res, done, err := c.do(ctx, http.MethodPost, rawURL, strings.NewReader(form.Encode()), o)
	if err != nil {
		c.log(ctx, rawURL, o, err)
		return 0, ErrFetch
	}
	defer done()
	return res.StatusCode, nil
}

// Post sends a body to a URL of the operator's own and returns the response. The error says what is wrong.
func (c *Client) Post(ctx context.Context, rawURL string, body []byte, o Options) (*Response, error) {
	res, done, err := c.do(ctx, http.MethodPost, rawURL, bytes.NewReader(body), o)
	if err != nil {
		return nil, err
	}
	defer done()
	return readResponse(res, o)
}

// Send sends a body to a URL of the operator's own and returns the status of the response, whose body is not read. The error says why
// there was none, without the URL.
func (c *Client) Send(ctx context.Context, rawURL string, body []byte, o Options) (status int, err error) {
	res, done, err := c.do(ctx, http.MethodPost, rawURL, bytes.NewReader(body), o)
	if err != nil {
		return 0, withoutURL(err)
	}
	defer done()
	return res.StatusCode, nil
}

// Check returns an error for a URL to which no request would be made: one that is not a plain URL of a web server, or whose host is an
// address that is not allowed. Names are not looked up.
func (c *Client) Check(rawURL string, o Options) error {
	u, err := parseURL(rawURL, o.AllowHTTP)
	if err != nil {
		return err
	}
	return c.lane(o).dialer.check(u)
}

func (c *Client) lane(o Options) *lane {
	if o.Trusted {
		return c.trusted
	}
	return c.untrusted
}

func (c *Client) get(ctx context.Context, rawURL string, o Options) (*Response, error) {
	res, done, err := c.do(ctx, http.MethodGet, rawURL, nil, o)
	if err != nil {
		return nil, err
	}
	defer done()
	return readResponse(res, o)
}

func readResponse(res *http.Response, o Options) (*Response, error) {
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	if err := checkContentType(res.Header, o.ContentTypes); err != nil {
		return nil, err
	}
	body, err := readBody(res, o)
	if err != nil {
		return nil, err
	}
	return &Response{Header: res.Header, Body: body}, nil
}

// do sends a request and waits for the headers of the response. done ends it.
//
// It uses nine tenths of the timeout, so that get can return timeouts, like other failures, exactly when the time is over.
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
	l := c.lane(o)
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
	// The span only has the host, and no traceparent header is sent.
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
	accept := cmp.Or(o.Accept, strings.Join(slices.DeleteFunc(slices.Clone(o.ContentTypes), isSuffix), ", "))
	if accept != "" {
		h.Set("Accept", accept)
	}
	maps.Copy(h, o.Header)
}

// isSuffix reports whether a content type is a structured syntax suffix (RFC 6838 §4.2.8).
func isSuffix(kind string) bool { return strings.HasPrefix(kind, "+") }

func checkContentType(h http.Header, allowed []string) error {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	ok := err == nil && slices.ContainsFunc(allowed, func(a string) bool {
		return kind == a || isSuffix(a) && strings.HasSuffix(kind, a)
	})
	if !ok && len(allowed) > 0 {
		return fmt.Errorf("content type %q", h.Get("Content-Type"))
	}
	return nil
}

func readBody(res *http.Response, o Options) ([]byte, error) {
	if coding := res.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, fmt.Errorf("content encoding %q", coding)
	}
	maxBytes := cmp.Or(o.MaxBytes, defaultMaxBytes)
	if res.ContentLength > maxBytes {
		return nil, fmt.Errorf("a body of %d bytes", res.ContentLength)
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, io.LimitReader(res.Body, maxBytes+1)); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	if int64(body.Len()) > maxBytes {
		return nil, fmt.Errorf("a body of more than %d bytes", maxBytes)
	}
	return body.Bytes(), nil
}

// log logs the cause of a failure, which callers do not get.
func (c *Client) log(ctx context.Context, rawURL string, o Options, err error) {
	err = withoutURL(err)
	c.logger.InfoContext(ctx, "an outbound request failed",
		slog.String("url", shorten(rawURL)), slog.Bool("trusted", o.Trusted), slog.String("cause", err.Error()))
}

// withoutURL returns the cause of an error that repeats the URL.
func withoutURL(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// shorten returns a URL for the log, without its query, which may hold secrets.
func shorten(rawURL string) string {
	const maxLength = 200
	rawURL, _, _ = strings.Cut(rawURL, "?")
	if len(rawURL) > maxLength {
		return rawURL[:maxLength] + "…"
	}
	return rawURL
}
