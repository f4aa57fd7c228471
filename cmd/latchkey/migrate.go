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

func (c *migrateUpCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
	store, err := a.connect(ctx, 0)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := migrating(ctx, store, migrations.Up)
	if err != nil {
		return err
	}
	if c.JSON {
		printed := make([]migrations.State, len(applied))
		for i, m := range applied {
			printed[i] = migrations.State{Version: m.Version, Name: m.Name, AppliedAt: new(a.now())}
		}
		return a.printJSON(printed)
	}
	for _, m := range applied {
		if _, err := fmt.Fprintf(a.stdout, "applied %s in %s\n", m.Name, m.Duration.Round(time.Millisecond)); err != nil {
			return err
		}
	}
	if len(applied) == 0 {
		_, err = fmt.Fprintln(a.stdout, "the schema is up to date")
	}
	return err
}

func (c *migrateStatusCmd) Run(ctx context.Context, a *app) error {
	store, err := a.connect(ctx, 0)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := migrating(ctx, store, migrations.Status)
	return list[migrations.State]{
		a, c.JSON, "migrations",
		[]string{"VERSION", "NAME", "APPLIED"},
		func(m migrations.State) []string {
			applied := "pending"
			if m.AppliedAt != nil {
				applied = when(*m.AppliedAt)
			}
			return []string{strconv.FormatInt(m.Version, 10), m.Name, applied}
		},
	}.print(each(all), err)
}
