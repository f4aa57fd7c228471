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
	"path/filepath"
	"syscall"
	"time"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/migrations"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/server/replica"
)

// verdict is how bad a finding is.
type verdict string

const (
	fine    verdict = "ok"
	warning verdict = "warning"
	wrong   verdict = "wrong"
)

// finding is the result of one check.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Finding string  `json:"finding"`
	// Remedy says what to do; empty if nothing is wrong.
	Remedy string `json:"mend,omitempty"`
}

// examination collects findings.
type examination struct {
	app      *app
	findings []finding
}

func (e *examination) fine(check, format string, args ...any) {
	e.findings = append(e.findings, finding{check, fine, fmt.Sprintf(format, args...), ""})
}

func (e *examination) warn(check, problem, remedy string) {
	e.findings = append(e.findings, finding{check, warning, problem, remedy})
}

func (e *examination) wrong(check, problem, remedy string) {
	e.findings = append(e.findings, finding{check, wrong, problem, remedy})
}

// worst returns the verdict on everything.
func (e *examination) worst() verdict {
	worst := fine
	for _, f := range e.findings {
		worst = max(worst, f.Verdict) // "ok" < "warning" < "wrong"
	}
	return worst
}

const (
	// minPostgres is the oldest supported Postgres, as server_version_num.
	minPostgres = 140000
	// clockWarning is the difference between the clocks of this machine and of the database that is reported; from
	// server.MaxClockDifference on, a server is not ready.
	clockWarning = time.Second
	// staleKey is the age of a signing key at which rotation must have stopped working.
	staleKey = keys.DefaultRotateEvery + 7*24*time.Hour
)

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

// database checks the database, its schema, its clock and the keys in it.
func (e *examination) database(ctx context.Context) {
	const check = "database"
	d := e.app.settings.Database
	if d == (config.Database{}) {
		return // a fault of the configuration
	}
	if !d.Postgres() {
		info, err := os.Stat(d.Path)
		missing := errors.Is(err, fs.ErrNotExist)
		folder := filepath.Dir(d.Path)
		if missing {
			_, err = os.Stat(folder)
		}
		const another = "choose another file with --database-url (LATCHKEY_DATABASE_URL)."
		switch {
		case missing && errors.Is(err, fs.ErrNotExist):
			e.wrong(check, "the directory "+folder+" does not exist", "Create it, or "+another)
			return
		case missing:
			e.warn(check, "the file "+d.Path+" does not exist yet", "`latchkey serve` creates it. Otherwise set --database-url (LATCHKEY_DATABASE_URL).")
			return
		case err == nil && info.IsDir():
			e.wrong(check, d.Path+" is a directory", "Name a file in it, or "+another)
			return
		}
	}
	store, err := e.app.connect(ctx, 0)
	if err == nil {
		defer store.Close()
		err = store.Ping(ctx)
	}
	if err != nil {
		remedy := "Check that it is running, and that --database-url (LATCHKEY_DATABASE_URL) is right, including user and password."
		if !d.Postgres() {
			remedy = "Check that --database-url (LATCHKEY_DATABASE_URL) is the right file."
		}
		e.wrong(check, oneLine(err), remedy)
		return
	}
	if err := e.version(ctx, store); err != nil {
		e.wrong(check, err.Error(), "Allow this user to connect and read.")
		return
	}
	behind, err := migrating(ctx, store, migrations.Behind)
	switch {
	case err != nil:
		e.wrong("schema", err.Error(), "Allow this user to read every table.")
	case behind:
		e.wrong("schema", "older than this release needs", "Run `latchkey migrate up`.")
	default:
		e.fine("schema", "up to date")
		e.writable(ctx, store)
		e.keys(ctx, store)
		e.directory(ctx, store)
		e.replicas(ctx, store)
		e.letters(ctx, store)
	}
}

// version checks the version of the database and, for Postgres, its clock.
func (e *examination) version(ctx context.Context, store *opened) error {
	db, done, err := store.migrationDB()
	if err != nil {
		return err
	}
	defer done()
	var text string
	if !e.app.settings.Database.Postgres() {
		if err := db.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&text); err != nil {
			return err
		}
		e.fine("database", "SQLite %s in %s", text, e.app.settings.Database.Path)
		e.disk(filepath.Dir(e.app.settings.Database.Path))
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

// disk checks whether there is room for writes beside an SQLite database, by a file that is removed again.
func (e *examination) disk(folder string) {
	const check, size = "disk", 64 << 10
	f, err := os.CreateTemp(folder, ".latchkey-doctor-*")
	if err == nil {
		defer os.Remove(f.Name())
		_, err = f.Write(make([]byte, size))
		err = cmp.Or(err, f.Sync(), f.Close())
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		e.wrong(check, "the disk is full: "+oneLine(err), "Make room in "+folder+". Until then what would be written is answered with 503; a running server goes on by itself.")
	case errors.Is(err, fs.ErrPermission):
		e.warn(check, "this user may not write beside the database: "+oneLine(err), "Run doctor as the user of the server.")
	case err != nil:
		e.wrong(check, oneLine(err), "Mount the folder of the database so that it can be written to.")
	default:
		e.fine(check, "has room for writes in %s", folder)
	}
}

const clockRemedy = "Synchronise the clocks of both machines with NTP."

func (e *examination) clock(ahead time.Duration) {
	switch off := ahead.Abs(); {
	case off > server.MaxClockDifference:
		e.wrong("clock", fmt.Sprintf("the database's clock is %s off from this machine's, so a server here is not ready, removes nothing and rotates no keys",
			off.Round(time.Second)), clockRemedy)
	case off >= clockWarning:
		e.warn("clock", fmt.Sprintf("the database's clock is %s off from this machine's", off.Round(time.Millisecond)), clockRemedy)
	default:
		e.fine("clock", "agrees with the database's")
	}
}

// keys checks whether the root secret decrypts the signing keys, and their age.
func (e *examination) keys(ctx context.Context, store *opened) {
	const check = "keys"
	s := e.app.settings
	if s.Database.Postgres() && s.Secret == "" {
		return // a fault of the configuration
	}
	ring, err := e.app.ringOf(ctx, store)
	if lost, ok := errors.AsType[*config.MissingSecret](err); ok {
		e.wrong(check, lost.Path+" is missing, the root secret that the database was made with", "Restore it from the backup of the database, or set LATCHKEY_SECRET.")
		return
	}
	if err != nil {
		e.wrong(check, err.Error(), "Restore the root secret from a backup, or set LATCHKEY_SECRET.")
		return
	}
	signing := 0
	for _, k := range ring.List() {
		if k.State == keys.StateActive {
			signing++
		}
		e.key(k)
	}
	if path := s.Database.SecretPath(); s.Secret == "" {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			e.warn(check, "the root secret "+path+" does not exist yet", "`latchkey serve` creates it. If there was one before, restore it from a backup first, or set LATCHKEY_SECRET.")
			return
		}
	}
	if signing == 0 {
		e.warn(check, "there is no signing key yet", "The server creates one when it starts.")
	}
}

func (e *examination) key(k keys.Key) {
	const check = "keys"
	name := k.Algorithm + " key " + k.KID
	age := e.app.now().Sub(k.ActivatesAt)
	switch {
	case k.State == keys.StateExpired:
	case !k.Unsealed:
		e.wrong(check, "the root secret can't decrypt the "+name,
			"Set LATCHKEY_SECRET or LATCHKEY_SECRET_PREVIOUS to the secret that it was created with. If that is lost: `latchkey key retire "+k.KID+"`.")
	case k.OldSecret:
		e.warn(check, "the "+name+" is encrypted with a retired root secret", "Keep LATCHKEY_SECRET_PREVIOUS until the server has replaced the key, or replace it now with `latchkey key rotate`.")
	case k.State == keys.StateActive && k.RetiresAt.IsZero() && age > staleKey:
		e.warn(check, fmt.Sprintf("the %s has signed for %d days", name, int(age.Hours()/24)), "Check that a server is running, which rotates keys, or rotate it now with `latchkey key rotate`.")
	default:
		e.fine(check, "%s, %s since %s", name, k.State, when(since(k)))
	}
}

// since returns when a key entered its current state.
func since(k keys.Key) time.Time {
	switch k.State {
	case keys.StatePublished:
		return k.CreatedAt
	case keys.StateRetired:
		return k.RetiresAt
	}
	return k.ActivatesAt
}

// issuer requests the metadata of the server at the address that clients use.
func (e *examination) issuer(ctx context.Context) {
	const check = "issuer"
	issuer := e.app.settings.Server.Issuer
	if issuer == "" {
		return // a fault of the configuration
	}
	address := issuer + "/.well-known/openid-configuration"
	named, err := fetchIssuer(ctx, address)
	var refused *net.OpError
	switch {
	case errors.As(err, &refused) && refused.Op == "dial":
		e.warn(check, "no server is listening at "+issuer, "Start it with `latchkey serve`. If it is running, check --issuer (LATCHKEY_ISSUER), the proxy and DNS.")
	case err != nil:
		e.wrong(check, err.Error(), "Clients need "+address+". Check --issuer (LATCHKEY_ISSUER), the proxy and its certificate.")
	case named != issuer:
		e.wrong(check, fmt.Sprintf("the issuer in the metadata at %s is %q; clients refuse that", issuer, named),
			"Use the same --issuer (LATCHKEY_ISSUER) for the server and this command, and make the proxy forward to this server.")
	default:
		e.fine(check, "%s responds", issuer)
	}
}

// fetchIssuer returns the issuer in the metadata (RFC 8414 §3.3). A redirect is not followed: it is from another server.
func fetchIssuer(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := remoteHTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s returned %s", address, resp.Status)
	}
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&metadata); err != nil {
		return "", fmt.Errorf("%s did not return JSON: %w", address, err)
	}
	return metadata.Issuer, nil
}

// replicas says which servers run on the database, and which of them are not like the others.
func (e *examination) replicas(ctx context.Context, store *opened) {
	const check = "servers"
	now, err := store.Clock(ctx)
	if err == nil && now.IsZero() {
		now = e.app.now()
	}
	var list []replica.View
	if err == nil {
		list, err = replica.List(ctx, store, now)
	}
	if err != nil {
		e.wrong(check, oneLine(err), "Allow this user to read every table.")
		return
	}
	before, running := len(e.findings), 0
	var first *replica.View // of those that run and say their issuer
	for _, r := range list {
		name := fmt.Sprintf("%s (release %s, schema %d, since %s)", r.Host, r.Release, r.Schema, when(r.StartedAt))
		switch {
		case r.Silent:
			e.warn(check, name+" was last seen "+when(r.SeenAt)+" and has not said that it stops", "Find out whether it was killed or can't reach the database; the entry goes after an hour.")
			continue
		case r.Wrong:
			e.wrong(check, name+fmt.Sprintf(" has a clock that is %s off from the database's, so it is not ready", r.Ahead.Abs()), clockRemedy)
		case r.Noticed:
			e.warn(check, name+fmt.Sprintf(" has a clock that is %s off from the database's", r.Ahead.Abs()), clockRemedy)
		}
		if r.Other {
			e.warn(check, name+" is of another release than the server that has started last", "Finish the update, unless one is under way.")
		}
		switch {
		case r.Issuer == "":
		case first == nil:
			first = &r
		case r.Issuer != first.Issuer:
			e.warn(check, name+" has the issuer "+r.Issuer+", and "+first.Host+" has "+first.Issuer+": each refuses the tokens of the other",
				"Set the same --issuer (LATCHKEY_ISSUER) for all servers on this database.")
		}
		running++
	}
	if len(e.findings) == before {
		e.fine(check, "%d running", running)
	}
}
