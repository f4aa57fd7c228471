package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// target is a server under load: ours, or the floor.
type target struct {
	name, base string
	pid        int
	db         *database
	stop       func()
	// metrics is the address of its metrics; empty for the floor.
	metrics  string
	visitors map[string][]*visitor // by scenario
}

// counters are what grows while a target works.
type counters struct {
	cpu                        usage
	wal, trips, calls, mallocs float64
}

func (c counters) minus(d counters) counters {
	return counters{c.cpu.minus(d.cpu), c.wal - d.wal, c.trips - d.trips, c.calls - d.calls, c.mallocs - d.mallocs}
}

func (t *target) read(ctx context.Context) (c counters, err error) {
	if c.cpu, err = readUsage(t.pid, t.db); err != nil {
		return c, err
	}
	if t.db.conn != nil {
		if err := t.db.conn.QueryRow(ctx, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8`).Scan(&c.wal); err != nil {
			return c, err
		}
	}
	if t.metrics == "" {
		return c, nil
	}
	res, err := http.Get(t.metrics)
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	into := map[string]*float64{
		"go_memstats_mallocs_total": &c.mallocs, "latchkey_database_statements_total": &c.trips, "latchkey_database_shared_calls_total": &c.calls,
	}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if p := into[name]; p != nil {
			if *p, err = strconv.ParseFloat(value, 64); err != nil {
				return c, fmt.Errorf("metrics: %w", err)
			}
		}
	}
	return c, nil
}

// run sends a scenario's requests for a while and measures them.
func (t *target) run(ctx context.Context, sc scenario, warmup, duration time.Duration) (*result, error) {
	drive(ctx, sc, t.visitors[sc.name], warmup)
	if sc.name == revokes {
		var group errgroup.Group
		for _, v := range t.visitors[sc.name] {
			group.Go(func() error { return v.fillStock(ctx) })
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
	}
	before, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	r := drive(ctx, sc, t.visitors[sc.name], duration)
	after, err := t.read(ctx)
	if err != nil {
		return nil, err
	}
	r.counters = after.minus(before)
	return r, ctx.Err()
}

// median returns the middle one of the values.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
