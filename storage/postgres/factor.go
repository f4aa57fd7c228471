package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var factorColumns = row.Names("", row.Factor)

// lockUser makes changes of the factors of one user run one at a time, so that each sees those before it.
const lockUser = `SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE`

// createFactors has the parameters events, user, replaced kind, kind, limit, number of other kinds and messages, then the rows, whose number is given.
func createFactors(rows int) string {
	types := [...]string{"uuid", "bigint", "text", "bytea", "text", "bytea", "bigint", "bigint", "timestamptz", "timestamptz", "timestamptz"}
	var b strings.Builder
	b.WriteString(`
		WITH room AS (
			SELECT FROM factors WHERE user_id = $2 AND kind = $4 AND kind <> $3
			HAVING count(*) + ` + strconv.Itoa(rows) + ` - $6::bigint <= $5
		), replaced AS (
			DELETE FROM factors WHERE user_id = $2 AND kind = $3 AND EXISTS (SELECT FROM room)
		), changed AS (
			INSERT INTO factors (` + factorColumns + `) SELECT v.* FROM room, (VALUES `)
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		for j, t := range types {
			b.WriteString(map[bool]string{true: "(", false: ", "}[j == 0] + "$" + strconv.Itoa(8+i*len(types)+j) + "::" + t)
		}
		b.WriteString(")")
	}
	b.WriteString(`) AS v RETURNING id)` + withMessages(7) + logChanged)
	return b.String()
}

// CreateFactors implements storage.Factors.
func (s *Store) CreateFactors(ctx context.Context, f storage.NewFactors, audit *storage.AuditEvent) error {
	others := 0 // factors of another kind than the first
	args := []any{events(audit), f.UserID, string(f.Replaces), string(f.Factors[0].Kind), int64(f.Limit), nil, outboxMessages(f.Messages)}
	for _, factor := range f.Factors {
		if factor.Kind != f.Factors[0].Kind {
			others++
		}
		args = append(args, row.Fields(arg, row.Factor(factor))...)
	}
	args[5] = int64(others)
	var n int64
	b := &pgx.Batch{}
	b.Queue(lockUser, f.UserID)
	b.Queue(createFactors(len(f.Factors)), args...).QueryRow(scanTo(&n))
	err := s.batch(ctx, "create factors", b)
	if err == nil && n == 0 {
		return fmt.Errorf("create factors: %w", storage.ErrLimit)
	}
	return err
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
	if err == nil && n == 0 {
		err = fmt.Errorf("remove factors: %w", storage.ErrNotFound)
	}
	return err
}
