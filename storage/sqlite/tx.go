package sqlite

import (
	"context"

	"latchkey/storage"
	"latchkey/storage/failpoint"
	"latchkey/storage/internal/row"
	"latchkey/storage/span"
)

// tx runs the statements of one operation. After the first that fails the others do nothing and find nothing, so that an operation
// reads as its list of statements; the operation returns that error, and a write is undone.
type tx struct {
	what string
	conn conn
	err  error
}

// write runs an operation in a transaction of the writer.
func (s *Store) write(ctx context.Context, what string, operation func(*tx)) error {
	ctx, traced := span.Start(ctx, what, system)
	failpoint.Hit(what, failpoint.Before)
	err := s.writer.do(ctx, func(c conn) error { return run(c, what, operation) })
	failpoint.Hit(what, failpoint.After)
	return finish(traced, what, err)
}

// writeFor is write for an operation that returns something, which is zero if it fails.
func writeFor[T any](ctx context.Context, s *Store, what string, operation func(*tx) T) (v T, err error) {
	err = s.write(ctx, what, func(t *tx) { v = operation(t) })
	if err != nil {
		return *new(T), err
	}
	return v, nil
}

// read runs an operation on one of the readers. Its statements do not share a transaction.
func (s *Store) read(ctx context.Context, what string, operation func(*tx)) error {
	ctx, traced := span.Start(ctx, what, system)
	return finish(traced, what, run(s.reader(ctx), what, operation))
}

func run(c conn, what string, operation func(*tx)) error {
	t := &tx{what: what, conn: c}
	operation(t)
	return t.err
}

// fail makes the operation fail, unless it has failed already.
func (t *tx) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// check makes the operation fail with err unless something holds.
func (t *tx) check(holds bool, err error) {
	if !holds {
		t.fail(err)
	}
}

// exec runs a statement and returns how many rows it wrote.
func (t *tx) exec(query string, args ...any) (n int64) {
	if t.err == nil {
		failpoint.Hit(t.what, failpoint.Within)
		n, t.err = t.conn.exec(query, args...)
	}
	return n
}

// execOr runs a statement that must write a row; otherwise the operation fails with err.
func (t *tx) execOr(err error, query string, args ...any) {
	t.check(t.exec(query, args...) > 0, err)
}

// room makes the operation fail unless a table has fewer rows than limit.
func (t *tx) room(table string, limit int) {
	var n int
	t.row(`SELECT count(*) FROM `+table, nil, &n)
	t.check(n < limit, storage.ErrLimit)
}

// insert stores a row.
func (t *tx) insert(table string, columns []row.Column) {
	t.exec(row.Insert(table, columns), row.Fields(field, columns)...)
}

// row reads one row and reports whether there is one.
func (t *tx) row(query string, args []any, dest ...any) bool {
	if t.err != nil {
		return false
	}
	err := t.conn.row(query, args, dest...)
	return t.found(err)
}

// get reads a row that must be there.
func get[T any](t *tx, scan func(scanner) (T, error), query string, args ...any) (v T) {
	if t.err == nil {
		v, t.err = one(t.conn, scan, query, args...)
	}
	return v
}

// find is row for a whole row of a table.
func find[T any](t *tx, columns func(*T) []row.Column, query string, args ...any) (v *T, found bool) {
	if t.err != nil {
		return nil, false
	}
	v, err := one(t.conn, scan(columns), query, args...)
	return v, t.found(err)
}

// found notes the error of reading a row and reports whether there was one.
func (t *tx) found(err error) bool {
	if err != nil && !isNoRow(err) {
		t.err = err
	}
	return err == nil
}

// audit stores the events that are not nil.
func (t *tx) audit(events ...*storage.AuditEvent) {
	for _, e := range events {
		if e != nil {
			t.insert("audit_events", row.AuditEvent(e))
		}
	}
}

// changed counts a change of a kind for Watch.
func (t *tx) changed(kind storage.ChangeKind) {
	t.exec(`INSERT INTO changes (kind, version) VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET version = version + 1`, string(kind))
}
