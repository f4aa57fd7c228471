package server_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/teststore"
)

const (
	sqliteTables   = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
	postgresTables = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
)

// logsAll makes Postgres log every statement and its parameters, those of statements that fail too.
const logsAll = "ALTER SYSTEM SET log_statement = 'all'; ALTER SYSTEM SET log_min_duration_statement = 0; ALTER SYSTEM SET log_error_verbosity = 'verbose'; " +
	"ALTER SYSTEM SET log_parameter_max_length_on_error = -1; SELECT pg_reload_conf()"

// holder has one of everything that proves something, as its owner has it: by the words of an error.
type holder struct {
	*servertest.Server
	// dump returns all rows of the database, and logged what the database has logged.
	dump    func() map[string]string
	logged  func() string
	secrets map[string]string
}

func newHolder(t *testing.T, onPostgres bool) *holder {
	t.Helper()
	h := &holder{secrets: map[string]string{}, logged: func() string { return "" }}
	var store storage.Store
	if onPostgres {
		cluster := postgrestest.Cluster(t)
		url := cluster.Migrated(t)
		db, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close(context.Background()) })
		for statement := range strings.SplitSeq(logsAll, "; ") {
			if _, err := db.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		store, h.logged = teststore.PostgresAt(t, url), func() string { return cluster.Log(t) }
		h.dump = func() map[string]string { return dump(t, "pgx", url, postgresTables) }
	} else {
		path := filepath.Join(t.TempDir(), "db")
		store, h.dump = sqlitetest.Open(t, path), func() map[string]string { return dump(t, "sqlite", path, sqliteTables) }
	}
	box := new(servertest.Mailbox)
	h.Server = servertest.New(t, servertest.Store(store), servertest.Mail(box), servertest.Configure(func(c *server.Config) {
		c.Registration, c.LoginThrottle = "open", false
	}))
	h.sessions()
	h.requests(t)
	h.accounts(t, box)
	return h
}

// sessions holds a browser's session and the tokens of applications, used and unused.
func (h *holder) sessions() {
	b := h.Browser()
	tokens := h.Redeem(h.Web, b.Code(h.Web)).Expect(http.StatusOK)
	next := h.Refresh(h.Web, tokens.String("refresh_token")).Expect(http.StatusOK)
	legacy := h.LoginSimpleJWT()
	h.secrets["cookie"] = b.Cookie(session.CookieName)
	h.secrets["code"] = b.Code(h.Portal)
	h.secrets["verifier"] = servertest.Verifier
	h.secrets["access token"], h.secrets["refresh token"] = tokens.String("access_token"), tokens.String("refresh_token")
	h.secrets["ID token"], h.secrets["successor"] = tokens.String("id_token"), next.String("refresh_token")
	h.secrets["simplejwt's access token"], h.secrets["simplejwt's refresh token"] = legacy.Access, legacy.Refresh
}

// requests holds what clients got, or wait with.
func (h *holder) requests(t *testing.T) {
	tv := h.AddClient(clients.Registration{ID: "tv", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantDeviceCode, "refresh_token"}, Scope: "read", TokenEndpointAuthMethod: "none",
	}})
	device := h.PostAs(tv, "/oauth2/device_authorization").Expect(http.StatusOK)
	h.secrets["device code"], h.secrets["user code"] = device.String("device_code"), device.String("user_code")
	pushed := h.PostForm("/oauth2/par", h.Portal.AuthorizeParams()).Expect(http.StatusCreated)
	h.secrets["request_uri"] = strings.TrimPrefix(pushed.String("request_uri"), "urn:ietf:params:oauth:request_uri:")
	made := h.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{servertest.Callback}}).Expect(http.StatusCreated)
	h.secrets["registered secret"], h.secrets["registration token"] = made.String("client_secret"), made.String("registration_access_token")
	_, initial, err := h.Clients().AddInitialToken(t.Context(), registry.InitialToken{Uses: 1, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	h.secrets["initial token"], h.secrets["client's secret"] = initial.Reveal(), h.Backend.Secret.Reveal()
}

// accounts holds a password, the link of a letter, and a second factor with its recovery codes and a remembered browser.
func (h *holder) accounts(t *testing.T, box *servertest.Mailbox) {
	h.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "the password of bob")
	h.Browser().Get("/forgot-password").Form("/forgot-password").Set("identifier", "bob").Submit().Expect(http.StatusOK)
	_, link, _ := strings.Cut(h.Letter(box, "bob@example.com").Link(), "token=")
	b := h.Browser()
	page := b.Get("/account/security").Form("/login").Set("username", "bob", "password", "the password of bob").Submit()
	key := strings.ReplaceAll(regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.Body)[1], " ", "")
	code := func() string {
		text, err := totp.GenerateCode(key, h.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	page = page.FormWith("code").Set("code", code(), "name", "Phone").Submit()
	recovery := regexp.MustCompile(`<code>([0-9A-Z]{5}-[0-9A-Z]{5})</code>`).FindStringSubmatch(page.Body)[1]
	h.Clock.Advance(30 * time.Second)
	b = h.Browser()
	b.SignInAs("bob", "the password of bob").Form("/login/second-factor").Set("code", code(), "remember", "on").Submit().Expect(http.StatusOK)
	for _, cookie := range strings.Split(b.Header(), "; ") {
		if name, value, _ := strings.Cut(cookie, "="); strings.HasPrefix(value, "lk_rb_") {
			h.secrets["cookie "+name] = value
		}
	}
	h.secrets["link"], h.secrets["password"], h.secrets["key of an application"], h.secrets["recovery code"] = link, "the password of bob", key, recovery
}

// onBothDatabases runs a test with a holder on each.
func onBothDatabases(t *testing.T, test func(t *testing.T, h *holder)) {
	t.Parallel()
	for name, onPostgres := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newHolder(t, onPostgres))
		})
	}
}

// Statements 72 and 73: what proves something is neither in the database, nor in the log, nor in the metrics, nor in what Postgres logs at most: every
// statement with its parameters.
func TestStatement72NothingThatProvesSomethingIsWrittenDown(t *testing.T) {
	onBothDatabases(t, testNothingIsWrittenDown)
}

func testNothingIsWrittenDown(t *testing.T, h *holder) {
	var rows strings.Builder
	for _, content := range h.dump() {
		rows.WriteString(content)
	}
	h.failingStatements(t)
	metrics, logged := h.Get(h.Admin+"/metrics").Expect(http.StatusOK).Body, h.logged()
	if logged != "" && (!strings.Contains(logged, "bob@example.com") || !strings.Contains(logged, "duplicate key value") || !strings.Contains(logged, "DETAIL:")) {
		t.Error("Postgres does not log the parameters of statements, or none has failed")
	}
	if len(h.secrets) != 21 || !strings.Contains(rows.String(), "bob@example.com") || !strings.Contains(metrics, "/oauth2/token") {
		t.Errorf("%d kinds of secrets, and the test may see nothing", len(h.secrets))
	}
	for name, secret := range h.secrets {
		forms := []string{secret, strings.ReplaceAll(secret, "-", ""), hex.EncodeToString([]byte(secret))}
		if _, text, ok := strings.Cut(secret, "_"); ok && len(text) > 43 { // lk_xx_, the digits, a checksum
			forms = append(forms, secret[6:49])
			if raw, err := base64.RawURLEncoding.DecodeString(secret[6:49]); err == nil { // as Postgres logs bytes
				forms = append(forms, hex.EncodeToString(raw))
			}
		}
		if strings.HasPrefix(secret, "ey") { // a JWT, which proves nothing without its signature
			forms = []string{secret[strings.LastIndexByte(secret, '.')+1:]}
		}
		if len(secret) < 8 {
			t.Errorf("there is no %s: %q", name, secret)
		}
		for where, text := range map[string]string{"database": rows.String(), "log": h.Log.String(), "metrics": metrics, "log of Postgres": logged} {
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("the %s is in the %s", name, where)
				}
			}
		}
	}
}

// failingStatements makes the database refuse what is there already, and what it can't store.
func (h *holder) failingStatements(t *testing.T) {
	t.Helper()
	if _, _, err := h.Clients().Add(t.Context(), clients.Registration{ID: "tv", Metadata: clients.Metadata{
		GrantTypes: []string{clients.GrantClientCredentials}, ClientName: "bob@example.com",
	}}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a second client of one ID: %v", err)
	}
	h.Token(h.SPA, "grant_type", "password", "username", "bob\x00", "password", "the password of bob")
	h.Refresh(h.Web, h.secrets["refresh token"]+"\x00")
	h.Browser().SignInAs("bob\xff", "the password of bob")
}

// candidates returns what somebody who has read the database would try: each value as it is and in the usual encodings, and the secret that would have
// been made of its bytes.
func candidates(rows map[string]string) (list []string) {
	seen := map[string]bool{}
	add := func(text string) {
		if len(text) >= 8 && len(text) < 4000 && !seen[text] {
			seen[text] = true
			list = append(list, text)
		}
	}
	for _, table := range rows {
		for value := range strings.SplitSeq(table, endOfValue) {
			if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
				continue // JSON, whose values are no secrets: the test before has looked
			}
			raw := []byte(value)
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				add(hex.EncodeToString(raw))
				add(base64.RawURLEncoding.EncodeToString(raw))
			} else {
				add(value)
			}
			if len(raw) == 32 {
				for _, prefix := range []string{"lk_rt_", "lk_at_", "lk_ac_", "lk_dc_", "lk_bs_", "lk_ml_", "lk_cs_", "lk_rat_", "lk_iat_"} {
					add(clients.FormatSecret(prefix, raw).Reveal())
				}
			}
		}
	}
	return list
}

// Statement 73: nothing in the database opens anything, whatever is made of it.
func TestStatement73ADumpOpensNothing(t *testing.T) { onBothDatabases(t, testADumpOpensNothing) }

func testADumpOpensNothing(t *testing.T, h *holder) {
	list := candidates(h.dump())
	if len(list) < 200 {
		t.Fatalf("%d candidates", len(list))
	}
	// Where a value is tried that is of no kind, its form is refused; so the kinds are tried where they belong.
	is := func(text string, prefixes ...string) bool {
		if !strings.HasPrefix(text, "lk_") {
			return true
		}
		for _, prefix := range prefixes {
			if strings.HasPrefix(text, prefix) {
				return true
			}
		}
		return false
	}
	opened := func(what, text string, a *servertest.Answer) {
		if a.Status < 300 {
			t.Errorf("%q of the database is good as a %s: %d %s", text, what, a.Status, a.Body)
		}
	}
	for _, text := range list {
		for _, c := range []servertest.Client{h.Web, h.Portal, h.SPA} {
			if is(text, "lk_rt_") {
				opened("refresh token", text, h.Refresh(c, text))
			}
			if is(text, "lk_ac_") {
				opened("code", text, h.Redeem(c, text))
			}
		}
		if is(text, "lk_dc_") {
			opened("device code", text, h.Token(servertest.Client{ID: "tv"}, "grant_type", clients.GrantDeviceCode, "device_code", text))
		}
		if is(text, "lk_cs_") {
			opened("secret", text, h.Token(servertest.Client{ID: "backend", Secret: storage.Secret(text)}, "grant_type", "client_credentials"))
		}
		if is(text, "lk_at_", "lk_rt_") {
			opened("access token", text, h.Get("/oauth2/userinfo", bearerOf(text)))
			if a := h.Introspect(h.Inspector, text); a.JSON()["active"] == true {
				t.Errorf("%q of the database is an active token: %s", text, a.Body)
			}
		}
		if is(text, "lk_iat_", "lk_rat_") {
			opened("initial token", text, h.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"https://x.example/cb"}}, bearerOf(text)))
		}
		if is(text, "lk_bs_") {
			if a := h.Get("/account", servertest.Header("Cookie", session.CookieName+"="+printable(text))); a.Status == http.StatusOK {
				t.Errorf("%q of the database is a session", text)
			}
		}
		if is(text, "lk_ml_") {
			opened("link", text, h.Get("/reset-password?"+servertest.Form("token", text).Encode()))
		}
		if is(text) {
			query := servertest.Form("client_id", h.Portal.ID, "request_uri", "urn:ietf:params:oauth:request_uri:"+text).Encode()
			if a := h.Get("/oauth2/authorize?" + query); a.Status != http.StatusBadRequest {
				t.Errorf("%q of the database is a pushed request: %d", text, a.Status)
			}
			if !strings.HasPrefix(text, "lk_") {
				opened("password", text, h.Token(h.SPA, "grant_type", "password", "username", servertest.Username, "password", text))
			}
		}
	}
}

func bearerOf(token string) servertest.Edit {
	return servertest.Header("Authorization", "Bearer "+printable(token))
}

// printable returns a text that can be in a header.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return 'x'
		}
		return r
	}, text)
}
