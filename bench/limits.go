package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/latchkeytest"
)

const (
	maxStart  = time.Second
	maxMemory = 50e6 // bytes
	maxBinary = 42e6
	logins    = 100
)

// checkLimits measures what must stay small: the binary, the start on SQLite, and the memory of an idle server. It
// returns the limits that were missed.
func checkLimits(ctx context.Context, binary, folder string, s settings) (missed []string, err error) {
	limit := func(what string, value, maximum float64, unit string) {
		line := fmt.Sprintf("%-42s %6.1f %s, limit %.0f", what, value, unit, maximum)
		if value > maximum {
			missed = append(missed, strings.Join(strings.Fields(line), " "))
			line += "   MISSED"
		}
		fmt.Println(line)
	}
	info, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	limit("binary, static and stripped", float64(info.Size())/1e6, maxBinary/1e6, "MB")

	db, err := openDatabase(ctx, "sqlite", folder, s)
	if err != nil {
		return nil, err
	}
	defer db.remove()
	srv, err := newServer(binary, folder, db.url)
	if err != nil {
		return nil, err
	}
	for _, which := range []string{"start to ready, making the database", "start to ready, again"} {
		took, err := start(ctx, srv)
		if err != nil {
			return nil, err
		}
		limit(which, took.Seconds()*1000, maxStart.Seconds()*1000, "ms")
		if which == "start to ready, again" {
			break
		}
		stop(srv)
	}
	defer stop(srv)
	memory := func(when string) error {
		rest(ctx, s.pause)
		resident, err := residentMemory(srv.PID())
		if err != nil {
			return err
		}
		limit("resident memory, "+when, float64(resident)/1e6, maxMemory/1e6, "MB")
		return nil
	}
	if err := memory(fmt.Sprintf("%s after the start", s.pause)); err != nil {
		return nil, err
	}
	if err := logIn(ctx, srv, s); err != nil {
		return nil, err
	}
	if err := memory(fmt.Sprintf("%s after %d logins", s.pause, logins)); err != nil {
		return nil, err
	}
	fmt.Println()
	return missed, nil
}

func logIn(ctx context.Context, srv *latchkeytest.Instance, s settings) error {
	w, err := newWorld(ctx, srv, 1)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(min(4, s.concurrency)) // more would wait for their turn longer than the server lets them
	for range logins {
		group.Go(func() error {
			v := &visitor{world: w, name: w.users[0], client: w.app}
			return v.password(ctx)
		})
	}
	return group.Wait()
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
