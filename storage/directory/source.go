package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

// Config says where the accounts are.
type Config struct {
	// DB leads to Django's database, which is of the kind Dialect.
	DB      *sql.DB
	Dialect Dialect
	Table   Table
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
	dialect Dialect
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
	s := &Source{db: c.DB, dialect: c.Dialect, table: c.Table, name: c.Name, timeout: c.Timeout, now: c.Now}
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

// each asks a question and calls do for each row of the answer, which is read into the targets. Its error is that of a question that was
// not answered.
func (s *Source) each(ctx context.Context, query string, args, targets []any, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return away(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err = rows.Scan(targets...); err == nil {
			err = do()
		}
		if err != nil {
			return away(err)
		}
	}
	return away(rows.Err())
}

// query asks for the accounts that a condition selects, except those whose key, of a kind that the caller has seen, tokens can't carry: Check
// may be forgetting it.
func (s *Source) query(ctx context.Context, kind keyKind, profile bool, where string, args ...any) (list []*storage.User, err error) {
	var u storage.User
	var key, groups string
	var login, joined moment
	targets := []any{
		&key, &u.Username, &u.PasswordHash, &u.Email, &u.GivenName, &u.FamilyName, &u.Active, &u.Staff, &login, &joined, &u.EmailVerified, &groups,
	}
	err = s.each(ctx, `SELECT `+s.columns(profile)+` FROM `+s.dialect.quote(s.table.Name)+` d WHERE `+where, args, targets, func() error {
		subject, ok := kind.subject(key)
		if !ok {
			return nil
		}
		account := u
		identify(&account, subject)
		account.LastLogin, account.CreatedAt = login.Time, joined.Time
		account.Name = strings.TrimSpace(u.GivenName + " " + u.FamilyName)
		if err := json.Unmarshal([]byte(groups), &account.Groups); err != nil {
			return fmt.Errorf("groups: %w", err)
		}
		slices.Sort(account.Groups)
		list = append(list, &account)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}
