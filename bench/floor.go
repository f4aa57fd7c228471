package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// floorScript is the one guarded UPDATE of a refresh (storage/postgres/grant.go, AdvanceGrant), on the same table and
// the sessions that the scenarios have begun: each client of pgbench has one and follows its chain. An UPDATE that
// finds no row ends pgbench, since \gset wants one.
const floorScript = `
\if :begin
SELECT id AS grant_id, current_id AS current, generation AS generation FROM (
	SELECT id, current_id, generation, row_number() OVER (ORDER BY id) AS n FROM grants WHERE revoked_at IS NULL
) AS g WHERE n = :client_id + 1 \gset
\set begin 0
\endif
UPDATE grants g SET current_id = gen_random_uuid(), generation = :generation::bigint + 1, previous_id = :current,
	previous_retired_at = now(), window_at = now(), last_used_at = now()
WHERE g.id = :grant_id AND g.current_id = :current
	AND g.revoked_at IS NULL AND g.expires_at > now()
	AND (SELECT auth_epoch FROM users WHERE id = g.user_id AND active) = g.user_epoch
	AND (SELECT auth_epoch FROM clients WHERE id = g.client_id AND NOT disabled) = g.client_epoch
RETURNING g.current_id AS current, g.generation AS generation \gset
`

// runFloor lets pgbench send that statement, with as many connections as there were virtual users.
func runFloor(ctx context.Context, db *database, folder string, s settings) (*result, error) {
	program, err := findPgbench(ctx, db)
	if err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(folder, "pgbench-")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(own, "floor.sql")
	if err := os.WriteFile(script, []byte(floorScript), 0o600); err != nil {
		return nil, err
	}
	c := db.conn.Config()
	pgbench := func(duration time.Duration, more ...string) error {
		seconds := strconv.Itoa(max(1, int(duration.Seconds())))
		cmd := exec.CommandContext(ctx, program, append([]string{
			"--no-vacuum", "--protocol=prepared", "--file=" + script, "--define=begin=1", "--time=" + seconds,
			"--client=" + strconv.Itoa(s.concurrency), "--jobs=" + strconv.Itoa(min(2, s.concurrency)),
		}, more...)...)
		cmd.Env = append(os.Environ(), "PGHOST="+c.Host, "PGPORT="+strconv.Itoa(int(c.Port)), "PGUSER="+c.User,
			"PGPASSWORD="+c.Password, "PGDATABASE="+c.Database)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("pgbench: %w: %s", err, out)
		}
		return nil
	}
	if err := pgbench(s.warmup); err != nil {
		return nil, err
	}
	var before time.Duration
	if db.postmaster != 0 {
		if before, err = familyCPU(db.postmaster); err != nil {
			return nil, err
		}
	}
	if err := pgbench(s.duration, "--log", "--log-prefix="+filepath.Join(own, "log")); err != nil {
		return nil, err
	}
	r := &result{name: "floor (pgbench)", elapsed: s.duration.Truncate(time.Second)}
	if db.postmaster != 0 {
		after, err := familyCPU(db.postmaster)
		if err != nil {
			return nil, err
		}
		r.cpu.database = after - before
	}
	r.latencies, err = readLog(filepath.Join(own, "log.*"))
	return r, err
}

// findPgbench looks in PATH, then beside the server's own binaries.
func findPgbench(ctx context.Context, db *database) (string, error) {
	if found, err := exec.LookPath("pgbench"); err == nil {
		return found, nil
	}
	var folder string
	if err := db.conn.QueryRow(ctx, `SELECT setting FROM pg_config WHERE name = 'BINDIR'`).Scan(&folder); err != nil {
		return "", fmt.Errorf("pgbench is not in PATH, and the server does not say where its binaries are: %w", err)
	}
	return exec.LookPath(filepath.Join(folder, "pgbench"))
}

// readLog reads the latencies out of pgbench's logs: "client transaction microseconds …".
func readLog(pattern string) (latencies []time.Duration, err error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			fields := strings.Fields(lines.Text())
			if len(fields) < 3 {
				return nil, fmt.Errorf("pgbench's log has the line %q", lines.Text())
			}
			n, err := strconv.Atoi(fields[2])
			if err != nil {
				return nil, fmt.Errorf("pgbench's log: %w", err)
			}
			latencies = append(latencies, time.Duration(n)*time.Microsecond)
		}
	}
	slices.Sort(latencies)
	return latencies, nil
}
