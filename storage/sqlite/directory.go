package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file is about files of other programs, such as Django's.

// OpenDB prepares connections to an SQLite file that another program has made. The file is never created, its journal mode and its other settings
// stay as they are, and a file that has replaced it is opened in its place. Statements that find it locked wait for two seconds.
func OpenDB(path string) (*sql.DB, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, errors.New("the path of the database is empty or has a NUL byte")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"mode": {"rw"}, "_busy_timeout": {"2000"}, "_foreign_keys": {"1"}, "_dqs": {"0"}, "_txlock": {"immediate"}}
	base, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector{base, path})
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// connector opens connections that know which file they have open.
type connector struct {
	driver.Connector
	path string
}

// Connect implements [driver.Connector]. The error of a missing file names it.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	file, err := os.Stat(c.path) // opening and closing it would drop the locks that this process holds on it
	if err != nil {
		return nil, err
	}
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &fileConn{conn.(contextConn), c.path, file}, nil
}

// contextConn is what connections of the driver implement.
type contextConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// fileConn is a connection to a file that may be replaced.
type fileConn struct {
	contextConn
	path string
	file os.FileInfo
}

// ResetSession implements [driver.SessionResetter]: a connection to a file that is no longer at its path is closed instead of used again.
func (c *fileConn) ResetSession(ctx context.Context) error {
	if now, err := os.Stat(c.path); err != nil || !os.SameFile(now, c.file) {
		return driver.ErrBadConn
	}
	return c.contextConn.ResetSession(ctx)
}

// IsRefused reports whether a statement failed for what it asks: a table, a column or a function is missing.
func IsRefused(err error) bool { return hasCode(err, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_AUTH) }

// IsReadOnly reports whether a statement failed because this process may not write to the file, or not to its directory.
func IsReadOnly(err error) bool {
	return hasCode(err, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
}
