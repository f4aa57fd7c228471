package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/cmd/latchkey/internal/django"
	"latchkey/server/users/external"
	"latchkey/storage"
	"latchkey/storage/directory"
)

// importBatch is how many rows are read and stored at a time.
const importBatch = 5000

type djangoImportUsersCmd struct {
	djangoUsers
	NewOnly bool         `help:"Leave users as they are who are here already."`
	DryRun  bool         `help:"Report what would happen, and change nothing."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:"" options:"remote,database,logins,log"`
}

func (c *djangoImportUsersCmd) Help() string {
	return "It can be run again and continues where it was interrupted: users who are the same are left alone. A password that was set here, or hashed anew " +
		"at a login, stays. Each row that does not fit is reported with the reason; the exit status is 1 if users were not imported."
}

// imported counts what became of the users.
type imported struct {
	Created   int  `json:"created"`
	Changed   int  `json:"changed"`
	Unchanged int  `json:"unchanged"`
	Refused   int  `json:"not_imported"`
	Kept      int  `json:"kept_password"`
	DryRun    bool `json:"dry_run"`
}

func (c *djangoImportUsersCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = !c.DryRun
	t, err := c.table()
	if err != nil {
		return err
	}
	source, db, err := c.reader(ctx, a, t)
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	importer := &external.Importer{Store: store, Names: a.settings.Server.LoginNames, Now: a.now}
	n := imported{DryRun: c.DryRun}
	if err := c.copy(ctx, a, importer, source, t, &n); err != nil {
		return err
	}
	if !c.DryRun {
		if err := importer.Finish(ctx, n.Created, n.Changed, n.Refused); err != nil {
			return err
		}
	}
	if c.JSON {
		err = json.NewEncoder(a.stdout).Encode(n)
	} else {
		_, err = fmt.Fprintf(a.stdout, "%d created, %d changed, %d unchanged, %d not imported; %d keep the password that was set or hashed here\n",
			n.Created, n.Changed, n.Unchanged, n.Refused, n.Kept)
	}
	if err == nil && n.Refused > 0 {
		return errSilent
	}
	return err
}

// importing is a page of users on its way.
type importing struct {
	results []external.Result
	err     error
	done    chan struct{}
}

// copy imports page by page. While one is stored, the next is read, checked, and copied as far as the table of users.
func (c *djangoImportUsersCmd) copy(ctx context.Context, a *app, importer *external.Importer, source *directory.Reader, t *django.Table, n *imported) error {
	progress := a.progress("users", true)
	defer progress.done()
	ctx, cancel := context.WithCancel(ctx)
	pages, failed := make(chan *importing), make(chan error, 1)
	go func() {
		failed <- c.read(ctx, source, func(page []directory.Record) {
			p := &importing{done: make(chan struct{})}
			go func() {
				defer close(p.done)
				from := make([]external.User, len(page))
				for i := range page {
					from[i] = userOfDjango(t, &page[i])
				}
				p.results, p.err = importer.Import(ctx, storage.Import{NewOnly: c.NewOnly, DryRun: c.DryRun}, from)
			}()
			pages <- p
		})
		close(pages)
	}()
	done := 0
	var first error
	for p := range pages { // in the order in which they were read; after an error until both have left the databases
		<-p.done
		if first == nil && p.err != nil {
			first = fmt.Errorf("%w. Run the command again: it goes on with what is missing", p.err)
		}
		for i := 0; first == nil && i < len(p.results); i++ {
			first = n.add(a, &p.results[i], c.JSON)
		}
		if first != nil {
			cancel()
			continue
		}
		done += len(p.results)
		progress.at(done)
	}
	defer cancel()
	return cmp.Or(first, <-failed)
}

// read hands over pages until there are no more.
func (c *djangoImportUsersCmd) read(ctx context.Context, source *directory.Reader, each func([]directory.Record)) error {
	for {
		page, err := source.Next(ctx, importBatch)
		if err != nil {
			return fmt.Errorf("read Django's users. If a table or column has another name, see --inspected, --table, --columns and --no-groups: %w", err)
		}
		if len(page) > 0 {
			each(page)
		}
		if len(page) < importBatch {
			return nil
		}
	}
}

// add counts a result, and reports it if there is something to say.
func (n *imported) add(a *app, r *external.Result, asJSON bool) (err error) {
	switch {
	case !r.Imported:
		n.Refused++
	case r.Created:
		n.Created++
	case r.Changed:
		n.Changed++
	default:
		n.Unchanged++
	}
	if r.KeptLocal {
		n.Kept++
	}
	if len(r.Problems) == 0 {
		return nil
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s: %s\n", plain(r.Key), plain(r.Username), strings.Join(r.Problems, "; "))
	return err
}
