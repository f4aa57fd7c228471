package backchannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/outbox"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

// refusedFor is how long a client may refuse a notice before it is abandoned.
const refusedFor = 15 * time.Minute

// The outcomes of an attempt, in the metrics.
const (
	outcomeDelivered = "delivered"
	outcomeRetried   = "retried"   // will be sent again
	outcomeRefused   = "refused"   // abandoned: the client refuses it
	outcomeExpired   = "expired"   // abandoned: it has expired, or expires before the next attempt
	outcomeNeedless  = "needless"  // the client was removed or disabled, or no longer has a URI
	outcomePostponed = "postponed" // not sent: its host does not respond, or is busy
)

// Tokens writes logout tokens. A *token.Service is one.
type Tokens interface {
	LogoutToken(ctx context.Context, c *clients.Client, subject string, session storage.ID) (storage.Secret, error)
}

// Clients finds clients. A *registry.Registry is one.
type Clients interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
}

// Sender posts forms. A *safehttp.Client is one.
type Sender interface {
	PostForm(ctx context.Context, url string, form url.Values, o safehttp.Options) (status int, err error)
}

// Config configures a Worker.
type Config struct {
	Store   storage.LogoutNotices
	Clients Clients
	Tokens  Tokens
	HTTP    Sender
	Now     func() time.Time
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	// Paused reports whether nothing may be sent or abandoned now, such as while this machine's clock is wrong; nil means never.
	Paused func() bool
	// PollEvery is how often the worker looks for notices of other processes; 0 means 2 seconds.
	PollEvery time.Duration
}

// Worker sends notices. Any number of workers may use one database.
type Worker struct {
	*outbox.Worker[*storage.LogoutNotice]
	cfg   Config
	hosts hosts
}

// New returns a Worker.
func New(cfg Config) *Worker {
	w := &Worker{cfg: cfg, hosts: hosts{known: map[string]*host{}}}
	w.Worker = outbox.NewWorker(outbox.Work[*storage.LogoutNotice]{
		What: "back-channel logouts", Claim: cfg.Store.ClaimLogoutNotices, Send: w.send, Now: cfg.Now, Logger: cfg.Logger, Paused: cfg.Paused,
		PollEvery: cfg.PollEvery,
	})
	return w
}

// send makes one attempt to deliver a notice, or abandons one that expired before its turn came.
func (w *Worker) send(ctx context.Context, n *storage.LogoutNotice) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("logout notice to %s: %w", n.ClientID, err)
		}
	}()
	if !w.now().Before(n.ExpiresAt) {
		return w.finish(ctx, n, outcomeExpired)
	}
	client, err := w.cfg.Clients.Client(ctx, n.ClientID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return w.finish(ctx, n, outcomeNeedless)
	case err != nil:
		return err
	}
	to, err := url.Parse(client.BackchannelLogoutURI)
	if err != nil || to.Host == "" || client.Disabled {
		return w.finish(ctx, n, outcomeNeedless)
	}
	host, wait := w.hosts.enter(ctx, to.Host, w.now())
	if wait > 0 {
		return w.retry(ctx, n, wait, outcomePostponed)
	}
	// A new token each time, since they expire after two minutes.
	token, err := w.cfg.Tokens.LogoutToken(ctx, client, n.Sub(), n.SessionID)
	if err != nil {
		w.hosts.leave(host)
		return fmt.Errorf("write logout token: %w", err)
	}
	operators := client.Origin == storage.OriginOperator
	status, err := w.cfg.HTTP.PostForm(ctx, client.BackchannelLogoutURI, url.Values{"logout_token": {token.Reveal()}},
		safehttp.Options{Trusted: operators, AllowHTTP: operators})
	if err != nil {
		wait := w.hosts.failed(host, w.now())
		return w.retry(ctx, n, wait, outcomeRetried, slog.Any("error", err))
	}
	w.hosts.answered(host)
	switch {
	case status >= 200 && status < 300:
		return w.finish(ctx, n, outcomeDelivered)
	case status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests && w.now().Sub(n.CreatedAt) >= refusedFor:
		return w.finish(ctx, n, outcomeRefused, slog.Int("status", status))
	}
	return w.retry(ctx, n, outbox.Backoff(n.Attempts), outcomeRetried, slog.Int("status", status))
}

// retry schedules the next attempt, unless the notice expires before it. An attempt that failed is in the log, with the reason.
func (w *Worker) retry(ctx context.Context, n *storage.LogoutNotice, wait time.Duration, outcome string, reason ...slog.Attr) error {
	at := w.now().Add(wait)
	if !at.Before(n.ExpiresAt) {
		return w.finish(ctx, n, outcomeExpired, reason...)
	}
	w.count(outcome)
	if outcome == outcomeRetried {
		w.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "a back-channel logout could not be delivered and will be tried again", append(reason,
			slog.String("client_id", n.ClientID), slog.String("session_id", n.SessionID.String()), slog.Int("attempts", n.Attempts),
			slog.Time("next_attempt", at))...)
	}
	if err := w.cfg.Store.RetryLogoutNotice(ctx, n.ID, at); err != nil {
		return fmt.Errorf("retry logout notice: %w", err)
	}
	return nil
}

// finish removes a notice. If it was abandoned, the client may still have a session that the user has ended, so the operator
// is warned.
func (w *Worker) finish(ctx context.Context, n *storage.LogoutNotice, outcome string, more ...slog.Attr) error {
	if err := w.cfg.Store.FinishLogoutNotice(ctx, n.ID); err != nil {
		return fmt.Errorf("finish logout notice: %w", err)
	}
	w.count(outcome)
	if outcome == outcomeRefused || outcome == outcomeExpired {
		w.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "a back-channel logout was abandoned", append(more,
			slog.String("client_id", n.ClientID), slog.Int64("user_id", n.UserID), slog.String("session_id", n.SessionID.String()),
			slog.String("outcome", outcome), slog.Int("attempts", n.Attempts))...)
	}
	return nil
}

func (w *Worker) count(outcome string) {
	w.cfg.Metrics.BackchannelLogouts.WithLabelValues(outcome).Inc()
}

func (w *Worker) now() time.Time { return w.cfg.Now().UTC() }
