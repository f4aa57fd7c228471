package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/server/trail"
	"latchkey/storage"
)

const (
	pollEvery = time.Second
	// maxStream is how long a stream lasts. Its client goes on with a new request, whose token is checked.
	maxStream = 5 * time.Minute
	// beatEvery is how often something is sent, so that proxies do not take the connection for dead.
	beatEvery = 15 * time.Second
)

// eventRoutes declares the stream of events.
func (a *API) eventRoutes() {
	o := op("stream-events", http.MethodGet, "/events", scopeAuditRead, "Follow audit events as they happen, on any replica (server-sent events)", http.StatusTooManyRequests)
	o.Description = "Each event has its id, the type of the event (audit for those that have none) and, as data, the audit event. " +
		"The stream ends after five minutes: send the request again with Last-Event-ID, as EventSource does."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Server-sent events",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	register(a, o, a.streamEvents)
}

func (a *API) streamEvents(ctx context.Context, in *struct {
	LastEventID string `header:"Last-Event-ID" format:"uuid" doc:"The id of the last event that was read: go on behind it. By default with what happens from now on."`
	Type        string `query:"type" enum:"login,login.refused,session.ended,reuse.detected,client.registered,user.changed" doc:"Events of this type only."`
},
) (*huma.StreamResponse, error) {
	follow := trail.NewFollower(a.Store, storage.FirstID(a.now()))
	if in.LastEventID != "" {
		id, err := storage.ParseID(in.LastEventID)
		if err != nil {
			return nil, refusal(http.StatusUnprocessableEntity, "", "The Last-Event-ID is not the id of an event.")
		}
		follow = trail.NewFollower(a.Store, id)
	}
	select {
	case a.streams <- struct{}{}:
	default:
		return nil, refusal(http.StatusTooManyRequests, "", "There are %d streams already.", maxStreams)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-a.streams }()
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("X-Accel-Buffering", "no") // nginx
		hc.SetStatus(http.StatusOK)
		ctx, cancel := context.WithTimeout(ctx, maxStream)
		defer cancel()
		s := &stream{w: hc.BodyWriter(), kind: in.Type, reader: trail.NewReader(a.Store)}
		if rw, ok := s.w.(http.ResponseWriter); ok {
			s.control = http.NewResponseController(rw)
			// The listener's time for reading a request would end the stream: the server waits for the client's next one all the while.
			_ = s.control.SetReadDeadline(time.Time{})
		}
		a.pump(ctx, s, follow)
	}}, nil
}

// pump sends events until ctx ends, the server stops or the client has gone.
func (a *API) pump(ctx context.Context, s *stream, follow *trail.Follower) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	err := s.send(": events\n\n")
	for err == nil {
		var found []*storage.AuditEvent
		if found, err = follow.Next(ctx, a.now()); err == nil {
			err = s.events(ctx, found)
		}
		if err == nil && time.Since(s.last) > beatEvery {
			err = s.send(": still here\n\n")
		}
		if len(found) > 0 {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-a.Stopping:
			return
		case <-poll.C:
		}
	}
}

// stream is the answer to one request.
type stream struct {
	w       io.Writer
	control *http.ResponseController
	kind    string
	reader  *trail.Reader
	last    time.Time
}

func (s *stream) events(ctx context.Context, found []*storage.AuditEvent) error {
	for _, e := range found {
		kind := trail.TypeOf(e.Action)
		if s.kind != "" && s.kind != kind {
			continue
		}
		shown, err := s.reader.Describe(ctx, e)
		if err != nil {
			return err
		}
		data, err := json.Marshal(shown) // one line
		if err != nil {
			return err
		}
		if kind == "" {
			kind = "audit"
		}
		if err := s.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", e.ID, kind, data)); err != nil {
			return err
		}
	}
	return nil
}

// send writes text that the client gets now, however long the stream has lasted.
func (s *stream) send(text string) error {
	s.last = time.Now()
	if s.control == nil {
		_, err := io.WriteString(s.w, text)
		return err
	}
	// The deadline of the listener is for answers that end. A writer without deadlines has none to move.
	_ = s.control.SetWriteDeadline(s.last.Add(10 * time.Second))
	if _, err := io.WriteString(s.w, text); err != nil {
		return err
	}
	return s.control.Flush()
}
