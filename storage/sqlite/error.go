package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"slices"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"latchkey/storage"
)

var (
	// errClosed is what a write finds when the store was closed.
	errClosed = errors.New("store is closed")
	// errKey: without a registration key, a client could not be recognised when it registers again.
	errKey = errors.New("no registration key")
	// errDiscard makes database/sql close a connection instead of keeping it.
	errDiscard = driver.ErrBadConn
)

// interpret wraps an error with the sentinel that fits, if any, and with the operation.
func interpret(what string, err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []error{storage.ErrNotFound, storage.ErrExists, storage.ErrConflict, storage.ErrLimit, storage.ErrUnavailable} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, storage.ErrNotFound)
	}
	if sentinel := sentinel(err); sentinel != nil {
		return fmt.Errorf("%s: %w: %w", what, sentinel, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Unavailable reports whether an error of the driver means that the file can't be read or written now.
func Unavailable(err error) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && sentinel(e) == storage.ErrUnavailable
}

// isBusy reports whether another connection holds the lock.
func isBusy(err error) bool { return hasCode(err, sqlite3.SQLITE_BUSY) }

// hasCode reports whether an error has one of these primary codes.
func hasCode(err error, codes ...int) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && slices.Contains(codes, e.Code()&0xff) // the low byte; the rest says more
}

// sentinel returns the sentinel for an error of the driver, or nil.
func sentinel(err error) error {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
			return storage.ErrExists
		case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: // what it belongs to is gone
			return storage.ErrNotFound
		}
		// The low byte is the primary code; the rest says more.
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
			sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM:
			return storage.ErrUnavailable
		}
		return nil
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errClosed),
		errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn):
		return storage.ErrUnavailable
	case err.Error() == "sql: database is closed": // database/sql does not export it
		return storage.ErrUnavailable
	case errors.As(err, new(*os.PathError)):
		return storage.ErrUnavailable
	}
	return nil
}
