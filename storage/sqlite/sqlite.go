package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/alike"
)

// Config says where the database is.
type Config struct {
	// Path is the file. It is created with mode 0600 if it doesn't exist; its folder must exist.
	Path string
	// BusyTimeout is how long a write waits for another process that writes; zero means 5 s.
	BusyTimeout time.Duration
	// Readers is the number of connections that read; zero means 4.
	Readers int
	// MustExist makes Open return an error that is [fs.ErrNotExist] if the file does not exist, and create nothing.
	MustExist bool
	// ReadOnly makes the database refuse every write. The file must exist.
	ReadOnly bool
	// NoSync leaves it to the operating system when a write reaches the disk: a crash of the machine may lose writes
	// that were acknowledged, and break the file. It is for tests.
	NoSync bool
	// Logger logs failures that are not returned to a caller, such as a failed checkpoint; nil discards them.
	Logger *slog.Logger
}

// Store implements [storage.Store].
type Store struct {
	alike.Methods
	logger   *slog.Logger
	writer   *writer
	writeDB  *sql.DB
	readDB   *sql.DB
	adminDB  *sql.DB
	readers  int
	prepared sync.Map // statements of readDB by their text

	// testClock is set by SetClock.
	testClock atomic.Pointer[func() time.Time]

	closeOnce sync.Once
	closed    chan struct{}
	closeErr  error
}

var _ storage.Store = (*Store)(nil)

// Open opens the database, or creates an empty one if it doesn't exist and need not. It applies no migrations.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.BusyTimeout == 0 {
		cfg.BusyTimeout = 5 * time.Second
	}
	if cfg.Readers == 0 {
		cfg.Readers = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	path, err := locate(cfg.Path, !cfg.MustExist)
	if err != nil {
		return nil, interpret("open database", err)
	}
	s := &Store{logger: cfg.Logger, readers: cfg.Readers, closed: make(chan struct{})}
	s.Methods = s.methods()
	if s.writeDB, err = pool(dsn(path, cfg, cfg.ReadOnly), 1); err != nil {
		return nil, err
	}
	if s.readDB, err = pool(dsn(path, cfg, true), cfg.Readers); err != nil {
		return nil, err
	}
	if s.adminDB, err = pool(dsn(path, cfg, false), 1); err != nil {
		return nil, err
	}
	s.writer = newWriter(s.writeDB, cfg.BusyTimeout)
	if err := s.firstConnection(ctx, cfg.BusyTimeout); err != nil {
		s.logger = slog.New(slog.DiscardHandler) // there is no log to copy, and the caller gets the error
		s.Close()
		return nil, interpret("open database", err)
	}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// firstConnection opens the connection that writes, which turns a new file into one with a write-ahead log. Of several
// processes that do this at once SQLite refuses all but one, without waiting: each would wait for the other.
func (s *Store) firstConnection(ctx context.Context, wait time.Duration) error {
	for end := time.Now().Add(wait); ; {
		err := s.writeDB.PingContext(ctx)
		if !isBusy(err) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// locate returns the absolute path of the file. With create it creates one that doesn't exist, readable only by its owner; SQLite creates
// -wal and -shm with the same mode. An existing file is not opened: closing it would drop the POSIX locks that this process holds on it.
func locate(path string, create bool) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("the path of the database is empty or has a NUL byte")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !create {
		_, err := os.Stat(path)
		return path, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

// dsn is the path as a URI, with the settings of each connection.
func dsn(path string, cfg Config, queryOnly bool) string {
	q := url.Values{
		"mode":          {"rw"}, // without creating it: a file that was moved away is missed
		"_busy_timeout": {strconv.FormatInt(cfg.BusyTimeout.Milliseconds(), 10)},
		"_foreign_keys": {"1"},
		"_dqs":          {"0"},
		"_txlock":       {"immediate"},
		"_pragma": {
			"temp_store(MEMORY)",
			// On macOS fsync alone does not reach the disk. The settings do nothing elsewhere.
			"fullfsync(1)", "checkpoint_fullfsync(1)",
		},
	}
	if queryOnly {
		q.Set("_query_only", "1")
	} else {
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL")
		if cfg.NoSync {
			q.Set("_synchronous", "OFF")
		}
		q.Add("_pragma", "journal_size_limit(67108864)")
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// pool returns up to conns connections, none of which is opened yet.
func pool(dsn string, conns int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, interpret("open database", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// MigrationDB returns a connection of its own for package migrations, which Close closes.
func (s *Store) MigrationDB() *sql.DB { return s.adminDB }

// Ping reads the file's first page.
func (s *Store) Ping(ctx context.Context) error {
	var n int64
	return interpret("ping", s.reader(ctx).row(`SELECT count(*) FROM sqlite_schema WHERE name = 'changes'`, nil, &n))
}

// Writable returns an error if the file can't be written now. It changes nothing.
func (s *Store) Writable(ctx context.Context) error {
	write := func() error {
		tx, err := s.adminDB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `CREATE TABLE latchkey_writable (n)`)
		return errors.Join(err, tx.Rollback())
	}
	return interpret("write", write())
}

// Stats returns the state of the connections, including the writer's.
func (s *Store) Stats() storage.PoolStats {
	r := s.readDB.Stats()
	waits, waited, busy := s.writer.stats()
	st := storage.PoolStats{
		Max: s.readers + 1, InUse: r.InUse, Idle: r.Idle,
		Waits: r.WaitCount + waits, WaitTime: r.WaitDuration + waited,
	}
	if busy {
		st.InUse++
	} else {
		st.Idle++
	}
	return st
}

// Close lets what runs end, copies the write-ahead log into the file, and closes it; the last process removes the
// log. Later calls of any method return ErrUnavailable, those of Close what the first returned.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.writer.close()
		err := errors.Join(s.readDB.Close(), s.adminDB.Close())
		// PASSIVE does not wait for other processes.
		if _, cerr := s.writeDB.Exec(`PRAGMA wal_checkpoint(PASSIVE)`); cerr != nil {
			// Nothing is lost: the next process that opens the file reads the log.
			s.logger.Warn("checkpoint at close failed", "error", cerr)
		}
		s.closeErr = errors.Join(err, s.writeDB.Close())
	})
	return s.closeErr
}
