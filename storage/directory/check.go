package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/sqlite"
)

// MapError is a column map that does not fit the table.
type MapError struct{ Problem, Remedy string }

func (e *MapError) Error() string { return e.Problem + ". " + e.Remedy }

// Notice is something that an operator should know although the server works.
type Notice struct{ Problem, Remedy string }

// Check compares the column map with the table and asks each kind of question once. It returns a *MapError if the map does not fit, and
// storage.ErrUnavailable while the database is unavailable. names are those that logins may give.
func (s *Source) Check(ctx context.Context, names storage.LoginNames) ([]Notice, error) {
	for _, field := range []string{"id", "username", "password"} {
		if s.table.Columns[field] == "" {
			return nil, &MapError{fmt.Sprintf("%s names no column for %s", s.name, field), "Print it again with the script of `latchkey django inspect`, or name one"}
		}
	}
	found, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	s.shape.Store(found)
	if err := s.ask(ctx, names); err != nil {
		s.shape.Store(nil)
		return nil, err
	}
	return s.notices(ctx, names)
}

// ask asks each kind of question once, about an account that does not exist.
func (s *Source) ask(ctx context.Context, names storage.LoginNames) error {
	for _, profile := range []bool{false, true} {
		err := s.askForNobody(ctx, profile)
		if err == nil && profile {
			_, err = s.ByLogin(ctx, names, "-")
		}
		if err != nil && s.refused(ctx, err) && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			remedy := "Correct the map, or grant the role SELECT on " + s.table.Name
			if s.table.Groups != "" {
				remedy += ", " + s.table.Groups + " and auth_group"
			}
			return &MapError{fmt.Sprintf("Django's users can't be read as %s says: %v", s.name, err), remedy}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// askForNobody asks for an account that does not exist, by its key.
func (s *Source) askForNobody(ctx context.Context, profile bool) error {
	kind := s.shape.Load().key
	missing := "00000000-0000-0000-0000-000000000000"
	switch kind {
	case keyInteger:
		missing = "9223372036854775807"
	case keyText:
		missing = "-"
	}
	value, _ := kind.argument(missing)
	_, err := s.query(ctx, kind, profile, s.key()+` = `+kind.comparison(s.dialect, 1), value)
	return err
}

// refused reports whether a question failed for what it asks, and not because the database is unavailable.
func (s *Source) refused(ctx context.Context, err error) bool {
	if s.dialect == SQLite {
		return sqlite.IsRefused(err)
	}
	return s.reachable(ctx)
}

// reachable reports whether the database answers at all.
func (s *Source) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var one int
	return s.db.QueryRowContext(ctx, `SELECT 1`).Scan(&one) == nil
}

// confirmEvery bounds what missing accounts cost.
const confirmEvery = time.Second

// Confirm returns an error if the table is not the one that Check saw, or if it is empty: then a missing account means nothing.
func (s *Source) Confirm(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.checked) >= confirmEvery {
		s.problem, s.checked = s.compare(ctx), now
	}
	return s.problem
}

func (s *Source) compare(ctx context.Context) error {
	was := s.shape.Load()
	if was == nil {
		return errUnchecked
	}
	// It outlives a request that is cancelled: others take its answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	is, err := s.look(ctx)
	if err != nil {
		return away(err)
	}
	if is.key != was.key {
		return away(fmt.Errorf("the key of %s was %s and is %s: restart with a new column map", s.table.Name, was.key, is.key))
	}
	var some int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+s.dialect.quote(s.table.Name)+` LIMIT 1) t`).Scan(&some); err != nil {
		return away(err)
	}
	if some == 0 {
		return away(fmt.Errorf("%s is empty", s.table.Name))
	}
	return nil
}

// MayWrite reports whether the role may change passwords and last logins.
func (s *Source) MayWrite(ctx context.Context) (bool, error) {
	set := []string{}
	for _, field := range []string{"password", "last_login"} {
		if column := s.table.Columns[field]; column != "" {
			name := s.dialect.identifier(column)
			set = append(set, name+" = "+name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	statement := `UPDATE ` + s.dialect.quote(s.table.Name) + ` SET ` + strings.Join(set, ", ") + ` WHERE false`
	if s.dialect == SQLite {
		return s.mayWriteFile(ctx, statement)
	}
	_, err := s.db.ExecContext(ctx, statement)
	if err != nil && !s.reachable(ctx) {
		return false, away(err)
	}
	return err == nil, nil
}

// mayWriteFile reports whether a statement that changes no row is allowed, and whether a transaction can keep its journal beside the file. It is
// rolled back: nothing is written.
func (s *Source) mayWriteFile(ctx context.Context, statement string) (bool, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err == nil {
		defer tx.Rollback()
		_, err = tx.ExecContext(ctx, statement)
	}
	var version int
	if err == nil {
		err = tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version))
	}
	if sqlite.IsReadOnly(err) || sqlite.IsRefused(err) {
		return false, nil
	}
	return err == nil, away(err)
}
