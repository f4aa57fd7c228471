package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	grantColumns = row.Names("", row.Grant)
	insertGrant  = insert("grants", 1, row.Grant)
	// liveGrants reads grants with the state of their users and clients; see joinUser.
	liveGrants       = liveGrantsOf("", "grants g", row.UserWithoutProfile)
	readGrant        = readGrantWith(row.UserWithoutProfile)
	readGrantProfile = readGrantWith(row.UserWithProfile)
)

// liveGrantsOf returns the statement that reads, after a first column, grants from a table, and after each the time. Unlike now(),
// statement_timestamp() is not the time of the first statement of a batch.
func liveGrantsOf(first, table string, user func(*storage.User) []row.Column) string {
	return `
	SELECT ` + first + row.Names("g.", row.Grant) + `, ` + joinedUser(user) + `, ` + row.Names("", row.GrantClient) + `, statement_timestamp()
	FROM ` + table + ` ` + joinUser("g.user_id", user) + `
	LEFT JOIN LATERAL (SELECT id, disabled, auth_epoch FROM clients WHERE id = g.client_id OFFSET 0) AS c ON true`
}

// readGrantWith reads grants by their IDs.
func readGrantWith(user func(*storage.User) []row.Column) *grantStatement[storage.ID, storage.LiveGrant] {
	return &grantStatement[storage.ID, storage.LiveGrant]{
		one:    liveGrantsOf("1, ", "TABLE g", user) + ` WHERE g.id = $1`,
		many:   liveGrantsOf("m.n, ", "unnest((SELECT $1::uuid[])) WITH ORDINALITY AS m (id, n) JOIN TABLE g ON g.id = m.id", user),
		id:     func(id storage.ID) storage.ID { return id },
		args:   func(id storage.ID) []any { return []any{uuid(id)} },
		argsOf: func(ids []storage.ID) []any { return []any{uuids(ids)} },
		scan: func(n *int) ([]any, func() *storage.LiveGrant) {
			g, u := &storage.LiveGrant{}, &storage.User{}
			return liveFields(g, u, user, n), func() *storage.LiveGrant { return liveOf(g, u) }
		},
	}
}

// liveFields returns the targets of a row of liveGrantsOf, after those of its first columns.
func liveFields(g *storage.LiveGrant, u *storage.User, user func(*storage.User) []row.Column, first ...any) []any {
	begin := make([]row.Column, len(first))
	for i, field := range first {
		begin[i].Field = field
	}
	return row.Fields(target, begin, row.Grant(&g.Grant), user(u), row.GrantClient(g), []row.Column{{Field: &g.Now}})
}

// liveOf returns a copy of what a row was read into, and empties both for the next one.
func liveOf(g *storage.LiveGrant, u *storage.User) *storage.LiveGrant {
	live, user := *g, *u
	live.User = found(&user)
	*g, *u = storage.LiveGrant{}, storage.User{}
	return &live
}

// live is the condition that the grant g, its user and its client are alive at the time $3. Subqueries take half the time of joins
// to plan.
const live = `g.expires_at > $3 AND ` + liveBut

// liveBut is that condition without the end of the grant. The comparisons are in the sub-selects: Postgres takes one of those for true in
// half of all rows, but believes that two numbers are hardly ever equal, and then looks up every session of a client to list a page of them.
const liveBut = `g.revoked_at IS NULL
	AND (SELECT auth_epoch = g.user_epoch FROM ` + presentUsers + ` WHERE id = g.user_id AND active)
	AND (SELECT auth_epoch = g.client_epoch FROM clients WHERE id = g.client_id AND NOT disabled)`

// selected is the condition of a GrantFilter: $1 is the limit, $2 After, $3 LiveAt, $4 UserID, $5 ClientID, $6 SessionID; NULL
// selects all. Postgres plans each of these statements for its values, so that a NULL costs nothing.
const selected = `
	($2::uuid IS NULL OR g.id > $2) AND ($3::timestamptz IS NULL OR (` + live + `))
	AND ($4::bigint IS NULL OR g.user_id = $4) AND ($5::text IS NULL OR g.client_id = $5)
	AND ($6::uuid IS NULL OR g.session_id = $6)`

func scanLiveGrant(r pgx.CollectableRow) (*storage.LiveGrant, error) {
	g, u := &storage.LiveGrant{}, &storage.User{}
	err := r.Scan(liveFields(g, u, row.UserWithoutProfile)...)
	return liveOf(g, u), err
}

// SetClock makes the database show the time of another clock, for tests. It concerns the times of chains.
func (s *Store) SetClock(now func() time.Time) { s.testClock.Store(&now) }

// testTime returns the time of the clock that a test has set; zero: the database has its own.
func (s *Store) testTime() time.Time {
	if clock := s.testClock.Load(); clock != nil {
		return (*clock)().UTC().Truncate(time.Microsecond)
	}
	return time.Time{}
}

// timed makes a grant show that time.
func (s *Store) timed(g *storage.LiveGrant) *storage.LiveGrant {
	if test := s.testTime(); g != nil && !test.IsZero() {
		g.Now = test
	}
	return g
}

// CreateGrant implements storage.Grants.
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	if !keyed(g.ClientID) {
		return fmt.Errorf("create grant: client: %w", errText)
	}
	b := &pgx.Batch{}
	b.Queue(insertGrant, row.Fields(arg, row.Grant(g))...)
	if login != nil {
		finishLogin(b, login)
	}
	queueEvents(b, audit)
	return s.batch(ctx, "create grant", b)
}

// Grant implements storage.Grants.
func (s *Store) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return s.orNotFound(s.reads.do(ctx, id))
}

// GrantWithProfile implements storage.Grants.
func (s *Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return s.orNotFound(s.readsWithProfile.do(ctx, id))
}

func (s *Store) orNotFound(g *storage.LiveGrant, err error) (*storage.LiveGrant, error) {
	if err == nil && g == nil {
		err = translate("read grant", storage.ErrNotFound)
	}
	return s.timed(g), err
}

// The statement of MoveGrant. $3 stands for the database's clock where a test has set it.
//
// A caller that waits for the row's lock checks the row as it is then and computes window_at from it, so that all callers within a
// window get the same one. Its own time may be a little before the window that it finds: such a window is open.
const (
	moveNow  = `coalesce($3::timestamptz, statement_timestamp())`
	moveKept = `($4::uuid IS NULL AND g.window_at > ` + moveNow + ` - $7 * interval '1 microsecond'
		AND g.window_at < ` + moveNow + ` + $7 * interval '1 microsecond')`
	moveGrant = `
	UPDATE grants g SET
		current_id = coalesce($4::uuid, g.current_id),
		generation = CASE WHEN $4::uuid IS NULL THEN g.generation ELSE $5 END,
		previous_id = CASE WHEN $4::uuid IS NULL THEN g.previous_id ELSE $6 END,
		previous_retired_at = CASE WHEN $4::uuid IS NULL THEN g.previous_retired_at ELSE ` + moveNow + ` END,
		current_expires_at = CASE WHEN $4::uuid IS NULL THEN coalesce($8, g.current_expires_at) ELSE $8 END,
		window_at = CASE WHEN ` + moveKept + ` THEN g.window_at ELSE ` + moveNow + ` END,
		windows = CASE WHEN $4::uuid IS NOT NULL THEN 1 WHEN ` + moveKept + ` THEN g.windows ELSE g.windows + 1 END,
		last_used_at = greatest(g.last_used_at, ` + moveNow + `),
		network = $9, elsewhere = $10, joins = $11, joined_generation = $12
	WHERE g.id = $1 AND g.current_id = $2
		AND g.network IS NOT DISTINCT FROM $13 AND g.elsewhere = $14 AND g.joins = $15 AND g.joined_generation = $16
		AND ($17::text IS NULL OR NOT EXISTS (SELECT FROM revoked_tokens WHERE jti = $17))
		AND g.expires_at > ` + moveNow + ` AND ` + liveBut + `
	RETURNING g.*`
)

var (
	readMoved   = liveGrantsOf("", "changed g", row.UserWithoutProfile)
	moveAndRead = `WITH changed AS (` + moveGrant + `)` + readMoved
	moveAndLog  = `WITH changed AS (` + moveGrant + `), log AS (` + insertAuditOf(18) + ` WHERE EXISTS (SELECT FROM changed))` + readMoved
)

// MoveGrant implements storage.Grants.
func (s *Store) MoveGrant(ctx context.Context, m storage.GrantMove, audit *storage.AuditEvent) (*storage.LiveGrant, error) {
	was, then := m.Was, m.Sharing
	test := s.testTime()
	args := []any{
		uuid(m.ID), uuid(m.From), at(test),
		uuid(m.To), m.Generation, uuid(cmp.Or(m.Retired, m.From)), m.Window.Microseconds(), at(m.CurrentExpiresAt),
		zeronull.Int8(then.Network), then.Elsewhere, then.Joins, then.JoinedGeneration,
		zeronull.Int8(was.Network), was.Elsewhere, was.Joins, was.JoinedGeneration,
		zeronull.Text(m.NotRevoked),
	}
	statement := moveAndRead
	if audit != nil {
		statement, args = moveAndLog, append(args, events(audit))
	}
	g, err := queryRow(ctx, s, "move grant", scanLiveGrant, statement, args...)
	if errors.Is(err, storage.ErrNotFound) { // the guard met a state that it does not apply to
		return nil, fmt.Errorf("move grant: %w", storage.ErrConflict)
	}
	if err == nil && !test.IsZero() {
		g.Now = test
	}
	return g, err
}

var revokeGrantStatement = `
	WITH m AS (
		SELECT * FROM unnest((SELECT $1::uuid[]), (SELECT $2::timestamptz[]), (SELECT $3::text[])) WITH ORDINALITY AS m (id, at, reason, n)
	), changed AS (
		UPDATE TABLE g SET revoked_at = m.at, revoke_reason = m.reason FROM m WHERE g.id = m.id AND g.revoked_at IS NULL RETURNING m.n
	), log AS (` + strings.NewReplacer("$1", "$4", "actor_id text)", "actor_id text, call bigint)").Replace(insertAudit) + `
		WHERE e.call IN (SELECT n FROM changed))
	SELECT n FROM changed`

// revokeGrant ends grants.
var revokeGrant = &grantStatement[revocation, struct{}]{
	one: revokeGrantStatement, many: strings.Replace(revokeGrantStatement, `SELECT $1::uuid[]`, `SELECT $1::uuid[]`+briefly, 1),
	id:     func(r revocation) storage.ID { return r.id },
	args:   func(r revocation) []any { return revocationArgs([]revocation{r}) },
	argsOf: revocationArgs,
	scan:   func(n *int) ([]any, func() *struct{}) { return []any{n}, func() *struct{} { return &struct{}{} } },
}

func revocationArgs(list []revocation) []any {
	var ids []storage.ID
	var times []*time.Time
	var reasons []string
	log := []event{}
	for i, r := range list {
		ids, times, reasons = append(ids, r.id), append(times, instantOf(r.now)), append(reasons, plain(r.reason))
		if r.audit != nil {
			e := eventOf(r.audit)
			e.Call = i + 1
			log = append(log, e)
		}
	}
	return []any{uuids(ids), times, reasons, encoded(log)}
}

// RevokeGrant implements storage.Grants.
func (s *Store) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (bool, error) {
	changed, err := s.revocations.do(ctx, revocation{id, reason, now, audit})
	if changed == nil {
		err = s.settled(ctx, "revoke grant", 0, err)
	}
	return err == nil && changed != nil, err
}

var revokeGrants = `
	WITH target AS (
		SELECT g.id FROM grants g
		WHERE g.revoked_at IS NULL AND ` + selected + `
		ORDER BY g.id LIMIT $1 FOR UPDATE OF g
	), changed AS (
		UPDATE grants SET revoked_at = $7, revoke_reason = $8 FROM target
		WHERE grants.id = target.id AND grants.revoked_at IS NULL RETURNING grants.id
	), log AS (` + insertAuditOf(9) + ` WHERE EXISTS (SELECT FROM changed))
	SELECT count(*) FROM changed`

// RevokeGrants implements storage.Grants. It waits for rows that a refresh has locked: skipping them would let a session survive.
func (s *Store) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (int, error) {
	if !keyed(f.ClientID) {
		return 0, nil
	}
	n, err := s.change(ctx, "revoke grants", revokeGrants, append(filterArgs(f), at(now), plain(reason), events(audit))...)
	return int(n), err
}

// ListGrants implements storage.Grants.
func (s *Store) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	if !keyed(f.ClientID) {
		return nil, nil
	}
	order := `g.id`
	if f.UserID != 0 {
		// Postgres would walk through all sessions in the order of their IDs to find those of the user, however few, rather than look them
		// up and sort them. The text of IDs has the same order.
		order = `g.id::text COLLATE "C"`
	}
	list, err := queryRows(ctx, s, "list grants", scanLiveGrant, liveGrants+` WHERE `+selected+` ORDER BY `+order+` LIMIT $1`, filterArgs(f)...)
	for _, g := range list {
		s.timed(g)
	}
	return list, err
}

// CountGrants implements storage.Grants.
func (s *Store) CountGrants(ctx context.Context, f storage.GrantFilter) (int, error) {
	if !keyed(f.ClientID) {
		return 0, nil
	}
	n, err := s.count(ctx, "count grants", `SELECT count(*) FROM (SELECT FROM grants g WHERE `+selected+` LIMIT $1) AS g`, filterArgs(f)...)
	return int(n), err
}

func filterArgs(f storage.GrantFilter) []any {
	return []any{limited(f.Limit), uuid(f.After), at(f.LiveAt), zeronull.Int8(f.UserID), zeronull.Text(f.ClientID), uuid(f.SessionID)}
}
