package main

import (
	"context"
	"errors"
	"os"

	"latchkey/cmd/latchkey/internal/config"
	"latchkey/cmd/latchkey/internal/django"
	"latchkey/storage/directory"
	"latchkey/storage/postgres"
)

// withDirectory puts Django's users in the place of those of the database if the configuration says so. Nothing is asked yet.
func (a *app) withDirectory(o *opened) (*opened, error) {
	if a.settings.UsersFrom != "django" {
		return o, nil
	}
	c, err := a.directoryConfig(a.settings.DjangoDatabase.URL.Reveal())
	if err != nil {
		o.Close()
		return nil, err
	}
	o.directory = directory.New(o.Store, *c, a.settings.Server.LoginNames, a.logger())
	o.Store = o.directory
	return o, nil
}

// directoryConfig says where Django's users are; url is that of Django's database, empty for Latchkey's.
func (a *app) directoryConfig(url string) (*directory.Config, error) {
	t, name := django.DefaultTable(), "the default for auth_user"
	if path := a.settings.DjangoUsers; path != "" {
		f, err := os.Open(path)
		if err == nil {
			t, err = django.InspectedTable(f)
			f.Close()
		}
		if err != nil {
			return nil, config.Faults{{
				Subject: "--django-users (LATCHKEY_DJANGO_USERS)", Problem: "can't be used: " + path + ": " + err.Error(),
				Remedy: "Name the file that `latchkey django inspect | python manage.py shell` has printed.",
			}}
		}
		name = path
	}
	c := &directory.Config{Table: directory.Table(*t), Name: name, Now: a.now}
	if url != "" {
		var err error
		if c.DB, err = postgres.OpenDB(url); err != nil {
			return nil, config.Faults{{ // pgx's message may quote the password
				Subject: "--django-database-url (LATCHKEY_DJANGO_DATABASE_URL)", Problem: "can't be parsed",
				Remedy: "Write it like postgres://user:password@host:5432/name, with special characters in the password percent-encoded.",
			}}
		}
	}
	return c, nil
}

// readDirectory holds the column map against Django's table.
func (a *app) readDirectory(ctx context.Context, o *opened) error {
	if o.directory == nil {
		return nil
	}
	err := o.directory.Check(ctx)
	var unfit *directory.MapError
	if errors.As(err, &unfit) {
		return config.Faults{{Subject: "--django-users (LATCHKEY_DJANGO_USERS)", Problem: "does not fit: " + unfit.Problem, Remedy: unfit.Remedy + "."}}
	}
	return err
}
