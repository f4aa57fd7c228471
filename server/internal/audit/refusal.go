package audit

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"latchkey/server/internal/request"
)

// Refusal is a request of an application that was refused, for the operator who looks for the reason.
type Refusal struct {
	// ClientID is the client that the request named. Known is set when there is such a client: only then is there an event.
	ClientID string
	Known    bool
	// UserID is the user who was refused; zero if it is not about a user.
	UserID int64
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

const refusalTimeout = 5 * time.Second

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
	if !r.Known {
		return
	}
	e := l.Event(ctx, "client_refused", "client")
	e.UserID, e.ClientID, e.Outcome, e.Reason = r.UserID, r.ClientID, "denied", r.Reason
	if e.Reason == "" {
		e.Reason = r.Error
	}
	e.Details = Details(d)
	if e = l.Limited(ctx, e); e == nil {
		return
	}
	l.pending.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTimeout)
		defer cancel()
		_ = l.Append(ctx, e) // the log has it
	})
}

// Flush waits until the events of Refused are written.
func (l *Log) Flush() { l.pending.Wait() }

// cut bounds a text of a request.
func cut(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
