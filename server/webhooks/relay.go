package webhooks

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"latchkey/server/internal/outbox"
	"latchkey/server/trail"
	"latchkey/storage"
)

const (
	// lookEvery is how often the trail is read while there are targets.
	lookEvery = time.Second
	// lease is how long a server has a target to itself. It is renewed at half time; another one takes over when it is over.
	lease = 20 * time.Second
	// pollEvery is how often a server looks for deliveries that others have stored, or that are due again.
	pollEvery  = 5 * time.Second
	maxWaiting = 1000
	// maxPages is how many pages of the trail are read at once for one target.
	maxPages = 20
)

// Run delivers events until ctx ends, and then waits for the attempts under way.
func (s *Service) Run(ctx context.Context) {
	var senders sync.WaitGroup
	defer senders.Wait()
	for ctx.Err() == nil {
		more, err := s.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "events could not be prepared for webhooks", slog.Any("error", err))
		}
		for _, t := range s.targets {
			s.start(ctx, t, &senders)
		}
		if more && err == nil {
			continue
		}
		var next <-chan time.Time // without targets nothing is done until there is one
		if len(s.targets) > 0 || err != nil {
			next = time.After(lookEvery)
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-next:
		}
	}
}

// start starts the sender of a target unless it runs.
func (s *Service) start(ctx context.Context, t *target, senders *sync.WaitGroup) {
	if t.stop != nil {
		return
	}
	ctx, t.stop = context.WithCancel(ctx)
	kind := t.row.Load().Kind()
	senders.Go(func() {
		t.sender.Run(ctx)
		s.cfg.Metrics.OutboxWaiting.DeleteLabelValues(kind)
		s.cfg.Metrics.OutboxAge.DeleteLabelValues(kind)
	})
}

// Deliver prepares and sends what is due and waits for it. It is for tests and for programs that do not call Run.
func (s *Service) Deliver(ctx context.Context) error {
	for {
		more, err := s.round(ctx)
		for _, t := range s.targets {
			err = errors.Join(err, t.sender.Flush(ctx))
		}
		if err != nil || !more {
			return err
		}
	}
}

// round looks at all targets and stores deliveries of the next events. It reports whether there may be more.
func (s *Service) round(ctx context.Context) (more bool, err error) {
	rows, err := s.cfg.Store.ListWebhooks(ctx)
	if err != nil {
		return false, err
	}
	s.keep(ctx, rows)
	if len(s.targets) == 0 || s.cfg.Paused != nil && s.cfg.Paused() {
		return false, nil
	}
	reader := trail.NewReader(s.cfg.Store)
	for _, row := range rows {
		if t := s.targets[row.ID]; t != nil {
			again, failed := s.relay(ctx, t, reader)
			more, err = more || again, errors.Join(err, failed)
		}
	}
	return more, err
}

// keep makes the targets those of the rows that are enabled.
func (s *Service) keep(ctx context.Context, rows []*storage.Webhook) {
	enabled := map[storage.ID]bool{}
	for _, row := range rows {
		if !row.DisabledAt.IsZero() {
			continue
		}
		enabled[row.ID] = true
		t := s.targets[row.ID]
		if t == nil {
			t = s.newTarget(row.Kind())
			s.targets[row.ID] = t
		}
		t.row.Store(s.resealed(ctx, row))
	}
	for id, t := range s.targets {
		if !enabled[id] {
			if t.stop != nil {
				t.stop()
			}
			delete(s.targets, id)
		}
	}
}

func (s *Service) newTarget(kind string) *target {
	t := &target{}
	t.sender = outbox.NewSender(outbox.Sending{
		Kind: kind, Store: s.cfg.Store, Now: s.cfg.Now, Logger: s.cfg.Logger, Metrics: s.cfg.Metrics, Paused: s.cfg.Paused,
		AtOnce: PerTarget, PollEvery: pollEvery, Timeout: Timeout + 5*time.Second, Backoff: backoff,
		Send: func(ctx context.Context, m *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
			return nil, s.send(ctx, t, m)
		},
		Dropped: func(ctx context.Context, _ *storage.OutboxMessage, reason error) { s.dropped(ctx, t, 1, reason) },
	})
	return t
}

// resealed returns a target whose secret is sealed with the present key: the one before will be removed some day.
func (s *Service) resealed(ctx context.Context, w *storage.Webhook) *storage.Webhook {
	purpose := sealedFor("secret", w.ID)
	if _, err := s.current.Open(w.Secret, purpose); err == nil {
		return w
	}
	secret, err := s.sealer.Open(w.Secret, purpose)
	if err != nil {
		return w // its deliveries fail and say so
	}
	again := *w
	again.Secret = s.sealer.Seal(nil, purpose, secret)
	if err := s.cfg.Store.UpdateWebhook(ctx, &again, nil); err != nil {
		return w // the next time
	}
	return &again
}

// relay stores deliveries of the next events for one target, unless another server does that. It reports whether there may be more.
func (s *Service) relay(ctx context.Context, t *target, reader *trail.Reader) (more bool, err error) {
	defer func() {
		if errors.Is(err, storage.ErrConflict) { // another server has it, or it was changed
			t.follow, more, err = nil, false, nil
		}
	}()
	row, now := t.row.Load(), s.now()
	mine := row.RelayOwner == s.id
	if !mine && row.RelayUntil.After(now) {
		t.follow = nil
		return false, nil
	}
	if t.follow == nil || t.version != row.Version {
		t.follow, t.version, t.position, t.pending = trail.NewFollower(s.cfg.Store, row.Cursor), row.Version, row.Cursor, nil
	}
	if !mine || row.RelayUntil.Sub(now) < lease/2 {
		if err := s.advance(ctx, t, now, nil); err != nil {
			return false, err
		}
	}
	if len(t.pending) == 0 {
		if more, err := s.read(ctx, t, now); err != nil || len(t.pending) == 0 {
			return more, err
		}
	}
	return s.prepare(ctx, t, reader, now)
}

// read reads the next events for a target. It reports whether there may be more although none was found: a long way is gone in parts, between
// which the lease is renewed.
func (s *Service) read(ctx context.Context, t *target, now time.Time) (more bool, err error) {
	types := t.row.Load().Types
	for range maxPages {
		found, err := t.follow.Next(ctx, now)
		if err != nil {
			return false, err
		}
		if len(found) == 0 {
			t.reached(storage.FirstID(now.Add(-trail.HoldBack)))
			return false, nil
		}
		for _, e := range found {
			t.reached(e.ID)
			if kind := trail.TypeOf(e.Action); kind != "" && (len(types) == 0 || slices.Contains(types, kind)) {
				t.pending = append(t.pending, e)
			}
		}
		if len(t.pending) > 0 {
			return true, nil
		}
	}
	return true, nil
}

// prepare stores deliveries of the pending events, unless too many wait.
func (s *Service) prepare(ctx context.Context, t *target, reader *trail.Reader, now time.Time) (more bool, err error) {
	row := t.row.Load()
	waiting, _, err := s.cfg.Store.WaitingOutboxMessages(ctx, row.Kind())
	if err != nil || waiting >= cmp.Or(s.cfg.MaxWaiting, maxWaiting) {
		return false, err
	}
	var messages []*storage.OutboxMessage
	late := int64(0)
	for _, e := range t.pending {
		if now.Sub(e.At) > giveUp {
			late++
			continue
		}
		shown, err := reader.Describe(ctx, e)
		if err != nil {
			return false, err
		}
		m, err := s.message(row, e.ID, payload{trail.TypeOf(e.Action), e.At, shown})
		if err != nil {
			return false, err
		}
		messages = append(messages, m)
	}
	if err := s.advance(ctx, t, now, messages); err != nil {
		return false, err
	}
	t.pending = nil
	if late > 0 {
		s.dropped(ctx, t, late, fmt.Errorf("%d events were more than three days old before others had been delivered", late))
	}
	t.sender.Wake()
	return true, nil
}

// advance renews the lease of a target and stores how far it has come, with the deliveries of the pending events if there are any. A server that goes on
// from there sees the last seconds again, for events that come late; what is stored already is not stored again.
func (s *Service) advance(ctx context.Context, t *target, now time.Time, messages []*storage.OutboxMessage) error {
	cursor := t.row.Load().Cursor
	behind := storage.FirstID(t.position.Time().Add(-trail.LookBack))
	if stays := len(t.pending) > 0 && len(messages) == 0; !stays && bytes.Compare(behind[:], cursor[:]) > 0 {
		cursor = behind
	}
	return s.cfg.Store.RelayWebhook(ctx, storage.WebhookRelay{
		ID: t.row.Load().ID, Owner: s.id, Now: now, Until: now.Add(lease), Cursor: cursor, Messages: messages,
	})
}
