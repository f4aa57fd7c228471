package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"latchkey/storage/postgres/postgrestest"
)

func TestDoctorNamesRightsThatTheRoleLacks(t *testing.T) {
	t.Parallel()
	owner := postgrestest.URL(t)
	db, err := pgx.Connect(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	role, password := "r"+strings.ToLower(rand.Text()), rand.Text()
	do := func(statement string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), strings.ReplaceAll(statement, "ROLE_NAME", role)); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE ROLE ROLE_NAME LOGIN PASSWORD '" + password + "'")
	t.Cleanup(func() {
		ctx := context.Background()
		for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := db.Exec(ctx, statement); err != nil {
				t.Error(err)
			}
		}
		db.Close(ctx)
	})
	u, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	doctor := func() string {
		t.Helper()
		var out bytes.Buffer
		run(t.Context(), []string{"doctor"}, []string{"LATCHKEY_DATABASE_URL=" + u.String(), "LATCHKEY_SECRET=" + strings.Repeat("0123456789", 4)}, nil, &out, &out)
		return out.String()
	}
	expect := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%q is not in\n%s", w, out)
			}
		}
	}
	do("GRANT USAGE ON SCHEMA public TO ROLE_NAME")
	do("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE_NAME")
	do("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
	expect(doctor(), "may not write every table: account_tokens (INSERT UPDATE DELETE)", "GRANT USAGE ON SEQUENCE", "GRANT CREATE ON SCHEMA public", "does not own grants")
	do("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ROLE_NAME")
	do("GRANT USAGE ON SEQUENCE users_id_seq TO ROLE_NAME")
	do("REVOKE DELETE ON webhooks FROM ROLE_NAME")
	do("GRANT CREATE ON SCHEMA public TO ROLE_NAME")
	if out := doctor(); strings.Contains(out, "GRANT CREATE") || strings.Contains(out, "SEQUENCE") {
		t.Error(out)
	} else {
		expect(out, "may not write every table: webhooks (DELETE)\n", "does not own grants")
	}
	do("GRANT DELETE ON webhooks TO ROLE_NAME")
	do(fmt.Sprintf("GRANT %s TO ROLE_NAME", pgx.Identifier{db.Config().User}.Sanitize()))
	expect(doctor(), "the role "+role+" may write every table and create partitions")
}
