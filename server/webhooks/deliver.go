package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	wire "latchkey/admin"
	"latchkey/server/internal/outbox"
	"latchkey/storage"
)

const (
	// giveUp is when a delivery is abandoned: after the last of the attempts of schedule, and before another one.
	giveUp = 80 * time.Hour
	// typePing is the type of the event that tries a target.
	typePing = "ping"
	// noteEvery is how often it is noted that nothing has changed.
	noteEvery = 10 * time.Second
	// tellEvery is how often the audit trail says of one target that deliveries were abandoned.
	tellEvery = time.Hour
)

// schedule has the delays between attempts that Standard Webhooks proposes: three days and three hours in all.
var schedule = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// backoff returns the delay after a number of attempts, with a random part so that what failed together is not retried together.
func backoff(attempts int) time.Duration {
	wait := schedule[min(max(attempts, 1), len(schedule))-1]
	return wait + rand.N(wait/20)
}

// payload is the body of a delivery.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// message returns the message that delivers an event to a target. There is one for each target and event, on any server.
func (s *Service) message(w *storage.Webhook, id storage.ID, p payload) (*storage.OutboxMessage, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	key := sha256.Sum256(append(append([]byte("webhook"), w.ID[:]...), id[:]...))
	return outbox.Message(w.Kind(), key, s.sealer.Seal(nil, sealedFor("delivery", w.ID), append(id[:], body...)), s.now(), giveUp), nil
}

// send makes one attempt to deliver a message.
func (s *Service) send(ctx context.Context, t *target, m *storage.OutboxMessage) error {
	w := t.row.Load()
	plain, err := s.sealer.Open(m.Payload, sealedFor("delivery", w.ID))
	if err != nil || len(plain) < len(storage.ID{}) {
		return errors.New("the delivery was sealed with a root secret that this server does not have") // another one may
	}
	var id storage.ID
	body := plain[copy(id[:], plain):]
	status, err := s.post(ctx, w, id, body)
	s.note(ctx, t, status, err)
	if status != http.StatusGone {
		return err
	}
	if err := s.gone(ctx, w.ID); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, outbox.ErrRefused)
}

// post sends a delivery to a target. The error is nil if it was taken; otherwise it is for the operator.
func (s *Service) post(ctx context.Context, w *storage.Webhook, id storage.ID, body []byte) (status int, err error) {
	at := strconv.FormatInt(s.cfg.Now().Unix(), 10)
	signatures, err := s.sign(w, id.String()+"."+at+".", body)
	if err != nil {
		return 0, err
	}
	o := options(w.URL)
	o.Header = http.Header{
		"Content-Type": {"application/json"}, "Webhook-Id": {id.String()}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signatures},
	}
	status, err = s.cfg.HTTP.Send(ctx, w.URL, body, o)
	switch {
	case err != nil:
		return 0, err
	case status >= 200 && status < 300:
		return status, nil
	case status >= 300 && status < 400:
		return status, fmt.Errorf("status %d: redirects are not followed; register the address that it leads to", status)
	}
	return status, fmt.Errorf("status %d %s", status, http.StatusText(status))
}

// sign returns the signatures of a delivery: one, or two while a replaced secret is kept.
func (s *Service) sign(w *storage.Webhook, head string, body []byte) (string, error) {
	sealed := [][]byte{w.Secret}
	if len(w.PreviousSecret) > 0 && w.PreviousSecretExpiresAt.After(s.cfg.Now()) {
		sealed = append(sealed, w.PreviousSecret)
	}
	var signatures []string
	for _, one := range sealed {
		secret, err := s.sealer.Open(one, sealedFor("secret", w.ID))
		if err != nil {
			continue
		}
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(head))
		h.Write(body)
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	if len(signatures) == 0 {
		return "", errors.New("the secret of the target was sealed with a root secret that this server does not have: replace it with `latchkey webhook rotate-secret`")
	}
	return strings.Join(signatures, " "), nil
}

// Test sends an event of the type ping to a target, once, and returns what came of it.
func (s *Service) Test(ctx context.Context, w *storage.Webhook) (wire.WebhookTest, error) {
	now := s.now()
	id := storage.NewID(now)
	body, err := json.Marshal(payload{typePing, now, map[string]string{"webhook_id": w.ID.String()}})
	if err != nil {
		return wire.WebhookTest{}, err
	}
	begin := time.Now()
	status, failure := s.post(ctx, w, id, body)
	out := wire.WebhookTest{ID: id.String(), Delivered: failure == nil, Status: status, Milliseconds: time.Since(begin).Milliseconds()}
	if failure != nil {
		out.Error = failure.Error()
	}
	return out, s.cfg.Store.NoteWebhook(ctx, outcome(w.ID, now, status, failure), nil)
}

func outcome(id storage.ID, at time.Time, status int, failure error) storage.WebhookOutcome {
	o := storage.WebhookOutcome{ID: id, At: at, Status: int64(status)}
	if failure != nil {
		o.Error = fmt.Sprintf("%.300s", failure)
	}
	return o
}

// note keeps the outcome of an attempt for the operator: each change of it, and now and then that nothing has changed.
func (s *Service) note(ctx context.Context, t *target, status int, failure error) {
	o := outcome(t.row.Load().ID, s.now(), status, failure)
	t.mu.Lock()
	same := t.noted.Status == o.Status && t.noted.Error == o.Error && o.At.Sub(t.noted.At) < noteEvery
	if !same {
		t.noted = o
	}
	t.mu.Unlock()
	if same {
		return
	}
	if err := s.cfg.Store.NoteWebhook(ctx, o, nil); err != nil {
		s.cfg.Logger.WarnContext(ctx, "the outcome of a webhook could not be noted", slog.String("webhook", o.ID.String()), slog.Any("error", err))
	}
}

// dropped notes that a delivery was abandoned: it counts, and the audit trail has it, at most once an hour for one target.
func (s *Service) dropped(ctx context.Context, t *target, n int64, reason error) {
	w, now := t.row.Load(), s.now()
	if reason == nil {
		reason = errors.New("it was not delivered in time")
	}
	o := outcome(w.ID, now, 0, reason)
	t.mu.Lock()
	o.Status, o.Abandoned = t.noted.Status, n
	tell := now.Sub(t.told) >= tellEvery
	if tell {
		t.told = now
	}
	t.mu.Unlock()
	var e *storage.AuditEvent
	if tell {
		e = s.cfg.Audit.Event(ctx, "webhook_delivery_abandoned", "server")
		e.Outcome, e.Details = "failure", s.details(w, map[string]any{"error": o.Error, "abandoned_before": w.Abandoned})
	}
	if err := s.cfg.Store.NoteWebhook(ctx, o, e); err != nil {
		s.cfg.Logger.WarnContext(ctx, "it could not be noted that a webhook was abandoned", slog.String("webhook", w.ID.String()), slog.Any("error", err))
		return
	}
	s.cfg.Audit.Written(e)
}

// gone disables a target that has said that it is gone. The operator may change it at the same time.
func (s *Service) gone(ctx context.Context, id storage.ID) error {
	for range 5 {
		w, err := s.Find(ctx, id)
		if errors.Is(err, storage.ErrNotFound) || err == nil && !w.DisabledAt.IsZero() {
			return nil
		}
		if err != nil {
			return err
		}
		w.DisabledAt, w.DisabledReason = s.now(), ReasonGone
		e := s.cfg.Audit.Event(ctx, "webhook_disabled", "server")
		e.Reason, e.Details = ReasonGone, s.details(w, nil)
		err = s.cfg.Store.UpdateWebhook(ctx, w, e)
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err == nil {
			s.cfg.Audit.Written(e)
			s.cfg.Logger.WarnContext(ctx, "a webhook was disabled: its target has answered 410 Gone", slog.String("webhook", id.String()))
			s.Changed()
		}
		return err
	}
	return fmt.Errorf("disable webhook: %w", storage.ErrConflict)
}
