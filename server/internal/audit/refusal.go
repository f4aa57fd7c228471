package audit

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"latchkey/server/internal/request"
)

// ActionRefused is the action of the events that Refused writes.
const ActionRefused = "client_refused"

// Refusal is a request of an application that was refused, for the operator who looks for the reason.
type Refusal struct {
	// ClientID is the client that the request named. Known is set when there is such a client: only then is there an event.
	ClientID string
	Known    bool
	// Error is the error code of the protocol, Reason the finer one.
	Error, Reason string
	Details       RefusalDetails
}

// RefusalDetails are the details of the event. Texts of the request are cut.
type RefusalDetails struct {
	Error       string `json:"error"`
	Description string `json:"description,omitempty"`
	// RedirectURI is the redirect URI that arrived, Nearest the registered one that is most like it.
	RedirectURI string `json:"redirect_uri,omitempty"`
	Nearest     string `json:"nearest_registered,omitempty"`
	// Audience is that of a token which the client may not introspect.
	Audience []string `json:"audience,omitempty"`
}

// The limits of events about refusals, per process: others choose how often they happen.
const (
	refusalsOfClient = 20 // at once, and then one each refusalInterval
	refusalInterval  = 5 * time.Minute
	refusalsOfAll    = 200
	allInterval      = 10 * time.Second
	maxClients       = 10_000
	refusalTimeout   = 5 * time.Second
)

// refusals limits the events. The zero value is ready for use.
type refusals struct {
	mu      sync.Mutex
	all     *rate.Limiter
	clients map[string]*rate.Limiter
	pending sync.WaitGroup
}

// allow reports whether an event may be written.
func (l *refusals) allow(client string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clients == nil || len(l.clients) >= maxClients {
		l.clients = map[string]*rate.Limiter{}
	}
	if l.all == nil {
		l.all = rate.NewLimiter(rate.Every(allInterval), refusalsOfAll)
	}
	own := l.clients[client]
	if own == nil {
		own = rate.NewLimiter(rate.Every(refusalInterval), refusalsOfClient)
		l.clients[client] = own
	}
	return own.AllowN(now, 1) && l.all.AllowN(now, 1)
}

// Refused puts a refusal into the log event of the request and, for a client that there is, writes an event, unless there were too many of
// late. It does not wait for the database, so that the time of an answer does not show whether a client exists.
func (l *Log) Refused(ctx context.Context, r Refusal) {
	d := &r.Details
	d.Error, d.Description = r.Error, cut(d.Description)
	d.RedirectURI, d.Nearest = cut(d.RedirectURI), cut(d.Nearest)
	attrs := []slog.Attr{slog.String("client_id", cut(r.ClientID)), slog.String("refused", r.Error)}
	if d.RedirectURI != "" {
		attrs = append(attrs, slog.String("redirect_uri", d.RedirectURI))
	}
	if d.Nearest != "" {
		attrs = append(attrs, slog.String("nearest_redirect_uri", d.Nearest))
	}
	if len(d.Audience) > 0 {
		attrs = append(attrs, slog.Any("token_audience", d.Audience))
	}
	request.From(ctx).Event.Add(attrs...)
	if !r.Known || !l.refusals.allow(r.ClientID, l.Now()) {
		return
	}
	e := l.Event(ctx, ActionRefused, "client")
	e.ClientID, e.Outcome, e.Reason = r.ClientID, "denied", r.Reason
	if e.Reason == "" {
		e.Reason = r.Error
	}
	e.Details, _ = json.Marshal(d)
	l.refusals.pending.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTimeout)
		defer cancel()
		_ = l.Append(ctx, e) // the log has it
	})
}

// Flush waits until the events of Refused are written.
func (l *Log) Flush() { l.refusals.pending.Wait() }

// cut bounds a text of a request.
func cut(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
