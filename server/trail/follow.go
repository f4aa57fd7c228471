package trail

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/storage"
)

const (
	// HoldBack is how old an event is when it is handed on. IDs are drawn before a transaction commits, on replicas whose clocks differ a
	// little: what is this old comes in the order of its IDs, nearly always.
	HoldBack = 2 * time.Second
	// LookBack is how far back events are looked for that came later than that, every lookAgain: a transaction may take the difference.
	LookBack  = 15 * time.Second
	lookAgain = 5 * time.Second
	pageSize  = 500
)

// Follower reads the events of all replicas as they happen. It is for one goroutine.
type Follower struct {
	store Store
	// start is where it began, position the last event that it returned.
	start, position storage.ID
	sent            map[storage.ID]bool // of the last seconds
	looked          time.Time           // when it last looked back as far as it goes
}

// NewFollower returns a Follower that begins behind an ID.
func NewFollower(store Store, after storage.ID) *Follower {
	return &Follower{store: store, start: after, position: after, sent: map[storage.ID]bool{}}
}

// Next returns the next events, none if there are none yet. Each is returned once; one whose transaction took longer than HoldBack may
// come after younger ones.
func (f *Follower) Next(ctx context.Context, now time.Time) ([]*storage.AuditEvent, error) {
	until := storage.FirstID(now.Add(-HoldBack))
	from := storage.FirstID(now.Add(-HoldBack - LookBack))
	for id := range f.sent {
		if before(id, from) {
			delete(f.sent, id)
		}
	}
	back := now.Sub(f.looked) >= lookAgain
	if !back || before(f.position, from) {
		from = f.position
	}
	if before(from, f.start) {
		from = f.start
	}
	for {
		page, err := f.store.ListAudit(ctx, storage.AuditFilter{After: from, Limit: pageSize})
		if err != nil {
			return nil, fmt.Errorf("follow the audit trail: %w", err)
		}
		full := len(page) == pageSize
		if full {
			from = page[len(page)-1].ID
		}
		page = slices.DeleteFunc(page, func(e *storage.AuditEvent) bool { return !before(e.ID, until) || f.sent[e.ID] })
		for _, e := range page {
			f.sent[e.ID] = true
			if before(f.position, e.ID) {
				f.position = e.ID
			}
		}
		if !full && back {
			f.looked = now
		}
		if len(page) > 0 || !full {
			return page, nil
		}
	}
}

func before(a, b storage.ID) bool { return bytes.Compare(a[:], b[:]) < 0 }
