package storage

import (
	"context"
	"time"
)

// Webhook is a target to which events of the audit trail are delivered.
type Webhook struct {
	ID ID
	// URL is where deliveries are sent. Name is for the operator.
	URL, Name string
	// Types are those of the events that it gets; none means all.
	Types []string
	// Secret signs deliveries. PreviousSecret, which may be empty, signs them too until PreviousSecretExpiresAt. Both are sealed.
	Secret, PreviousSecret  []byte
	PreviousSecretExpiresAt time.Time
	// Version is raised by each change of what is above, and of DisabledAt.
	Version              int64
	CreatedAt, UpdatedAt time.Time
	// DisabledAt is zero while deliveries are made. DisabledReason, in snake case, says why they are not.
	DisabledAt     time.Time
	DisabledReason string
	// Cursor is how far deliveries have been made of the events in the trail: up to that ID, except those that came late.
	Cursor ID
	// RelayOwner is the server that makes them, until RelayUntil.
	RelayOwner ID
	RelayUntil time.Time
	WebhookState
}

// WebhookState is how the deliveries to a target have gone.
type WebhookState struct {
	LastAttemptAt, LastSuccessAt time.Time
	// LastStatus is that of the last answer, 0 if there was none. LastError is empty if the last delivery was taken.
	LastStatus int64
	LastError  string
	// FailingSince is the time of the first attempt that failed after the last one that succeeded.
	FailingSince time.Time
	// Abandoned counts the deliveries that were abandoned.
	Abandoned int64
}

// Kind returns the kind of the messages in the outbox that are deliveries to the target. Each target has its own, so that a slow one
// holds up no other.
func (w *Webhook) Kind() string { return WebhookKind(w.ID) }

// WebhookKind returns the Kind of the target with an ID.
func WebhookKind(id ID) string { return "webhook/" + id.String() }

// WebhookRelay is how far a server has come with the deliveries to a target.
type WebhookRelay struct {
	ID ID
	// Owner is the server. It is the only one until Until, unless another one was that already at Now.
	Owner      ID
	Now, Until time.Time
	// Cursor is how far it has come, and Messages are the deliveries that it has made of the events up to there.
	Cursor   ID
	Messages []*OutboxMessage
}

// WebhookOutcome is the outcome of an attempt to deliver.
type WebhookOutcome struct {
	ID ID
	At time.Time
	// Status is that of the answer, 0 if there was none. Error is empty if the delivery was taken.
	Status int64
	Error  string
	// Abandoned is how many deliveries were abandoned.
	Abandoned int64
}

// Webhooks stores the targets of deliveries.
type Webhooks interface {
	// CreateWebhook stores a target, with the version 1. ErrLimit: there are so many already.
	CreateWebhook(ctx context.Context, w *Webhook, limit int, audit *AuditEvent) error

	// ListWebhooks returns all targets by ascending ID.
	ListWebhooks(ctx context.Context) ([]*Webhook, error)

	// UpdateWebhook sets the URL, the name, the types, the secrets, DisabledAt with its reason, and UpdatedAt of the target with the ID
	// and the version of w, whose version becomes one more. The cursor is moved to that of w; it never goes back.
	// ErrConflict: there is none with that version.
	UpdateWebhook(ctx context.Context, w *Webhook, audit *AuditEvent) error

	// RemoveWebhook removes a target with the deliveries that wait for it. ErrNotFound.
	RemoveWebhook(ctx context.Context, id ID, audit *AuditEvent) error

	// RelayWebhook makes r.Owner the one that makes deliveries, moves the cursor, which never goes back, and stores the messages, except those
	// whose kind and key are stored already. ErrConflict: the target is not there or disabled, or has another owner at r.Now.
	RelayWebhook(ctx context.Context, r WebhookRelay) error

	// NoteWebhook sets the state of a target after an attempt. One that does not exist is no error. The event is written if it exists.
	NoteWebhook(ctx context.Context, o WebhookOutcome, audit *AuditEvent) error
}
