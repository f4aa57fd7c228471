package mail

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"latchkey/storage"
)

const (
	// keptUndelivered is how long a letter that was abandoned is kept for operators.
	keptUndelivered = 30 * 24 * time.Hour
	// maxReason bounds what is kept of an error, in characters.
	maxReason = 300
	// maxCounted bounds the work of counting.
	maxCounted = 1000
)

// Abandon keeps what operators have to know of a letter that could not be delivered: its recipient, and the reason. What the letter said is erased, and
// with it the link and the code. It and CountUndelivered implement outbox.Undelivered.
func (m *Mailer) Abandon(ctx context.Context, message *storage.OutboxMessage, refused bool, reason error) error {
	now := m.cfg.Now().UTC().Truncate(time.Microsecond)
	l, err := m.read(message)
	if err != nil {
		l = new(Letter)
	}
	return m.cfg.Store.AbandonLetter(ctx, message.ID, &storage.UndeliveredLetter{
		ID: storage.NewID(now), Name: string(l.Name), UserID: l.UserID, RequestID: l.RequestID, Recipient: l.To, Lang: l.Lang, Details: l.details(),
		QueuedAt: message.CreatedAt, Attempts: message.Attempts, Refused: refused, LastError: l.reason(reason),
		AbandonedAt: now, ExpiresAt: now.Add(keptUndelivered),
	})
}

// CountUndelivered returns how many letters are kept that were abandoned, at most 1000.
func (m *Mailer) CountUndelivered(ctx context.Context) (int, error) {
	return m.cfg.Store.CountUndeliveredLetters(ctx, time.Time{}, maxCounted)
}

// details returns what a notice says of its change, nil for another letter.
func (l *Letter) details() json.RawMessage {
	if l.Facts == (Facts{}) {
		return nil
	}
	text, err := json.Marshal(l.Facts)
	if err != nil {
		panic(err) // they were read from JSON
	}
	return text
}

// reason returns the text of an error without what the letter holds: libraries quote what they could not use.
func (l *Letter) reason(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	for _, private := range []string{l.Link, l.Code, l.To} {
		if private != "" {
			text = strings.ReplaceAll(text, private, "…")
		}
	}
	text = clean(text)
	if cut := []rune(text); len(cut) > maxReason {
		return string(cut[:maxReason-1]) + "…"
	}
	return text
}
