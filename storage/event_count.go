package storage

import (
	"context"
	"time"
)

// EventCount is how many audit events of an action there were in an hour, which begins at Hour. The empty action says that the hour, and all
// before it, were counted.
type EventCount struct {
	Hour   time.Time
	Action string
	N      int64
}

// The actions under which the sessions that began are counted. They are no events of the audit trail: the sessions are the grants themselves.
const (
	CountedBrowserSessions = "session_begun_browser"
	CountedDirectSessions  = "session_begun_direct"
)

// EventCounts stores how many audit events there were, and how many sessions began.
type EventCounts interface {
	// CountEvents counts the audit events of the hours from one to before another by the actions that are named, and the sessions that began
	// in them, from a browser session or without one (with a password that the application sent, or on a device). It removes the counts of the hours before since. Hours that were
	// counted stay as they are.
	CountEvents(ctx context.Context, from, until, since time.Time, actions []string) error

	// ListEventCounts returns the counts of the hours from a time on, in their order.
	ListEventCounts(ctx context.Context, from time.Time) ([]*EventCount, error)
}
