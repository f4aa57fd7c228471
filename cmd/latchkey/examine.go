package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"latchkey/server/keys"
)

const (
	// minPostgres is the oldest Postgres that is supported, as server_version_num has it.
	minPostgres = 140000
	// clockWarning and clockFault are how far the clocks of this machine and of the database may differ.
	clockWarning = time.Second
	clockFault   = 30 * time.Second
	// staleKey is when a key has signed for so long that nothing rotates any more.
	staleKey = keys.DefaultRotateEvery + 7*24*time.Hour
)

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func portOfURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.Scheme == "https" {
		return cmp.Or(u.Port(), "443")
	}
	return cmp.Or(u.Port(), "80")
}

// database looks at the database, its schema, its clock and the keys in it.
func (e *examination) database(ctx context.Context) {
	const check = "database"
	d := e.app.settings.database
	if d == (database{}) {
		return // a fault of the configuration
	}
	if !d.postgres() {
		if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
			e.warn(check, "there is no file "+d.path+" yet", "`latchkey serve` makes it; or name another with --database-url (LATCHKEY_DATABASE_URL).")
			return
		}
	}
	store, err := e.app.connect(ctx)
	if err == nil {
		defer store.Close()
		err = store.Ping(ctx)
	}
	if err != nil {
		mend := "Look whether it runs, and whether --database-url (LATCHKEY_DATABASE_URL) names it, with the right user and password."
		if !d.postgres() {
			mend = "Look whether --database-url (LATCHKEY_DATABASE_URL) names the right file."
		}
		e.wrong(check, oneLine(err), mend)
		return
	}
	if err := e.version(ctx, store); err != nil {
		e.wrong(check, err.Error(), "Let this user connect and read.")
		return
	}
	behind, err := store.behind(ctx)
	switch {
	case err != nil:
		e.wrong("schema", err.Error(), "Let this user read every table.")
	case behind:
		e.wrong("schema", "older than this release needs", "Run `latchkey migrate up`.")
	default:
		e.fine("schema", "up to date")
		e.keys(ctx, store)
	}
}

// version looks at the version of the database and, where it has one of its own, at its clock.
func (e *examination) version(ctx context.Context, store *opened) error {
	db, done, err := store.migrationDB()
	if err != nil {
		return err
	}
	defer done()
	var text string
	if !e.app.settings.database.postgres() {
		if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&text); err != nil {
			return err
		}
		e.fine("database", "SQLite %s in %s", text, e.app.settings.database.path)
		return nil
	}
	var number int
	var clock time.Time
	before := time.Now()
	err = db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'), clock_timestamp()`).
		Scan(&number, &text, &clock)
	if err != nil {
		return err
	}
	after := time.Now()
	if number < minPostgres {
		e.wrong("database", "Postgres "+text+" is older than 14", "Upgrade Postgres to 14 or later.")
	} else {
		e.fine("database", "Postgres %s", text)
	}
	e.clock(clock.Sub(before.Add(after.Sub(before) / 2)))
	return nil
}

func (e *examination) clock(ahead time.Duration) {
	const mend = "Let NTP set the clocks of both machines."
	switch off := ahead.Abs(); {
	case off >= clockFault:
		e.wrong("clock", fmt.Sprintf("the database's clock is %s off from this machine's", off.Round(time.Second)), mend)
	case off >= clockWarning:
		e.warn("clock", fmt.Sprintf("the database's clock is %s off from this machine's", off.Round(time.Millisecond)), mend)
	default:
		e.fine("clock", "agrees with the database's")
	}
}

// keys looks whether the root secret opens the signing keys, and at their age.
func (e *examination) keys(ctx context.Context, store *opened) {
	const check = "keys"
	s := e.app.settings
	if s.database.postgres() && s.secret == "" {
		return // a fault of the configuration
	}
	if s.secret == "" {
		path := s.database.path + secretFileSuffix
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			e.warn(check, "there is no root secret in "+path+" yet", "`latchkey serve` makes it. If there was one, restore it from a backup first, or give it with LATCHKEY_SECRET.")
			return
		}
	}
	ring, err := e.app.ringOf(ctx, store)
	if err != nil {
		e.wrong(check, err.Error(), "Restore the root secret from a backup, or give it with LATCHKEY_SECRET.")
		return
	}
	signing := 0
	for _, k := range ring.List() {
		if k.State == keys.StateActive {
			signing++
		}
		e.key(k)
	}
	if signing == 0 {
		e.warn(check, "no key signs yet", "The server makes one when it starts.")
	}
}

func (e *examination) key(k keys.Key) {
	const check = "keys"
	name := k.Algorithm + " key " + k.KID
	age := e.app.now().Sub(k.ActivatesAt)
	switch {
	case k.State == keys.StateExpired:
	case !k.Unsealed:
		e.wrong(check, "the root secret does not open the "+name,
			"Give the secret that it was made with as LATCHKEY_SECRET or LATCHKEY_SECRET_PREVIOUS. If it is lost: `latchkey key retire "+k.KID+"`.")
	case k.OldSecret:
		e.warn(check, "the "+name+" is sealed with a retired root secret", "Keep LATCHKEY_SECRET_PREVIOUS; the server replaces the key by itself, or at once with `latchkey key rotate`.")
	case k.State == keys.StateActive && k.RetiresAt.IsZero() && age > staleKey:
		e.warn(check, fmt.Sprintf("the %s has signed for %d days", name, int(age.Hours()/24)), "A running server rotates keys by itself; do it now with `latchkey key rotate`.")
	default:
		e.fine(check, "%s, %s since %s", name, k.State, when(since(k)))
	}
}

// since is when a key came into its present state.
func since(k keys.Key) time.Time {
	switch k.State {
	case keys.StatePublished:
		return k.CreatedAt
	case keys.StateRetired:
		return k.RetiresAt
	}
	return k.ActivatesAt
}

// issuer asks the server for its metadata at the address that clients know.
func (e *examination) issuer(ctx context.Context) {
	const check = "issuer"
	issuer := e.app.settings.server.Issuer
	if issuer == "" {
		return // a fault of the configuration
	}
	address := issuer + "/.well-known/openid-configuration"
	named, err := fetchIssuer(ctx, address)
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial":
		e.warn(check, "nothing answers at "+issuer, "Start the server with `latchkey serve`. If it runs: look at --issuer (LATCHKEY_ISSUER), at the proxy before it and at the name service.")
	case err != nil:
		e.wrong(check, err.Error(), "Clients need "+address+". Look at --issuer (LATCHKEY_ISSUER), and at the proxy and its certificate.")
	case named != issuer:
		e.wrong(check, fmt.Sprintf("the server at %s calls itself %q; clients refuse that", issuer, named),
			"Give the server and this command the same --issuer (LATCHKEY_ISSUER), and let the proxy pass to this server.")
	default:
		e.fine(check, "%s answers", issuer)
	}
}

// fetchIssuer reads the issuer that the metadata name (RFC 8414 §3.3). A redirect is an answer of someone else.
func fetchIssuer(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", address, resp.Status)
	}
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&metadata); err != nil {
		return "", fmt.Errorf("%s does not answer with JSON: %w", address, err)
	}
	return metadata.Issuer, nil
}
