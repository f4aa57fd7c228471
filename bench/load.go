package main

import (
	"cmp"
	"context"
	"errors"
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
	counters
}

func (r *result) requests() int { return len(r.latencies) + r.errors }

func (r *result) rate() float64 { return float64(len(r.latencies)) / r.elapsed.Seconds() }

// each is an amount per request.
func (r *result) each(amount float64) float64 { return amount / float64(max(1, r.requests())) }

// ms is CPU time per request, in milliseconds.
func (r *result) ms(cpu time.Duration) float64 { return r.each(cpu.Seconds() * 1000) }

// cost is the CPU time of server and database per request, in milliseconds.
func (r *result) cost() float64 { return r.ms(r.cpu.server + r.cpu.database) }

// percentile gives the smallest latency that p percent of the requests did not exceed.
func (r *result) percentile(p int) time.Duration {
	n := len(r.latencies)
	if n == 0 {
		return 0
	}
	return r.latencies[(n*p+99)/100-1]
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
				err := sc.request(v, ctx)
				if errors.Is(err, errDone) {
					break
				}
				if err != nil {
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
