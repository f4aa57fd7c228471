package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"latchkey/storage"
)

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
		list, err := s.query(ctx, shape.key, profile, s.key()+` IN (`+strings.Join(places, ", ")+`)`, args...)
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
			column = s.dialect.folded(column)
		}
		conditions = append(conditions, column+" = "+s.dialect.parameter(len(args)))
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	list, err := s.query(ctx, shape.key, true, strings.Join(conditions, " OR ")+` LIMIT 100`, args...)
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
		if !slices.ContainsFunc(given, func(own string) bool { return own == name || names.Fold && storage.FoldASCII(own) == name }) {
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

// AmbiguousLogins is that of storage.Users.
func (s *Source) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (n int, err error) {
	var all []string
	for _, column := range s.loginColumns(names) {
		if names.Fold {
			column = s.dialect.folded(column)
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
	var hash string
	err = s.each(ctx, `SELECT `+s.textField("password")+` FROM `+s.dialect.quote(s.table.Name)+` d LIMIT `+strconv.Itoa(limit), nil, []any{&hash}, func() error {
		hashes = append(hashes, hash)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return hashes, nil
}
