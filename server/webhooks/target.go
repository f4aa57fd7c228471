package webhooks

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/server/internal/outbox"
	"latchkey/server/trail"
	"latchkey/storage"
)

// target is what this server keeps of a target that is enabled.
type target struct {
	row    atomic.Pointer[storage.Webhook]
	sender *outbox.Sender
	// stop ends its sender; nil where none runs.
	stop context.CancelFunc

	// follow reads the trail for the version of the row, up to position; nil if another server does. pending are events for which no
	// deliveries were stored yet.
	follow   *trail.Follower
	version  int64
	position storage.ID
	pending  []*storage.AuditEvent

	// mu guards what the sender notes: the last outcome, and when the audit trail last got an event about abandoned deliveries.
	mu    sync.Mutex
	noted storage.WebhookOutcome
	told  time.Time
}

func (t *target) reached(id storage.ID) {
	if bytes.Compare(id[:], t.position[:]) > 0 {
		t.position = id
	}
}
