package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// crowd is how many connections a storm has at once: more would need more file descriptors than a process usually may have.
const crowd = 8000

// storm refreshes many sessions within one second, each over a connection of its own, as when the access tokens of all of them ended
// at the same time. It reports an error if one of them is not answered with tokens.
func storm(ctx context.Context, w *world, sessions int) error {
	var wg sync.WaitGroup
	perUser := make([][]*visitor, len(w.users))
	failed := make([]error, len(w.users))
	for i, name := range w.users {
		v := &visitor{world: w, name: name, client: w.site, scope: "read"}
		if err := v.signIn(ctx); err != nil { // one after the other: a password takes its time
			return err
		}
		wg.Go(func() {
			for n := i; n < sessions && failed[i] == nil; n += len(w.users) {
				failed[i] = v.code(ctx)
				perUser[i] = append(perUser[i], &visitor{world: w, client: w.site, refresh: v.refresh})
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return fmt.Errorf("begin the sessions: %w", err)
		}
	}
	all := slices.Concat(perUser...)
	apart := *w
	apart.http = &http.Client{Transport: &http.Transport{MaxConnsPerHost: crowd, DisableKeepAlives: true}}
	took, errs := make([]time.Duration, len(all)), make([]error, len(all))
	began := time.Now()
	for i, v := range all {
		v.world = &apart
		wg.Go(func() {
			time.Sleep(time.Duration(i) * time.Second / time.Duration(len(all)))
			begin := time.Now()
			errs[i] = v.refreshed(ctx)
			took[i] = time.Since(begin)
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	slices.Sort(took)
	var first error
	failures := 0
	for _, err := range errs {
		if err != nil {
			failures++
			first = err
		}
	}
	at := func(p int) time.Duration { return took[(len(took)*p+99)/100-1].Round(time.Millisecond) }
	fmt.Printf("a storm of %d refreshes that begin within a second: all answered after %s, p50 %s, p99 %s, errors %d\n\n",
		len(all), elapsed.Round(time.Millisecond), at(50), at(99), failures)
	if first != nil {
		return fmt.Errorf("%d of %d refreshes of the storm failed: %w", failures, len(all), first)
	}
	return nil
}
