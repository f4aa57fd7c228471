package postgres

import (
	"time"

	"latchkey/storage"
)

// shared are the statements that several calls share; combined counts them.
type shared struct {
	combined combined

	reads, readsWithProfile       *combiner[storage.ID, storage.LiveGrant]
	attempts, attemptsWithProfile *combiner[attempt, attempted]
	revocations                   *combiner[revocation, struct{}]
}

// attempt is a call of AttemptGrant; test is the time of the clock that a test has set, or zero.
type attempt struct {
	storage.GrantAttempt
	test time.Time
}

// attempted is the answer to an attempt.
type attempted struct {
	*storage.LiveGrant
	which int
}

// revocation is a call of RevokeGrant.
type revocation struct {
	id     storage.ID
	reason string
	now    time.Time
	audit  *storage.AuditEvent
}
