package directory

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is an account as the table has it, fit for a user of Latchkey's or not.
type Record struct {
	// Key is the key as tokens carry it, or as the database writes it where they can't.
	Key                                                  string
	Username, Email, PasswordHash, GivenName, FamilyName string
	// Active and Staff are not valid where the column is NULL, which Django never has. A table without is_active has active users only.
	Active, Staff sql.NullBool
	// EmailVerified is false where the table does not say.
	EmailVerified bool
	// LastLogin and Joined are zero where they are not known.
	LastLogin, Joined time.Time
	Groups            []string
}

// Reader reads all accounts in the order of their keys. It is not safe for concurrent use.
type Reader struct {
	source *Source
	kind   keyKind
	after  any // the last key, as a parameter; nil before the first
}

// Reader returns a Reader of the accounts after the one with the key after, or of all if it is empty. It returns a *MapError if the column map
// does not fit the table, and storage.ErrUnavailable while the database is unavailable.
func (s *Source) Reader(ctx context.Context, after string) (*Reader, error) {
	found, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	s.shape.Store(found)
	r := &Reader{source: s, kind: found.key}
	if after != "" {
		var ok bool
		if r.after, ok = found.key.argument(after); !ok {
			return nil, fmt.Errorf("no key of %s is written like %q: its keys are of the kind %s", s.table.Name, after, found.key)
		}
	}
	return r, nil
}

// Next returns up to limit accounts that follow; none means that there are no more. Groups are read by a statement of their own: joined to
// each user they cost three times as much as the user.
func (r *Reader) Next(ctx context.Context, limit int) ([]Record, error) {
	ctx, cancel := context.WithTimeout(ctx, r.source.timeout)
	defer cancel()
	from := r.after
	page, at, err := r.accounts(ctx, limit)
	if err == nil && len(page) > 0 && r.source.table.Groups != "" {
		err = r.groups(ctx, page, at, from)
	}
	return page, err
}

// accounts returns the page, and which index each key has.
func (r *Reader) accounts(ctx context.Context, limit int) ([]Record, map[string]int, error) {
	s := r.source
	where, args := "", []any{}
	if r.after != nil {
		where, args = ` WHERE `+s.key()+` > `+r.kind.comparison(s.dialect, 1), []any{r.after}
	}
	page, at := make([]Record, 0, limit), make(map[string]int, limit)
	var a Record
	var key string
	var login, joined moment
	targets := []any{&key, &a.Username, &a.PasswordHash, &a.Email, &a.GivenName, &a.FamilyName, &a.Active, &a.Staff, &login, &joined, &a.EmailVerified}
	query := `SELECT ` + r.columns() + ` FROM ` + s.dialect.quote(s.table.Name) + ` d` + where + ` ORDER BY ` + s.key() + ` LIMIT ` + strconv.Itoa(limit)
	err := s.each(ctx, query, args, targets, func() (err error) {
		a.Key, _ = r.kind.subject(key)
		a.LastLogin, a.Joined = login.Time, joined.Time
		at[key] = len(page)
		page = append(page, a)
		r.after, err = r.parameter(key)
		return err
	})
	return page, at, err
}

// parameter returns a key of the database's as a parameter, whatever tokens can carry.
func (r *Reader) parameter(key string) (any, error) {
	if r.kind == keyInteger {
		return strconv.ParseInt(key, 10, 64)
	}
	return key, nil
}

func (r *Reader) columns() string {
	return strings.Join(r.source.fields(r.source.nullableField), ", ")
}

// groups adds the groups to a page that begins after the key from.
func (r *Reader) groups(ctx context.Context, page []Record, at map[string]int, from any) error {
	s, d := r.source, r.source.dialect
	user := "ug." + d.quote(s.table.GroupsUser)
	where, args := user+` <= `+r.kind.comparison(d, 1), []any{r.after}
	if from != nil {
		where, args = where+` AND `+user+` > `+r.kind.comparison(d, 2), append(args, from)
	}
	query := `SELECT ` + d.text(user) + `, g.name FROM ` + d.quote(s.table.Groups) + ` ug JOIN ` + s.groupTable() + ` g ON g.id = ug.` +
		d.quote(s.table.GroupsGroup) + ` WHERE ` + where
	var key, group string
	err := s.each(ctx, query, args, []any{&key, &group}, func() error {
		if i, ok := at[key]; ok {
			page[i].Groups = append(page[i].Groups, group)
		}
		return nil
	})
	for i := range page {
		slices.Sort(page[i].Groups)
	}
	return err
}
