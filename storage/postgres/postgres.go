package postgres

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/storage"
	"latchkey/storage/internal/alike"
)

// Store is a storage.Store in Postgres.
type Store struct {
	database
	shared
	alike.Methods
	// closed ends the calls of Watch.
	closed    chan struct{}
	closeOnce sync.Once

	// testClock is set by SetClock.
	testClock atomic.Pointer[func() time.Time]

	// mu guards ends: for each partition of grants, when its last grant ends.
	mu   sync.Mutex
	ends map[string]time.Time
}

var _ storage.Store = (*Store)(nil)

// MigrationDB returns database/sql connections for package migrations. The caller closes it.
// They must reach Postgres itself, not a pooler in transaction mode: the lock of the migrations belongs to a session.
func (s *Store) MigrationDB() (*sql.DB, error) {
	cc := s.pool.Config().ConnConfig.Copy()
	cc.Tracer = nil
	// The check of the schema at the start works behind a pooler all the same, since it prepares nothing.
	if cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return stdlib.OpenDB(*cc), nil
}

// Stats returns the state of the connections.
func (s *Store) Stats() storage.PoolStats {
	st := s.pool.Stat()
	return storage.PoolStats{
		Max:      int(st.MaxConns()),
		InUse:    int(st.AcquiredConns()),
		Idle:     int(st.IdleConns()),
		Waits:    st.EmptyAcquireCount(),
		WaitTime: st.EmptyAcquireWaitTime(),

		Statements:       s.statements.Load(),
		SharedStatements: s.combined.statements.Load(),
		SharedCalls:      s.combined.calls.Load(),
		SharedWait:       time.Duration(s.combined.waited.Load()),
	}
}

// Close waits for running statements, then closes the connections. Closing again does nothing.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closed)
		s.pool.Close()
	})
	return nil
}

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
