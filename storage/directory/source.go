package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"latchkey/storage"
)

// Config says where the accounts are.
type Config struct {
	// DB leads to Django's database; MySQL says that it is MySQL or MariaDB and not Postgres.
	DB    *sql.DB
	MySQL bool
	Table Table
	// Name is what the table is read from, for error messages: a file or "the default".
	Name string
	// Timeout bounds each question; 0 = 3 s.
	Timeout time.Duration
	// Now returns the current time; nil means time.Now.
	Now func() time.Time
}

// Source reads accounts from Django's table.
type Source struct {
	db      *sql.DB
	dialect dialect
	table   Table
	name    string
	timeout time.Duration
	now     func() time.Time

	// shape is what Check found; nil before.
	shape atomic.Pointer[shape]

	mu      sync.Mutex
	checked time.Time // when the table was compared with the shape
	problem error
}

// NewSource returns a Source. Check must succeed before anything else is asked.
func NewSource(c Config) *Source {
	s := &Source{db: c.DB, dialect: dialect{c.MySQL}, table: c.Table, name: c.Name, timeout: c.Timeout, now: c.Now}
	if s.timeout <= 0 {
		s.timeout = 3 * time.Second
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

var errUnchecked = fmt.Errorf("users in Django have not been looked at yet: %w", storage.ErrUnavailable)

// away returns the error of a question that was not answered, whatever the reason: it says nothing about the users.
func away(err error) error {
	if err == nil || errors.Is(err, storage.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("users in Django: %w: %w", storage.ErrUnavailable, err)
}

// columns are those of scanAccount.
func (s *Source) columns(profile bool) string {
	list := []string{s.dialect.text(s.key())}
	for _, field := range []string{"username", "password", "email", "first_name", "last_name"} {
		list = append(list, s.textField(field))
	}
	groups := "'[]'"
	if profile {
		groups = s.groups()
	}
	list = append(list, s.boolField("is_active", true), s.boolField("is_staff", false), s.timeField("last_login"), s.timeField("date_joined"),
		s.verified(), groups)
	return strings.Join(list, ", ")
}

// scanAccount reads a row of columns. It returns nil for a key that tokens can't carry.
func (s *Source) scanAccount(rows *sql.Rows, kind keyKind) (*storage.User, error) {
	var u storage.User
	var key, groups string
	var login, joined sql.NullTime
	if err := rows.Scan(&key, &u.Username, &u.PasswordHash, &u.Email, &u.GivenName, &u.FamilyName, &u.Active, &u.Staff, &login, &joined,
		&u.EmailVerified, &groups); err != nil {
		return nil, err
	}
	subject, ok := kind.subject(key)
	if !ok {
		return nil, nil
	}
	identify(&u, subject)
	u.LastLogin, u.CreatedAt = login.Time.UTC(), joined.Time.UTC()
	u.Name = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
	if err := json.Unmarshal([]byte(groups), &u.Groups); err != nil {
		return nil, fmt.Errorf("groups: %w", err)
	}
	slices.Sort(u.Groups)
	return &u, nil
}

// query asks for accounts.
func (s *Source) query(ctx context.Context, kind keyKind, query string, args ...any) (list []*storage.User, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, away(err)
	}
	defer rows.Close()
	for rows.Next() {
		u, err := s.scanAccount(rows, kind)
		if err != nil {
			return nil, away(err)
		}
		if u != nil {
			list = append(list, u)
		}
	}
	return list, away(rows.Err())
}

// Accounts returns the accounts with these subjects, by subject; the ones that there are not are missing in it. The profile is left out
// unless it is asked for.
func (s *Source) Accounts(ctx context.Context, profile bool, subjects ...string) (map[string]*storage.User, error) {
	shape := s.shape.Load()
	if shape == nil {
		return nil, errUnchecked
	}
	found := make(map[string]*storage.User, len(subjects))
	for page := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(subjects))), 100) {
		var args []any
		var places []string
		for _, subject := range page {
			if value, ok := shape.key.argument(subject); ok {
				args = append(args, value)
				places = append(places, shape.key.comparison(s.dialect, len(args)))
			}
		}
		if len(args) == 0 {
			continue
		}
		list, err := s.query(ctx, shape.key, `SELECT `+s.columns(profile)+` FROM `+s.dialect.quote(s.table.Name)+` d WHERE `+s.key()+` IN (`+strings.Join(places, ", ")+`)`, args...)
		if err != nil {
			return nil, err
		}
		for _, u := range list {
			if _, twice := found[u.Sub()]; twice {
				return nil, away(fmt.Errorf("two rows of %s have the key %s", s.table.Name, u.Sub()))
			}
			found[u.Sub()] = u
		}
	}
	for _, subject := range subjects {
		if found[subject] == nil { // before the account counts as deleted
			return found, s.Confirm(ctx)
		}
	}
	return found, nil
}

// Account returns the account of a subject, or nil.
func (s *Source) Account(ctx context.Context, profile bool, subject string) (*storage.User, error) {
	found, err := s.Accounts(ctx, profile, subject)
	if err != nil {
		return nil, err
	}
	return found[subject], nil
}

// ByLogin returns the account that has a name, as it was typed at a login, or nil; it is in lower case if case is ignored. Names are compared
// byte for byte, or ignoring the case of ASCII letters, whatever the collation of the table is. A name that two accounts have finds neither.
func (s *Source) ByLogin(ctx context.Context, names storage.LoginNames, name string) (*storage.User, error) {
	shape := s.shape.Load()
	if shape == nil {
		return nil, errUnchecked
	}
	if name == "" || len(name) > 1024 || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return nil, nil
	}
	var conditions []string
	var args []any
	for _, column := range s.loginColumns(names) {
		if args = append(args, name); names.Fold {
			column = s.folded(column)
		}
		conditions = append(conditions, column+" = "+s.dialect.parameter(len(args)))
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	list, err := s.query(ctx, shape.key, `SELECT `+s.columns(true)+` FROM `+s.dialect.quote(s.table.Name)+` d WHERE `+strings.Join(conditions, " OR ")+` LIMIT 100`, args...)
	if err != nil {
		return nil, err
	}
	var found *storage.User
	for _, u := range list {
		given := []string{}
		if !names.NoUsername {
			given = append(given, u.Username)
		}
		if names.Email {
			given = append(given, u.Email)
		}
		if !slices.ContainsFunc(given, func(own string) bool { return own == name || names.Fold && foldASCII(own) == name }) {
			continue
		}
		if found != nil {
			return nil, nil
		}
		found = u
	}
	return found, nil
}

// loginColumns returns the columns that a login may name a user by.
func (s *Source) loginColumns(names storage.LoginNames) (columns []string) {
	if !names.NoUsername {
		columns = append(columns, s.dialect.column(s.table.Columns["username"]))
	}
	if email := s.table.Columns["email"]; names.Email && email != "" {
		columns = append(columns, s.dialect.column(email))
	}
	return columns
}

// folded returns a column in lower case. Postgres folds ASCII only in this collation; MySQL folds more, which ByLogin sorts out.
func (s *Source) folded(column string) string {
	if s.dialect.mysql {
		return "lower(" + column + ")"
	}
	return "lower(" + column + `::text COLLATE "C")`
}

// AmbiguousLogins is that of storage.Users.
func (s *Source) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (n int, err error) {
	var all []string
	for _, column := range s.loginColumns(names) {
		if names.Fold {
			column = s.folded(column)
		}
		all = append(all, `SELECT `+s.key()+` AS id, `+column+` AS name FROM `+s.dialect.quote(s.table.Name)+` d`)
	}
	if len(all) == 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*s.timeout) // it reads the whole table, once
	defer cancel()
	err = s.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT name FROM (`+strings.Join(all, ` UNION `)+
		`) n WHERE name <> '' GROUP BY name HAVING count(*) > 1) a`).Scan(&n)
	return n, away(err)
}

// sampleHashes returns some password hashes, which ones is the database's choice.
func (s *Source) sampleHashes(ctx context.Context, limit int) (hashes []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, `SELECT `+s.textField("password")+` FROM `+s.dialect.quote(s.table.Name)+` d LIMIT `+strconv.Itoa(limit))
	if err != nil {
		return nil, away(err)
	}
	defer rows.Close()
	for rows.Next() {
		var hash string
		if err := rows.Scan(&hash); err != nil {
			return nil, away(err)
		}
		hashes = append(hashes, hash)
	}
	return hashes, away(rows.Err())
}

// SetLastLogin stores when a user logged in, never an earlier time.
func (s *Source) SetLastLogin(ctx context.Context, subject string, at time.Time) error {
	if s.table.Columns["last_login"] == "" {
		return nil
	}
	column := s.dialect.column(s.table.Columns["last_login"])
	name := column[len("d."):]
	_, err := s.update(ctx, `SET `+name+` = `+s.dialect.parameter(1), `AND (`+column+` IS NULL OR `+column+` < `+s.dialect.parameter(3)+`)`, subject,
		at.UTC().Truncate(time.Microsecond), at.UTC().Truncate(time.Microsecond))
	return err
}

// SetPassword replaces a password hash, which is in a form that Django verifies.
func (s *Source) SetPassword(ctx context.Context, subject, hash string) error {
	n, err := s.update(ctx, `SET `+s.dialect.column(s.table.Columns["password"])[len("d."):]+` = `+s.dialect.parameter(1), ``, subject, hash)
	if err == nil && n == 0 {
		return fmt.Errorf("set the password in Django's table: %w", storage.ErrNotFound)
	}
	return err
}

// update changes the row of a subject: the first parameter is the value, the second the key.
func (s *Source) update(ctx context.Context, set, more, subject string, value any, rest ...any) (int64, error) {
	shape := s.shape.Load()
	if shape == nil {
		return 0, errUnchecked
	}
	key, ok := shape.key.argument(subject)
	if !ok {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	table := s.dialect.quote(s.table.Name) + ` AS d `
	result, err := s.db.ExecContext(ctx, `UPDATE `+table+set+` WHERE `+s.key()+` = `+shape.key.comparison(s.dialect, 2)+` `+more, append([]any{value, key}, rest...)...)
	if err != nil {
		return 0, away(err)
	}
	n, err := result.RowsAffected()
	return n, away(err)
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
