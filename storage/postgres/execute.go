package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/storage"
	"latchkey/storage/failpoint"
	"latchkey/storage/span"
)

// do runs one transaction within the statement timeout. What Postgres has rolled back for a reason that a second attempt may not
// meet is tried once more, on another connection if the first one was the reason.
func (s *Store) do(ctx context.Context, what string, transaction func(context.Context, *pgx.Conn) error) error {
	return s.within(ctx, s.timeout, what, transaction)
}

// within is do with another limit of time.
func (s *Store) within(ctx context.Context, limit time.Duration, what string, transaction func(context.Context, *pgx.Conn) error) error {
	ctx, traced := span.Start(ctx, what, system)
	defer traced.End()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	failpoint.Hit(what, failpoint.Before)
	err := s.once(ctx, transaction)
	if transient(err) && ctx.Err() == nil {
		if code(err) == "40P01" {
			// The other transaction is about to get the row that this one had. At once, this one would take it away again.
			time.Sleep(afterDeadlock)
		}
		err = s.once(ctx, transaction)
	}
	// A commit whose wait for a standby was ended by our time-out returns no error either: what took too long is not acknowledged.
	if ended := ctx.Err(); ended != nil && (err == nil || canceled(err)) {
		err = errors.Join(ended, err)
	}
	if s.directory.Load() != nil && otherTable(err) {
		err = fmt.Errorf("users in Django: %w: %w", storage.ErrUnavailable, err)
	}
	err = translate(what, err)
	failpoint.Hit(what, failpoint.After)
	if storage.Failed(err) {
		span.Fail(traced)
	}
	return err
}

// otherTable reports whether a table, a column or a type is not what a statement needs, or may not be read: that is about the table, not
// about a user in it.
func otherTable(err error) bool { return strings.HasPrefix(code(err), "42") || code(err) == "22P02" }

// afterDeadlock is how long a transaction that Postgres ended for another one leaves that one alone.
const afterDeadlock = 50 * time.Millisecond

// errNotReplicated is the outcome of a commit that is durable on this server only: the standbys that the operator demands have not
// confirmed it, and a fail-over may lose it.
var errNotReplicated = errors.New("the wait for synchronous replication was cancelled")

// errReadOnly is what Postgres returns for a write on a server that does not accept any.
var errReadOnly = &pgconn.PgError{Severity: "ERROR", Code: "25006", Message: "the server is read-only"}

// once runs a transaction on one connection, which is closed if it leads to the wrong server.
func (s *Store) once(ctx context.Context, transaction func(context.Context, *pgx.Conn) error) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	conn := c.Conn()
	s.statements.Add(1)
	err = transaction(ctx, conn)
	if notices := conn.PgConn().CustomData(); notices[notReplicated] != nil {
		delete(notices, notReplicated)
		if err == nil {
			err = errNotReplicated
		}
	}
	switch {
	case readOnly(err):
		// A fail-over: the address leads elsewhere by now, or will soon. All connections are old, and none is worth keeping.
		conn.Close(ctx)
		s.pool.Reset()
	case unprepared(err) && s.usePooler():
		s.log.WarnContext(ctx, "the database is behind a pooler that does not keep prepared statements; going on without them. "+
			"Add default_query_exec_mode=cache_describe to the database URL to begin like this", "error", err)
		conn.Close(ctx)
		s.pool.Reset()
	}
	return err
}

// notReplicated is the key under which a connection notes that a commit did not wait for its standbys.
const notReplicated = "latchkey.not_replicated"

// noticed notes the warning with which Postgres acknowledges a commit that no standby has confirmed. Its text depends on the
// server's language; the routine that raises it does not.
func noticed(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		c.CustomData()[notReplicated] = true
	}
}

// settled returns when everything that was committed before is as durable as the server's settings demand, if a write changed
// nothing (n is 0). Such a write had no commit that would have waited, and what it found done may be a commit that was refused to its
// caller because no standby had confirmed it.
func (s *Store) settled(ctx context.Context, what string, n int64, err error) error {
	if err != nil || n > 0 {
		return err
	}
	return s.exec(ctx, what, awaitStandbys)
}

// awaitStandbys makes the commit of its transaction wait for the standbys that the server's settings demand, if any.
const awaitStandbys = `SELECT pg_logical_emit_message(true, 'latchkey', '') WHERE current_setting('synchronous_standby_names') <> ''`

// Ping makes one round trip. ErrUnavailable: the server is unreachable, or does not accept writes.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", writable)
}

// writable returns errReadOnly unless the server accepts writes.
func writable(ctx context.Context, conn *pgx.Conn) error {
	var refuses bool
	err := conn.QueryRow(ctx, `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean`).Scan(&refuses)
	if err == nil && refuses {
		return errReadOnly
	}
	return err
}

// limitTargets makes the connections go to servers that accept writes, unless the URL has target_session_attrs: after a fail-over,
// the address may lead to the old primary for a while.
func limitTargets(cc *pgx.ConnConfig, url string) {
	if cc.ValidateConnect == nil && !strings.Contains(url, "target_session_attrs") {
		cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}

// usePooler turns to statements that are described but not prepared, and reports whether this call did.
func (s *Store) usePooler() bool { return s.pooled.CompareAndSwap(false, true) }

// beforeConnect sets how the statements of a new connection are sent.
func (s *Store) beforeConnect(_ context.Context, cc *pgx.ConnConfig) error {
	if s.pooled.Load() && cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

func readOnly(err error) bool { return code(err) == errReadOnly.Code }

// unprepared reports whether a pooler has mixed up prepared statements: invalid_sql_statement_name (it moved us to a server that
// has not prepared ours), duplicate_prepared_statement (to one where another client has).
func unprepared(err error) bool { return code(err) == "26000" || code(err) == "42P05" }
