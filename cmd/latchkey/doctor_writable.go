package main

import (
	"context"
	"database/sql"
	"strings"

	"latchkey/migrations"
)

// writable checks that the server can write its database, by a write that is rolled back (SQLite) or by the rights of the role (Postgres).
func (e *examination) writable(ctx context.Context, store *opened) {
	const check = "rights"
	if path := e.app.settings.Database.Path; store.writable != nil {
		if err := store.writable(ctx); err != nil {
			e.wrong(check, path+" can't be written: "+oneLine(err), "Allow this user to read and write "+path+", "+path+"-wal and "+path+"-shm where they exist, and their directory, and make room on the disk.")
			return
		}
		e.fine(check, "%s can be written", path)
		return
	}
	db, done, err := store.migrationDB()
	if err != nil {
		e.wrong(check, oneLine(err), "Allow this user to connect and read.")
		return
	}
	defer done()
	r, err := readRights(ctx, db)
	if err != nil {
		e.wrong(check, oneLine(err), "Allow this user to read every table.")
		return
	}
	before := len(e.findings)
	if len(r.missing) > 0 {
		e.wrong(check, "the role "+r.role+" may not write every table: "+strings.Join(r.missing, ", "),
			"GRANT SELECT, INSERT, UPDATE, DELETE on them to "+r.role+", or log in as their owner.")
	}
	if !r.sequence {
		e.wrong(check, "the role "+r.role+" may not draw ids for users", "GRANT USAGE ON SEQUENCE users_id_seq TO "+r.role+".")
	}
	if !r.create {
		e.wrong(check, "the role "+r.role+" may not create tables in the schema "+r.schema+", and the server makes partitions in advance",
			"GRANT CREATE ON SCHEMA "+r.schema+" TO "+r.role+".")
	}
	if !r.owner {
		e.wrong(check, "the role "+r.role+" does not own grants and audit_events, so the server can neither attach partitions nor drop them",
			"Log in as the owner of the tables, or make "+r.role+" a member of it: GRANT … TO "+r.role+".")
	}
	if len(e.findings) == before {
		e.fine(check, "the role %s may write every table and create partitions", r.role)
	}
}

// rights are those of the role of a Postgres database.
type rights struct {
	role, schema string
	// missing are the tables that it may not write, with the rights that are not granted.
	missing                 []string
	sequence, create, owner bool
}

func readRights(ctx context.Context, db *sql.DB) (r rights, err error) {
	var missing string
	err = db.QueryRowContext(ctx, `
		SELECT current_user, n.nspname,
			has_sequence_privilege('users_id_seq', 'USAGE'), has_schema_privilege(n.oid, 'CREATE'),
			(SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid IN ('grants'::regclass, 'audit_events'::regclass)),
			(SELECT coalesce(string_agg(t || ' (' || lacks || ')', ',' ORDER BY t), '') FROM (
				SELECT t, string_agg(p, ' ') AS lacks
				FROM unnest(string_to_array($1, ',')) AS t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
				WHERE NOT has_table_privilege(t, p) GROUP BY t) AS l)
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = 'grants'::regclass`,
		strings.Join(migrations.Tables(migrations.Postgres), ",")).Scan(&r.role, &r.schema, &r.sequence, &r.create, &r.owner, &missing)
	if missing != "" {
		r.missing = strings.Split(missing, ",")
	}
	return r, err
}
