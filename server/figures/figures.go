// Package figures counts what happened: logins, sessions and the like, by hours and days, for operators. The audit trail and the sessions are
// counted in the background, each hour once, so that a page costs the same however many there are, and neither a login nor a refresh does more.
package figures

import (
	"context"
	"fmt"
	"slices"
	"time"

	"latchkey/server/trail"
	"latchkey/storage"
)

const (
	// kept is how long counts are kept: a month, and a day more for the first of its days.
	kept = 32 * 24 * time.Hour
	// late is how long after the end of an hour it is counted: events of requests under way come after it.
	late = 2 * time.Minute

	hoursShown, daysShown = 24, 30
)

// The kinds of sessions that began: from a browser session, or without one: with a password that an application sent, or on a device.
const (
	BrowserSessions = "session.begun.browser"
	DirectSessions  = "session.begun.direct"
)

// Kinds returns what is counted: types of events, and the kinds of sessions that began.
func Kinds() []string {
	return []string{"login", "login.refused", BrowserSessions, DirectSessions, "session.ended", "reuse.detected"}
}

// counted returns the actions under which a kind is counted.
func counted(kind string) []string {
	switch kind {
	case BrowserSessions:
		return []string{storage.CountedBrowserSessions}
	case DirectSessions:
		return []string{storage.CountedDirectSessions}
	}
	return trail.Actions(kind)
}

// Store is the part of storage.Store that counting needs.
type Store interface {
	storage.EventCounts
	ListAudit(ctx context.Context, f storage.AuditFilter) ([]*storage.AuditEvent, error)
}

// Count counts the hours that have ended by now and were not counted.
func Count(ctx context.Context, store Store, now time.Time) error {
	until, since := now.Add(-late).Truncate(time.Hour), now.Add(-kept).Truncate(time.Hour)
	newest, err := store.ListEventCounts(ctx, until.Add(-time.Hour))
	if err != nil || slices.ContainsFunc(newest, func(c *storage.EventCount) bool { return c.Action == "" }) {
		return err
	}
	from, err := uncounted(ctx, store, since)
	if err != nil {
		return err
	}
	for !from.IsZero() && from.Before(until) && ctx.Err() == nil {
		next := from.Add(time.Hour) // hour by hour, so that no statement reads more than what happened within one
		if err := store.CountEvents(ctx, from, next, since, actions()); err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		from = next
	}
	return nil
}

// uncounted returns the first hour that was not counted; zero if nothing has happened.
func uncounted(ctx context.Context, store Store, since time.Time) (from time.Time, err error) {
	counts, err := store.ListEventCounts(ctx, since)
	if err != nil {
		return from, fmt.Errorf("count events: %w", err)
	}
	for _, c := range counts {
		if c.Action == "" {
			from = c.Hour.Add(time.Hour)
		}
	}
	if !from.IsZero() {
		return from, nil
	}
	first, err := store.ListAudit(ctx, storage.AuditFilter{After: storage.FirstID(since), Limit: 1})
	if err != nil || len(first) == 0 {
		return from, err
	}
	return first[0].At.UTC().Truncate(time.Hour), nil
}

func actions() (all []string) {
	for _, kind := range Kinds() {
		all = append(all, trail.Actions(kind)...)
	}
	return all
}

// Figures are the numbers of one kind, the oldest first.
type Figures struct {
	Kind        string
	Hours, Days []int64
}

// Read returns the figures of the hours and days up to an hour that has been counted, and the end of that hour; zero if no hour has been counted yet.
func Read(ctx context.Context, store storage.EventCounts, now time.Time) (list []Figures, until time.Time, err error) {
	counts, err := store.ListEventCounts(ctx, now.Add(-kept).Truncate(time.Hour))
	if err != nil {
		return nil, until, fmt.Errorf("figures: %w", err)
	}
	for _, c := range counts {
		if c.Action == "" {
			until = c.Hour.Add(time.Hour)
		}
	}
	for _, kind := range Kinds() {
		f := Figures{kind, make([]int64, hoursShown), make([]int64, daysShown)}
		named := counted(kind)
		for _, c := range counts {
			if slices.Contains(named, c.Action) {
				add(f.Hours, int(until.Sub(c.Hour)/time.Hour), c.N)
				add(f.Days, int((until.Sub(c.Hour)-1)/(24*time.Hour))+1, c.N)
			}
		}
		list = append(list, f)
	}
	return list, until, nil
}

// add adds to the element that is so many places from the end, the last being 1.
func add(to []int64, place int, n int64) {
	if place >= 1 && place <= len(to) {
		to[len(to)-place] += n
	}
}
