package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"
)

// Event is an audit event as it happens.
type Event struct {
	// ID is that of the audit event: with it a stream goes on behind it.
	ID string
	// Type is login, login.refused, session.ended, reuse.detected, client.registered or user.changed; audit for other audit events.
	Type string
	AuditEvent
}

// EventFilter selects events.
type EventFilter struct {
	// Type selects events of one type; empty selects all.
	Type string
	// After is the ID of the last event that was read; empty begins with what happens from now on.
	After string
}

// Events follows audit events as they happen, on any replica, until ctx ends or its reader stops. Where the stream ends, it goes on with
// another one behind the last event; a refusal that another attempt would get too is an error, and ends it.
func (a *API) Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		wait := time.Second
		for {
			began := time.Now()
			err := a.stream(ctx, &f, yield)
			var p *Problem
			switch {
			case errors.Is(err, errStopped):
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			case errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests:
				yield(Event{}, err)
				return
			}
			if wait = min(2*wait, time.Minute); time.Since(began) > wait {
				wait = time.Second
			}
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
	}
}

// errStopped is the end of a stream whose reader wants no more.
var errStopped = errors.New("stopped")

// stream reads one stream. It notes in f how far it came.
func (a *API) stream(ctx context.Context, f *EventFilter, yield func(Event, error) bool) error {
	c := newCall(http.MethodGet, "/events", nil)
	c.query = filters("type", f.Type)
	if f.After != "" {
		c.header.Set("Last-Event-ID", f.After)
	}
	r, err := a.request(ctx, c)
	if err != nil {
		return err
	}
	client := *a.http
	client.Timeout = 0 // it lasts
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		return problemOf(answer, text)
	}
	var e Event
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.AuditEvent); err != nil {
				return err
			}
		case "":
			if e.ID == "" { // a comment, which keeps the connection open
				continue
			}
			f.After = e.ID
			if !yield(e, nil) {
				return errStopped
			}
			e = Event{}
		}
	}
	return lines.Err()
}
