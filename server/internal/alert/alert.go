// Package alert makes the messages of which letters come that notify users of changes of what they sign in with (OWASP ASVS 5.0 6.3.7).
//
// A message is stored in the transaction of the change, by whatever makes it: a page, the API for operators, or a command on the database,
// which knows neither the mail server nor the keys that seal letters. It isn't sealed, since it has nothing that the audit event of
// the change doesn't have, but the languages of the browser. A server that sends letters makes one of it (server/proof).
package alert

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"latchkey/server/internal/outbox"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Kind is that of the messages in the outbox.
const Kind = "alert"

// giveUp is how long a server tries to make the letter.
const giveUp = 24 * time.Hour

// Alert is a change of a user's credentials, as its audit event has it.
type Alert struct {
	UserID  int64           `json:"user_id"`
	Action  string          `json:"action"`
	Actor   string          `json:"actor"`
	Details json.RawMessage `json:"details,omitempty"`
	At      time.Time       `json:"at"`
	// Languages are those of the user's browser, as in Accept-Language; empty if it was not the user.
	Languages string `json:"languages,omitempty"`
}

// Of returns the message about the change of an audit event, or none if on is false.
func Of(ctx context.Context, on bool, e *storage.AuditEvent) []*storage.OutboxMessage {
	if !on {
		return nil
	}
	a := Alert{UserID: e.UserID, Action: e.Action, Actor: e.Actor, Details: e.Details, At: e.At}
	if e.Actor == "user" {
		a.Languages = request.From(ctx).Languages
	}
	payload, err := json.Marshal(a)
	if err != nil {
		panic(err) // the details are JSON that was made here
	}
	return []*storage.OutboxMessage{outbox.Message(Kind, sha256.Sum256(e.ID[:]), payload, e.At, giveUp)}
}

// Read returns the change that a message is about.
func Read(m *storage.OutboxMessage) (*Alert, error) {
	a := new(Alert)
	if err := json.Unmarshal(m.Payload, a); err != nil {
		return nil, fmt.Errorf("read alert: %w: %w", outbox.ErrRefused, err)
	}
	return a, nil
}
