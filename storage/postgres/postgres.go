package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/storage"
)

// Config says where the database is.
type Config struct {
	// URL is a postgres:// URL with what pgx understands: pool_max_conns, default_query_exec_mode, sslmode, …
	URL string
	// MaxConns bounds the connections; 0 leaves it to the URL, else to pgx (the number of CPUs, at least 4).
	MaxConns int32
	// StatementTimeout bounds each act from asking for a connection to the answer. 0 = 5 s.
	StatementTimeout time.Duration
	// Tracer sees every query and, if it is a pgx.BatchTracer too, every batch. It may be nil.
	Tracer pgx.QueryTracer
	// Logger hears what happens in the background. nil = slog.Default().
	Logger *slog.Logger
	// Now is the clock by which Open makes the first partitions. nil = time.Now.
	Now func() time.Time
}

// Store is a storage.Store in Postgres.
type Store struct {
	pool    *pgxpool.Pool
	timeout time.Duration
	log     *slog.Logger
	// closed ends those who watch.
	closed    chan struct{}
	closeOnce sync.Once

	// mu guards ends, the time before which no grant partition needs to be looked at again.
	mu   sync.Mutex
	ends map[string]time.Time
}

var _ storage.Store = (*Store)(nil)

// Open prepares the connections and, when the database is there and has its schema, the partitions that are needed next.
// A database that is away is no error: every method says storage.ErrUnavailable until it is back.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if cfg.MaxConns > 0 {
		pc.MaxConns = cfg.MaxConns
	}
	pc.ConnConfig.Tracer = cfg.Tracer
	if pc.ConnConfig.ConnectTimeout == 0 {
		pc.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// A caller that goes away must not cost a connection: most statements end within the delay, the others are
	// cancelled at the server. Only a connection that stays silent after that is closed.
	pc.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: 50 * time.Millisecond, DeadlineDelay: time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{
		pool:    pool,
		closed:  make(chan struct{}),
		timeout: cmp.Or(cfg.StatementTimeout, 5*time.Second),
		log:     cmp.Or(cfg.Logger, slog.Default()),
		ends:    map[string]time.Time{},
	}
	now := time.Now
	if cfg.Now != nil {
		now = cfg.Now
	}
	// A row without a partition of its own goes to the default partition, so a failure here is no failure to open.
	// A database that is away is no news here: whoever needs it next is told.
	if _, err := s.createPartitions(ctx, now()); err != nil && !errors.Is(err, storage.ErrUnavailable) {
		s.log.InfoContext(ctx, "partitions not prepared yet", "error", err)
	}
	return s, nil
}

// MigrationDB gives database/sql connections for package migrations. The caller closes it.
// To migrate, they must reach Postgres itself: the lock of the migrations belongs to a session.
func (s *Store) MigrationDB() (*sql.DB, error) {
	cc := s.pool.Config().ConnConfig.Copy()
	cc.Tracer = nil
	return stdlib.OpenDB(*cc), nil
}

// Ping makes one round trip.
func (s *Store) Ping(ctx context.Context) error {
	return s.do(ctx, "ping", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, `SELECT 1`)
		return err
	})
}

// Stats tells the state of the connections.
func (s *Store) Stats() storage.PoolStats {
	st := s.pool.Stat()
	return storage.PoolStats{
		Max:      int(st.MaxConns()),
		InUse:    int(st.AcquiredConns()),
		Idle:     int(st.IdleConns()),
		Waits:    st.EmptyAcquireCount(),
		WaitTime: st.EmptyAcquireWaitTime(),
	}
}

// Close waits for what is under way, then closes the connections. Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.pool.Close()
	})
	return nil
}

// do runs one atomic act within the statement timeout. What Postgres has rolled back for a reason that a second try
// may not meet is tried once more.
func (s *Store) do(ctx context.Context, what string, act func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := act(ctx)
	if transient(err) && ctx.Err() == nil {
		err = act(ctx)
	}
	if ended := ctx.Err(); ended != nil && canceled(err) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return translate(what, err)
}

// batch sends b in one round trip; Postgres runs it as one transaction.
func (s *Store) batch(ctx context.Context, b *pgx.Batch) error {
	return s.pool.SendBatch(ctx, b).Close()
}

// count runs a statement that answers with one number.
func (s *Store) count(ctx context.Context, statement string, args ...any) (n int64, err error) {
	err = s.pool.QueryRow(ctx, statement, args...).Scan(&n)
	return n, err
}

// one runs a statement that answers with the number of rows it found, of which there must be some.
func (s *Store) one(ctx context.Context, what, statement string, args ...any) error {
	return s.do(ctx, what, func(ctx context.Context) error {
		n, err := s.count(ctx, statement, args...)
		if err == nil && n == 0 {
			return storage.ErrNotFound
		}
		return err
	})
}
