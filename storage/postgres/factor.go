package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// lockUser makes changes of the factors of one user run one at a time, so that each sees those before it.
const lockUser = `SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE`

// createFactors has the parameters events, user, replaced kind, kind, limit, number of factors of that kind, messages and the rows.
var createFactors = `
	WITH room AS (
		SELECT FROM factors WHERE user_id = $2 AND kind = $4 AND kind <> $3 HAVING count(*) + $6::bigint <= $5
	), replaced AS (
		DELETE FROM factors WHERE user_id = $2 AND kind = $3 AND EXISTS (SELECT FROM room)
	), changed AS (
		` + insertRecords("factors", "$8", row.Factor) + ` WHERE EXISTS (SELECT FROM room) RETURNING id
	)` + withMessages(7) + logChanged

// CreateFactors implements storage.Factors.
func (s *Store) CreateFactors(ctx context.Context, f storage.NewFactors, audit *storage.AuditEvent) error {
	kind, same := f.Factors[0].Kind, int64(0)
	for _, factor := range f.Factors {
		if factor.Kind == kind {
			same++
		}
	}
	var n int64
	b := &pgx.Batch{}
	b.Queue(lockUser, f.UserID)
	b.Queue(createFactors, events(audit), f.UserID, string(f.Replaces), string(kind), int64(f.Limit), same, outboxMessages(f.Messages),
		records(f.Factors, row.Factor)).QueryRow(scanTo(&n))
	err := s.batch(ctx, "create factors", b)
	return unless(n > 0, err, "create factors", storage.ErrLimit)
}

// removeFactors has the parameters events, user, all, IDs, whether the epoch is raised, to what at least, notices and messages.
var removeFactors = `
	WITH changed AS (
		DELETE FROM factors WHERE user_id = $2 AND ($3 OR id = ANY ($4)) RETURNING id
	), others AS (
		DELETE FROM factors WHERE user_id = $2 AND EXISTS (SELECT FROM changed) AND id NOT IN (SELECT id FROM changed) AND NOT EXISTS (
			SELECT FROM factors WHERE user_id = $2 AND ` + row.SecondFactor + ` AND id NOT IN (SELECT id FROM changed)
		)
	), ended AS (
		UPDATE users SET auth_epoch = greatest(auth_epoch + 1, $6) WHERE id = $2 AND $5 AND EXISTS (SELECT FROM changed)
	)` + withNotices("$7") + withMessages(8) + logChanged

// RemoveFactors implements storage.Factors.
func (s *Store) RemoveFactors(ctx context.Context, r storage.FactorRemoval, audit *storage.AuditEvent) error {
	var n int64
	b := &pgx.Batch{}
	b.Queue(lockUser, r.UserID)
	b.Queue(removeFactors, events(audit), r.UserID, r.IDs == nil, uuids(r.IDs), r.EndSessions, r.Now.UnixMicro(), logoutNotices(r.Notices),
		outboxMessages(r.Messages)).QueryRow(scanTo(&n))
	err := s.settled(ctx, "remove factors", n, s.batch(ctx, "remove factors", b))
	return unless(n > 0, err, "remove factors", storage.ErrNotFound)
}
