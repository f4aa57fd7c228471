package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"latchkey/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply the missing migrations."`
	Status migrateStatusCmd `cmd:"" help:"List the migrations and when they were applied."`
}

type migrateUpCmd struct{ databaseFlags }

type migrateStatusCmd struct{ databaseFlags }

// migration is one migration in the form that commands print.
type migration struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	AppliedAt *time.Time `json:"applied_at"`
}

func (c *migrateUpCmd) Run(ctx context.Context, a *app) error {
	store, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := migrating(ctx, store, migrations.Up)
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

func (c *migrateStatusCmd) Run(ctx context.Context, a *app) error {
	store, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := migrating(ctx, store, migrations.Status)
	shown := mapped(each(all), func(s migrations.State) (migration, error) {
		m := migration{Version: s.Version, Name: s.Name}
		if !s.AppliedAt.IsZero() {
			m.AppliedAt = &s.AppliedAt
		}
		return m, nil
	})
	return list[migration]{
		a, c.JSON, "migrations",
		[]string{"VERSION", "NAME", "APPLIED"},
		func(m migration) []string {
			applied := "pending"
			if m.AppliedAt != nil {
				applied = when(*m.AppliedAt)
			}
			return []string{strconv.FormatInt(m.Version, 10), m.Name, applied}
		},
	}.print(shown, err)
}
