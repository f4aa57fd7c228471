package jwks

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/clients/fetch"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

// Bounds of what is fetched, kept and tried.
const (
	DefaultSize = 1024 // key sets, of the operator's clients and of others each
	maxBytes    = 64 << 10
	maxKeys     = 32
	// maxTried and maxExponent bound the work for an assertion: a large exponent makes RSA slow.
	maxTried    = 4
	maxExponent = 1<<16 + 1

	minFresh   = 5 * time.Minute
	usualFresh = time.Hour
	maxFresh   = 24 * time.Hour
	// staleFor is how much longer keys are used when newer ones can't be fetched. A key that its client has withdrawn must not
	// stay valid because an attacker keeps the client's server busy.
	staleFor = time.Hour
	// fetchEvery is the least time between two fetches of a client's key set, so that assertions with invented key IDs do not
	// make the server call it again and again.
	fetchEvery = time.Minute
)

// ErrUnavailable reports that the keys can't be fetched now.
var ErrUnavailable = errors.New("the client's keys can't be fetched")

// Fetcher fetches documents. A *safehttp.Client is one.
type Fetcher interface {
	Get(ctx context.Context, url string, o safehttp.Options) (*safehttp.Response, error)
}

// Config is the configuration of a Cache.
type Config struct {
	HTTP Fetcher
	Now  func() time.Time
	// Size is how many key sets are kept; zero means DefaultSize.
	Size int
}

// Cache finds keys. It is safe for concurrent use.
type Cache struct {
	http Fetcher
	// The key sets of untrusted clients are apart, so that they evict none of the operator's clients.
	trusted, untrusted *keySets
}

type keySets = fetch.Cache[cacheKey, []jose.JSONWebKey]

// cacheKey has the client in it: another client that names the same URL uses up none of its fetches.
type cacheKey struct{ client, url string }

// New returns a Cache with nothing in it.
func New(cfg Config) *Cache {
	if cfg.Size <= 0 {
		cfg.Size = DefaultSize
	}
	sets := fetch.Config[cacheKey, []jose.JSONWebKey]{Now: cfg.Now, Size: cfg.Size, Retry: fetchEvery, Stale: staleFor}
	return &Cache{http: cfg.HTTP, trusted: fetch.NewCache(sets), untrusted: fetch.NewCache(sets)}
}

// Keys returns the public keys of a client that have the kid, or any if the kid is empty, but no more than 4: a client with more
// must name its key. No keys are no error. The error is ErrUnavailable.
//
// The set at a jwks_uri is fetched when it is not known, when it is no longer fresh (between 5 minutes and 24 hours, as its
// headers say) and for a kid that is not in it, at most once a minute whatever the outcome. When it can't be fetched, the last
// one is used for another hour. An assertion without a kid never causes a search for newer keys: a client that rotates keys
// must name them (RFC 7517 §4.5).
func (c *Cache) Keys(ctx context.Context, client *clients.Client, kid string) ([]jose.JSONWebKey, error) {
	if len(client.JWKS) > 0 {
		keys, err := parse(client.JWKS)
		return withKID(keys, kid), err
	}
	if client.JWKSURI == "" {
		return nil, nil
	}
	sets, trusted := c.untrusted, client.Origin == storage.OriginOperator
	if trusted {
		sets = c.trusted
	}
	wanted := func(keys []jose.JSONWebKey) bool { return kid == "" || len(withKID(keys, kid)) > 0 }
	keys, err := sets.Get(ctx, cacheKey{client.ID, client.JWKSURI}, wanted,
		func(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
			return c.fetch(ctx, client.JWKSURI, trusted)
		})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return withKID(keys, kid), nil
}

func (c *Cache) fetch(ctx context.Context, url string, trusted bool) ([]jose.JSONWebKey, time.Duration, error) {
	res, err := c.http.Get(ctx, url, safehttp.Options{
		Trusted: trusted, MaxBytes: maxBytes, Accept: "application/jwk-set+json, application/json",
		ContentTypes: []string{"application/json", "+json"},
	})
	if err != nil {
		return nil, 0, err
	}
	keys, err := parse(res.Body)
	return keys, res.Fresh(minFresh, usualFresh, maxFresh), err
}

// parse parses a key set (RFC 7517 §5). Keys that it does not understand are ignored, as the RFC asks, and so are those that
// are not public or that are slow to use.
func parse(text []byte) ([]jose.JSONWebKey, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil || raw.Keys == nil {
		return nil, fmt.Errorf("%w: not a key set", ErrUnavailable)
	}
	keys := make([]jose.JSONWebKey, 0, min(len(raw.Keys), maxKeys))
	for _, one := range raw.Keys[:min(len(raw.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && key.Valid() && key.IsPublic() && !slow(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func slow(key jose.JSONWebKey) bool {
	public, ok := key.Key.(*rsa.PublicKey)
	return ok && public.E > maxExponent
}

// withKID returns the first keys that have the kid, or any if it is empty. Keys for encryption are none: RFC 7517 §4.2.
func withKID(keys []jose.JSONWebKey, kid string) (found []jose.JSONWebKey) {
	for _, k := range keys {
		if (kid == "" || k.KeyID == kid) && k.Use != "enc" && len(found) < maxTried {
			found = append(found, k)
		}
	}
	return found
}
