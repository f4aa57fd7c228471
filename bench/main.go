// Command bench measures a real server: it builds the binary, starts it on SQLite and on Postgres, and sends it requests over
// loopback, in turns with a floor: a server on the same stack that does next to nothing with the same database.
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
	"strconv"
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
	pool, repetitions       int
	grants                  []int
	storm                   int
	base, json              string
	limits                  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 4 && os.Args[1] == floorCommand {
		fmt.Fprintln(os.Stderr, serveFloor(ctx, os.Args[2], os.Args[3]))
		os.Exit(1)
	}
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
	flags.DurationVar(&s.duration, "duration", 2*time.Second, "how long each scenario is measured at a time")
	flags.IntVar(&s.repetitions, "repetitions", 3, "how many times it is measured, in turns with the floor; the figures are medians")
	flags.BoolVar(&s.limits, "limits", true, "whether the size of the binary, the time of a start and the memory at rest are measured first")
	flags.StringVar(&s.base, "base", "", "another binary of this program, to compare with in turns; see make bench-compare")
	flags.StringVar(&s.json, "json", "", "a file for the figures as JSON")
	flags.DurationVar(&s.warmup, "warmup", time.Second/2, "how long it runs before it is measured")
	flags.DurationVar(&s.pause, "pause", 10*time.Second, "how long the server rests before its memory is read")
	flags.IntVar(&s.concurrency, "concurrency", 16, "how many virtual users send requests at the same time")
	flags.IntVar(&s.pool, "pool", 0, "pool_max_conns of the server on Postgres; 0 is its default")
	flags.IntVar(&s.storm, "storm", 0, "refresh this many sessions within one second instead, each over a connection of its own")
	grants := flags.String("grants", "", "measure refreshes and introspections with these numbers of sessions in Postgres instead, like 1e3,1e6")
	only := flags.String("scenarios", strings.Join(names, ","), "which scenarios")
	databases := flags.String("databases", "sqlite,postgres", "which databases")
	flags.Parse(args)
	s.scenarios, s.databases = strings.Split(*only, ","), strings.Split(*databases, ",")
	if *grants != "" {
		s.databases = []string{"postgres"}
		for number := range strings.SplitSeq(*grants, ",") {
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || n < 1 || n > 1e9 || len(s.grants) > 0 && int(n) <= s.grants[len(s.grants)-1] {
				return s, fmt.Errorf("-grants %q: want rising numbers of sessions, like 1e3,1e6,1e7", *grants)
			}
			s.grants = append(s.grants, int(n))
		}
	}
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
	if s.concurrency < 1 || s.repetitions < 1 || s.duration <= 0 {
		return s, fmt.Errorf("-concurrency, -repetitions and -duration must be positive")
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
	fmt.Printf("%d virtual users; medians of %d times %s after a warm-up of %s, in turns with the floor.\n\n",
		s.concurrency, s.repetitions, s.duration, s.warmup)

	var missed []string
	if s.limits {
		if missed, err = checkLimits(ctx, binary, folder, s); err != nil {
			return err
		}
	}
	var broken []string
	var rows []*row
	for _, name := range s.databases {
		measured, err := measure(ctx, name, binary, folder, s)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range measured {
			// A few failures are normal: a login that waits too long for its turn is refused.
			if r.Errors*10 > r.Requests {
				broken = append(broken, name+" "+r.Scenario)
			}
		}
		rows = append(rows, measured...)
	}
	for _, m := range missed {
		fmt.Println("LIMIT MISSED:", m)
	}
	if s.json != "" {
		if err := writeJSON(s.json, rows); err != nil {
			return err
		}
	}
	if len(broken) > 0 {
		return fmt.Errorf("more than one request in ten failed: %s", strings.Join(broken, ", "))
	}
	return nil
}

// contender is a server under load with its database and everything that the scenarios work on.
type contender struct {
	*target
	world  *world
	server *latchkeytest.Instance
}

// newContender starts a server of a binary on a database of its own. Its stop ends both.
func newContender(ctx context.Context, name, kind, binary, folder string, s settings) (c *contender, err error) {
	db, err := openDatabase(ctx, kind, folder, s)
	if err != nil {
		return nil, err
	}
	c = &contender{target: &target{name: name, db: db, stop: db.remove, visitors: map[string][]*visitor{}}}
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if c.server, err = newServer(binary, folder, db.url); err != nil {
		return c, err
	}
	if _, err = c.server.Run(ctx, "", "migrate", "up"); err != nil {
		return c, err
	}
	if _, err = start(ctx, c.server); err != nil {
		return c, err
	}
	c.stop = func() {
		stop(c.server)
		db.remove()
	}
	c.pid, c.metrics = c.server.PID(), "http://"+c.server.Admin+"/metrics"
	c.world, err = newWorld(ctx, c.server, s.concurrency)
	return c, err
}

// measure runs the scenarios on one kind of database and prints their table.
func measure(ctx context.Context, kind, binary, folder string, s settings) (rows []*row, err error) {
	ours, err := newContender(ctx, "latchkey", kind, binary, folder, s)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	db := ours.db
	if s.storm > 0 {
		fmt.Println(db.description)
		return nil, storm(ctx, ours.world, s.storm)
	}
	var base *contender
	if s.base != "" {
		if base, err = newContender(ctx, "base", kind, s.base, folder, s); err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
		defer base.stop()
	}
	var floor *target
	if db.conn != nil {
		if floor, err = startFloor(ctx, folder, db, s); err != nil {
			return nil, err
		}
		defer floor.stop()
	}
	printHeader(db)
	if len(s.grants) > 0 {
		return grow(ctx, ours, floor, s)
	}
	for _, sc := range scenarios() {
		if !slices.Contains(s.scenarios, sc.name) {
			continue
		}
		r, err := inTurns(ctx, sc, ours, base, floor, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sc.name, err)
		}
		r.Database = kind
		r.print()
		rows = append(rows, r)
	}
	resident, err := residentMemory(ours.pid)
	if err == nil {
		fmt.Printf("resident memory of the server after all that: %.1f MB\n\n", float64(resident)/1e6)
	}
	return rows, err
}

// join gives the contender's virtual users to a scenario.
func (c *contender) join(ctx context.Context, sc scenario) error {
	for _, name := range c.world.users {
		v := &visitor{world: c.world, name: name}
		if sc.prepare != nil {
			if err := sc.prepare(v, ctx); err != nil {
				return fmt.Errorf("prepare: %w", err)
			}
		}
		c.visitors[sc.name] = append(c.visitors[sc.name], v)
	}
	return nil
}

// inTurns measures one scenario, the floor and the base by turns, since a shared machine is a different one a minute later. base and
// floor may be nil.
func inTurns(ctx context.Context, sc scenario, ours, base *contender, floor *target, s settings) (*row, error) {
	if err := ours.join(ctx, sc); err != nil {
		return nil, err
	}
	if base != nil {
		if err := base.join(ctx, sc); err != nil {
			return nil, fmt.Errorf("base: %w", err)
		}
	}
	lowest := scenario{name: sc.floor, request: floorRequest(sc.floor)}
	if floor != nil && sc.floor != "" && floor.visitors[lowest.name] == nil {
		other := &world{base: floor.base, http: newHTTPClient(s.concurrency)}
		for _, name := range ours.world.users {
			floor.visitors[lowest.name] = append(floor.visitors[lowest.name], &visitor{world: other, name: name})
		}
	}
	var all, floors, bases []*result
	for range s.repetitions {
		if floor != nil && sc.floor != "" {
			r, err := floor.run(ctx, lowest, s.warmup, s.duration)
			if err == nil {
				err = r.firstError
			}
			if err != nil {
				return nil, fmt.Errorf("floor: %w", err)
			}
			floors = append(floors, r)
		}
		if base != nil {
			r, err := base.run(ctx, sc, s.warmup, s.duration)
			if err != nil {
				return nil, fmt.Errorf("base: %w", err)
			}
			bases = append(bases, r)
		}
		r, err := ours.run(ctx, sc, s.warmup, s.duration)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return newRow(sc, all, floors, bases), nil
}
