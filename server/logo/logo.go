package logo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
	"latchkey/server/route"
	"latchkey/storage"
)

// Path is the route of [Proxy.Serve], below the issuer's path.
const Path = "/logo"

// Bounds of what is fetched and kept.
const (
	maxLogo         = 64 << 10
	DefaultMaxBytes = 16 << 20
	entryBytes      = 512 // what a logo takes besides its bytes, one that could not be had too

	leastFresh = time.Hour
	mostFresh  = 24 * time.Hour
	failedFor  = 10 * time.Minute
)

// Fetcher gets documents. A *safehttp.Client is one.
type Fetcher interface {
	Get(ctx context.Context, url string, o safehttp.Options) (*safehttp.Response, error)
}

// Clients finds registered clients. A *registry.Registry is one.
type Clients interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
}

// Config is what a Proxy is made of.
type Config struct {
	Clients Clients
	HTTP    Fetcher
	Now     func() time.Time
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
	BasePath string
	// MaxBytes bounds what is kept in memory; zero means DefaultMaxBytes.
	MaxBytes int
}

// Proxy shows logos. It is safe for concurrent use.
type Proxy struct {
	cfg     Config
	flights singleflight.Group

	mu    sync.Mutex
	kept  *simplelru.LRU[place, logo]
	bytes int
}

// place is where a logo is. It has the client in it, since only an operator's client may name the operator's networks.
type place struct {
	client, url string
	trusted     bool
}

func (p place) bytes() int { return entryBytes + len(p.client) + len(p.url) }

// logo is a picture, or the fact that there is none: without a kind.
type logo struct {
	kind  string
	body  []byte
	until time.Time
}

// New makes a Proxy with nothing in memory.
func New(cfg Config) *Proxy {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	p := &Proxy{cfg: cfg}
	kept, err := simplelru.NewLRU(cfg.MaxBytes/entryBytes+1, func(at place, l logo) { p.bytes -= at.bytes() + len(l.body) })
	if err != nil {
		panic(err) // only for a size below one
	}
	p.kept = kept
	return p
}

// URL is where the pages find the logo of a client; empty when it has none, or is not registered (a metadata document that nobody
// has consented to yet): strangers must not have us fetch by naming a client.
func (p *Proxy) URL(c *clients.Client) string {
	if c.LogoURI == "" || c.Version == 0 {
		return ""
	}
	return p.cfg.BasePath + Path + "?client_id=" + url.QueryEscape(c.ID)
}

// Serve is the route: GET {Path}?client_id=ID. It answers with the picture, or 404.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request) error {
	client, err := p.cfg.Clients.Client(r.Context(), r.URL.Query().Get("client_id"))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errNone
	case err != nil:
		return err
	case client.LogoURI == "" || client.Disabled:
		return errNone
	}
	l, err := p.logo(r.Context(), place{client.ID, client.LogoURI, client.Origin == storage.OriginOperator})
	if err != nil {
		return err
	}
	if l.kind == "" {
		return errNone
	}
	h := w.Header()
	h.Set("Content-Type", l.kind)
	h.Set("Content-Length", strconv.Itoa(len(l.body)))
	h.Set("Cache-Control", "private, max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, err = w.Write(l.body)
	return err
}

var errNone = &route.Error{Status: http.StatusNotFound, Message: "The client has no logo that can be shown."}

// logo gives a logo from memory, or fetches it once for all who wait for it.
func (p *Proxy) logo(ctx context.Context, at place) (logo, error) {
	if l, fresh := p.get(at); fresh {
		return l, nil
	}
	name := strconv.FormatBool(at.trusted) + " " + at.client + " " + at.url // a URL has no space, so no two are alike
	fetched := p.flights.DoChan(name, func() (any, error) {
		before, fresh := p.get(at)
		if fresh {
			return before, nil // by a flight that has just ended
		}
		// The answer serves everybody who asks, so it does not end with the request that happens to be the first.
		l := p.fetch(context.WithoutCancel(ctx), at)
		if l.kind == "" && before.kind != "" {
			l.kind, l.body = before.kind, before.body // the old one is better than none
		}
		p.keep(at, l)
		return l, nil
	})
	select {
	case result := <-fetched:
		return result.Val.(logo), nil
	case <-ctx.Done():
		return logo{}, ctx.Err()
	}
}

func (p *Proxy) fetch(ctx context.Context, at place) logo {
	none := logo{until: p.cfg.Now().Add(failedFor)}
	res, err := p.cfg.HTTP.Get(ctx, at.url, safehttp.Options{
		Trusted: at.trusted, AllowHTTP: at.trusted, MaxBytes: maxLogo, Accept: "image/png, image/webp, image/jpeg, image/gif",
	})
	if err != nil {
		return none
	}
	kind := sniff(res.Body)
	if kind == "" {
		return none
	}
	return logo{kind: kind, body: res.Body, until: p.cfg.Now().Add(res.Fresh(leastFresh, mostFresh, mostFresh))}
}

func (p *Proxy) get(at place) (l logo, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.kept.Get(at)
	return l, ok && p.cfg.Now().Before(l.until)
}

func (p *Proxy) keep(at place, l logo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept.Remove(at)
	p.kept.Add(at, l)
	p.bytes += at.bytes() + len(l.body)
	for p.bytes > p.cfg.MaxBytes {
		p.kept.RemoveOldest()
	}
}
