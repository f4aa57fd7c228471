package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var errText = row.ErrText

// errKey: without a registration key, a client could not be recognised when it registers again.
var errKey = errors.New("no registration key")

// translate returns the error of package storage for an error of the driver. Nothing else maps errors.
func translate(what string, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrExists),
		errors.Is(err, storage.ErrLimit):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: %w", what, storage.ErrNotFound)
	case code(err) == "23505": // unique_violation
		return fmt.Errorf("%s: %w", what, storage.ErrExists)
	case code(err) == "23503": // foreign_key_violation: what it belongs to is gone
		return fmt.Errorf("%s: %w", what, storage.ErrNotFound)
	case Unavailable(err):
		return fmt.Errorf("%s: %w: %w", what, storage.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// unless returns the error of a write, or refused if there is none and the write did not happen.
func unless(happened bool, err error, what string, refused error) error {
	if err == nil && !happened {
		return translate(what, refused)
	}
	return err
}

// Unavailable reports whether err means that the database is unavailable, and says nothing about the data. It is exported for the
// errors of the connections of [Store.MigrationDB]: all others are translated.
func Unavailable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errNotReplicated) {
		return true
	}
	if connect := (*pgconn.ConnectError)(nil); errors.As(err, &connect) {
		return true
	}
	if sqlState := code(err); sqlState != "" {
		switch sqlState {
		case "25006", // read_only_sql_transaction: after a fail-over, still connected to the old primary
			"40001", "40P01", "55P03", // serialization_failure, deadlock_detected, lock_not_available
			"57014": // query_canceled: the statement took too long
			return true
		}
		// Connection exceptions, insufficient resources, operator intervention, system errors.
		return strings.HasPrefix(sqlState, "08") || strings.HasPrefix(sqlState, "53") ||
			strings.HasPrefix(sqlState, "57P") || strings.HasPrefix(sqlState, "58")
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, puddle.ErrClosedPool) ||
		pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}

// canceled reports whether the server cancelled the statement on request.
func canceled(err error) bool { return code(err) == "57014" }

// transient reports whether the transaction has certainly not happened and may succeed at once if it is tried again.
func transient(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		// Nothing was sent: the pool gave a connection that had died while it was idle.
		return err != nil && pgconn.SafeToRetry(err) && !errors.Is(err, puddle.ErrClosedPool)
	}
	switch pg.Code {
	case "40001", "40P01", "55P03":
		return true
	case "26000", "42P05", "25006": // see database.once
		return true
	case "57P01":
		// admin_shutdown: the server ended the connection before the transaction committed, mostly while it was idle. A backend that has
		// committed sends ReadyForQuery first, or nothing.
		return true
	case "42P01": // undefined_table: see grantStatement.run
		return true
	case "0A000": // a migration changed a table under a prepared statement; pgx forgets the plan on this error
		return pg.Routine == "RevalidateCachedQuery"
	}
	return false
}

// errNotReplicated is the outcome of a commit that is durable on this server only: the standbys that the operator demands have not
// confirmed it, and a fail-over may lose it.
var errNotReplicated = errors.New("the wait for synchronous replication was cancelled")

// errReadOnly is what Postgres returns for a write on a server that does not accept any.
var errReadOnly = &pgconn.PgError{Severity: "ERROR", Code: "25006", Message: "the server is read-only"}

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

// otherTable reports whether a table, a column or a type is not what a statement needs, or may not be read: that is about the table, not
// about a user in it.
func otherTable(err error) bool { return strings.HasPrefix(code(err), "42") || code(err) == "22P02" }
