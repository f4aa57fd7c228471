// Package document fetches the metadata documents of clients whose client_id is the document's URL
// (draft-ietf-oauth-client-id-metadata-document).
package document

import (
	"context"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/clients/fetch"
)

// Fetcher fetches a metadata document.
type Fetcher interface {
	// Get returns what was served with status 200 as JSON, without following a redirect, at most clients.MaxDocument bytes.
	// fresh is how long it may be used without fetching it again (RFC 9111 §4.2); zero if it does not say. The error does not
	// reveal why it failed.
	Get(ctx context.Context, url string) (body []byte, fresh time.Duration, err error)
}

// Policy is whose metadata documents make a client. The zero value accepts none.
type Policy struct {
	// Open accepts those of every host.
	Open bool
	// Hosts are the hosts whose documents are accepted: host or host:port in lower case, as in the URL.
	Hosts []string
	// Schemes are those of clients.Registration.
	Schemes []string
}

// Off reports whether no document is accepted.
func (p Policy) Off() bool { return !p.Open && len(p.Hosts) == 0 }

// MinFresh and MaxFresh bound how long a document is used without fetching it again.
const (
	MinFresh = 5 * time.Minute
	MaxFresh = 24 * time.Hour
)

// Bounds of what untrusted client_ids can cause.
const (
	cacheSize    = 1000        // documents, and failures, that are remembered
	failureTTL   = time.Minute // how long a failure is
	fetchTimeout = 10 * time.Second
	fetchBurst   = 60 // fetched at once, then one each fetchPause
	fetchPause   = 500 * time.Millisecond
	maxFetches   = 8               // at the same time, in each lane
	fetchWait    = 2 * time.Second // for one of these
)

// Source returns the metadata in documents. It is safe for concurrent use.
type Source struct {
	policy  Policy
	fetcher Fetcher
	cache   *fetch.Cache[string, clients.Metadata]
	// Documents of clients that a user has allowed have their own lane: made-up URLs never delay them.
	allowed, untrusted *fetch.Lane
}

// NewSource returns a Source with nothing in memory.
func NewSource(policy Policy, fetcher Fetcher, now func() time.Time) *Source {
	lane := func() *fetch.Lane { return fetch.NewLane(now, fetchBurst, fetchPause, maxFetches, fetchWait) }
	return &Source{
		policy: policy, fetcher: fetcher, allowed: lane(), untrusted: lane(),
		// §5.2 of the draft forbids caching errors, but without that each request that names a dead host would be a request to it.
		cache: fetch.NewCache(fetch.Config[string, clients.Metadata]{Now: now, Size: cacheSize, Retry: failureTTL}),
	}
}

// Metadata returns what the document at the URL id says. allowed reports whether a user has allowed its client before. A
// *clients.MetadataError says why it makes no client; fetch.ErrBusy, storage.ErrUnavailable.
func (s *Source) Metadata(ctx context.Context, id string, allowed bool) (clients.Metadata, error) {
	host, err := clients.DocumentHost(id)
	if err != nil {
		return clients.Metadata{}, err
	}
	if !s.policy.Open && !slices.Contains(s.policy.Hosts, host) {
		return clients.Metadata{}, clients.InvalidDocument("metadata documents of this host are not accepted here")
	}
	lane := s.untrusted
	if allowed {
		lane = s.allowed
	}
	return s.cache.Get(ctx, id, nil, func(ctx context.Context) (clients.Metadata, time.Duration, error) { return s.fetch(ctx, id, lane) })
}

func (s *Source) fetch(ctx context.Context, id string, lane *fetch.Lane) (m clients.Metadata, fresh time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	leave, err := lane.Enter(ctx)
	if err != nil {
		return m, 0, err
	}
	defer leave()
	body, fresh, err := s.fetcher.Get(ctx, id)
	if err != nil {
		// The same text whatever happened, so that it can't be used to map a network.
		return m, 0, clients.InvalidDocument("the metadata document can't be fetched: it must be served with status 200, as application/json, "+
			"without a redirect, at most %d bytes and within 5 seconds, on a public address", clients.MaxDocument)
	}
	m, err = clients.ParseDocument(id, body, s.policy.Schemes)
	return m, min(max(fresh, MinFresh), MaxFresh), err
}
