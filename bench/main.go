// Command bench measures a real server: it builds the binary, starts it on SQLite and on Postgres, and sends it requests over
// loopback. For comparison it measures Postgres alone: pgbench with the statement of a refresh.
//
//	make bench
//	make bench BENCHFLAGS='-duration 20s -scenarios refresh'
//
// The database server is the one of LATCHKEY_TEST_DATABASE_URL, which must be on this machine for its CPU time to be seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"latchkey/latchkeytest"
)

// settings are the flags.
type settings struct {
	duration, warmup, pause time.Duration
	concurrency             int
	scenarios, databases    []string
	pool                    int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (s settings, err error) {
	names := []string{}
	for _, sc := range scenarios() {
		names = append(names, sc.name)
	}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.DurationVar(&s.duration, "duration", 5*time.Second, "how long each scenario is measured")
	flags.DurationVar(&s.warmup, "warmup", time.Second, "how long each scenario runs before it is measured")
	flags.DurationVar(&s.pause, "pause", 10*time.Second, "how long the server rests before its memory is read")
	flags.IntVar(&s.concurrency, "concurrency", 16, "how many virtual users send requests at the same time")
	flags.IntVar(&s.pool, "pool", 0, "pool_max_conns of the server on Postgres; 0 is its default")
	only := flags.String("scenarios", strings.Join(names, ","), "which scenarios")
	databases := flags.String("databases", "sqlite,postgres", "which databases")
	flags.Parse(args)
	s.scenarios, s.databases = strings.Split(*only, ","), strings.Split(*databases, ",")
	for _, name := range s.scenarios {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	for _, name := range s.databases {
		if name != "sqlite" && name != "postgres" {
			return s, fmt.Errorf("there is no database %q; there are sqlite and postgres", name)
		}
	}
	if s.concurrency < 1 || s.duration <= 0 {
		return s, fmt.Errorf("-concurrency and -duration must be positive")
	}
	return s, nil
}

func run(ctx context.Context, s settings) error {
	folder, err := os.MkdirTemp("", "latchkey-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	defer latchkeytest.Remove()
	binary, err := latchkeytest.Binary()
	if err != nil {
		return err
	}
	fmt.Printf("%s/%s, %d CPUs, %s. Server and load generator share them.\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Printf("Server: %s.\n", strings.Join(configuration(), " "))
	fmt.Printf("%d virtual users, each scenario %s after a warm-up of %s.\n\n", s.concurrency, s.duration, s.warmup)

	missed, err := checkLimits(ctx, binary, folder, s)
	if err != nil {
		return err
	}
	var broken []string
	for _, name := range s.databases {
		failed, err := measure(ctx, name, folder, s)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		broken = append(broken, failed...)
	}
	for _, m := range missed {
		fmt.Println("LIMIT MISSED:", m)
	}
	if len(broken) > 0 {
		return fmt.Errorf("more than one request in ten failed: %s", strings.Join(broken, ", "))
	}
	return nil
}

// measure runs the scenarios on one kind of database and prints their table. It returns those in which more than one request in
// ten failed. A few failures are normal: a login that waits too long for its turn is rejected.
func measure(ctx context.Context, kind, folder string, s settings) (broken []string, err error) {
	db, err := openDatabase(ctx, kind, folder, s)
	if err != nil {
		return nil, err
	}
	defer db.remove()
	srv, err := newServer(folder, db.url)
	if err != nil {
		return nil, err
	}
	if _, err := srv.Run(ctx, "", "migrate", "up"); err != nil {
		return nil, err
	}
	if _, err := start(ctx, srv); err != nil {
		return nil, err
	}
	defer stop(srv)
	w, err := newWorld(ctx, srv, s.concurrency)
	if err != nil {
		return nil, err
	}
	printHeader(db)
	for _, sc := range scenarios() {
		if !slices.Contains(s.scenarios, sc.name) {
			continue
		}
		r, err := runScenario(ctx, sc, w, db, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		printResult(r)
		if r.errors*10 > r.requests() {
			broken = append(broken, kind+" "+sc.name)
		}
		if sc.name == "refresh" && db.conn != nil {
			// At once, since a shared machine is a different one a minute later.
			floor, err := runFloor(ctx, db, folder, s)
			if err != nil {
				return nil, fmt.Errorf("floor: %w", err)
			}
			printFloor(floor, r)
		}
	}
	fmt.Println()
	return broken, nil
}
