package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/attribute"

	"latchkey/storage"
	"latchkey/storage/failpoint"
	"latchkey/storage/span"
)

// database runs transactions.
type database struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	log     *slog.Logger
	// pooled is set when prepared statements turn out not to work; see usePooler.
	pooled atomic.Bool
	// weeks are the partitions that statements may name.
	weeks partitions
	// statements counts what was sent.
	statements atomic.Int64
	// directory is set by ReadUsersFrom.
	directory atomic.Pointer[directory]
}

// do runs one transaction within the statement timeout. What Postgres has rolled back for a reason that a second attempt may not
// meet is tried once more, on another connection if the first one was the reason.
func (d *database) do(ctx context.Context, what string, transaction func(context.Context, *pgx.Conn) error) error {
	return d.within(ctx, d.timeout, what, transaction)
}

// within is do with another limit of time.
func (d *database) within(ctx context.Context, limit time.Duration, what string, transaction func(context.Context, *pgx.Conn) error) error {
	ctx, traced := span.Start(ctx, what, system)
	defer traced.End()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	failpoint.Hit(what, failpoint.Before)
	err := d.once(ctx, transaction)
	if transient(err) && ctx.Err() == nil {
		if code(err) == "40P01" {
			// The other transaction is about to get the row that this one had. At once, this one would take it away again.
			time.Sleep(afterDeadlock)
		}
		err = d.once(ctx, transaction)
	}
	// A commit whose wait for a standby was ended by our time-out returns no error either: what took too long is not acknowledged.
	if ended := ctx.Err(); ended != nil && (err == nil || canceled(err)) {
		err = errors.Join(ended, err)
	}
	if d.directory.Load() != nil && otherTable(err) {
		err = fmt.Errorf("users in Django: %w: %w", storage.ErrUnavailable, err)
	}
	err = translate(what, err)
	failpoint.Hit(what, failpoint.After)
	if storage.Failed(err) {
		span.Fail(traced)
	}
	return err
}

// afterDeadlock is how long a transaction that Postgres ended for another one leaves that one alone.
const afterDeadlock = 50 * time.Millisecond

// once runs a transaction on one connection, which is closed if it leads to the wrong server. If the server has closed it, the others
// are presumably closed as well, and the pool makes new ones instead of letting a call fail for each.
func (d *database) once(ctx context.Context, transaction func(context.Context, *pgx.Conn) error) error {
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	conn := c.Conn()
	d.statements.Add(1)
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
		d.pool.Reset()
	case unprepared(err) && d.usePooler():
		d.log.WarnContext(ctx, "the database is behind a pooler that does not keep prepared statements; going on without them. "+
			"Add default_query_exec_mode=cache_describe to the database URL to begin like this", "error", err)
		conn.Close(ctx)
		d.pool.Reset()
	case conn.IsClosed() && ctx.Err() == nil: // after the end of ctx, pgx closes it
		d.pool.Reset()
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

// limitTargets makes the connections go to servers that accept writes, unless the URL has target_session_attrs: after a fail-over,
// the address may lead to the old primary for a while.
func limitTargets(cc *pgx.ConnConfig, url string) {
	if cc.ValidateConnect == nil && !strings.Contains(url, "target_session_attrs") {
		cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
}

// usePooler turns to statements that are described but not prepared, and reports whether this call did.
func (d *database) usePooler() bool { return d.pooled.CompareAndSwap(false, true) }

// beforeConnect sets how the statements of a new connection are sent.
func (d *database) beforeConnect(_ context.Context, cc *pgx.ConnConfig) error {
	if d.pooled.Load() && cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// system names the database in traces.
var system = attribute.String("db.system.name", "postgresql")

// text returns a statement as it is sent.
func (d *database) text(statement string) string {
	if users := d.directory.Load(); users != nil {
		return users.text(statement)
	}
	return statement
}
