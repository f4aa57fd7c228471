package migrations_test

import (
	"database/sql"
	"testing"

	"latchkey/migrations"
)

// A server of the release before 0027 goes on noting that it runs, without an issuer.
func TestServersOfEarlierReleasesHaveNoIssuer(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		upTo(t, db, dialect, 26)
		id, now := "'01890000-0000-7000-8000-00000000000", "now()"
		if dialect == migrations.SQLite {
			id, now = "x'0189000000007000800000000000000", "1"
		}
		note := func(digit string) string {
			return `INSERT INTO replicas (id, host, release, schema_version, clock_ahead, started_at, seen_at)
				VALUES (` + id + digit + `', 'h', 'v1', 26, 0, ` + now + `, ` + now + `)`
		}
		execute(t, db, note("1"))
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		execute(t, db, note("2"))
		var without int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM replicas WHERE issuer = ''`).Scan(&without); err != nil {
			t.Fatal(err)
		}
		if without != 2 {
			t.Errorf("%d servers without an issuer", without)
		}
	})
}
