package migrations_test

import (
	"database/sql"
	"testing"

	"latchkey/migrations"
)

// Users of a release before subjects keep their IDs, and that release goes on adding users: with IDs that no other system draws, even
// if its sequence was at its end (R-max).
func TestRMaxIDsOfEarlierUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, dialect migrations.Dialect, open func() *sql.DB) {
		db := open()
		upTo(t, db, dialect, 3)
		add := func(id, name string) string {
			created := map[migrations.Dialect]string{migrations.Postgres: "now()", migrations.SQLite: "1"}[dialect]
			var stored string
			if err := db.QueryRowContext(t.Context(), `INSERT INTO users (id, username, email, password_hash, active, staff, auth_epoch, created_at)
				VALUES (`+id+`, '`+name+`', '', '', '1', '0', 1, `+created+`) RETURNING CAST(id AS text)`).Scan(&stored); err != nil {
				t.Fatal(err)
			}
			return stored
		}
		draw := map[migrations.Dialect]string{migrations.Postgres: "nextval('users_id_seq')", migrations.SQLite: "NULL"}[dialect]
		first, last := add(draw, "first"), add("9223372036854775807", "last")
		if dialect == migrations.Postgres {
			if _, err := db.ExecContext(t.Context(), `SELECT setval('users_id_seq', 9223372036854775807)`); err != nil {
				t.Fatal(err)
			}
		} else if _, err := db.ExecContext(t.Context(), `DELETE FROM users WHERE username = 'last'`); err != nil {
			t.Fatal(err) // with that row in the table, that release of SQLite's draws nothing
		}
		if _, err := migrations.Up(t.Context(), db, dialect); err != nil {
			t.Fatal(err)
		}
		if drawn := add(draw, "drawn"); first != "1" || last != "9223372036854775807" || drawn != "1099511627776" {
			t.Errorf("IDs %s, %s and %s", first, last, drawn)
		}
	})
}
