package directory_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/directory"
)

func anyClaim(name string) error {
	return server.SiteClaim(&server.SimpleJWT{UserIDClaim: "user_id"}, name)
}

// The columns of the site's query are claims of each token, read anew at each refresh, whatever the type of the key is.
func TestClaimsQuery(t *testing.T) {
	t.Parallel()
	in(t, inPostgres, func(t *testing.T, site *site) { // the configuration refuses a query elsewhere
		site.do(`CREATE TABLE tenants (user_id text PRIMARY KEY, tenant varchar(20), roles jsonb, level numeric, admin boolean, tags text[])`)
		site.do(`INSERT INTO tenants VALUES ($1, 'acme', '["a", {"b": 1.50}]', 3, true, '{x,y}')`, site.key)
		d := site.directory(storage.LoginNames{})
		q := directory.NewQuery(site.db, `SELECT tenant, roles, level, admin, tags, NULL::text AS nothing FROM tenants JOIN auth_user u ON u.id::text = tenants.user_id WHERE u.id = $1 -- one row`, 20*time.Second)
		if err := q.Check(t.Context(), anyClaim); err != nil {
			t.Fatal(err)
		}
		s := servertest.New(t, servertest.Directory(d), servertest.Configure(stringIDs), servertest.Configure(func(c *server.Config) {
			c.SimpleJWT.Query, c.SimpleJWT.AnswerClaims, c.SimpleJWT.Claims = q, []string{"tenant", "roles", "username"}, []string{"username"}
		}))
		a := login(s, "ada", "secret").Expect(200)
		if a.JSON()["tenant"] != "acme" || a.JSON()["username"] != "ada" || a.JSON()["level"] != nil {
			t.Errorf("the answer is %s", a.Body)
		}
		want := map[string]any{"tenant": "acme", "roles": []any{"a", map[string]any{"b": 1.5}}, "level": 3.0, "admin": true, "tags": []any{"x", "y"}, "nothing": nil}
		check := func(token string) {
			t.Helper()
			for name, value := range want {
				if got, ok := servertest.Claims(t, token)[name]; !ok && value != nil || !reflect.DeepEqual(got, value) {
					t.Errorf("%s is %v, want %v", name, got, value)
				}
			}
		}
		check(a.String("access"))
		check(a.String("refresh"))
		site.do(`UPDATE tenants SET tenant = 'other', admin = false`)
		want["tenant"], want["admin"] = "other", false
		a = s.RefreshSimpleJWT(a.String("refresh")).Expect(200)
		check(a.String("access"))
		check(a.String("refresh"))
		site.do(`DELETE FROM tenants`) // no row: no claims
		for name := range want {
			want[name] = nil
		}
		a = s.RefreshSimpleJWT(a.String("refresh")).Expect(200)
		check(a.String("access"))
		if _, there := servertest.Claims(t, a.String("access"))["tenant"]; there {
			t.Error("the claim is still there")
		}
		check(login(s, "bob", "secret").Expect(200).String("access"))
	})
}

// A query that can't be used is refused at the start.
func TestClaimsQueriesThatAreRefused(t *testing.T) {
	t.Parallel()
	site := newSite(t, "other", "integer")
	site.do(`CREATE SEQUENCE counter; CREATE TABLE log (id integer);
		CREATE FUNCTION writes(id integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (id); RETURN 'x'; END $$`)
	for query, want := range map[string]string{
		`SELECT tenant FROM nowhere WHERE id = $1`:                                    "nowhere",
		`SELECT username AS exp FROM auth_user WHERE id = $1`:                         "claim of the protocol",
		`SELECT username AS seal FROM auth_user WHERE id = $1`:                        "claim of the protocol",
		`SELECT id AS user_id FROM auth_user WHERE id = $1`:                           "claim of the user's id",
		`SELECT username, username FROM auth_user WHERE id = $1`:                      "username",
		`SELECT username::bytea AS raw FROM auth_user WHERE id = $1`:                  "bytea",
		`SELECT username FROM auth_user`:                                              "no parameter $1",
		`SELECT username FROM auth_user WHERE id = $1 AND is_staff = $2`:              "can't be used",
		`UPDATE auth_user SET is_staff = true WHERE id = $1 RETURNING username`:       "syntax error",
		`WITH x AS (DELETE FROM auth_user WHERE id = $1 RETURNING 1) SELECT 1 AS one`: "top level",
		`SELECT writes($1) AS w`:                                                      "read-only",
		`SELECT nextval('counter') + $1::integer AS n`:                                "read-only",
		`SELECT 1 AS one WHERE 1 = $1) q; DROP TABLE auth_user; --`:                   "syntax error",
	} {
		err := directory.NewQuery(site.db, query, 20*time.Second).Check(t.Context(), anyClaim)
		var wrong *directory.QueryError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", query, err, want)
		}
	}
	if site.text(`SELECT count(*)::text FROM auth_user`) != "2" || site.text(`SELECT count(*)::text FROM log`) != "0" {
		t.Error("a query has written")
	}
}

// A query that fails for one user makes that user's requests wait, and nobody is logged out.
func TestClaimsQueriesThatFail(t *testing.T) {
	t.Parallel()
	site := newSite(t, "other", "integer")
	site.do(`CREATE TABLE tenants (user_id integer, tenant text, slow float DEFAULT 0, divisor integer DEFAULT 1); INSERT INTO tenants VALUES (7, 'acme'), (8, 'acme')`)
	q := directory.NewQuery(site.db, `SELECT tenant, 1 / divisor AS share, pg_sleep(slow)::text AS slept FROM tenants WHERE user_id = $1`, 3*time.Second)
	if err := q.Check(t.Context(), anyClaim); err != nil {
		t.Fatal(err)
	}
	s := site.serve(servertest.Configure(strict), servertest.Configure(func(c *server.Config) { c.SimpleJWT.Query = q }))
	ada, bob := login(s, "ada", "secret").Expect(200).String("refresh"), login(s, "bob", "secret").Expect(200).String("refresh")
	for _, way := range [][2]string{
		{`INSERT INTO tenants VALUES (7, 'twice')`, `DELETE FROM tenants WHERE tenant = 'twice'`},
		{`UPDATE tenants SET divisor = 0 WHERE user_id = 7`, `UPDATE tenants SET divisor = 1`},
		{`UPDATE tenants SET tenant = repeat('x', 9000) WHERE user_id = 7`, `UPDATE tenants SET tenant = 'acme'`},
		{`UPDATE tenants SET slow = 60 WHERE user_id = 7`, `UPDATE tenants SET slow = 0`},
	} {
		site.do(way[0])
		s.RefreshSimpleJWT(ada).Expect(503)
		login(s, "ada", "secret").Expect(503)
		bob = s.RefreshSimpleJWT(bob).Expect(200).String("refresh")
		site.do(way[1])
		ada = s.RefreshSimpleJWT(ada).Expect(200).String("refresh")
	}
}

// The hook is asked at a login, and only its word about claims and answer counts. One that lies, hangs or talks too much makes the login wait.
func TestDjangoHook(t *testing.T) {
	t.Parallel()
	const key = "a key that only the site and Latchkey have"
	var answer atomic.Pointer[string]
	set := func(text string) { answer.Store(&text) }
	hold := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		at, given, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Latchkey-Signature"), "t="), ",v1=")
		sum := hmac.New(sha256.New, []byte(key))
		sum.Write([]byte(at + "." + string(body)))
		var asked map[string]string
		if json.Unmarshal(body, &asked); given != hex.EncodeToString(sum.Sum(nil)) || asked["user"] != "7" || asked["event"] != "login" {
			w.WriteHeader(403)
			return
		}
		switch text := *answer.Load(); text {
		case "hang":
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		case "fail":
			w.WriteHeader(500)
		default:
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, text)
		}
	}))
	t.Cleanup(func() { close(hold); hook.Close() })
	site := newSite(t, "beside SQLite", "integer")
	s := site.serve(servertest.Configure(func(c *server.Config) { c.SimpleJWT.HookURL, c.SimpleJWT.HookKey = hook.URL, key }))
	set(`{"claims": {"tenant": "acme", "roles": ["ü", 1]}, "answer": {"user": {"id": 7}, "expires": 1.5}}`)
	a := login(s, "ada", "secret").Expect(200)
	if got := a.JSON(); !reflect.DeepEqual(got["user"], map[string]any{"id": 7.0}) || got["expires"] != 1.5 || got["tenant"] != nil {
		t.Errorf("the answer is %s", a.Body)
	}
	set("fail") // a refresh does not ask
	next := s.RefreshSimpleJWT(a.String("refresh")).Expect(200)
	if got := servertest.Claims(t, next.String("access")); got["tenant"] != "acme" || !reflect.DeepEqual(got["roles"], []any{"ü", 1.0}) || next.JSON()["user"] != nil {
		t.Errorf("after a refresh: %v", got)
	}
	for _, bad := range []string{
		"fail", "hang", "", "[]", `{"claims": []}`, `{"claims": {"user_id": 8}}`, `{"claims": {"exp": 1}}`, `{"claims": {"seal": "x"}}`, `{"other": {}}`,
		`{"claims": {"a": NaN}}`, `{"claims": {"a": 1}, "claims": {"b": 2}}`, `{"answer": {"x": "` + strings.Repeat("x", 1<<20) + `"}}`,
		`{"claims": {"x": "` + strings.Repeat("x", 9000) + `"}}`,
	} {
		set(bad)
		if a := login(s, "ada", "secret"); a.Status != 503 || a.Header.Get("Retry-After") == "" {
			t.Errorf("%.40s: status %d", bad, a.Status)
		}
	}
	set(`{"answer": {"access": "theirs", "refresh": "theirs", "token": "theirs"}}`)
	if a := login(s, "ada", "secret").Expect(200); a.String("access") == "theirs" || a.String("refresh") == "theirs" {
		t.Error("the hook has replaced a token")
	}
	for range 25 { // none of the logins that the hook made wait is counted as a wrong one
		set(`{}`)
		login(s, "ada", "secret").Expect(200)
	}
}
