package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"latchkey/storage"
)

// Store is a storage.Store whose users are Django's.
type Store struct {
	storage.Store
	source *Source
	names  storage.LoginNames
	logger *slog.Logger
	// joined is true if the statements of Store read the accounts themselves.
	joined   bool
	writable bool
}

// joiner is a store whose statements can read the accounts.
type joiner interface {
	ReadUsersFrom(query string)
	DB() *sql.DB
}

// New returns a Store over another one. Without a database in c, Django's table is in that of the store, which must be Postgres then.
// Nothing is asked before Check.
func New(store storage.Store, c Config, names storage.LoginNames, logger *slog.Logger) *Store {
	s := &Store{Store: store, names: names, logger: logger}
	if c.DB == nil {
		c.DB, s.joined = store.(joiner).DB(), true
	}
	s.source = NewSource(c)
	return s
}

// Check compares the column map with Django's table, as Source.Check does, and logs its notices. It must succeed before the store is
// used; before that every question about a user is storage.ErrUnavailable.
func (s *Store) Check(ctx context.Context) error {
	notices, err := s.source.Check(ctx, s.names)
	if err != nil {
		return err
	}
	if s.writable, err = s.source.MayWrite(ctx); err != nil {
		return err
	}
	if s.joined {
		s.Store.(joiner).ReadUsersFrom(s.source.Joined())
	}
	for _, n := range notices {
		s.logger.WarnContext(ctx, n.Problem, slog.String("fix", n.Remedy))
	}
	s.logger.InfoContext(ctx, "users are read from Django's table", slog.String("table", s.source.table.Name),
		slog.String("key", string(s.source.shape.Load().key)), slog.Bool("same_database", s.joined), slog.Bool("may_write", s.writable))
	return nil
}

// Examine compares the column map with Django's table, as Source.Check does, and reports whether the role may write. The store can't be used by that.
func (s *Store) Examine(ctx context.Context) (notices []Notice, writable bool, err error) {
	if notices, err = s.source.Check(ctx, s.names); err == nil {
		writable, err = s.source.MayWrite(ctx)
	}
	return notices, writable, err
}

// Writable reports whether passwords and last logins may be changed in Django's table.
func (s *Store) Writable() bool { return s.writable }

// SampleHashes returns up to limit of the password hashes in Django's table.
func (s *Store) SampleHashes(ctx context.Context, limit int) ([]string, error) {
	return s.source.sampleHashes(ctx, limit)
}

// of returns the user that an account and what is kept of them make; kept may be nil.
func of(account, kept *storage.User) *storage.User {
	u := *account
	if kept == nil {
		return &u
	}
	u.ID, u.Subject, u.CreatedAt = kept.ID, kept.Subject, kept.CreatedAt
	u.AuthEpoch = kept.AuthEpoch
	if account.PasswordHash != kept.PasswordHash {
		u.AuthEpoch++ // which no session has
	}
	u.EmailVerified = account.EmailVerified || kept.EmailVerified && kept.Email == account.Email // what was verified before the users were in Django
	u.Picture, u.Locale, u.ZoneInfo = kept.Picture, kept.Locale, kept.ZoneInfo
	u.Attributes, u.UpdatedAt = kept.Attributes, kept.UpdatedAt
	return &u
}

// Enter notes that a user of a login is about to have a session, and sets the ID and the epoch. samePassword says that the password
// fits the remembered hash too.
func (s *Store) Enter(ctx context.Context, u *storage.User, samePassword bool) error {
	kept, err := s.EnterUser(ctx, storage.UserEntry{
		ID: keyOf(u), Subject: u.Subject, PasswordHash: u.PasswordHash, SamePassword: samePassword, Now: s.source.now(),
	})
	if err != nil {
		return fmt.Errorf("enter a user of Django's: %w", err)
	}
	*u = *of(u, kept)
	return nil
}

// keyOf returns the ID of a user whose key is an integer, else 0.
func keyOf(u *storage.User) int64 {
	if u.Subject != "" {
		return 0
	}
	return u.ID
}

// kept returns what is kept of a user, or nil.
func (s *Store) kept(ctx context.Context, subject string) (*storage.User, error) {
	u, err := s.Store.UserBySubject(ctx, subject)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return u, err
}

var errElsewhere = fmt.Errorf("users are in Django's database: %w", storage.ErrElsewhere)

var errNoAccount = fmt.Errorf("no account in Django's database: %w", storage.ErrNotFound)

// User implements storage.Users.
func (s *Store) User(ctx context.Context, id int64) (*storage.User, error) {
	kept, err := s.Store.User(ctx, id)
	if err != nil {
		return nil, err
	}
	account, err := s.source.Account(ctx, true, kept.Sub())
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, errNoAccount
	}
	return of(account, kept), nil
}

// UserBySubject implements storage.Users. The user enters: their next act may begin a session.
func (s *Store) UserBySubject(ctx context.Context, subject string) (*storage.User, error) {
	account, err := s.source.Account(ctx, true, subject)
	if err != nil {
		return nil, err
	}
	return s.entered(ctx, account)
}

// UserByUsername implements storage.Users.
func (s *Store) UserByUsername(ctx context.Context, username string) (*storage.User, error) {
	account, err := s.source.ByLogin(ctx, storage.LoginNames{}, username)
	if err != nil {
		return nil, err
	}
	return s.entered(ctx, account)
}

// entered returns the user of an account, which may be nil.
func (s *Store) entered(ctx context.Context, account *storage.User) (*storage.User, error) {
	if account == nil {
		return nil, errNoAccount
	}
	kept, err := s.kept(ctx, account.Sub())
	if err != nil {
		return nil, err
	}
	u := of(account, kept)
	if kept == nil || kept.PasswordHash != account.PasswordHash {
		err = s.Enter(ctx, u, false)
	}
	return u, err
}

// ListUsers implements storage.Users: it lists those who have had a session here.
func (s *Store) ListUsers(ctx context.Context, after int64, limit int) ([]*storage.User, error) {
	page, err := s.Store.ListUsers(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	accounts, err := s.accounts(ctx, true, page)
	if err != nil {
		return nil, err
	}
	for i, kept := range page {
		if account := accounts[kept.Sub()]; account != nil {
			page[i] = of(account, kept)
		} else {
			page[i].Active = false
		}
	}
	return page, nil
}

// accounts returns the accounts of users; some of the users may be nil.
func (s *Store) accounts(ctx context.Context, profile bool, users []*storage.User) (map[string]*storage.User, error) {
	var subjects []string
	for _, u := range users {
		if u != nil {
			subjects = append(subjects, u.Sub())
		}
	}
	return s.source.Accounts(ctx, profile, subjects...)
}

// BeginLogin implements storage.Users.
func (s *Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	// An attempt that Django's database can't answer costs nothing.
	account, err := s.source.ByLogin(ctx, a.Names, a.Username)
	if err != nil {
		return nil, err
	}
	a.Username, a.Names = "", storage.LoginNames{} // of no account in this database
	check, err := s.Store.BeginLogin(ctx, a)
	if err != nil {
		return nil, err
	}
	check.User = nil
	if account == nil {
		return check, nil
	}
	kept, err := s.kept(ctx, account.Sub())
	if err != nil {
		return nil, err
	}
	check.User = of(account, kept)
	check.Unentered = kept == nil || kept.PasswordHash != account.PasswordHash
	// An account that was made after the one that is remembered is another one, even if the password is the same.
	if check.Unentered && kept != nil && !account.CreatedAt.After(kept.CreatedAt) {
		check.Remembered = kept.PasswordHash
	}
	return check, nil
}

// AmbiguousLogins implements storage.Users.
func (s *Store) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (int, error) {
	return s.source.AmbiguousLogins(ctx, names)
}

// CreateUser implements storage.Users.
func (s *Store) CreateUser(context.Context, *storage.User) error { return errElsewhere }

// UpdateUser implements storage.Users.
func (s *Store) UpdateUser(context.Context, int64, storage.UserChange, time.Time, *storage.AuditEvent) error {
	return errElsewhere
}

// SetUserActive implements storage.Users.
func (s *Store) SetUserActive(context.Context, int64, bool, time.Time, *storage.AuditEvent, ...*storage.LogoutNotice) error {
	return errElsewhere
}

// RemoveUser implements storage.Users.
func (s *Store) RemoveUser(context.Context, int64, *storage.AuditEvent, ...*storage.LogoutNotice) error {
	return errElsewhere
}

// CreateProvisionedUser implements [storage.Provisioning].
func (s *Store) CreateProvisionedUser(context.Context, *storage.User, string, storage.ProvisionedUser, *storage.AuditEvent) error {
	return errElsewhere
}

// ChangeProvisionedUser implements [storage.Provisioning].
func (s *Store) ChangeProvisionedUser(context.Context, int64, storage.ProvisionedChange, ...*storage.AuditEvent) error {
	return errElsewhere
}

// SetUserPassword implements storage.Users. The hash is in a form that Django verifies. Django's table is changed first: should what
// follows fail, the sessions have ended all the same, since their hash is another one.
func (s *Store) SetUserPassword(ctx context.Context, c storage.PasswordChange, audit *storage.AuditEvent) error {
	if !s.writable {
		return errElsewhere
	}
	kept, err := s.Store.User(ctx, c.UserID)
	if err != nil {
		return err
	}
	if err := s.source.SetPassword(ctx, kept.Sub(), c.Hash); err != nil {
		return err
	}
	return s.Store.SetUserPassword(ctx, c, audit)
}

// CreateGrant implements storage.Grants.
func (s *Store) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, audit ...*storage.AuditEvent) error {
	err := s.Store.CreateGrant(ctx, g, login, audit...)
	if err == nil {
		s.loggedIn(ctx, login)
	}
	return err
}

// CreateBrowserSession implements storage.BrowserSessions.
func (s *Store) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, login *storage.Login, audit ...*storage.AuditEvent) error {
	err := s.Store.CreateBrowserSession(ctx, b, replaces, login, audit...)
	if err == nil {
		s.loggedIn(ctx, login)
	}
	return err
}

// loggedIn writes the last login back. The login has happened, so that an error here is no error of it.
func (s *Store) loggedIn(ctx context.Context, login *storage.Login) {
	if login == nil || login.SetLastLogin.IsZero() || !s.writable {
		return
	}
	if err := s.source.SetLastLogin(context.WithoutCancel(ctx), login.Subject, login.SetLastLogin); err != nil {
		s.logger.WarnContext(ctx, "last_login could not be written to Django's table", slog.Any("error", err))
	}
}

// SearchUsers implements storage.UserSearch: among those who have had a session here, as their accounts are now.
func (s *Store) SearchUsers(ctx context.Context, f storage.UserFilter) ([]*storage.User, error) {
	var found []*storage.User
	for u, err := range storage.Pages(func(u *storage.User) int64 { return u.ID }, func(after int64) ([]*storage.User, error) {
		return s.ListUsers(ctx, max(after, f.After), storage.PageSize)
	}) {
		if err != nil {
			return nil, err
		}
		switch {
		case !f.Selects(u):
		case f.Offset > 0:
			f.Offset--
		default:
			found = append(found, u)
		}
		if f.Limit > 0 && len(found) == f.Limit {
			break
		}
	}
	return found, nil
}

// CountUsers implements storage.Provisioning: it counts the users that SearchUsers finds.
func (s *Store) CountUsers(ctx context.Context, f storage.UserFilter) (int, error) {
	f.Offset, f.Limit = 0, 0
	all, err := s.SearchUsers(ctx, f)
	return len(all), err
}

// ListGroups implements storage.UserSearch: groups of those who have had a session here.
func (s *Store) ListGroups(ctx context.Context, after string, limit int) ([]*storage.Group, error) {
	all, err := s.SearchUsers(ctx, storage.UserFilter{})
	if err != nil {
		return nil, err
	}
	count := map[string]int64{}
	for _, u := range all {
		for _, group := range u.Groups {
			if group > after {
				count[group]++
			}
		}
	}
	var list []*storage.Group
	for _, name := range slices.Sorted(maps.Keys(count)) {
		list = append(list, &storage.Group{Name: name, Users: count[name]})
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}
