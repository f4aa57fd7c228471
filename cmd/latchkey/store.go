package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/migrations"
	"latchkey/server/keys"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/sqlite"
)

// open opens the database, once, until the program ends, and checks its schema. SQLite is migrated; a Postgres whose schema is too old
// is refused, because other servers use it and an operator decides when to migrate.
func (a *app) open(ctx context.Context) (*opened, error) {
	if a.store != nil {
		return a.store, nil
	}
	limit := commandTimeout
	if a.serving { // the demo
		limit = 0
	}
	store, err := a.connect(ctx, limit)
	if err != nil {
		return nil, err
	}
	if err = store.prepare(ctx); err == nil {
		err = a.readDirectory(ctx, store)
	}
	if err != nil {
		store.Close()
		return nil, err
	}
	a.store = store
	return store, nil
}

// errNeedsDatabase is the answer of commands that have no operation of the API.
const errNeedsDatabase = usage("this needs the database itself. Run it where the database is, without --server (LATCHKEY_SERVER).")

// commandTimeout bounds each transaction of a command. The list of a client all of whose sessions have ended, a million of ten million,
// takes longer than a server lets anyone wait.
const commandTimeout = time.Minute

// connect opens the database with the schema that it has. The caller closes it. The limit is that of a transaction in Postgres; 0 is that
// of a server.
func (a *app) connect(ctx context.Context, limit time.Duration) (*opened, error) {
	if a.remote() {
		return nil, errNeedsDatabase
	}
	d := a.settings.Database
	if d.Postgres() {
		store, err := postgres.Open(ctx, postgres.Config{URL: d.URL.Reveal(), StatementTimeout: limit, Logger: a.logger(), Now: a.now})
		if err != nil {
			// pgx's message may quote the URL, and with it the password.
			return nil, unreadableURL("--database-url (LATCHKEY_DATABASE_URL)")
		}
		return a.withDirectory(&opened{Store: store, dialect: migrations.Postgres, migrationDB: func() (*sql.DB, func() error, error) {
			db, err := store.MigrationDB()
			if err != nil {
				return nil, nil, err
			}
			return db, db.Close, nil
		}})
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: d.Path, MustExist: !a.mayCreate, Logger: a.logger()})
	switch {
	case errors.Is(err, fs.ErrNotExist) && !a.mayCreate:
		return nil, fmt.Errorf("there is no database at %s. Name it with --database-url (LATCHKEY_DATABASE_URL), or make it with `latchkey migrate up`", d.Path)
	// %v: these are not outages that end by themselves, even if the store classifies them so.
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%v. Create the directory of %s, or choose another file with --database-url (LATCHKEY_DATABASE_URL)", err, d.Path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%v. Allow this user to read and write %s and its directory", err, d.Path)
	case errors.Is(err, storage.ErrUnavailable):
		return nil, unusableFile(err, d.Path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w. Choose another file with --database-url (LATCHKEY_DATABASE_URL), or restore this one from a backup", d.Path, err)
	}
	return a.withDirectory(&opened{Store: store, dialect: migrations.SQLite, writable: store.Writable, migrationDB: func() (*sql.DB, func() error, error) {
		return store.MigrationDB(), func() error { return nil }, nil // the store closes it
	}})
}

// unusableFile returns the error for an SQLite database that can't be read or written. It is not an outage that ends by itself.
func unusableFile(err error, path string) error {
	return fmt.Errorf("%v. Check that %s is a file that this user may read and write, and its directory too, and that the disk is not full", err, path)
}

// root returns the root secret. A missing one of an SQLite database is drawn only before it was needed: a new one would open nothing of
// what was made with the lost one.
func (a *app) root(ctx context.Context, store *opened) (*keys.Root, error) {
	return a.settings.Root(func() (config.Missing, error) {
		needed, err := needsRoot(ctx, store)
		switch {
		case err != nil || needed:
			return config.Refuse, err
		case a.reading:
			return config.Pretend, nil
		}
		return config.Draw, nil
	})
}

// needsRoot reports whether the database has what was made with a root secret: keys, which each server makes at its start, or secrets that
// were added before.
func needsRoot(ctx context.Context, store *opened) (bool, error) {
	signing, err := store.ListSigningKeys(ctx)
	if err != nil || len(signing) > 0 {
		return true, err
	}
	hooks, err := store.ListWebhooks(ctx)
	if err != nil || len(hooks) > 0 {
		return true, err
	}
	tokens, err := store.ListRegistrationTokens(ctx, storage.ID{}, 1)
	if err != nil || len(tokens) > 0 {
		return true, err
	}
	for c, err := range storage.Pages(
		func(c *storage.Client) string { return c.ID },
		func(after string) ([]*storage.Client, error) { return store.ListClients(ctx, after, storage.PageSize) },
	) {
		if err != nil || c.SecretMAC != (storage.Digest{}) {
			return true, err
		}
	}
	return false, nil
}

// unreadableURL returns the fault of an option that the driver can't read, without the driver's words.
func unreadableURL(option string) config.Faults {
	return config.Faults{{
		Subject: option, Problem: "can't be parsed",
		Remedy: "Write it like postgres://user:password@host:5432/name, with special characters in the password percent-encoded.",
	}}
}

// prepare makes sure that the schema is the one that this release needs.
func (o *opened) prepare(ctx context.Context) error {
	behind, err := migrating(ctx, o, migrations.Behind)
	if err != nil || !behind {
		return err
	}
	if o.dialect == migrations.Postgres {
		return errBehind
	}
	_, err = migrating(ctx, o, migrations.Up)
	return err
}

var errBehind = errors.New("the database's schema is older than this release needs. Run `latchkey migrate up` (or start with `latchkey serve --migrate`)")

// migrating calls do, a function of package migrations, with the connections for migrations. Package migrations returns the errors of the
// driver: an outage is found by a ping, and one that is over by the error.
func migrating[T any](ctx context.Context, o *opened, do func(context.Context, *sql.DB, migrations.Dialect) (T, error)) (out T, err error) {
	db, done, err := o.migrationDB()
	if err != nil {
		return out, err
	}
	out, err = do(ctx, db, o.dialect)
	if err = errors.Join(err, done()); err == nil {
		return out, nil
	}
	if down := o.Ping(ctx); errors.Is(down, storage.ErrUnavailable) {
		return out, refusedLogin(down)
	}
	if o.dialect == migrations.Postgres && postgres.Unavailable(err) {
		return out, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return out, err
}

// refusedLogin returns the fault of the configuration that makes Postgres refuse the login, or err. Waiting would not help.
func refusedLogin(err error) error {
	const subject = "--database-url (LATCHKEY_DATABASE_URL)"
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
	case strings.Contains(err.Error(), "server refused TLS connection"): // of pgconn, which exports no such error
		return config.Faults{{
			Subject: subject, Problem: "demands TLS, which Postgres refuses",
			Remedy: "Turn TLS on in Postgres (ssl = on), or set another sslmode in the URL.",
		}}
	default:
		return err
	}
	switch pg.Code {
	case "42704": // undefined_object
		return config.Faults{{
			Subject: subject, Problem: "is refused by Postgres: " + pg.Message,
			Remedy: "Remove the parameter from the URL, or correct its name.",
		}}
	case "28P01", "28000", "3D000": // invalid_password, invalid_authorization_specification, invalid_catalog_name
		return config.Faults{{
			Subject: subject, Problem: "is refused by Postgres: " + pg.Message,
			Remedy: "Correct the user, the password and the name of the database, or create them.",
		}}
	}
	return err
}

// openForServing opens the database without waiting for it if it is Postgres, and Django's blacklist if a server writes it. prepare checks
// the schema, or applies the migrations, and checks what is read of Django, once the database is there.
func (a *app) openForServing(ctx context.Context, migrate bool) (prepare func(context.Context) error, err error) {
	if a.store, err = a.connect(ctx, 0); err != nil {
		return nil, err
	}
	if path := a.settings.Database.Path; !a.settings.Database.Postgres() {
		if err := a.store.prepare(ctx); err != nil {
			return nil, err
		}
		if err := a.store.writable(ctx); err != nil {
			return nil, unusableFile(err, path)
		}
	}
	checkQuery, err := a.withQuery(a.store)
	if err != nil {
		return nil, err
	}
	if a.settings.BlacklistWriteback {
		if a.blacklist, err = a.djangoBlacklist(); err != nil {
			return nil, err
		}
		a.settings.Server.SimpleJWT.Blacklist = a.blacklist
	}
	return func(ctx context.Context) (err error) {
		if migrate {
			_, err = migrating(ctx, a.store, migrations.Up)
		} else {
			err = a.store.prepare(ctx)
		}
		if err == nil {
			err = a.readDirectory(ctx, a.store)
		}
		if err == nil {
			err = checkQuery(ctx)
		}
		return err
	}, nil
}

// logger returns a logger that writes to standard error in the configured format.
func (a *app) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: a.settings.LogLevel}
	if !a.serving && !a.settings.Given("log-level") {
		options.Level = slog.LevelWarn
	}
	format := a.settings.LogFormat
	if format == "text" || (format == "" && isTerminal(a.stderr)) {
		return slog.New(slog.NewTextHandler(a.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, options))
}

// operatorEvent returns the audit event of a command.
func (a *app) operatorEvent(action string) *storage.AuditEvent {
	return storage.NewAuditEvent(action, "operator", a.now())
}
