package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

const (
	// originPage is how many clients are read at once to build the index.
	originPage = 1000
	// maxDirty is how many changed clients are read one by one before reading all is cheaper.
	maxDirty = 1000
	// originTimeout ends the reading; originWait is how long a request waits for it.
	originTimeout = time.Minute
	originWait    = 2 * time.Second
	// originRetry is how long nothing is read after a failure.
	originRetry = time.Second
	// originFlight names the reading among the flights of a registry; those of clients have a space in their names.
	originFlight = "origins"
	// anyPort stands for the port in the origin of a loopback redirect URI.
	anyPort = ":*"
)

// originIndex knows the origins of the redirect URIs of all enabled clients. It is built at the first question; after
// that only the clients that changed are read again.
type originIndex struct {
	// pending is true while something must be read before the index is right. It is written under mu.
	pending atomic.Bool

	mu       sync.RWMutex
	rebuild  bool                // all must be read
	dirty    map[string]struct{} // these clients must be read
	table    originTable
	failedAt time.Time // the last try to read
}

// originTable is the index itself.
type originTable struct {
	// byClient has the origins of each client that has any, a space between two.
	byClient map[string]string
	// count is how many clients have an origin.
	count map[string]int32
}

func newOriginTable() originTable {
	return originTable{byClient: map[string]string{}, count: map[string]int32{}}
}

// Origins reports whether an origin, as browsers write it (RFC 6454 §6.2), is that of a redirect URI of an enabled
// client. The origin of a loopback redirect URI has any port. When the database is away it answers from what it knows.
func (r *Registry) Origins(ctx context.Context, origin string) bool {
	key := origin
	if !strings.HasPrefix(origin, "https://") {
		host, rest, ok := cutLoopback(origin)
		if !ok || rest != "" { // "null" too is nobody's
			return false
		}
		key = "http://" + host + anyPort
	}
	x := &r.origins
	if x.pending.Load() {
		ctx, cancel := context.WithTimeout(ctx, originWait)
		_ = r.LoadOrigins(ctx) // the next question tries again
		cancel()
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.table.count[key] > 0
}

// LoadOrigins brings the index of origins up to date. Origins does it when it is needed; a server may do it early, since
// the first time reads every client. It goes on when ctx ends.
func (r *Registry) LoadOrigins(ctx context.Context) error {
	// A flight that is under way may have begun before the change that the caller must see: the second has not.
	for range 2 {
		if !r.origins.pending.Load() {
			return nil
		}
		loaded := r.flights.DoChan(originFlight, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), originTimeout)
			defer cancel()
			return nil, r.loadOrigins(ctx)
		})
		select {
		case result := <-loaded:
			if result.Err != nil {
				return result.Err
			}
		case <-ctx.Done():
			return fmt.Errorf("read origins: %w: %w", storage.ErrUnavailable, ctx.Err())
		}
	}
	return nil
}

func (r *Registry) loadOrigins(ctx context.Context) error {
	rebuild, dirty, ok := r.origins.take(r.cfg.Now())
	if !ok {
		return nil
	}
	var err error
	if rebuild {
		err = r.readAllOrigins(ctx)
	} else {
		err = r.readOrigins(ctx, dirty)
	}
	r.origins.finish(rebuild, dirty, err != nil, r.cfg.Now())
	return err
}

// changed remembers that a client must be read again.
func (x *originIndex) changed(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mark(id)
	x.pending.Store(true)
}

// mark is changed for who has the lock.
func (x *originIndex) mark(id string) {
	if x.rebuild {
		return
	}
	if x.dirty[id] = struct{}{}; len(x.dirty) > maxDirty {
		x.rebuild, x.dirty = true, map[string]struct{}{}
	}
}

// changedAll remembers that everything must be read again.
func (x *originIndex) changedAll() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rebuild, x.dirty = true, map[string]struct{}{}
	x.pending.Store(true)
}

// take takes over the work that is waiting; what changes from now on is new work. Not ok: the last try failed a moment
// ago. Work that was taken is still pending until finish.
func (x *originIndex) take(now time.Time) (rebuild bool, dirty map[string]struct{}, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if since := now.Sub(x.failedAt); since >= 0 && since < originRetry {
		return false, nil, false
	}
	rebuild, dirty = x.rebuild, x.dirty
	x.rebuild, x.dirty = false, map[string]struct{}{}
	return rebuild, dirty, true
}

// finish ends the work that take took; when it failed it is to be done again.
func (x *originIndex) finish(rebuild bool, dirty map[string]struct{}, failed bool, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case failed && rebuild:
		x.rebuild, x.dirty = true, map[string]struct{}{}
	case failed:
		for id := range dirty {
			x.mark(id)
		}
	}
	if failed {
		x.failedAt = now
	}
	x.pending.Store(x.rebuild || len(x.dirty) > 0)
}

// readAllOrigins builds a new table beside the present one, which answers meanwhile.
func (r *Registry) readAllOrigins(ctx context.Context) error {
	table, after := newOriginTable(), ""
	for {
		rows, err := r.cfg.Store.ListClients(ctx, after, originPage)
		if err != nil {
			return fmt.Errorf("read origins: %w", err)
		}
		for _, row := range rows {
			table.set(row.ID, rowOrigins(row))
			after = row.ID
		}
		if len(rows) < originPage {
			break
		}
	}
	x := &r.origins
	x.mu.Lock()
	defer x.mu.Unlock()
	x.table = table
	return nil
}

// readOrigins reads the clients that changed.
func (r *Registry) readOrigins(ctx context.Context, dirty map[string]struct{}) error {
	x := &r.origins
	for id := range dirty {
		row, err := r.cfg.Store.Client(ctx, id)
		var origins []string
		switch {
		case err == nil:
			origins = rowOrigins(row)
		case !isNotFound(err):
			return fmt.Errorf("read origins: %w", err)
		}
		x.mu.Lock()
		x.table.set(id, origins)
		x.mu.Unlock()
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, storage.ErrNotFound) }

// set replaces the origins of one client.
func (t originTable) set(id string, origins []string) {
	if before, ok := t.byClient[id]; ok {
		for origin := range strings.SplitSeq(before, " ") {
			if t.count[origin]--; t.count[origin] <= 0 {
				delete(t.count, origin)
			}
		}
		delete(t.byClient, id)
	}
	if len(origins) == 0 {
		return
	}
	for _, origin := range origins {
		t.count[origin]++
	}
	t.byClient[strings.Clone(id)] = strings.Join(origins, " ") // one origin: the same bytes as the key of count
}

// rowOrigins are the origins of the redirect URIs of an enabled client, each once.
func rowOrigins(row *storage.Client) []string {
	var d struct {
		RedirectURIs []string `json:"redirect_uris"`
	}
	if row.Disabled || json.Unmarshal(row.Metadata, &d) != nil {
		return nil
	}
	if checkList("redirect_uris", &d.RedirectURIs) != nil {
		return nil
	}
	var origins []string
	for _, uri := range d.RedirectURIs {
		if origin, ok := originOf(uri); ok {
			origins = append(origins, origin)
		}
	}
	_ = checkList("redirect_uris", &origins) // it was no longer than the first list; this drops what repeats
	return origins
}

// originOf is the origin of a redirect URI as browsers write it (RFC 6454 §6.2): in lower case, without the port that the
// scheme has anyway.
func originOf(uri string) (string, bool) {
	if host, _, ok := cutLoopback(uri); ok {
		return "http://" + host + anyPort, true
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", false
	}
	return "https://" + strings.TrimSuffix(strings.ToLower(u.Host), ":443"), true
}
