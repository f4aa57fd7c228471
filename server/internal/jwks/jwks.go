package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

// Bounds of what is fetched and kept.
const (
	DefaultSize = 1024 // key sets, of the operator's clients and of others each
	maxBytes    = 64 << 10
	maxKeys     = 32

	leastFresh = 5 * time.Minute
	usualFresh = time.Hour
	mostFresh  = 24 * time.Hour
	// staleFor is how much longer keys count when newer ones can't be fetched. A key that its client has withdrawn must not live
	// on because somebody keeps the client's server busy.
	staleFor = time.Hour
	// fetchEvery keeps assertions with invented key names from making us knock at the client's door: one fetch of a key set
	// per client and that long.
	fetchEvery = time.Minute
)

// ErrUnavailable: the keys can't be had now.
var ErrUnavailable = errors.New("the client's keys can't be fetched")

// Fetcher gets documents. A *safehttp.Client is one.
type Fetcher interface {
	Get(ctx context.Context, url string, o safehttp.Options) (*safehttp.Response, error)
}

// Config is what a Cache is made of.
type Config struct {
	HTTP Fetcher
	Now  func() time.Time
	// Size is how many key sets are kept; zero means DefaultSize.
	Size int
}

// Cache finds keys. It is safe for concurrent use.
type Cache struct {
	http    Fetcher
	now     func() time.Time
	flights singleflight.Group
	// Strangers' key sets are apart, so that they push out none of the operator's clients.
	trusted, stranger *lru.Cache[place, *set]
}

// place is where a key set is kept. It has the client in it: who else names the same URL uses up none of its fetches.
type place struct {
	client, url string
}

// set is a key set as it was fetched. It is never changed.
type set struct {
	keys []jose.JSONWebKey
	// tried is when it was last asked for. freshUntil and usableUntil are of keys; zero when there were none yet.
	tried, freshUntil, usableUntil time.Time
}

// New makes a Cache with nothing in it.
func New(cfg Config) *Cache {
	if cfg.Size <= 0 {
		cfg.Size = DefaultSize
	}
	return &Cache{http: cfg.HTTP, now: cfg.Now, trusted: newLRU(cfg.Size), stranger: newLRU(cfg.Size)}
}

func newLRU(size int) *lru.Cache[place, *set] {
	c, err := lru.New[place, *set](size)
	if err != nil {
		panic(err) // only for a size below one
	}
	return c
}

// Keys gives the public keys of a client that have the kid; all of them when the kid is empty. None is no error. The error is
// ErrUnavailable.
//
// What is at a jwks_uri is fetched when nothing is known, when it is not fresh any more (between 5 minutes and 24 hours, as its
// headers say) and for a kid that is not in it, once a minute at most whatever comes of it. When it can't be fetched, what was
// there before counts for another hour. An assertion without a kid never makes us look for newer keys: a client that changes keys
// must name them (RFC 7517 §4.5).
func (c *Cache) Keys(ctx context.Context, client *clients.Client, kid string) ([]jose.JSONWebKey, error) {
	if len(client.JWKS) > 0 {
		keys, err := parse(client.JWKS)
		return withKID(keys, kid), err
	}
	if client.JWKSURI == "" {
		return nil, nil
	}
	sets, trusted := c.stranger, client.Origin == storage.OriginOperator
	if trusted {
		sets = c.trusted
	}
	at := place{client.ID, client.JWKSURI}
	known, _ := sets.Get(at)
	if known.wants(kid, c.now()) {
		var err error
		if known, err = c.fetch(ctx, sets, at, trusted); err != nil {
			return nil, err
		}
	}
	if !known.usableUntil.After(c.now()) {
		return nil, ErrUnavailable
	}
	return withKID(known.keys, kid), nil
}

// wants reports whether to fetch the set again for a kid.
func (s *set) wants(kid string, now time.Time) bool {
	if s == nil {
		return true
	}
	lacking := kid != "" && len(withKID(s.keys, kid)) == 0
	return (lacking || !s.freshUntil.After(now)) && now.Sub(s.tried) >= fetchEvery
}

// fetch asks for the set, once for all who wait for it.
func (c *Cache) fetch(ctx context.Context, sets *lru.Cache[place, *set], at place, trusted bool) (*set, error) {
	flight := strconv.FormatBool(trusted) + " " + at.client + " " + at.url // a URL has no space, so no two are alike
	fetched := c.flights.DoChan(flight, func() (any, error) {
		// The answer serves everybody who asks, so it does not end with the request that happens to be the first.
		ctx, now := context.WithoutCancel(ctx), c.now()
		before, _ := sets.Get(at)
		if before != nil && now.Sub(before.tried) < fetchEvery {
			return before, nil // by a flight that has just ended
		}
		s := c.get(ctx, at.url, trusted, now)
		if s.keys == nil && before != nil {
			s.keys, s.freshUntil, s.usableUntil = before.keys, before.freshUntil, before.usableUntil
		}
		sets.Add(at, s)
		return s, nil
	})
	select {
	case result := <-fetched:
		return result.Val.(*set), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// get makes a set of what is at the URL; without keys when there are none.
func (c *Cache) get(ctx context.Context, url string, trusted bool, now time.Time) *set {
	s := &set{tried: now}
	res, err := c.http.Get(ctx, url, safehttp.Options{
		Trusted: trusted, MaxBytes: maxBytes, Accept: "application/jwk-set+json, application/json",
		ContentTypes: []string{"application/json", "+json"},
	})
	if err != nil {
		return s
	}
	if keys, err := parse(res.Body); err == nil {
		s.keys = keys
		s.freshUntil = now.Add(res.Fresh(leastFresh, usualFresh, mostFresh))
		s.usableUntil = s.freshUntil.Add(staleFor)
	}
	return s
}

// parse reads a key set (RFC 7517 §5). Keys that it does not understand are passed over, as the RFC asks, and so are those that are
// not public.
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
		if key.UnmarshalJSON(one) == nil && key.Valid() && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func withKID(keys []jose.JSONWebKey, kid string) []jose.JSONWebKey {
	if kid == "" {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k jose.JSONWebKey) bool { return k.KeyID != kid })
}
