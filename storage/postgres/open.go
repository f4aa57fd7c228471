package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"latchkey/storage"
	"latchkey/storage/internal/alike"
	"latchkey/storage/internal/row"
)

// Config says where the database is.
type Config struct {
	// URL is a postgres:// URL with what pgx understands: pool_max_conns, default_query_exec_mode, sslmode, …
	URL string
	// MaxConns bounds the connections; 0 leaves it to the URL, else to pgx (the number of CPUs, at least 4).
	MaxConns int32
	// ReadOnly makes the database refuse every write.
	ReadOnly bool
	// StatementTimeout bounds each transaction, from asking for a connection to the answer. 0 = 5 s.
	StatementTimeout time.Duration
	// Tracer sees every query and, if it is a pgx.BatchTracer too, every batch. It may be nil.
	Tracer pgx.QueryTracer
	// Logger receives what happens in the background. nil = slog.Default().
	Logger *slog.Logger
	// Now is the clock by which Open makes the first partitions. nil = time.Now.
	Now func() time.Time
}

// Open prepares the connections and, if the database is reachable and has its schema, the partitions that are needed next.
// An unreachable database is no error: every method returns storage.ErrUnavailable until it is back.
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
	// A cancelled call must not cost a connection: most statements end within the delay, the others are cancelled at the
	// server. Only a connection that does not answer after that is closed.
	pc.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: 50 * time.Millisecond, DeadlineDelay: time.Second}
	}
	pc.ConnConfig.OnNotice = noticed
	if cfg.ReadOnly {
		pc.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	} else {
		limitTargets(pc.ConnConfig, cfg.URL)
	}
	s := &Store{
		closed: make(chan struct{}),
		ends:   map[string]time.Time{},
	}
	s.Methods = alike.New(statements{s})
	s.timeout, s.log = cmp.Or(cfg.StatementTimeout, 5*time.Second), cmp.Or(cfg.Logger, slog.Default())
	pc.BeforeConnect = s.beforeConnect
	if s.pool, err = pgxpool.NewWithConfig(ctx, pc); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	// Half of the connections are left to everything else.
	lanes := max(1, int(pc.MaxConns)/2)
	s.reads = combine(&s.database, &s.combined, "read grant", lanes, readGrant)
	s.readsWithProfile = combine(&s.database, &s.combined, "read grant", lanes, readGrantProfile)
	s.revocations = combine(&s.database, &s.combined, "revoke grant", lanes, revokeGrant)
	s.attempts = combine(&s.database, &s.combined, "attempt grant", lanes, attemptGrantWith(row.UserWithoutProfile))
	s.attemptsWithProfile = combine(&s.database, &s.combined, "attempt grant", lanes, attemptGrantWith(row.UserWithProfile))
	if cfg.ReadOnly {
		return s, nil
	}
	now := time.Now
	if cfg.Now != nil {
		now = cfg.Now
	}
	// A row without a partition of its own goes to the default partition, so Open does not fail here. The next caller gets the
	// error of an unreachable database.
	if _, err := s.createPartitions(ctx, now()); err != nil && !errors.Is(err, storage.ErrUnavailable) {
		s.log.InfoContext(ctx, "partitions not prepared yet", "error", err)
	}
	return s, nil
}
