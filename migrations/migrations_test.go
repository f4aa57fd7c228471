package migrations_test

import (
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	"latchkey/migrations"
	"latchkey/storage/postgres/postgrestest"
)

// connections gives database/sql connections as a process of its own would have them.
func connections(t *testing.T, dialect migrations.Dialect, url string) *sql.DB {
	t.Helper()
	var db *sql.DB
	if dialect == migrations.Postgres {
		cc, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		db = stdlib.OpenDB(*cc)
	} else {
		var err error
		if db, err = sql.Open("sqlite", url+"?_pragma=busy_timeout(5000)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// onBoth runs a test on an empty database of each dialect.
func onBoth(t *testing.T, test func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB)) {
	t.Parallel()
	for _, dialect := range []migrations.Dialect{migrations.Postgres, migrations.SQLite} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			url := "file:" + t.TempDir() + "/latchkey.db"
			if dialect == migrations.Postgres {
				url = postgrestest.EmptyURL(t)
			}
			test(t, dialect, func() *sql.DB { return connections(t, dialect, url) })
		})
	}
}

// upTo makes the schema of an earlier release.
func upTo(t *testing.T, db *sql.DB, dialect migrations.Dialect, version int64) {
	t.Helper()
	engine := map[migrations.Dialect]goose.Dialect{migrations.Postgres: goose.DialectPostgres, migrations.SQLite: goose.DialectSQLite3}[dialect]
	p, err := goose.NewProvider(engine, db, migrations.Files(dialect))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

func behind(t *testing.T, db *sql.DB, dialect migrations.Dialect) bool {
	t.Helper()
	behind, err := migrations.Behind(t.Context(), db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	return behind
}

func TestUpMakesTheSchemaOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		if !behind(t, db, dialect) {
			t.Error("an empty database is not behind")
		}
		applied, err := migrations.Up(t.Context(), db, dialect)
		if err != nil {
			t.Fatal(err)
		}
		if len(applied) == 0 || applied[0].Version != 1 || applied[0].Name != "0001_initial.sql" {
			t.Errorf("applied %+v", applied)
		}
		if behind(t, db, dialect) {
			t.Error("behind after Up")
		}
		if again, err := migrations.Up(t.Context(), db, dialect); err != nil || len(again) != 0 {
			t.Errorf("the second Up applied %+v: %v", again, err)
		}
		states, err := migrations.Status(t.Context(), db, dialect)
		if err != nil || len(states) != len(applied) || states[0].Name != "0001_initial.sql" || states[0].AppliedAt == nil {
			t.Errorf("status %+v: %v", states, err)
		}
	})
}

// Looking writes nothing: the database may be a standby.
func TestLookingAtAnEmptyDatabaseMakesNoTable(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		behind(t, db, dialect)
		states, err := migrations.Status(t.Context(), db, dialect)
		if err != nil || len(states) == 0 || states[0].AppliedAt != nil {
			t.Errorf("status %+v: %v", states, err)
		}
		if tables := columns(t, db, dialect); len(tables) != 0 {
			t.Errorf("there are tables: %v", tables)
		}
	})
}

func TestManyReplicasMayStartAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		applied := map[int64]int{}
		for range 4 {
			db := open()
			wg.Go(func() {
				list, err := migrations.Up(t.Context(), db, dialect)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, a := range list {
					applied[a.Version]++
				}
			})
		}
		wg.Wait()
		if applied[1] != 1 {
			t.Errorf("the first migration was applied %d times", applied[1])
		}
		if behind(t, open(), dialect) {
			t.Error("behind")
		}
	})
}

// The previous release runs on the new schema.
func TestASchemaThatIsNewerThanTheBinaryIsFine(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`); err != nil {
			t.Fatal(err)
		}
		if behind(t, db, dialect) {
			t.Error("behind")
		}
		if applied, err := migrations.Up(t.Context(), db, dialect); err != nil || len(applied) != 0 {
			t.Errorf("Up applied %+v: %v", applied, err)
		}
		states, err := migrations.Status(t.Context(), db, dialect)
		if err != nil || states[len(states)-1].Version != 9999 || states[len(states)-1].Name != "" {
			t.Errorf("status %+v: %v", states, err)
		}
	})
}

func execute(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// A consent from before 0005 holds for exactly what its unions tell: a scope without a resource, or one answer's.
func TestA5ConsentsOfEarlierReleases(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		upTo(t, db, dialect, 3)
		first, later, off := "1", "2", "0"
		if dialect == migrations.Postgres {
			first, later, off = "'2026-01-01'", "'2026-01-02'", "false"
		}
		execute(t, db, `INSERT INTO users (id, username, email, password_hash, active, staff, auth_epoch, created_at)
			VALUES (1, 'ada', '', '', `+off+`, `+off+`, 1, `+first+`)`)
		consent := func(client, scope, audience, updated string) {
			execute(t, db, `INSERT INTO clients (id, metadata, disabled, auth_epoch, version, created_at, updated_at)
				VALUES ('`+client+`', '{}', `+off+`, 1, 1, `+first+`, `+first+`)`,
				`INSERT INTO consents (user_id, client_id, scope, audience, created_at, updated_at)
				VALUES (1, '`+client+`', '`+scope+`', '`+audience+`', `+first+`, `+updated+`)`)
		}
		consent("one answer", "openid read", "https://a.example/?q=1&x urn:b", first)
		consent("no resource", "openid read", "", later)
		consent("no scope", "", "", first)
		consent("two answers", "read admin", "urn:a urn:b", later)
		consent("unclear", "read admin", "urn:a", later)
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		for client, want := range map[string]map[string][]string{
			"one answer":  {"https://a.example/?q=1&x": {"openid", "read"}, "urn:b": {"openid", "read"}},
			"no resource": {"": {"openid", "read"}}, "no scope": {"": {}}, "two answers": nil, "unclear": nil,
		} {
			var raw []byte
			if err := db.QueryRowContext(t.Context(), `SELECT resources FROM consents WHERE client_id = '`+client+`'`).Scan(&raw); err != nil {
				t.Fatal(err)
			}
			var got map[string][]string
			if raw != nil {
				if err := json.Unmarshal(raw, &got); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s", client, d)
			}
		}
	})
}

// Clients that a release before 0003 registered have their origins after it; on Postgres the index has them by itself.
func TestOriginsOfEarlierClients(t *testing.T) {
	t.Parallel()
	db := connections(t, migrations.SQLite, "file:"+t.TempDir()+"/latchkey.db")
	upTo(t, db, migrations.SQLite, 2)
	execute(t, db, `INSERT INTO clients (id, metadata, disabled, auth_epoch, version, created_at, updated_at)
		VALUES ('app', '{"redirect_uris":["https://App.example/cb","https://app.example/2"]}', 0, 1, 1, 1, 1)`)
	if _, err := migrations.Up(t.Context(), db, migrations.SQLite); err != nil {
		t.Fatal(err)
	}
	var origins string
	if err := db.QueryRowContext(t.Context(), `SELECT group_concat(client_id || ' ' || origin) FROM client_origins`).Scan(&origins); err != nil {
		t.Fatal(err)
	}
	if origins != "app https://app.example" {
		t.Errorf("origins %q", origins)
	}
}

// Row D: clients from before keep the rotation that was the default, except the built-in one, which has an option of its own.
func TestRowDEarlierClientsKeepTheirRotation(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		upTo(t, db, dialect, 5)
		disabled, now, read := "FALSE", "now()", `SELECT string_agg(id || ' ' || coalesce(metadata ->> 'rotation', '-'), ',' ORDER BY id) FROM clients`
		if dialect == migrations.SQLite {
			disabled, now, read = "0", "0", `SELECT group_concat(id || ' ' || coalesce(metadata ->> 'rotation', '-') ORDER BY id) FROM clients`
		}
		for id, metadata := range map[string]string{
			"chose": `{"rotation":"reissue"}`, "default": `{"client_name":"App","redirect_uris":["https://app.example/cb"]}`, "simplejwt": `{}`,
		} {
			insert := `INSERT INTO clients (id, metadata, disabled, auth_epoch, version, created_at, updated_at) VALUES ('` +
				id + `', '` + metadata + `', ` + disabled + `, 0, 1, ` + now + `, ` + now + `)`
			if _, err := db.ExecContext(t.Context(), insert); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := db.QueryRowContext(t.Context(), read).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != "chose reissue,default strict,simplejwt -" {
			t.Errorf("the rotations are %s", got)
		}
	})
}

// Applications that were registered before get the ID tokens that they had (row B): the former default is written into them.
func TestB_EarlierClientsKeepTheirIDTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		upTo(t, db, dialect, 7)
		for _, id := range []string{"app", "simplejwt"} {
			insert := `INSERT INTO clients (id, metadata, disabled, auth_epoch, version, created_at, updated_at)
				VALUES ('` + id + `', '{"client_name":"App","scope":"openid"}', false, 1, 1, now(), now())`
			if dialect == migrations.SQLite {
				insert = strings.ReplaceAll(insert, "now()", "1")
			}
			if _, err := db.ExecContext(t.Context(), insert); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]any{"app": false, "simplejwt": nil} {
			var text string
			if err := db.QueryRowContext(t.Context(), `SELECT metadata FROM clients WHERE id = '`+id+`'`).Scan(&text); err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil || got["client_name"] != "App" || got["id_token_claims"] != want {
				t.Errorf("%s: %s, %v", id, text, err)
			}
		}
	})
}

func TestBothDialectsHaveTheSameTablesAndColumns(t *testing.T) {
	t.Parallel()
	tables := map[migrations.Dialect]map[string][]string{}
	for dialect, url := range map[migrations.Dialect]string{
		migrations.Postgres: postgrestest.MigratedURL(t),
		migrations.SQLite:   "file:" + t.TempDir() + "/latchkey.db",
	} {
		db := connections(t, dialect, url)
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		tables[dialect] = columns(t, db, dialect)
	}
	delete(tables[migrations.SQLite], "client_origins") // Postgres has an index instead
	if diff := cmp.Diff(tables[migrations.Postgres], tables[migrations.SQLite]); diff != "" {
		t.Errorf("- Postgres, + SQLite\n%s", diff)
	}
	const want = "account_tokens audit_events authorization_codes browser_sessions changes clients consents device_codes event_counts factors grants group_external_ids idempotency_keys issued_tokens logout_notices outbox provisioned_groups provisioned_users pushed_requests " +
		"registration_tokens replicas resources revoked_tokens signing_keys throttles undelivered_letters used_jtis user_external_ids users webhooks"
	if got := strings.Join(slices.Sorted(maps.Keys(tables[migrations.Postgres])), " "); got != want {
		t.Errorf("tables %s, want %s", got, want)
	}
}

// columns are the columns of each table, without what belongs to goose, to SQLite and to partitions.
func columns(t *testing.T, db *sql.DB, dialect migrations.Dialect) map[string][]string {
	t.Helper()
	query := `
		SELECT table_name, column_name FROM information_schema.columns JOIN pg_class ON oid = table_name::regclass
		WHERE table_schema = 'public' AND NOT relispartition AND relkind IN ('r', 'p') ORDER BY 1, ordinal_position`
	if dialect == migrations.SQLite {
		query = `SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, c.cid`
	}
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		if table != "goose_db_version" {
			found[table] = append(found[table], column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
