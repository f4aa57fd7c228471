package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"latchkey/cmd/latchkey/internal/django"
	"latchkey/server/users"
	"latchkey/storage"
)

type djangoImportCmd struct {
	Users     djangoImportUsersCmd     `cmd:"" help:"Copy the users with their password hashes."`
	Blacklist djangoImportBlacklistCmd `cmd:"" help:"Copy which tokens Django has ended (rest_framework_simplejwt.token_blacklist)."`
}

// importBatch is how many rows are read and stored at a time.
const importBatch = 5000

// openDjango connects to Django's database, which is only read.
func (a *app) openDjango(ctx context.Context) (*pgx.Conn, error) {
	url := a.settings.DjangoDatabase.URL.Reveal()
	if url == "" {
		url = os.Getenv("DJANGO_DATABASE_URL") // its name in earlier releases
	}
	if url == "" { // Django's tables are in Latchkey's database
		url = a.settings.Database.URL.Reveal()
	}
	if url == "" {
		return nil, usage("--django-database-url (LATCHKEY_DJANGO_DATABASE_URL) is missing: where Django's tables are, such as postgres://user:password@host:5432/name.")
	}
	cc, err := pgx.ParseConfig(url)
	if err != nil { // pgx's message may quote the password
		return nil, usage("--django-database-url can't be parsed. Write it like postgres://user:password@host:5432/name.")
	}
	cc.DefaultQueryExecMode = pgx.QueryExecModeExec // also behind a pooler
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, fmt.Errorf("the database of Django can't be reached. Check --django-database-url: %w", err)
	}
	return conn, nil
}

// readDjango reads in a transaction that can't write.
func readDjango(ctx context.Context, conn *pgx.Conn, query string, args []any, each func(pgx.Rows) error) error {
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL timezone = 'UTC'`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

type djangoImportUsersCmd struct {
	Inspected string            `help:"What the script of django inspect printed: it says where the users are." placeholder:"FILE"`
	Table     string            `help:"Table of the users; by default auth_user." placeholder:"NAME"`
	Columns   map[string]string `help:"Columns that have other names than in auth_user, as field=column; field= for none." placeholder:"FIELD=COLUMN"`
	NoGroups  bool              `help:"Leave groups out."`
	NewOnly   bool              `help:"Leave users as they are who are here already."`
	DryRun    bool              `help:"Report what would happen, and change nothing."`
	After     string            `help:"Begin after the user with this key." placeholder:"KEY"`
	databaseFlags
}

func (c *djangoImportUsersCmd) Help() string {
	return "It can be run again and continues where it was interrupted: users who are the same are left alone. A password that was set here, or hashed anew " +
		"at a login, stays. Each row that does not fit is reported with the reason; the exit status is 1 if users were not imported."
}

func (c *djangoImportUsersCmd) table() (*django.Table, error) {
	t := django.DefaultTable()
	if c.Inspected != "" {
		f, err := os.Open(c.Inspected)
		if err != nil {
			return nil, usage("--inspected: " + err.Error() + ".")
		}
		defer f.Close()
		if t, err = django.InspectedTable(f); err != nil {
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

// selectUsers returns the query for a page of users. Keys are compared in their own type, so that the index serves.
func selectUsers(t *django.Table, after bool) string {
	name := func(s string) string { return pgx.Identifier(strings.Split(s, ".")).Sanitize() }
	key := "u." + name(t.Columns["id"])
	column := func(field, kind string) string {
		if t.Columns[field] == "" {
			return "NULL::" + kind
		}
		return "u." + name(t.Columns[field]) + "::" + kind
	}
	groups := "NULL::text"
	if t.Groups != "" {
		groups = `(SELECT coalesce(json_agg(g.name ORDER BY g.name), '[]')::text FROM ` + name(t.Groups) + ` ug JOIN auth_group g ON g.id = ug.` +
			name(t.GroupsGroup) + ` WHERE ug.` + name(t.GroupsUser) + ` = ` + key + `)`
	}
	columns := []string{key + "::text", groups}
	for _, field := range []string{"username", "email", "password", "first_name", "last_name"} {
		columns = append(columns, column(field, "text"))
	}
	columns = append(columns, column("is_active", "boolean"), column("is_staff", "boolean"), column("date_joined", "timestamptz"), column("last_login", "timestamptz"))
	where := ""
	if after {
		where = ` WHERE ` + key + ` > $1`
	}
	return `SELECT ` + strings.Join(columns, ", ") + ` FROM ` + name(t.Name) + ` u` + where + fmt.Sprintf(` ORDER BY %s LIMIT %d`, key, importBatch)
}

// external reads one row.
func external(t *django.Table, rows pgx.Rows) (f users.External, err error) {
	var groups, username, email, hash, first, last pgtype.Text
	var active, staff pgtype.Bool
	var joined, login pgtype.Timestamptz
	if err := rows.Scan(&f.Key, &groups, &username, &email, &hash, &first, &last, &active, &staff, &joined, &login); err != nil {
		return f, err
	}
	f.Username, f.Email, f.Hash, f.GivenName, f.FamilyName = username.String, email.String, hash.String, first.String, last.String
	f.Active, f.Staff, f.KeepGroups = active.Bool || t.Columns["is_active"] == "", staff.Bool, !groups.Valid
	if t.Columns["is_active"] != "" && !active.Valid {
		f.Problem = "imported as inactive: " + t.Columns["is_active"] + " is NULL"
	}
	if joined.InfinityModifier == pgtype.Finite {
		f.Joined = joined.Time
	}
	if login.InfinityModifier == pgtype.Finite {
		f.LastLogin = login.Time
	}
	if groups.Valid {
		err = json.Unmarshal([]byte(groups.String), &f.Groups)
	}
	return f, err
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
	t, err := c.table()
	if err != nil {
		return err
	}
	source, err := a.openDjango(ctx)
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	service, err := a.userService(ctx)
	if err != nil {
		return err
	}
	n := imported{DryRun: c.DryRun}
	if err := c.copy(ctx, a, service, source, t, &n); err != nil {
		return err
	}
	if !c.DryRun {
		if err := a.store.FinishImport(ctx); err != nil {
			return err
		}
		if err := service.Imported(ctx, n.Created, n.Changed, n.Refused); err != nil {
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

// copy imports page by page; the next page is read while one is stored.
func (c *djangoImportUsersCmd) copy(ctx context.Context, a *app, service *users.Service, source *pgx.Conn, t *django.Table, n *imported) error {
	progress := a.progress("users").onTerminal(a.stderr)
	defer progress.done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages, failed := make(chan []users.External), make(chan error, 1)
	go func() { failed <- c.read(ctx, source, t, pages) }()
	done := 0
	for page := range pages {
		results, err := service.Import(ctx, a.store, storage.Import{NewOnly: c.NewOnly, DryRun: c.DryRun}, page)
		if err != nil {
			cancel()
			<-failed // the reader has left the connection
			return fmt.Errorf("%w. Run the command again: it goes on with what is missing", err)
		}
		for i := range results {
			if err := n.add(a, &results[i], c.JSON); err != nil {
				return err
			}
		}
		done += len(page)
		progress.at(done)
	}
	return <-failed
}

// read sends pages until there is no more.
func (c *djangoImportUsersCmd) read(ctx context.Context, source *pgx.Conn, t *django.Table, pages chan<- []users.External) error {
	defer close(pages)
	var args []any
	if c.After != "" {
		args = []any{c.After}
	}
	for {
		page := make([]users.External, 0, importBatch)
		err := readDjango(ctx, source, selectUsers(t, len(args) > 0), args, func(rows pgx.Rows) error {
			f, err := external(t, rows)
			page = append(page, f)
			return err
		})
		if err != nil {
			return fmt.Errorf("read Django's users. If a table or column has another name, see --inspected, --table, --columns and --no-groups: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(page) < importBatch {
			return nil
		}
		args = []any{page[len(page)-1].Key}
	}
}

// add counts a result, and reports it if there is something to say.
func (n *imported) add(a *app, r *users.ImportResult, asJSON bool) (err error) {
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

type djangoImportBlacklistCmd struct {
	Follow bool `help:"Go on with what Django ends from now on, each second, until the command is stopped."`
	databaseFlags
}

func (c *djangoImportBlacklistCmd) Help() string {
	return "Only the ids of tokens are copied, never tokens. An ended id ends that token, not the session that later tokens belong to. Run it before the proxy leads here."
}

func (c *djangoImportBlacklistCmd) Run(ctx context.Context, a *app) error {
	source, err := a.openDjango(ctx)
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	if _, err := a.open(ctx); err != nil {
		return err
	}
	var b blacklist
	for {
		if err := b.copy(ctx, a, source); err != nil {
			return err
		}
		if !c.Follow {
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	if err := a.store.FinishImport(ctx); err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]int64{"ended": b.added, "read": b.read}, fmt.Sprintf("%d ended tokens read, %d of them new", b.read, b.added))
}

// blacklist is how far Django's blacklist was read.
type blacklist struct {
	last, read, added int64
	// marks are earlier values of last. Transactions commit in another order than ids are drawn, so what was ended in the last minute is read again.
	marks []mark
}

type mark struct {
	at   time.Time
	last int64
}

func (b *blacklist) copy(ctx context.Context, a *app, source *pgx.Conn) error {
	now := a.now()
	from := b.last
	for len(b.marks) > 0 && now.Sub(b.marks[0].at) > time.Minute {
		b.marks = b.marks[1:]
	}
	if len(b.marks) > 0 {
		from = b.marks[0].last
	}
	b.marks = append(b.marks, mark{now, b.last})
	for {
		var tokens []storage.RevokedToken
		err := readDjango(ctx, source, fmt.Sprintf(`
			SELECT b.id, o.jti, o.expires_at FROM token_blacklist_blacklistedtoken b JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id
			WHERE b.id > $1 AND o.expires_at > now() ORDER BY b.id LIMIT %d`, importBatch), []any{from}, func(rows pgx.Rows) error {
			var t storage.RevokedToken
			err := rows.Scan(&from, &t.JTI, &t.ExpiresAt)
			tokens = append(tokens, t)
			return err
		})
		if err != nil {
			return fmt.Errorf("read Django's blacklist. Its tables are those of rest_framework_simplejwt.token_blacklist: %w", err)
		}
		if len(tokens) == 0 {
			return nil
		}
		added, err := a.store.ImportRevokedTokens(ctx, tokens)
		if err != nil {
			return fmt.Errorf("store ended tokens: %w", err)
		}
		b.last, b.read, b.added = max(b.last, from), b.read+int64(len(tokens)), b.added+added
	}
}
