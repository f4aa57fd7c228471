package server_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// endOfValue is behind each value of a dump.
const endOfValue = "\x00end\x00"

// dump returns every value of every table, by table.
func dump(t *testing.T, driver, source, tables string) map[string]string {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	texts := func(query string) (list [][]any) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, fields := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				fields[i] = &values[i]
			}
			if err := rows.Scan(fields...); err != nil {
				t.Fatal(err)
			}
			list = append(list, values)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return list
	}
	all := map[string]string{}
	for _, name := range texts(tables) {
		var b strings.Builder
		for _, row := range texts(fmt.Sprintf(`SELECT * FROM %q`, name[0])) {
			for _, value := range row {
				if raw, ok := value.([]byte); ok {
					value = string(raw)
				}
				fmt.Fprint(&b, value, endOfValue)
			}
		}
		all[fmt.Sprint(name[0])] = b.String()
	}
	return all
}

// A user who was removed is in no table any more, by name, address or anything else that they are called, after everything that can be done
// with an account. In audit events only the addresses of requests stay.
func TestARemovedUserIsInNoTable(t *testing.T) {
	t.Parallel()
	path, url := filepath.Join(t.TempDir(), "db"), postgrestest.URL(t)
	for name, c := range map[string]struct {
		open                   func() storage.Store
		driver, source, tables string
	}{
		"sqlite": {
			func() storage.Store { return sqlitetest.Open(t, path) },
			"sqlite", path, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
		},
		"postgres": {
			func() storage.Store {
				store, err := postgres.Open(t.Context(), postgres.Config{URL: url, Now: func() time.Time { return testclock.Epoch }})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { store.Close() })
				return store
			},
			"pgx", url, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.New(t, servertest.Store(c.open()), servertest.Configure(behindProxy))
			const address, agent = "203.0.113.77", "ZoraPhone/1.0"
			secret := storage.Secret("a long password of Zora's")
			u, err := s.Users().Add(t.Context(), users.NewUser{
				Username: "zora.quill", Email: "zora@quill.example", Subject: "zq-4711-subject", Password: &secret, Active: true,
				Profile: storage.UserProfile{
					Name: "Zora Quillfeather", GivenName: "Zora", FamilyName: "Quillfeather", Picture: "https://pictures.example/zora",
					Groups: []string{"zora-fans"}, Attributes: []byte(`{"tenant": "zorastan"}`),
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			canaries := []string{"zora", "quill", "zq-4711", "ZoraPhone", address}
			from := servertest.Header("X-Forwarded-For", address)
			as := func(r *http.Request) { from(r); r.Header.Set("User-Agent", agent) }

			// A browser, a code that is redeemed and one that is not, a device, passwords by two routes, a failure, a pushed request.
			b := s.Browser()
			b.UserAgent = agent
			b.SignInAs("zora.quill", secret.Reveal())
			claims := `{"id_token":{"sub":{"value":"zq-4711-subject"}}}`
			s.Redeem(s.Web, b.Code(s.Web, "scope", "openid email profile offline_access", "claims", claims)).Expect(200)
			b.Code(s.Web, "scope", "openid email", "login_hint", "zora.quill", "claims", claims)
			tv := s.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
				GrantTypes: []string{clients.GrantDeviceCode, "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none",
			}})
			asked := s.PostForm("/oauth2/device_authorization", servertest.Form("client_id", tv.ID), as).Expect(200)
			b.Get("/device").Form("/device").Set("user_code", asked.String("user_code")).Submit().Form("/device").Press("decision", "allow")
			s.PostForm("/oauth2/token", servertest.Form("grant_type", "password", "username", "zora.quill", "password", secret.Reveal(), "client_id", s.SPA.ID), as).Expect(200)
			s.PostJSON("/api/token/", map[string]string{"username": "zora.quill", "password": secret.Reveal()}, as).Expect(200)
			s.PostJSON("/api/token/", map[string]string{"username": "zora.quill", "password": "wrong"}, as).Expect(401)
			s.PostForm("/oauth2/par", s.Portal.AuthorizeParams("login_hint", "zora.quill"), as).Expect(201)

			found := func() (where map[string][]string) {
				where = map[string][]string{}
				for table, content := range dump(t, c.driver, c.source, c.tables) {
					for _, canary := range canaries {
						if strings.Contains(strings.ToLower(content), strings.ToLower(canary)) {
							where[table] = append(where[table], canary)
						}
					}
				}
				return where
			}
			before := found()
			t.Logf("before: %v", before)
			for _, table := range []string{"users", "grants", "browser_sessions", "device_codes"} {
				if len(before[table]) == 0 {
					t.Errorf("nothing of the user is in %s to begin with", table)
				}
			}
			if err := s.Users().Remove(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			for table, canaries := range found() {
				if !strings.HasPrefix(table, "audit_events") || len(canaries) != 1 || canaries[0] != address {
					t.Errorf("%s still has %v", table, canaries)
				}
			}
		})
	}
}
