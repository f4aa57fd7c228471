package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// attemptedMove is one of the moves of an attempt, as the statement has it: n is the number of the call, k that of the move. At most
// one move of a call finds the row. The conditions and the new values are those of MoveGrant.
const (
	attemptNow  = `coalesce($1::timestamptz, statement_timestamp())`
	attemptKept = `(m.to_id IS NULL AND g.window_at > ` + attemptNow + ` - m.span * interval '1 microsecond'
		AND g.window_at < ` + attemptNow + ` + m.span * interval '1 microsecond')`
	attemptGrant = `
	WITH changed AS (
		UPDATE TABLE g SET
			current_id = coalesce(m.to_id, g.current_id),
			generation = CASE WHEN m.to_id IS NULL THEN g.generation ELSE m.generation END,
			previous_id = CASE WHEN m.to_id IS NULL THEN g.previous_id ELSE m.retired END,
			previous_retired_at = CASE WHEN m.to_id IS NULL THEN g.previous_retired_at ELSE ` + attemptNow + ` END,
			current_expires_at = CASE WHEN m.to_id IS NULL THEN coalesce(m.ends_at, g.current_expires_at) ELSE m.ends_at END,
			window_at = CASE WHEN ` + attemptKept + ` THEN g.window_at ELSE ` + attemptNow + ` END,
			windows = CASE WHEN m.to_id IS NOT NULL THEN 1 WHEN ` + attemptKept + ` THEN g.windows ELSE g.windows + 1 END,
			last_used_at = greatest(g.last_used_at, ` + attemptNow + `),
			network = CASE WHEN m.to_id IS NULL THEN g.network ELSE coalesce(m.network, g.network) END,
			joined_generation = CASE WHEN m.to_id IS NULL THEN g.joined_generation ELSE 0 END
		FROM MOVES AS m (n, k, id, from_id, to_id, retired, generation, from_generation, span, ends_at, client_id, network, idle, jti)
		WHERE g.id = m.id AND g.current_id = m.from_id AND g.client_id = m.client_id
			AND (m.from_generation IS NULL
				OR g.generation = m.from_generation AND (g.current_expires_at IS NULL OR g.current_expires_at > ` + attemptNow + `))
			AND g.dpop_jkt IS NULL AND NOT g.elsewhere AND g.joins = 0 AND (m.network IS NULL OR g.network IS NULL OR g.network = m.network)
			AND (m.idle = 0 OR g.last_used_at >= ` + attemptNow + ` - m.idle * interval '1 microsecond')
			AND (m.jti IS NULL OR NOT EXISTS (SELECT FROM revoked_tokens WHERE jti = m.jti))
			AND g.expires_at > ` + attemptNow + ` AND ` + liveBut + `
		RETURNING m.n, m.k, MOVED
	)
	SELECT g.*, USER, statement_timestamp() FROM changed g `
	// attemptsOfMany are the moves of several calls. A single call has at most two, and lists of their values: what is made ready for
	// the arrays takes a quarter of the time of its statement.
	attemptsOfMany = `unnest((SELECT $2::int[]` + briefly + `), (SELECT $3::int[]), (SELECT $4::uuid[]), (SELECT $5::uuid[]), (SELECT $6::uuid[]), (SELECT $7::uuid[]),
		(SELECT $8::bigint[]), (SELECT $9::bigint[]), (SELECT $10::bigint[]), (SELECT $11::timestamptz[]), (SELECT $12::text[]),
		(SELECT $13::bigint[]), (SELECT $14::bigint[]), (SELECT $15::text[]))`
	attemptsOfOne = `(VALUES
		(1, 0, $2::uuid, $7::uuid, $8::uuid, $9::uuid, $10::bigint, $11::bigint, $12::bigint, $13::timestamptz, $3::text, $4::bigint, $5::bigint, $6::text),
		(1, 1, $2, $14::uuid, $15::uuid, $16::uuid, $17::bigint, $18::bigint, $19::bigint, $20::timestamptz, $3, $4, $5, $6))`
)

// attemptGrantWith makes attempts; the answers have these columns of the user.
func attemptGrantWith(user func(*storage.User) []row.Column) *grantStatement[attempt, attempted] {
	of := func(moves string) string {
		return strings.NewReplacer("MOVES", moves, "MOVED", row.Names("g.", row.MovedGrant), "USER", joinedUser(user)).Replace(attemptGrant) +
			joinUser("g.user_id", user)
	}
	return &grantStatement[attempt, attempted]{
		one: of(attemptsOfOne), many: of(attemptsOfMany),
		id:     func(a attempt) storage.ID { return a.ID },
		args:   attemptArgsOfOne,
		argsOf: attemptArgs,
		scan: func(n *int) ([]any, func() *attempted) {
			g, u, which := &storage.LiveGrant{}, &storage.User{}, new(int)
			fields := row.Fields(target, []row.Column{{Field: n}, {Field: which}}, row.MovedGrant(&g.Grant), user(u), []row.Column{{Field: &g.Now}})
			return fields, func() *attempted { return &attempted{liveOf(g, u), *which} }
		},
	}
}

// attemptArgsOfOne returns the parameters of attemptGrant with attemptsOfOne: the time of a test's clock, what both moves have, and then
// seven values for each. A move that there is not has NULLs, which no grant has.
func attemptArgsOfOne(a attempt) []any {
	args := make([]any, 20)
	copy(args, []any{at(a.test), uuid(a.ID), a.ClientID, orNull(a.Network), a.Idle.Microseconds(), orNull(a.NotRevoked)})
	for i, m := range a.Moves {
		copy(args[6+7*i:], []any{
			uuid(m.From), uuid(m.To), uuid(cmp.Or(m.Retired, m.From)), m.Generation, m.FromGeneration, m.Window.Microseconds(), at(m.CurrentExpiresAt),
		})
	}
	return args
}

// attemptArgs returns the parameters of attemptGrant with attemptsOfMany: the time of a test's clock, then one array for each column of m.
func attemptArgs(list []attempt) []any {
	moves := 0
	for _, a := range list {
		moves += len(a.Moves)
	}
	n, k, ids := make([]int32, 0, moves), make([]int32, 0, moves), make([]storage.ID, 0, moves)
	from, to, retired := make([]storage.TokenID, 0, moves), make([]storage.TokenID, 0, moves), make([]storage.TokenID, 0, moves)
	generation, span, idle := make([]int64, 0, moves), make([]int64, 0, moves), make([]int64, 0, moves)
	fromGeneration, network := make([]*int64, 0, moves), make([]*int64, 0, moves)
	ends, clientID, jti := make([]*time.Time, 0, moves), make([]string, 0, moves), make([]*string, 0, moves)
	for i, a := range list {
		for j, m := range a.Moves {
			n, k, ids = append(n, int32(i+1)), append(k, int32(j)), append(ids, a.ID)
			from, to, retired = append(from, m.From), append(to, m.To), append(retired, cmp.Or(m.Retired, m.From))
			generation, fromGeneration = append(generation, m.Generation), append(fromGeneration, m.FromGeneration)
			span, ends = append(span, m.Window.Microseconds()), append(ends, instantOf(m.CurrentExpiresAt))
			clientID, network = append(clientID, a.ClientID), append(network, orNull(a.Network))
			idle, jti = append(idle, a.Idle.Microseconds()), append(jti, orNull(a.NotRevoked))
		}
	}
	return []any{
		at(list[0].test), n, k, uuids(ids), uuids(from), uuids(to), uuids(retired), generation, fromGeneration, span, ends,
		clientID, network, idle, jti,
	}
}

// AttemptGrant implements storage.Grants.
func (s *Store) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	attempts := s.attempts
	if a.Profile {
		attempts = s.attemptsWithProfile
	}
	if len(a.Moves) > 2 {
		return nil, 0, fmt.Errorf("attempt grant: %d moves", len(a.Moves))
	}
	if !keyed(a.ClientID, a.NotRevoked) {
		return nil, 0, fmt.Errorf("attempt grant: %w", storage.ErrConflict)
	}
	answer, err := attempts.do(ctx, attempt{a, s.testTime()})
	switch {
	case err != nil:
		return nil, 0, err
	case answer == nil:
		return nil, 0, fmt.Errorf("attempt grant: %w", storage.ErrConflict)
	}
	return s.timed(answer.LiveGrant), answer.which, nil
}
