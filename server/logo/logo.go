package logo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"latchkey/clients"
	"latchkey/clients/fetch"
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
	entryBytes      = 512 // the memory of an entry besides its texts and bytes

	minFresh  = time.Hour
	maxFresh  = 24 * time.Hour
	failedFor = 10 * time.Minute
	staleFor  = 100 * 365 * 24 * time.Hour // an old logo is better than none
)

// Fetcher fetches documents. A *safehttp.Client is one.
type Fetcher interface {
	Get(ctx context.Context, url string, o safehttp.Options) (*safehttp.Response, error)
}

// Clients finds registered clients. A *registry.Registry is one.
type Clients interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
}

// Config is the configuration of a Proxy.
type Config struct {
	Clients Clients
	HTTP    Fetcher
	Now     func() time.Time
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth".
	BasePath string
	// MaxBytes bounds what is kept in memory; zero means DefaultMaxBytes.
	MaxBytes int
}

// Proxy serves logos. It is safe for concurrent use.
type Proxy struct {
	cfg   Config
	logos *fetch.Cache[cacheKey, logo]
}

// cacheKey has the client in it, since only an operator's client may name the operator's networks.
type cacheKey struct {
	client, url string
	trusted     bool
}

// logo is a picture.
type logo struct {
	kind string
	body []byte
}

// New returns a Proxy with nothing in memory.
func New(cfg Config) *Proxy {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	return &Proxy{cfg: cfg, logos: fetch.NewCache(fetch.Config[cacheKey, logo]{
		Now: cfg.Now, Retry: failedFor, Stale: staleFor, Size: cfg.MaxBytes,
		Weigh: func(key cacheKey, l logo) int { return entryBytes + len(key.client) + len(key.url) + len(l.body) },
	})}
}

// URL returns where pages find the logo of a client; empty if it has none, or is not registered (a metadata document that no user
// has consented to yet): naming a client must not make the server fetch something.
func (p *Proxy) URL(c *clients.Client) string {
	if c.LogoURI == "" || c.Version == 0 {
		return ""
	}
	return p.cfg.BasePath + Path + "?client_id=" + url.QueryEscape(c.ID)
}

// BrandURL returns where pages find the logo that the operator has given to the pages on the way to a client; empty if there is none.
func (p *Proxy) BrandURL(c *clients.Client) string {
	if c.BrandLogoURI == "" || c.Version == 0 {
		return ""
	}
	return p.cfg.BasePath + Path + "?" + brandParameter + "=1&client_id=" + url.QueryEscape(c.ID)
}

// brandParameter asks for the logo of BrandURL.
const brandParameter = "brand"

// Serve is the route: GET {Path}?client_id=ID, with brand=1 for the logo of [Proxy.BrandURL]. It responds with the picture, or 404.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request) error {
	client, err := p.cfg.Clients.Client(r.Context(), r.URL.Query().Get("client_id"))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return errNone
	case err != nil:
		return err
	case client.Disabled:
		return errNone
	}
	key := cacheKey{client.ID, client.LogoURI, client.Origin == storage.OriginOperator}
	if r.URL.Query().Get(brandParameter) != "" {
		key.url, key.trusted = client.BrandLogoURI, true // a policy: the operator's in any case
	}
	if key.url == "" {
		return errNone
	}
	l, err := p.logos.Get(r.Context(), key, nil, func(ctx context.Context) (logo, time.Duration, error) { return p.fetch(ctx, key) })
	if err != nil {
		return err
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

func (p *Proxy) fetch(ctx context.Context, key cacheKey) (l logo, fresh time.Duration, err error) {
	res, err := p.cfg.HTTP.Get(ctx, key.url, safehttp.Options{
		Trusted: key.trusted, AllowHTTP: key.trusted, MaxBytes: maxLogo, Accept: "image/png, image/webp, image/jpeg, image/gif",
	})
	if err != nil {
		return l, 0, errNone
	}
	l = logo{sniff(res.Body), res.Body}
	if l.kind == "" {
		return l, 0, errNone
	}
	return l, res.Fresh(minFresh, maxFresh, maxFresh), nil
}
