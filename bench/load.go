package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// result is what came of one scenario.
type result struct {
	name       string
	elapsed    time.Duration
	errors     int
	firstError error
	latencies  []time.Duration // of the requests that succeeded, sorted
	cpu        usage
}

func (r *result) requests() int { return len(r.latencies) + r.errors }

func (r *result) rate() float64 { return float64(len(r.latencies)) / r.elapsed.Seconds() }

// per1000 is CPU time per 1,000 requests, in seconds.
func (r *result) per1000(cpu time.Duration) float64 {
	return cpu.Seconds() * 1000 / float64(max(1, r.requests()))
}

// percentile gives the smallest latency that p percent of the requests did not exceed.
func (r *result) percentile(p int) time.Duration {
	n := len(r.latencies)
	if n == 0 {
		return 0
	}
	return r.latencies[(n*p+99)/100-1]
}

// runScenario prepares the virtual users, warms up and measures.
func runScenario(ctx context.Context, sc scenario, w *world, db *database, s settings) (*result, error) {
	var visitors []*visitor
	for _, name := range w.users {
		v := &visitor{world: w, name: name}
		if sc.prepare != nil {
			if err := sc.prepare(v, ctx); err != nil {
				return nil, fmt.Errorf("prepare: %w", err)
			}
		}
		visitors = append(visitors, v)
	}
	drive(ctx, sc, visitors, s.warmup)
	before, err := readUsage(w.server, db)
	if err != nil {
		return nil, err
	}
	r := drive(ctx, sc, visitors, s.duration)
	after, err := readUsage(w.server, db)
	if err != nil {
		return nil, err
	}
	r.cpu = after.minus(before)
	return r, ctx.Err()
}

// drive lets every visitor send one request after the other until the time is up; those under way then end in peace.
func drive(ctx context.Context, sc scenario, visitors []*visitor, duration time.Duration) *result {
	r := &result{name: sc.name}
	var mu sync.Mutex
	var wg sync.WaitGroup
	started := time.Now()
	for _, v := range visitors {
		wg.Go(func() {
			var latencies []time.Duration
			var failures int
			var failure error
			for ctx.Err() == nil && time.Since(started) < duration {
				begin := time.Now()
				if err := sc.request(v, ctx); err != nil {
					failures++
					failure = cmp.Or(failure, err)
					continue
				}
				latencies = append(latencies, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			r.latencies = append(r.latencies, latencies...)
			r.errors += failures
			r.firstError = cmp.Or(r.firstError, failure)
		})
	}
	wg.Wait()
	r.elapsed = time.Since(started)
	slices.Sort(r.latencies)
	return r
}
