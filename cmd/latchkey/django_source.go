package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"latchkey/cmd/latchkey/internal/django"
	"latchkey/server/users/external"
	"latchkey/storage/directory"
)

// djangoURL returns the URL of Django's database.
func (a *app) djangoURL() (string, error) {
	url := a.settings.DjangoDatabase.URL.Reveal()
	if url == "" {
		url = os.Getenv("DJANGO_DATABASE_URL") // its name in earlier releases
	}
	if url == "" { // Django's tables are in Latchkey's database
		url = a.settings.Database.URL.Reveal()
	}
	if url == "" {
		return "", usage("--django-database-url (LATCHKEY_DJANGO_DATABASE_URL) is missing: where Django's tables are, such as postgres://user:password@host:5432/name.")
	}
	return url, nil
}

// djangoUsers are the flags that say where Django's users are, and which of them to read.
type djangoUsers struct {
	Inspected string            `help:"What the script of django inspect printed: it says where the users are." placeholder:"FILE"`
	Table     string            `help:"Table of the users; by default auth_user." placeholder:"NAME"`
	Columns   map[string]string `help:"Columns that have other names than in auth_user, as field=column; field= for none." placeholder:"FIELD=COLUMN"`
	NoGroups  bool              `help:"Leave groups out."`
	After     string            `help:"Begin after the user with this key." placeholder:"KEY"`
}

func (c *djangoUsers) table() (*django.Table, error) {
	t := django.DefaultTable()
	if c.Inspected != "" {
		var err error
		if t, err = inspectedTable(c.Inspected); err != nil {
			return nil, usage("--inspected: " + err.Error() + ".")
		}
	}
	if c.Table != "" {
		t.Name = c.Table
	}
	if err := t.Set(c.Columns); err != nil {
		return nil, usage("--columns: " + err.Error() + ".")
	}
	if c.NoGroups {
		t.Groups = ""
	}
	return t, nil
}

// reader reads Django's users from after the key that was given.
func (c *djangoUsers) reader(ctx context.Context, a *app, t *django.Table) (*directory.Reader, *sql.DB, error) {
	url, err := a.djangoURL()
	if err != nil {
		return nil, nil, err
	}
	db, err := a.djangoDB(url)
	if err != nil {
		return nil, nil, err
	}
	name := cmp.Or(c.Inspected, "--columns and the names of auth_user")
	source := directory.NewSource(directory.Config{DB: db, Dialect: directory.DialectOf(url), Table: directory.Table(*t), Name: name, Timeout: time.Minute})
	r, err := source.Reader(ctx, c.After)
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("read Django's users. See --django-database-url, --inspected, --table and --columns: %w", err)
	}
	return r, db, nil
}

// userOfDjango returns an account as the import takes it.
func userOfDjango(t *django.Table, r *directory.Record) external.User {
	u := external.User{
		Key: r.Key, Username: r.Username, Email: r.Email, Hash: r.PasswordHash, GivenName: r.GivenName, FamilyName: r.FamilyName,
		Active: r.Active.Bool, Staff: r.Staff.Bool, Joined: r.Joined, LastLogin: r.LastLogin, Groups: r.Groups, KeepGroups: t.Groups == "",
		EmailVerified: r.EmailVerified,
	}
	if !r.Active.Valid {
		u.Problem = "imported as inactive: " + t.Columns["is_active"] + " is NULL"
	}
	return u
}
