package shadow

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

// Proxy is the handler in front of Django.
type Proxy struct {
	cfg    Config
	routes map[string]Route
	django *httputil.ReverseProxy
	// transport is that of django.
	transport *http.Transport
	queue     queue
	share     share
	ledger    *ledger
}

// New returns a Proxy, with the counts that the file has. Run must be called too.
func New(cfg Config) (*Proxy, error) {
	l, err := openLedger(cfg)
	if err != nil {
		return nil, err
	}
	p := &Proxy{cfg: cfg, routes: map[string]Route{}, ledger: l}
	for route, path := range adapterPaths {
		if given := cfg.Paths[route]; given != "" {
			path = given
		}
		p.routes[path] = route
	}
	p.queue.items = make(chan *exchange, maxQueued)
	p.transport = &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256, MaxIdleConns: 256, IdleConnTimeout: time.Minute,
		DisableCompression: true, // the client's wish is passed on as it is
	}
	p.django = &httputil.ReverseProxy{
		// No FlushInterval: answers of unknown length are passed on as they come anyway, and the others would be sent in two parts.
		Rewrite: p.rewrite, Transport: p.transport, ModifyResponse: p.observe, ErrorHandler: p.unreachable,
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}
	return p, nil
}

// Run compares what Django has answered, and keeps the counts, until ctx ends.
func (p *Proxy) Run(ctx context.Context) {
	p.queue.run(ctx, p.judge)
	p.ledger.run(ctx)
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route, ok := p.routes[r.URL.Path]
	if !ok || r.Method != http.MethodPost && r.Method != http.MethodOptions {
		p.django.ServeHTTP(w, r)
		return
	}
	x, err := take(route, r, p.cfg.Now())
	if err != nil { // the client has gone, or takes too long
		http.Error(w, "The body of the request did not arrive.", http.StatusBadRequest)
		return
	}
	p.ledger.asked(route)
	if p.mine(x) && p.answer(w, x) {
		return
	}
	defer p.passed(w, x)
	p.django.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
}

// passed queues an exchange whose answer is through. The answer is sent before, so that it never waits for the comparison.
func (p *Proxy) passed(w http.ResponseWriter, x *exchange) {
	if !x.answered {
		return
	}
	if x.whole {
		http.NewResponseController(w).Flush() // the server does it too; an error means that the client has gone
	}
	switch {
	case !x.whole:
		p.ledger.skipped(x.route, "body longer than 64 KiB, or cut off")
	case x.status >= http.StatusInternalServerError || x.status == http.StatusTooManyRequests:
		p.ledger.skipped(x.route, "Django failed")
	case !p.queue.push(x):
		p.ledger.dropped(x.route)
	}
}

type exchangeKey struct{}

// rewrite makes the request to Django: as it came, so that Django behaves as without a proxy in between.
func (p *Proxy) rewrite(pr *httputil.ProxyRequest) {
	pr.SetURL(p.cfg.Upstream)
	pr.Out.Host = pr.In.Host
	forwarded := false
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := pr.In.Header[name]; ok {
			pr.Out.Header[name], forwarded = values, true
		}
	}
	if !forwarded { // no proxy before this one
		pr.SetXForwarded()
	}
}

// observe copies the answer while it is sent.
func (p *Proxy) observe(resp *http.Response) error {
	if x, ok := resp.Request.Context().Value(exchangeKey{}).(*exchange); ok {
		x.status, x.header = resp.StatusCode, resp.Header.Clone()
		resp.Body = &copied{ReadCloser: resp.Body, x: x}
	}
	return nil
}

// copied keeps the beginning of a body that passes.
type copied struct {
	io.ReadCloser
	x     *exchange
	ended bool
}

func (c *copied) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	if room := maxCopy - len(c.x.received); n <= room {
		c.x.received = append(c.x.received, b[:n]...)
	} else {
		c.x.whole = false
	}
	if errors.Is(err, io.EOF) {
		c.ended = true
	}
	return n, err
}

func (c *copied) Close() error {
	c.x.whole, c.x.answered = c.x.whole && c.ended, true
	return c.ReadCloser.Close()
}

// unreachable answers for a Django that does not.
func (p *Proxy) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return
	}
	p.cfg.Logger.WarnContext(r.Context(), "Django did not answer", slog.Any("error", err))
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		p.ledger.skipped(x.route, "Django did not answer")
	}
	w.WriteHeader(http.StatusBadGateway)
}
