package clients

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"latchkey/storage"
)

// Fetcher gets a metadata document. It gives what was served with status 200 as JSON, without following a redirect, and
// reads no more than MaxDocument bytes. No error tells why it failed.
type Fetcher interface {
	// Get says besides how long the document may be used without asking again (RFC 9111 §4.2); zero when it does not say.
	Get(ctx context.Context, url string) (body []byte, fresh time.Duration, err error)
}

// DocumentPolicy says whose metadata documents, at the URL that is their client_id, make a client. The zero value: nobody's.
type DocumentPolicy struct {
	// Open: those of every host.
	Open bool
	// Hosts are those whose documents do: host or host:port in lower case, as in the URL.
	Hosts []string
}

// Off reports whether no document is taken.
func (p DocumentPolicy) Off() bool { return !p.Open && len(p.Hosts) == 0 }

func (p DocumentPolicy) allows(host string) bool { return p.Open || slices.Contains(p.Hosts, host) }

// Bounds of what strangers can cause by naming documents.
const (
	documentCacheSize = 1000        // documents, and failures, that are remembered
	negativeTTL       = time.Minute // how long a failure is
	maxFetches        = 8           // at the same time, in each lane
	fetchTimeout      = 10 * time.Second
	fetchWait         = 2 * time.Second // for one of those
	// fetchBurst documents are fetched at once, then one every fetchPause. Documents of clients that a user has allowed
	// have their own lane: made-up URLs never stand in their way.
	fetchBurst = 60
	fetchPause = 500 * time.Millisecond
)

// ErrBusy: more documents would have to be fetched now than is good for anybody. It is a storage.ErrUnavailable: trying
// again later may succeed.
var ErrBusy = fmt.Errorf("too many metadata documents at once: %w", storage.ErrUnavailable)

// documentCache remembers what documents said.
type documentCache struct {
	known   *lru.Cache[string, fetched]
	flights singleflight.Group

	// strangers and kept bound how often we ask others, and how many at a time.
	strangers, kept lane
}

// fetched is what a document said, or why it makes no client.
type fetched struct {
	metadata Metadata
	err      error // a *MetadataError
	from     time.Time
	until    time.Time
}

func newDocumentCache() *documentCache {
	x := &documentCache{known: newCache[fetched](documentCacheSize)}
	x.strangers.fetches, x.kept.fetches = make(chan struct{}, maxFetches), make(chan struct{}, maxFetches)
	return x
}

// lane is the way out for documents of one kind.
type lane struct {
	fetches chan struct{}

	mu      sync.Mutex
	measure measure
}

// measure is a bucket that holds fetchBurst and gets one each fetchPause.
type measure struct {
	spent time.Duration // what was taken, as the time in which it comes back
	at    time.Time
}

func (m *measure) take(now time.Time) bool {
	if passed := now.Sub(m.at); passed > 0 {
		m.spent = max(0, m.spent-passed)
	}
	m.at = now // a clock that was set back gives nothing
	if m.spent+fetchPause > fetchBurst*fetchPause {
		return false
	}
	m.spent += fetchPause
	return true
}

// ForAuthorize finds the client of an authorization request. It is Client, but for the URL of a metadata document, which
// must be fresh: what was kept of it serves tokens that were issued before, and never a new authorization.
//
// A *MetadataError says why the document makes no client; storage.ErrNotFound, storage.ErrUnavailable and ErrBusy.
func (r *Registry) ForAuthorize(ctx context.Context, id string) (*Client, error) {
	row, err := r.Client(ctx, id)
	switch {
	case !isDocumentID(id), err != nil && !isNotFound(err), row != nil && row.Origin != storage.OriginDocument:
		return row, err // an operator may add a client by that name: the draft's §7.2
	case r.cfg.Fetcher == nil || r.cfg.Documents.Off():
		return nil, errUnknown(id)
	case row != nil && row.Disabled:
		return row, nil
	}
	host, fault := checkDocumentID(id)
	if fault != nil {
		return nil, fault
	}
	if !r.cfg.Documents.allows(host) {
		return nil, refuseDocument("metadata documents of this host are not accepted here")
	}
	metadata, err := r.document(ctx, id, row != nil)
	if err != nil {
		return nil, err
	}
	return documentClient(id, metadata, row), nil
}

// documentClient is the client that a document describes, with what the operator made of it.
func documentClient(id string, metadata Metadata, row *Client) *Client {
	c := &Client{ID: id, Origin: storage.OriginDocument}
	if row != nil {
		*c = *row
	}
	c.Metadata = metadata
	c.scopes = splitScope(metadata.Scope)
	return c
}

// document gives what the document says, from memory when that is fresh. However many ask, it is fetched once.
func (r *Registry) document(ctx context.Context, id string, kept bool) (Metadata, error) {
	x := r.documents
	if f, ok := x.known.Get(id); ok && !r.cfg.Now().Before(f.from) && r.cfg.Now().Before(f.until) {
		return f.metadata, f.err
	}
	loaded := x.flights.DoChan(id, func() (any, error) {
		// It serves everybody who asks, so it does not end with the request that happens to be the first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		return r.fetch(ctx, id, kept)
	})
	select {
	case result := <-loaded:
		if result.Err != nil {
			return Metadata{}, result.Err
		}
		f := result.Val.(fetched)
		return f.metadata, f.err
	case <-ctx.Done():
		return Metadata{}, fmt.Errorf("fetch metadata document: %w: %w", storage.ErrUnavailable, ctx.Err())
	}
}

// fetch asks the client's host and remembers the answer. Failures are remembered for a moment too: the draft's §5.2 would
// have no error cached, but then each request with the name of a dead host would be a request to it.
func (r *Registry) fetch(ctx context.Context, id string, kept bool) (fetched, error) {
	if f, ok := r.documents.known.Get(id); ok && !r.cfg.Now().Before(f.from) && r.cfg.Now().Before(f.until) {
		return f, nil // the flight before this one has just landed
	}
	way := r.documents.lane(kept)
	if !way.take(r.cfg.Now()) {
		return fetched{}, ErrBusy
	}
	wait := time.NewTimer(fetchWait)
	defer wait.Stop()
	select {
	case way.fetches <- struct{}{}:
		defer func() { <-way.fetches }()
	case <-wait.C:
		return fetched{}, ErrBusy
	}
	body, fresh, err := r.cfg.Fetcher.Get(ctx, id)
	now := r.cfg.Now()
	f := fetched{from: now, until: now.Add(negativeTTL)}
	if err != nil {
		// The same words whatever happened: nobody maps a network with them.
		f.err = refuseDocument("the metadata document can't be fetched: it must be there, with status 200, as application/json, "+
			"without a redirect, at most %d bytes and within 5 seconds, on a public address", MaxDocument)
	} else if f.metadata, f.err = readDocument(id, body); f.err == nil {
		f.until = now.Add(min(max(fresh, MinFresh), MaxFresh))
	}
	r.documents.known.Add(id, f)
	return f, nil
}

func (x *documentCache) lane(kept bool) *lane {
	if kept {
		return &x.kept
	}
	return &x.strangers
}

func (l *lane) take(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.measure.take(now)
}

// KeepDocument stores what ForAuthorize found at a document, once a user has allowed the client: the token endpoint knows
// it from then on, also while the document is away. Policies, and whether the client is disabled, stay what the operator
// made them. It gives the client as it is kept, whose epoch goes into the grant; any other client comes back as it is.
func (r *Registry) KeepDocument(ctx context.Context, c *Client) (*Client, error) {
	if c.Origin != storage.OriginDocument {
		return c, nil
	}
	kept, err := r.Client(ctx, c.ID)
	if isNotFound(err) {
		kept, err = r.addDocument(ctx, c)
		if !errors.Is(err, storage.ErrExists) {
			return kept, err
		}
		// Another replica was faster; its document need not be this one.
		kept, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if kept != nil && r.isKept(kept, c) {
		return kept, nil
	}
	return r.update(ctx, c.ID, func(row *storage.Client, present *Client) (*storage.AuditEvent, error) {
		if present.Origin != storage.OriginDocument || r.isKept(present, c) {
			return nil, nil
		}
		if !row.ExpiresAt.IsZero() {
			row.ExpiresAt = r.now().Add(unusedTTL)
		}
		d := present.document()
		before, err := d.encode()
		if err != nil {
			return nil, err
		}
		d.Metadata = c.Metadata
		if row.Metadata, err = d.encode(); err != nil {
			return nil, err
		}
		return r.event("client_document_changed", "client", c.ID, details{Fields: difference(before, row.Metadata)}), nil
	})
}

// addDocument stores a client that is not there yet. Like any that nobody has used it is removed after a while.
func (r *Registry) addDocument(ctx context.Context, c *Client) (*Client, error) {
	raw, err := (document{Metadata: c.Metadata}).encode()
	if err != nil {
		return nil, fmt.Errorf("keep metadata document: %w", err)
	}
	now := r.now()
	row := &storage.Client{
		ID: c.ID, Metadata: raw, AuthEpoch: now.UnixMicro(), Version: 1, CreatedAt: now, UpdatedAt: now,
		Origin: storage.OriginDocument, ExpiresAt: now.Add(unusedTTL),
	}
	event := r.event("client_document_kept", "client", c.ID, details{Name: c.ClientName})
	if err := r.cfg.Store.CreateClient(ctx, row, event); err != nil {
		return nil, fmt.Errorf("keep metadata document: %w", err)
	}
	r.changed(row.ID)
	return fromRow(row)
}

// isKept reports whether the row says what the document says, and is not about to be removed.
func (r *Registry) isKept(row, c *Client) bool {
	x, err := (document{Metadata: row.Metadata}).encode()
	y, err2 := (document{Metadata: c.Metadata}).encode()
	stays := row.ExpiresAt.IsZero() || row.ExpiresAt.Sub(r.now()) > unusedTTL/2
	return stays && err == nil && err2 == nil && bytes.Equal(x, y)
}
