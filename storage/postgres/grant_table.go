package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// briefly, behind the sub-select of an array, limits how long a statement of several calls waits for a row that another transaction has
// locked. Then each call is sent alone, and only the one that needs the row goes on waiting. The array is read before any row is locked.
const briefly = ` FROM set_config('lock_timeout', '100ms', true)`

// grantStatement is a statement about grants in two forms: for one call and for several. TABLE stands for the partition. Each row
// begins with the number of the call, from 1, that it answers.
//
// Arrays are wrapped in a subquery: Postgres would otherwise plan for the length of each array.
type grantStatement[Q, A any] struct {
	one, many string
	id        func(Q) storage.ID
	// args returns the parameters of one, argsOf those of many.
	args   func(Q) []any
	argsOf func([]Q) []any
	// scan returns the targets of a row, the first of which is n, and what returns the answer that they hold when they are filled. They
	// serve all rows of a statement.
	scan func(n *int) (fields []any, answer func() *A)

	ofOne, ofMany sync.Map // table to statement
}

// text returns a form of the statement for a table.
func text(of *sync.Map, form, table string) string {
	if text, ok := of.Load(table); ok {
		return text.(string)
	}
	text := strings.ReplaceAll(form, "TABLE", table)
	of.Store(table, text)
	return text
}

// run sends calls in one transaction; it is the run of a combiner.
func (st *grantStatement[Q, A]) run(ctx context.Context, db *database, conn *pgx.Conn, list []Q) ([]*A, error) {
	answers := make([]*A, len(list))
	groups := map[string][]int{}
	for i, q := range list {
		table := db.weeks.of(st.id(q))
		groups[table] = append(groups[table], i)
	}
	tables := slices.Sorted(maps.Keys(groups))
	var err error
	switch {
	case len(list) == 1:
		rows, _ := conn.Query(ctx, db.text(text(&st.ofOne, st.one, tables[0])), st.args(list[0])...) // rows carries the error
		err = st.read(rows, groups[tables[0]], answers)
	case len(tables) == 1: // a batch costs more
		rows, _ := conn.Query(ctx, db.text(text(&st.ofMany, st.many, tables[0])), st.argsOf(list)...)
		err = st.read(rows, groups[tables[0]], answers)
	default:
		b := &pgx.Batch{}
		for _, table := range tables {
			members := make([]Q, 0, len(groups[table]))
			for _, i := range groups[table] {
				members = append(members, list[i])
			}
			b.Queue(db.text(text(&st.ofMany, st.many, table)), st.argsOf(members)...).Query(func(rows pgx.Rows) error {
				return st.read(rows, groups[table], answers)
			})
		}
		err = conn.SendBatch(ctx, b).Close()
	}
	if code(err) == "42P01" { // another replica has dropped a partition
		db.weeks.forget(tables...)
	}
	return answers, err
}

// reads reports whether the statement only reads, and locks no rows.
func (st *grantStatement[Q, A]) reads() bool {
	return strings.HasPrefix(strings.TrimSpace(st.many), "SELECT")
}

// read reads the rows that answer the calls of one table.
func (st *grantStatement[Q, A]) read(rows pgx.Rows, calls []int, answers []*A) error {
	defer rows.Close()
	var n int
	fields, answer := st.scan(&n)
	for rows.Next() {
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		answers[calls[n-1]] = answer()
	}
	return rows.Err()
}
