package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/puddle/v2"

	"latchkey/storage"
)

const (
	// pollEvery is how often the versions are read in addition to LISTEN, and behind a pooler instead of it. It is half of what Watch
	// promises, to leave time for reading.
	pollEvery = 500 * time.Millisecond
	// maxBackoff is the longest wait before another attempt to connect.
	maxBackoff = 2 * time.Second
)

// notify returns the CTE notified, which notifies every server if the CTE changed has rows. id is the SQL of the row's ID, or an
// empty SQL string if any row may have changed.
// It counts the rows, so that it locks the row of changes only after all of theirs, in the same order everywhere.
func notify(kind storage.ChangeKind, id string) string {
	return strings.NewReplacer("KIND", string(kind), "ID", id).Replace(`
	notified AS (
		UPDATE changes SET version = version + 1 WHERE kind = 'KIND' AND (SELECT count(*) FROM changed) > 0
		RETURNING pg_notify('latchkey_changes', kind || ':' || version || ':' || ID)
	)`)
}

// Watch implements storage.Store. It holds one connection of its own, outside the pool and not traced.
func (s *Store) Watch(ctx context.Context, changed func(storage.Change)) error {
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-watching.Done():
		}
	}()
	backoff := 50 * time.Millisecond
	for {
		connected, err := s.watchOnce(watching, changed)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case watching.Err() != nil:
			return translate("watch", puddle.ErrClosedPool)
		}
		if connected {
			backoff = 50 * time.Millisecond
		}
		s.log.WarnContext(ctx, "watching for changes interrupted", "error", err)
		select {
		case <-watching.Done():
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// watchOnce watches until the connection or ctx ends.
func (s *Store) watchOnce(ctx context.Context, changed func(storage.Change)) (connected bool, err error) {
	cc := s.pool.Config().ConnConfig.Copy()
	cc.Tracer = nil
	cc.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing, which works behind each pooler
	// A wait for a notification ends at its deadline: no statement is running that could be cancelled.
	cc.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	dial, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(dial, cc)
	if err != nil {
		return false, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(end)
	}()
	if err := listen(dial, conn); err != nil {
		return false, err
	}
	// Read after LISTEN: whatever is committed from here on is either in the versions or arrives as a notification.
	w := watcher{conn: conn, timeout: s.timeout}
	if w.seen, err = w.versions(ctx); err != nil {
		return false, err
	}
	changed(storage.Change{Kind: storage.ChangeAll})
	for {
		if err := w.next(ctx, changed); err != nil {
			return true, err
		}
	}
}

// listen subscribes the connection to the changes, unless it leads to a pooler: in transaction mode LISTEN would stay with one of the
// pooler's connections to the server after other clients have got it. Notifications arrive there without a client to hand them to, and PgBouncer
// 1.18 then mixes up the answers to statements if it is in its server_check_query. A pooler is known by the process ID that a connection
// begins with: it is of the pooler's making, so that requests to cancel a statement come back to it.
func listen(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil || pid != conn.PgConn().PID() {
		return err
	}
	_, err := conn.Exec(ctx, `LISTEN latchkey_changes`)
	return err
}

// watcher compares notifications with the versions it has reported.
type watcher struct {
	conn    *pgx.Conn
	timeout time.Duration
	seen    map[storage.ChangeKind]int64
}

// next waits for one notification; if none arrives, it reads the versions.
func (w *watcher) next(ctx context.Context, changed func(storage.Change)) error {
	wait, cancel := context.WithTimeout(ctx, pollEvery)
	notification, err := w.conn.WaitForNotification(wait)
	cancel()
	switch {
	case err == nil:
		w.notified(notification.Payload, changed)
		return nil
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	now, err := w.versions(ctx)
	if err != nil {
		return err
	}
	for kind, version := range now {
		if version != w.seen[kind] {
			changed(storage.Change{Kind: kind})
		}
	}
	w.seen = now
	return nil
}

// notified reports a notification "kind:version:id". The row of changes serialises the writers of one kind, so a version that is
// not the next one means that notifications were missed, and then any row may have changed.
func (w *watcher) notified(payload string, changed func(storage.Change)) {
	name, rest, _ := strings.Cut(payload, ":")
	number, id, _ := strings.Cut(rest, ":")
	kind := storage.ChangeKind(name)
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		changed(storage.Change{Kind: storage.ChangeAll})
		return
	}
	if version <= w.seen[kind] {
		return
	}
	if version != w.seen[kind]+1 {
		id = ""
	}
	w.seen[kind] = version
	changed(storage.Change{Kind: kind, ID: id})
}

// versions reads the table changes. A server that refuses writes is not the one to watch any more: nothing changes there.
func (w *watcher) versions(ctx context.Context) (map[storage.ChangeKind]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if err := writable(ctx, w.conn); err != nil {
		return nil, err
	}
	rows, err := w.conn.Query(ctx, `SELECT kind, version FROM changes`)
	if err != nil {
		return nil, err
	}
	seen := map[storage.ChangeKind]int64{}
	var kind string
	var version int64
	if _, err := pgx.ForEachRow(rows, []any{&kind, &version}, func() error {
		seen[storage.ChangeKind(kind)] = version
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	return seen, nil
}
