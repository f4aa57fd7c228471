package webhooks

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"time"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/safehttp"
	"latchkey/server/internal/seal"
	"latchkey/server/trail"
	"latchkey/storage"
)

const (
	// MaxTargets bounds the number of targets: a server does work for each once a second.
	MaxTargets = 20
	// MaxKeepOld is how long deliveries can be signed with a replaced secret too.
	MaxKeepOld = 30 * 24 * time.Hour
	// Timeout is how long a target may take to answer.
	Timeout = 15 * time.Second
	// PerTarget is how many deliveries to one target are under way at once on one server.
	PerTarget = 4

	secretPrefix = "whsec_"
	secretBytes  = 32
)

// The reasons why a target is disabled.
const (
	reasonOperator = "operator"
	// ReasonGone disables a target that has answered 410.
	ReasonGone = "gone" // RFC 9110 §15.5.11
)

// Store is what a Service uses of storage.Store.
type Store interface {
	storage.Webhooks
	storage.Outbox
	trail.Store
}

// HTTP makes deliveries. A *safehttp.Client is one.
type HTTP interface {
	Send(ctx context.Context, url string, body []byte, o safehttp.Options) (status int, err error)
	Check(url string, o safehttp.Options) error
}

// Config configures a Service.
type Config struct {
	Store Store
	HTTP  HTTP
	// Keys seal the secrets of targets and what waits for delivery: the first seals, all open.
	Keys [][]byte
	// Audit writes the events of changes.
	Audit *audit.Log
	Now   func() time.Time

	// The fields below are for Run and Deliver. Paused reports whether nothing may be sent or dropped now.
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	Paused  func() bool
	// MaxWaiting is how many deliveries may wait for one target: events stay in the trail while there are more. 0 means 1000.
	MaxWaiting int
}

// Service manages targets, and delivers events to them.
type Service struct {
	cfg Config
	// id is that of this server, as the owner of leases.
	id storage.ID
	// sealer seals and opens; current opens what is sealed with the present key only.
	sealer, current *seal.Sealer
	// changed has an element when the targets were changed.
	changed chan struct{}
	// targets are those that are enabled. It is for Run or Deliver.
	targets map[storage.ID]*target
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	s := &Service{cfg: cfg, id: storage.NewID(cfg.Now()), changed: make(chan struct{}, 1), targets: map[storage.ID]*target{}}
	var err error
	if s.sealer, err = seal.New(cfg.Keys); err == nil {
		s.current, err = seal.New(cfg.Keys[:1])
	}
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return s, nil
}

// Changed makes Run look at the targets now. It never blocks.
func (s *Service) Changed() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// List returns all targets, oldest first.
func (s *Service) List(ctx context.Context) ([]*storage.Webhook, error) {
	return s.cfg.Store.ListWebhooks(ctx)
}

// Find returns the target with an ID. Errors: storage.ErrNotFound.
func (s *Service) Find(ctx context.Context, id storage.ID) (*storage.Webhook, error) {
	all, err := s.cfg.Store.ListWebhooks(ctx) // there are few
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.ID == id {
			return w, nil
		}
	}
	return nil, fmt.Errorf("webhook: %w", storage.ErrNotFound)
}

// Describe returns what operators see of a target.
func (s *Service) Describe(ctx context.Context, w *storage.Webhook) (wire.Webhook, error) {
	waiting, _, err := s.cfg.Store.WaitingOutboxMessages(ctx, w.Kind())
	out := wire.Webhook{
		ID: w.ID.String(), URL: w.URL, Name: w.Name, Types: append([]string{}, w.Types...), Enabled: w.DisabledAt.IsZero(),
		DisabledAt: w.DisabledAt, DisabledReason: w.DisabledReason, CreatedAt: w.CreatedAt, UpdatedAt: w.UpdatedAt,
		Deliveries: wire.WebhookDeliveries{
			Waiting: waiting, Abandoned: w.Abandoned, LastAttemptAt: w.LastAttemptAt, LastSuccessAt: w.LastSuccessAt,
			LastStatus: int(w.LastStatus), LastError: w.LastError, FailingSince: w.FailingSince,
		},
	}
	if w.PreviousSecretExpiresAt.After(s.now()) {
		out.OldSecretExpiresAt = w.PreviousSecretExpiresAt
	}
	return out, err
}

// Add adds a target and returns it with its secret, or only checks it. The error may be a *clients.MetadataError, or storage.ErrLimit.
func (s *Service) Add(ctx context.Context, n wire.NewWebhook, dry bool) (*storage.Webhook, storage.Secret, error) {
	now := s.now()
	w := &storage.Webhook{
		ID: storage.NewID(now), URL: n.URL, Name: n.Name, Types: n.Types, CreatedAt: now, UpdatedAt: now, Cursor: storage.FirstID(now),
	}
	if err := s.check(w); err != nil || dry {
		return w, "", err
	}
	secret := s.newSecret(w)
	if err := s.cfg.Store.CreateWebhook(ctx, w, MaxTargets, s.event(ctx, "webhook_created", w)); err != nil {
		return nil, "", err
	}
	s.Changed()
	return w, secret, nil
}

// Update changes a target that was read, or only checks the change. storage.ErrConflict: it was changed since.
func (s *Service) Update(ctx context.Context, w *storage.Webhook, c wire.WebhookChange, dry bool) (*storage.Webhook, error) {
	changed, now := *w, s.now()
	if c.URL != nil {
		changed.URL = *c.URL
	}
	if c.Name != nil {
		changed.Name = *c.Name
	}
	if c.Types != nil {
		changed.Types = *c.Types
	}
	if c.Enabled != nil && *c.Enabled != w.DisabledAt.IsZero() {
		changed.DisabledAt, changed.DisabledReason = now, reasonOperator
		if *c.Enabled { // it gets what happens from now on
			changed.DisabledAt, changed.DisabledReason, changed.Cursor = time.Time{}, "", storage.FirstID(now)
		}
	}
	if err := s.check(&changed); err != nil || dry {
		return &changed, err
	}
	return &changed, s.store(ctx, &changed, "webhook_updated")
}

// RotateSecret replaces the secret of a target that was read. Deliveries are signed with the old one as well for keepOld.
func (s *Service) RotateSecret(ctx context.Context, w *storage.Webhook, keepOld time.Duration, dry bool) (*storage.Webhook, storage.Secret, error) {
	if keepOld < 0 || keepOld > MaxKeepOld {
		return nil, "", clients.Invalid("keep_old", "it is not a duration from 0s to %s", clients.Duration(MaxKeepOld))
	}
	changed := *w
	changed.PreviousSecret, changed.PreviousSecretExpiresAt = nil, time.Time{}
	if keepOld > 0 {
		changed.PreviousSecret, changed.PreviousSecretExpiresAt = w.Secret, s.now().Add(keepOld)
	}
	if dry {
		return w, "", nil
	}
	secret := s.newSecret(&changed)
	return &changed, secret, s.store(ctx, &changed, "webhook_secret_rotated")
}

// Remove removes a target and the deliveries that wait for it. Errors: storage.ErrNotFound.
func (s *Service) Remove(ctx context.Context, w *storage.Webhook) error {
	defer s.Changed()
	return s.cfg.Store.RemoveWebhook(ctx, w.ID, s.event(ctx, "webhook_removed", w))
}

func (s *Service) store(ctx context.Context, w *storage.Webhook, action string) error {
	w.UpdatedAt = s.now()
	defer s.Changed()
	return s.cfg.Store.UpdateWebhook(ctx, w, s.event(ctx, action, w))
}

// newSecret draws a new secret for a target.
func (s *Service) newSecret(w *storage.Webhook) storage.Secret {
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	w.Secret = s.sealer.Seal(nil, sealedFor("secret", w.ID), secret)
	return storage.Secret(secretPrefix + base64.StdEncoding.EncodeToString(secret))
}

// sealedFor binds what is sealed to a target.
func sealedFor(what string, id storage.ID) string { return "webhook " + what + " " + id.String() }

// event returns the audit event of an operator's change.
func (s *Service) event(ctx context.Context, action string, w *storage.Webhook) *storage.AuditEvent {
	e := s.cfg.Audit.Event(ctx, action, "operator")
	e.Details = s.details(w, nil)
	return e
}

// details are those of audit events about a target. The path and the query of its URL may be as good as a password.
func (s *Service) details(w *storage.Webhook, more map[string]any) json.RawMessage {
	all := map[string]any{"webhook_id": w.ID.String()}
	if w.Name != "" {
		all["name"] = w.Name
	}
	if u, err := url.Parse(w.URL); err == nil {
		all["host"] = u.Host
	}
	maps.Copy(all, more)
	return audit.Details(all)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
