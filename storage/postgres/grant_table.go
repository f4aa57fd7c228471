package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
)

// The ID of a grant names its partition. A statement that names it too has one table to plan for, so that Postgres keeps the plan:
// for the partitioned table it would make a new one each time, which takes longer than everything else.

const (
	// anyGrants is the partitioned table; it is right for every ID.
	anyGrants = "grants"
	weekly    = "grants_2006_01_02"
)

// sharedLockTimeout is how long a statement of several calls waits for a row that another transaction has locked. Then each call is
// sent alone, and only the one that needs the row goes on waiting.
const sharedLockTimeout = "100ms"

// weekOf returns the first day of the week of a time.
func weekOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
}

// partitions are the weekly partitions that are known to exist.
type partitions struct {
	mu    sync.RWMutex
	weeks map[int64]string // by the Unix time of the first day
}

// set replaces what is known.
func (p *partitions) set(names []string) {
	weeks := map[int64]string{}
	for _, name := range names {
		if week, err := time.Parse(weekly, name); err == nil {
			weeks[week.Unix()] = name
		}
	}
	p.mu.Lock()
	p.weeks = weeks
	p.mu.Unlock()
}

// add notes that a partition exists.
func (p *partitions) add(name string) {
	p.mu.RLock()
	names := append(slices.Collect(maps.Values(p.weeks)), name)
	p.mu.RUnlock()
	p.set(names)
}

// forget makes statements use the partitioned table instead of these.
func (p *partitions) forget(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.weeks, func(_ int64, name string) bool { return slices.Contains(names, name) })
}

// of returns the table to look into for a grant.
func (p *partitions) of(id storage.ID) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if name, ok := p.weeks[weekOf(id.Time()).Unix()]; ok {
		return name
	}
	return anyGrants
}

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
	// scan reads a row without its number: the targets, and what to do when they are filled.
	scan func() (answer *A, fields []any, filled func())

	texts sync.Map // form and table to statement
}

func (st *grantStatement[Q, A]) text(form, table string) string {
	if text, ok := st.texts.Load(table + form); ok {
		return text.(string)
	}
	text := strings.ReplaceAll(form, "TABLE", table)
	st.texts.Store(table+form, text)
	return text
}

// run sends calls in one transaction; it is the run of a combiner.
func (st *grantStatement[Q, A]) run(ctx context.Context, s *Store, conn *pgx.Conn, list []Q) ([]*A, error) {
	answers := make([]*A, len(list))
	groups := map[string][]int{}
	for i, q := range list {
		table := s.weeks.of(st.id(q))
		groups[table] = append(groups[table], i)
	}
	tables := slices.Sorted(maps.Keys(groups))
	var err error
	if len(list) == 1 {
		rows, _ := conn.Query(ctx, s.text(st.text(st.one, tables[0])), st.args(list[0])...) // rows carries the error
		err = st.read(rows, groups[tables[0]], answers)
	} else {
		b := &pgx.Batch{}
		if !st.reads() {
			b.Queue(`SELECT set_config('lock_timeout', '` + sharedLockTimeout + `', true)`)
		}
		for _, table := range tables {
			members := make([]Q, 0, len(groups[table]))
			for _, i := range groups[table] {
				members = append(members, list[i])
			}
			b.Queue(s.text(st.text(st.many, table)), st.argsOf(members)...).Query(func(rows pgx.Rows) error {
				return st.read(rows, groups[table], answers)
			})
		}
		err = conn.SendBatch(ctx, b).Close()
	}
	if code(err) == "42P01" { // another replica has dropped a partition
		s.weeks.forget(tables...)
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
	for rows.Next() {
		var n int
		answer, fields, filled := st.scan()
		if err := rows.Scan(append([]any{&n}, fields...)...); err != nil {
			return err
		}
		filled()
		answers[calls[n-1]] = answer
	}
	return rows.Err()
}
