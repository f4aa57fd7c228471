package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// versionTable is the table in which goose records applied migrations.
const versionTable = "goose_db_version"

// Dialect is a set of migrations.
type Dialect string

// The dialects.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Applied is a migration that a call of Up applied.
type Applied struct {
	Version  int64
	Name     string
	Duration time.Duration
}

// State is the state of a migration. AppliedAt is nil while it is pending. Name is empty if the migration is applied but
// unknown, because it belongs to a newer release.
type State struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at"`
}

// Tables returns the tables that the migrations create, without partitions, in their order.
func Tables(dialect Dialect) (names []string) {
	sources, err := fs.Glob(files, string(dialect)+"/*.sql")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, source := range sources {
		text, err := files.ReadFile(source)
		if err != nil {
			panic(err) // it is embedded
		}
		for _, found := range created.FindAllSubmatch(text, -1) {
			names = append(names, string(found[1]))
		}
	}
	return names
}

var created = regexp.MustCompile(`(?m)^CREATE TABLE (\w+) \(`)

// Up applies what is missing, each migration in a transaction of its own (but an index of a large table, which Postgres builds while others
// write), and returns those that it applied.
// Any number of processes may call it at once; all of them return when the schema is up to date.
// On Postgres db must be a session of its own, not one behind a pooler in transaction mode.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) ([]Applied, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	var applied []Applied
	for {
		before := progress(ctx, db, dialect)
		results, err := p.Up(ctx)
		if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
			results = partial.Applied
		}
		for _, r := range results {
			applied = append(applied, Applied{Version: r.Source.Version, Name: path.Base(r.Source.Path), Duration: r.Duration})
		}
		if err == nil {
			return applied, nil
		}
		// SQLite has no lock that outlives a transaction. The second process at a step fails because the
		// tables exist already, and continues from there.
		if dialect != SQLite || progress(ctx, db, dialect) == before {
			return applied, fmt.Errorf("apply migrations: %w", err)
		}
	}
}

// progress returns how many migrations are applied; without a version table it is negative.
func progress(ctx context.Context, db *sql.DB, dialect Dialect) int {
	applied, err := versions(ctx, db, dialect)
	if err != nil || applied == nil {
		return -1
	}
	return len(applied)
}

// Status returns the state of each migration, by version. It writes nothing.
func Status(ctx context.Context, db *sql.DB, dialect Dialect) ([]State, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	applied, err := versions(ctx, db, dialect)
	if err != nil {
		return nil, err
	}
	var all []State
	for _, source := range p.ListSources() {
		all = append(all, State{Version: source.Version, Name: path.Base(source.Path), AppliedAt: applied[source.Version]})
		delete(applied, source.Version)
	}
	for version, at := range applied {
		all = append(all, State{Version: version, AppliedAt: at})
	}
	slices.SortFunc(all, func(a, b State) int { return int(a.Version - b.Version) })
	return all, nil
}

// Behind reports whether the schema is older than this release needs. It writes nothing.
func Behind(ctx context.Context, db *sql.DB, dialect Dialect) (bool, error) {
	all, err := Status(ctx, db, dialect)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(s State) bool { return s.AppliedAt == nil }), nil
}

// Files returns the migrations of a dialect, by name.
func Files(dialect Dialect) fs.FS {
	sub, err := fs.Sub(files, string(dialect))
	if err != nil {
		panic(err) // only an invalid path is refused
	}
	return sub
}

// Newest returns the version of the newest migration of a dialect.
func Newest(dialect Dialect) (version int64) {
	names, err := fs.Glob(Files(dialect), "*.sql")
	if err != nil {
		panic(err) // only a malformed pattern is refused
	}
	for _, name := range names {
		number, err := goose.NumericComponent(name)
		if err != nil {
			panic(err) // a file that goose would refuse as well
		}
		version = max(version, number)
	}
	return version
}

func provider(db *sql.DB, dialect Dialect) (*goose.Provider, error) {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName(versionTable)}
	var engine goose.Dialect
	switch dialect {
	case Postgres:
		// Many replicas may start at once: the first to get the lock migrates, the others wait up to ten minutes.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		engine = goose.DialectPostgres
		options = append(options, goose.WithSessionLocker(locker))
	case SQLite:
		engine = goose.DialectSQLite3
	default:
		return nil, fmt.Errorf("migrations: unknown dialect %q", dialect)
	}
	p, err := goose.NewProvider(engine, db, Files(dialect), options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}

// versions returns the applied migrations with their times, or nil if there is no version table. goose itself would create a
// missing table, which must not happen here since the database may be a standby.
func versions(ctx context.Context, db *sql.DB, dialect Dialect) (map[int64]*time.Time, error) {
	exists := `SELECT to_regclass('` + versionTable + `') IS NOT NULL`
	if dialect == SQLite {
		exists = `SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = '` + versionTable + `'`
	}
	var found bool
	if err := db.QueryRowContext(ctx, exists).Scan(&found); err != nil {
		return nil, fmt.Errorf("look for the schema: %w", err)
	}
	if !found {
		return nil, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT version_id, tstamp FROM `+versionTable+` WHERE is_applied AND version_id > 0`)
	if err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	defer rows.Close()
	applied := map[int64]*time.Time{}
	for rows.Next() {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return nil, fmt.Errorf("read the schema's version: %w", err)
		}
		applied[version] = new(at.UTC())
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the schema's version: %w", err)
	}
	return applied, nil
}
