package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply the migrations that are missing."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations and when they were applied."`
}

type migrateUpCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

type migrateStatusCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

// migration is one migration as the commands print it.
type migration struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at"`
}

func (c *migrateUpCmd) Run(ctx context.Context, a *app) error {
	applied, err := a.migrate(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		printed := make([]migration, 0, len(applied))
		for _, m := range applied {
			now := a.now()
			printed = append(printed, migration{m.Version, m.Name, &now})
		}
		return a.printJSON(printed)
	}
	for _, m := range applied {
		fmt.Fprintf(a.stdout, "applied %s in %s\n", m.Name, m.Duration.Round(time.Millisecond))
	}
	if len(applied) == 0 {
		fmt.Fprintln(a.stdout, "the schema is up to date")
	}
	return nil
}

// migrate applies what is missing, over a store of its own: what opens the database after that finds the new schema.
func (a *app) migrate(ctx context.Context) ([]migrations.Applied, error) {
	store, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	return store.migrate(ctx)
}

func (c *migrateStatusCmd) Run(ctx context.Context, a *app) error {
	store, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := store.status(ctx)
	if err != nil {
		return err
	}
	l := listing(a, c.JSON, "migrations", []string{"VERSION", "NAME", "APPLIED"}, func(m migration) []string {
		applied := "pending"
		if m.AppliedAt != nil {
			applied = when(*m.AppliedAt)
		}
		return []string{strconv.FormatInt(m.Version, 10), m.Name, applied}
	})
	for _, m := range all {
		if err := l.add(m); err != nil {
			return err
		}
	}
	return l.end()
}
