package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"latchkey/migrations"
	"latchkey/server/keys"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/sqlite"
)

// opened is the database that the configuration names.
type opened struct {
	storage.Store
	dialect migrations.Dialect
	// migrationDB gives connections for migrations and a function that gives them back.
	migrationDB func() (*sql.DB, func() error, error)
}

// open opens the database and looks at its schema. SQLite is brought up to date; a Postgres that is behind is
// refused, since others use it and a migration is for an operator to begin.
func (a *app) open(ctx context.Context) (*opened, error) {
	store, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	err = store.prepare(ctx)
	if err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// connect opens the database as it is.
func (a *app) connect(ctx context.Context) (*opened, error) {
	d := a.settings.database
	if d.postgres() {
		store, err := postgres.Open(ctx, postgres.Config{URL: d.url.Reveal(), Logger: a.logger(), Now: a.now})
		if err != nil {
			// pgx's words may quote the URL, and with it the password.
			return nil, faults{{
				"--database-url (LATCHKEY_DATABASE_URL)", "can't be understood",
				"Write it like postgres://user:password@host:5432/name, special characters in the password %-encoded.",
			}}
		}
		return &opened{store, migrations.Postgres, func() (*sql.DB, func() error, error) {
			db, err := store.MigrationDB()
			if err != nil {
				return nil, nil, err
			}
			return db, db.Close, nil
		}}, nil
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: d.path, Logger: a.logger()})
	switch {
	// %v: these are no outages that pass by themselves, whatever the store takes them for.
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%v. Make the folder of %s, or name another file with --database-url (LATCHKEY_DATABASE_URL)", err, d.path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%v. Let this user read and write %s and its folder", err, d.path)
	case errors.Is(err, storage.ErrUnavailable):
		return nil, fmt.Errorf("%v. Look whether %s is a file that this user may read and write, as well as its folder, and whether the disk is full", err, d.path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w. Name another file with --database-url (LATCHKEY_DATABASE_URL), or restore this one from a backup", d.path, err)
	}
	return &opened{store, migrations.SQLite, func() (*sql.DB, func() error, error) {
		return store.MigrationDB(), func() error { return nil }, nil // the store closes it
	}}, nil
}

// prepare makes sure that the schema is what this release needs.
func (o *opened) prepare(ctx context.Context) error {
	behind, err := o.behind(ctx)
	if err != nil || !behind {
		return err
	}
	if o.dialect == migrations.Postgres {
		return errBehind
	}
	_, err = o.migrate(ctx)
	return err
}

var errBehind = errors.New("the database's schema is older than this release needs. Run `latchkey migrate up` (or start with `latchkey serve --migrate`)")

func (o *opened) behind(ctx context.Context) (bool, error) {
	db, done, err := o.migrationDB()
	if err != nil {
		return false, err
	}
	behind, err := migrations.Behind(ctx, db, o.dialect)
	err = errors.Join(err, done())
	if err != nil {
		return false, o.unavailable(ctx, err)
	}
	return behind, nil
}

// unavailable tells an outage from everything else: package migrations hands through what the driver says.
func (o *opened) unavailable(ctx context.Context, err error) error {
	if down := o.Ping(ctx); errors.Is(down, storage.ErrUnavailable) {
		return down
	}
	return err
}

// migrate applies what is missing.
func (o *opened) migrate(ctx context.Context) ([]migrations.Applied, error) {
	db, done, err := o.migrationDB()
	if err != nil {
		return nil, err
	}
	applied, err := migrations.Up(ctx, db, o.dialect)
	if err = errors.Join(err, done()); err != nil {
		return applied, o.unavailable(ctx, err)
	}
	return applied, nil
}

// root is the root secret with the retired ones. For SQLite it is made when there is none.
func (a *app) root() (*keys.Root, error) {
	secret := a.settings.secret
	if secret == "" {
		var err error
		if secret, err = rootSecretFile(a.settings.database.path + secretFileSuffix); err != nil {
			return nil, err
		}
	}
	return keys.NewRoot(secret, a.settings.retired...)
}

// logger writes to standard error in the configured form.
func (a *app) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: a.settings.logLevel}
	if !a.serving && a.settings.given["log-level"] == "" {
		options.Level = slog.LevelWarn
	}
	format := a.settings.logFormat
	if format == "text" || (format == "" && isTerminal(a.stderr)) {
		return slog.New(slog.NewTextHandler(a.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, options))
}

// operatorEvent is the audit event of something that a command did.
func (a *app) operatorEvent(action string) *storage.AuditEvent {
	return storage.NewAuditEvent(action, "operator", a.now())
}

// status lists the migrations.
func (o *opened) status(ctx context.Context) ([]migration, error) {
	db, done, err := o.migrationDB()
	if err != nil {
		return nil, err
	}
	states, err := migrations.Status(ctx, db, o.dialect)
	if err = errors.Join(err, done()); err != nil {
		return nil, o.unavailable(ctx, err)
	}
	all := make([]migration, 0, len(states))
	for _, s := range states {
		m := migration{Version: s.Version, Name: s.Name}
		if !s.AppliedAt.IsZero() {
			m.AppliedAt = &s.AppliedAt
		}
		all = append(all, m)
	}
	return all, nil
}
