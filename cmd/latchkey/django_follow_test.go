package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// What Django ends while `django import blacklist --follow` runs is ended here soon, also a row whose id was drawn before those that were
// read and that was committed after them.
func TestTheBlacklistIsFollowed(t *testing.T) {
	t.Parallel()
	source, target := postgrestest.EmptyURL(t), postgrestest.URL(t)
	conn, err := pgx.Connect(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(djangoTables)
	store, err := postgres.Open(t.Context(), postgres.Config{URL: target})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var out strings.Builder
	go func() {
		ended <- run(ctx, []string{"django", "import", "blacklist", "--follow", "--django-database-url", source, "--database-url", target}, nil,
			strings.NewReader(""), &out, &out)
	}()
	await := func(jti string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if state, err := store.TokenState(t.Context(), jti, "app"); err == nil && state.Revoked {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not ended", jti)
			}
		}
	}
	await("jti5500")
	exec(`INSERT INTO token_blacklist_blacklistedtoken VALUES (5502, 5502)`)
	await("jti5502")
	exec(`INSERT INTO token_blacklist_blacklistedtoken VALUES (5501, 5501)`)
	await("jti5501")

	// Stopped while it waits for the database, it has not failed.
	locked, err := pgx.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer locked.Close(context.WithoutCancel(t.Context()))
	lock := `BEGIN; LOCK TABLE revoked_tokens IN ACCESS EXCLUSIVE MODE`
	if _, err := locked.Exec(t.Context(), lock, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	waits := func() (yes bool) {
		t.Helper()
		if err := locked.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'revoked_tokens'::regclass)`).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		return yes
	}
	for deadline := time.Now().Add(time.Minute); !waits(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not wait for the table")
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit status %d: %s", code, out.String())
	}
}
