package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"latchkey/clients"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/cmd/latchkey/internal/django"
	"latchkey/server"
	"latchkey/server/users/external"
	"latchkey/storage/directory"
)

// withDirectory replaces the users of the database with Django's if the configuration says so. Nothing is asked yet.
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
		var err error
		if t, err = inspectedTable(path); err != nil {
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
		c.Dialect = directory.DialectOf(url)
		if c.DB, err = a.djangoDB(url); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func inspectedTable(path string) (*django.Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return django.InspectedTable(f)
}

// withQuery prepares the site's query of claims, in the database that has Django's tables. check returns an error if it can't be used.
func (a *app) withQuery(o *opened) (check func(context.Context) error, err error) {
	text := a.settings.ClaimsQuery
	if text == "" {
		return func(context.Context) error { return nil }, nil
	}
	const subject = "--simplejwt-claims-query (LATCHKEY_SIMPLEJWT_CLAIMS_QUERY)"
	if d := directory.DialectOf(a.settings.DjangoDatabase.URL.Reveal()); d != directory.Postgres {
		return nil, config.Faults{{Subject: subject, Problem: fmt.Sprintf("needs Postgres, and --django-database-url is %s", d), Remedy: "Use --django-hook instead."}}
	}
	var q *directory.Query
	if o.directory != nil {
		q = o.directory.NewQuery(text, 0)
	} else if url := a.settings.DjangoDatabase.URL.Reveal(); url != "" {
		db, err := a.djangoDB(url)
		if err != nil {
			return nil, err
		}
		q = directory.NewQuery(db, text, 0)
	} else if own, ok := o.Store.(interface{ DB() *sql.DB }); ok {
		q = directory.NewQuery(own.DB(), text, 0)
	} else {
		return nil, config.Faults{{Subject: subject, Problem: "needs Postgres", Remedy: "Name the database of the query with --django-database-url."}}
	}
	jwt := &a.settings.Server.SimpleJWT
	jwt.Query = q
	return func(ctx context.Context) error {
		err := q.Check(ctx, func(name string) error { return server.SiteClaim(jwt, name) })
		if wrong := (*directory.QueryError)(nil); errors.As(err, &wrong) {
			return config.Faults{{Subject: subject, Problem: wrong.Problem, Remedy: "Write SELECT … WHERE … = $1 with one row for a user, each column a claim."}}
		}
		return err
	}, nil
}

func (a *app) djangoDB(url string) (*sql.DB, error) {
	db, err := directory.Open(url)
	if err != nil { // the driver's message may quote the password
		return nil, unreadableURL("--django-database-url (LATCHKEY_DJANGO_DATABASE_URL)")
	}
	return db, nil
}

// readDirectory holds the column map against Django's table.
func (a *app) readDirectory(ctx context.Context, o *opened) error {
	if o.directory == nil {
		return nil
	}
	err := o.directory.Check(ctx)
	if unfit, ok := errors.AsType[*directory.MapError](err); ok {
		return config.Faults{{Subject: "--django-users (LATCHKEY_DJANGO_USERS)", Problem: "does not fit: " + unfit.Problem, Remedy: unfit.Remedy + "."}}
	}
	return err
}

// directory checks that the users can be read from Django's table, and says what costs more than it should.
func (e *examination) directory(ctx context.Context, o *opened) {
	const check = "users"
	if o.directory == nil {
		return
	}
	notices, writable, err := o.directory.Examine(ctx)
	var unfit *directory.MapError
	switch {
	case errors.As(err, &unfit):
		e.wrong(check, "--django-users (LATCHKEY_DJANGO_USERS) does not fit: "+oneLine(errors.New(unfit.Problem)), unfit.Remedy+".")
	case err != nil:
		e.wrong(check, oneLine(err), "Check that Django's database is running, and that --django-database-url (LATCHKEY_DJANGO_DATABASE_URL) is right, including user and password.")
	case writable:
		e.fine(check, "read from Django's table; the role may change passwords and last_login")
	default:
		e.fine(check, "read from Django's table; the role may only read")
	}
	for _, n := range notices {
		e.warn(check, n.Problem, n.Remedy+".")
	}
	e.absent(ctx, o)
}

// absent says how many users have no account any more. A schema of an earlier release is reported elsewhere.
func (e *examination) absent(ctx context.Context, o *opened) {
	const check = "users"
	absent, seen, err := o.CountAbsent(ctx)
	after := e.app.settings.Server.AbsentUsersAfter
	switch {
	case err != nil || absent == 0:
	case external.TooManyAbsent(absent, seen):
		e.warn(check, fmt.Sprintf("the accounts of %d of %d users are missing in Django's table: so many that none of them is removed here", absent, seen),
			"If they were removed on purpose, run `latchkey django remove-absent --any-number`; if not, check --django-database-url (LATCHKEY_DJANGO_DATABASE_URL) and --django-users (LATCHKEY_DJANGO_USERS).")
	case after == 0:
		e.fine(check, "the accounts of %d of %d users are missing in Django's table; what is kept of them stays (--absent-users-after is 0)", absent, seen)
	default:
		e.fine(check, "the accounts of %d of %d users are missing in Django's table; what is kept of them is removed when that was so for %s", absent, seen, clients.Duration(after))
	}
}
