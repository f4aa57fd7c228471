package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

// watchEvery is how often the versions are read. Reading them costs some 20 µs; SQLite has no notifications between processes.
const watchEvery = 250 * time.Millisecond

// version is how often rows of a kind were changed.
type version struct {
	kind storage.ChangeKind
	n    int64
}

// Watch implements [storage.Store]. It names kinds, never single rows.
func (s *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var seen map[storage.ChangeKind]int64 // nil: anything may have changed
	for {
		now, err := s.versions(ctx)
		switch {
		case err != nil:
			seen = nil
		case seen == nil:
			changed(storage.Change{Kind: storage.ChangeAll})
			seen = now
		default:
			for kind, n := range now {
				if seen[kind] != n {
					changed(storage.Change{Kind: kind})
				}
			}
			seen = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closed:
			return interpret("watch", errClosed)
		case <-tick.C:
		}
	}
}

func (s *Store) versions(ctx context.Context) (map[storage.ChangeKind]int64, error) {
	list, err := all(s.reader(ctx), func(row scanner) (v version, err error) {
		return v, row.Scan(&v.kind, &v.n)
	}, `SELECT kind, version FROM changes`)
	if err != nil {
		return nil, err
	}
	now := make(map[storage.ChangeKind]int64, len(list))
	for _, v := range list {
		now[v.kind] = v.n
	}
	return now, nil
}
