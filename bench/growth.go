package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/latchkeytest"
)

const (
	// parts is how many parts a stage is filled in. After each, every virtual user begins a session, so that theirs lie evenly
	// among the others in the tables and in the indexes.
	parts = 32
	// busyUser has one session in a thousand.
	busyUser = "user-with-many-sessions"
)

// session is what a virtual user holds of one session.
type session struct{ access, refresh string }

// growth fills the database with sessions of others and measures how that changes the price of a request.
type growth struct {
	world    *world
	server   *latchkeytest.Instance
	conn     *pgx.Conn
	busy     latchkeytest.Client // has one session in ten
	visitors []*visitor
	columns  []string // of grants, that are copied from a session of the server's own
}

// grow measures the same scenarios with each number of sessions.
func grow(ctx context.Context, ours *contender, floor *target, s settings) (rows []*row, err error) {
	g := &growth{world: ours.world, server: ours.server, conn: ours.db.conn}
	if err := g.prepare(ctx); err != nil {
		return nil, err
	}
	filled := 0
	for _, n := range s.grants {
		began := time.Now()
		if err := g.fill(ctx, filled, n); err != nil {
			return nil, fmt.Errorf("fill: %w", err)
		}
		filled = n
		if err := g.describe(ctx, n, time.Since(began)); err != nil {
			return nil, err
		}
		for _, sc := range g.scenarios(n) {
			r, err := inTurns(ctx, sc, ours, nil, floor, s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sc.name, err)
			}
			r.Database = "postgres"
			r.print()
			rows = append(rows, r)
		}
	}
	return rows, g.commands(ctx)
}

// prepare adds the users and clients of the sessions to come: at most a million and a hundred thousand.
func (g *growth) prepare(ctx context.Context) error {
	if _, err := g.server.Run(ctx, "", "user", "add", busyUser, "--no-password"); err != nil {
		return err
	}
	var err error
	if g.busy, err = g.server.AddClient(ctx, "--grant-type", "client_credentials"); err != nil {
		return err
	}
	for _, name := range g.world.users {
		v := &visitor{world: g.world, name: name, client: g.world.site, scope: "read"}
		if err := v.signIn(ctx); err != nil {
			return err
		}
		g.visitors = append(g.visitors, v)
	}
	if err := g.begin(ctx); err != nil { // so that there is one to copy
		return err
	}
	// All copies are of the same session, the first, so that they have the epochs of its user and client.
	if _, err := g.conn.Exec(ctx, `
		UPDATE users SET auth_epoch = (SELECT user_epoch FROM grants WHERE client_id = $2 ORDER BY id LIMIT 1) WHERE username = $1`, busyUser, g.world.site.ID); err != nil {
		return err
	}
	if _, err := g.conn.Exec(ctx, `
		UPDATE clients SET auth_epoch = (SELECT client_epoch FROM grants WHERE client_id = $2 ORDER BY id LIMIT 1) WHERE id = $1`, g.busy.ID, g.world.site.ID); err != nil {
		return err
	}
	return g.conn.QueryRow(ctx, `
		SELECT array_agg(column_name::text) FROM information_schema.columns
		WHERE table_name = 'grants' AND table_schema = current_schema() AND column_name NOT IN ('id', 'client_id', 'user_id', 'current_id')`,
	).Scan(&g.columns)
}

// begin begins one more session of each virtual user.
func (g *growth) begin(ctx context.Context) error {
	for _, v := range g.visitors {
		if err := v.code(ctx); err != nil {
			return err
		}
		v.sessions = append(v.sessions, session{refresh: v.refresh})
	}
	return nil
}

// fill raises the number of sessions.
func (g *growth) fill(ctx context.Context, from, to int) error {
	if err := g.copyTable(ctx, "users", "username", busyUser, min(to/10, 1_000_000), "id, username", `(1::bigint << 41) + n, 'filled-' || n`); err != nil {
		return err
	}
	if err := g.copyTable(ctx, "clients", "id", g.busy.ID, min(to/100, 100_000), "id", `'filled-' || n`); err != nil {
		return err
	}
	for part := range parts {
		if err := g.fillGrants(ctx, from+(to-from)*part/parts, from+(to-from)*(part+1)/parts); err != nil {
			return err
		}
		if err := g.begin(ctx); err != nil {
			return err
		}
	}
	_, err := g.conn.Exec(ctx, `VACUUM ANALYZE`)
	return err
}

// copyTable adds rows up to the number n whose names begin with "filled-": copies of the row of that name with other keys.
func (g *growth) copyTable(ctx context.Context, table, name, like string, n int, keys, values string) error {
	var others string
	err := g.conn.QueryRow(ctx, `
		SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
		WHERE table_name = $1 AND table_schema = current_schema() AND column_name != ALL (string_to_array($2, ', '))
		AND column_name NOT IN ('subject')`, table, keys).Scan(&others)
	if err != nil {
		return err
	}
	_, err = g.conn.Exec(ctx, fmt.Sprintf(`
		INSERT INTO %[1]s (%[2]s, %[3]s)
		SELECT %[4]s, %[3]s FROM generate_series(1, $1::bigint) AS n, (SELECT %[3]s FROM %[1]s WHERE %[5]s = $2) AS one
		ON CONFLICT DO NOTHING`, table, keys, others, values, name), n, like)
	return err
}

// fillGrants adds the sessions with the numbers up to `to`: of random users and clients that begin now, as copies of one of the server's own. Their IDs are UUIDs of
// version 7, like the server's.
func (g *growth) fillGrants(ctx context.Context, from, to int) error {
	others := strings.Join(g.columns, ", ")
	_, err := g.conn.Exec(ctx, fmt.Sprintf(`
		WITH one AS (SELECT %[1]s FROM grants WHERE client_id = $2 ORDER BY id LIMIT 1),
		filled_users AS (SELECT count(*) FILTER (WHERE username LIKE 'filled-%%') AS many, max(id) FILTER (WHERE username = $3) AS busy FROM users),
		filled_clients AS (SELECT count(*) AS many FROM clients WHERE id LIKE 'filled-%%')
		INSERT INTO grants (id, current_id, user_id, client_id, %[1]s)
		SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(random, 1, 3) || '8'
				|| substr(random, 4, 15))::uuid,
			random::uuid,
			CASE WHEN n %% 1000 = 0 OR filled_users.many = 0 THEN filled_users.busy ELSE (1::bigint << 41) + 1 + floor(random() * filled_users.many)::bigint END,
			CASE WHEN n %% 10 = 0 OR filled_clients.many = 0 THEN $4 ELSE 'filled-' || 1 + floor(random() * filled_clients.many)::bigint END,
			%[1]s
		FROM (SELECT n, md5(random()::text || n) AS random FROM generate_series($1::bigint + 1, $5::bigint) AS n) AS fresh, one, filled_users, filled_clients`, others),
		from, g.world.site.ID, busyUser, g.busy.ID, to)
	return err
}

// describe prints how large the tables are.
func (g *growth) describe(ctx context.Context, n int, took time.Duration) error {
	var grants, clients, users int
	var heap, indexes int64
	err := g.conn.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM grants), (SELECT count(*) FROM clients), (SELECT count(*) FROM users),
			sum(pg_table_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint
		FROM pg_inherits WHERE inhparent = 'grants'::regclass`).Scan(&grants, &clients, &users, &heap, &indexes)
	if err != nil {
		return err
	}
	fmt.Printf("%d sessions of %d users and %d clients, filled in %s: per session %d bytes and %d of indexes; %d sessions are used, at random\n",
		grants, users, clients, took.Round(time.Second), heap/int64(grants), indexes/int64(grants), len(g.visitors)*len(g.visitors[0].sessions))
	return nil
}

// scenarios are those whose price could depend on how many sessions there are.
func (g *growth) scenarios(n int) []scenario {
	atRandom := func(request func(*visitor, context.Context) error) func(*visitor, context.Context) error {
		return func(v *visitor, ctx context.Context) error {
			one := &v.sessions[rand.IntN(len(v.sessions))]
			v.access, v.refresh = one.access, one.refresh
			err := request(v, ctx)
			one.access, one.refresh = v.access, v.refresh
			return err
		}
	}
	prepare := func(v *visitor, ctx context.Context) error {
		for _, own := range g.visitors {
			if own.name == v.name {
				*v = *own
			}
		}
		v.scope = ""                // no ID token comes with it
		for i := range v.sessions { // the access tokens of the last stage have expired
			v.refresh = v.sessions[i].refresh
			if err := v.refreshed(ctx); err != nil {
				return err
			}
			v.sessions[i] = session{v.access, v.refresh}
		}
		return nil
	}
	at := fmt.Sprintf(" @%.0e", float64(n))
	return []scenario{
		{"refresh" + at, floorWrite, prepare, atRandom((*visitor).refreshed)},
		{"introspect" + at, floorRead, prepare, atRandom((*visitor).introspect)},
	}
}

// commands measures what an operator does about many sessions at once.
func (g *growth) commands(ctx context.Context) error {
	for _, args := range [][]string{
		{"session", "list", "--user", busyUser, "--json"},
		{"session", "list", "--client", g.busy.ID, "--json"},
		{"session", "revoke", "--user", busyUser},
		{"session", "revoke", "--client", g.busy.ID},
	} {
		began := time.Now()
		text, err := g.server.Run(ctx, "", args...)
		if err != nil {
			return err
		}
		if len(text) > 100 {
			text = []byte(fmt.Sprintf("%d bytes", len(text)))
		}
		fmt.Fprintf(os.Stdout, "latchkey %s: %s in %s\n", strings.Join(args, " "), strings.TrimSpace(string(text)), time.Since(began).Round(time.Millisecond))
	}
	return nil
}
