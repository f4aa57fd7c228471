package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	userColumns = row.Names("", row.User)
	userByName  = `SELECT ` + userColumns + ` FROM users WHERE username = ?`
	userBySub   = `SELECT ` + userColumns + ` FROM users WHERE coalesce(subject, CAST(id AS TEXT)) = ?`
)

// CreateUser implements [storage.Users].
func (s *Store) CreateUser(ctx context.Context, u *storage.User) error {
	return s.createUser(ctx, "create user", u, func(*tx, int64) {})
}

// createUser creates a user with what belongs to it, which has more keys.
func (s *Store) createUser(ctx context.Context, what string, u *storage.User, with func(t *tx, id int64), keys ...string) error {
	stored, err := writeFor(ctx, s, what, func(t *tx) *storage.User {
		t.check(keyed(append(keys, u.Username, u.Subject)...), row.ErrText)
		stored := t.createNew(u)
		with(t, stored.ID)
		return stored
	})
	if err == nil {
		u.ID, u.AuthEpoch = stored.ID, stored.AuthEpoch
	}
	return err
}

// createNew stores a user whose epoch is the time of the creation, and returns what is stored.
func (t *tx) createNew(u *storage.User) *storage.User {
	stored := *u
	stored.AuthEpoch = u.CreatedAt.UnixMicro()
	t.create(&stored)
	return &stored
}

// create stores a user whose name is free, and draws the ID if it is 0.
func (t *tx) create(u *storage.User) {
	t.free(u.Username, 0)
	if u.Subject != "" && t.row(`SELECT 1 FROM clients WHERE id = ?`, []any{u.Subject}, new(int)) {
		t.fail(fmt.Errorf("a client has the subject as its id: %w", storage.ErrExists))
	}
	t.insertUser(u)
}

// insertUser stores a user, and draws the ID if it is 0. SQLite raises the sequence to every ID that is stored, and draws none after the
// highest one there is; so the ID is drawn here, and the sequence is put back where it must not follow.
func (t *tx) insertUser(u *storage.User) {
	var last int64
	t.row(`SELECT seq FROM sqlite_sequence WHERE name = 'users'`, nil, &last)
	if u.ID == 0 {
		u.ID = last + 1
	}
	t.insert("users", row.User(u))
	if u.ID >= storage.UnfollowedUserIDs {
		t.exec(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'users'`, last)
	}
}

// EnterUser implements [storage.Users].
func (s *Store) EnterUser(ctx context.Context, e storage.UserEntry) (*storage.User, error) {
	return writeFor(ctx, s, "enter user", func(t *tx) *storage.User {
		t.check(keyed(e.Subject), row.ErrText)
		u, found := find(t, row.User, userBySub, e.Sub())
		if !found {
			u = e.New()
			t.create(u)
			return u
		}
		if u.PasswordHash != e.PasswordHash {
			if u.PasswordHash = e.PasswordHash; !e.SamePassword {
				u.AuthEpoch++
			}
			t.exec(`UPDATE users SET password_hash = ?, auth_epoch = ? WHERE id = ?`, row.Plain(u.PasswordHash), u.AuthEpoch, u.ID)
		}
		t.exec(`UPDATE users SET account_seen = 1, absent_since = NULL WHERE id = ? AND (account_seen = 0 OR absent_since IS NOT NULL)`, u.ID)
		return u
	})
}

// UserBySubject implements [storage.Users].
func (s *Store) UserBySubject(ctx context.Context, subject string) (*storage.User, error) {
	return readOne(ctx, s, "read user", scan(row.User), userBySub, subject)
}

// SearchUsers implements [storage.UserSearch].
func (s *Store) SearchUsers(ctx context.Context, f storage.UserFilter) ([]*storage.User, error) {
	selected, args := selectUsers(f)
	return readAll(ctx, s, "search users", scan(row.User), `SELECT `+userColumns+selected+` ORDER BY id LIMIT ? OFFSET ?`,
		append(args, limit(f.Limit), max(f.Offset, 0))...)
}

// CountUsers implements [storage.Provisioning].
func (s *Store) CountUsers(ctx context.Context, f storage.UserFilter) (int, error) {
	selected, args := selectUsers(f)
	return readOne(ctx, s, "count users", value[int], `SELECT count(*)`+selected, args...)
}

// selectUsers returns what follows the columns of a query of users, with its arguments. lower and instr of SQLite know the case of ASCII letters only.
func selectUsers(f storage.UserFilter) (string, []any) {
	where := row.Where{Args: []any{f.After}}
	if f.Fold {
		where.And(f.Username != "", `lower(username) = lower(?)`, f.Username)
		where.And(f.Email != "", `lower(email) = lower(?)`, f.Email)
	} else {
		where.And(f.Username != "", `username = ?`, f.Username)
		where.And(f.Email != "", `email = ?`, f.Email)
	}
	where.And(f.Subject != "", `coalesce(subject, CAST(id AS TEXT)) = ?`, f.Subject)
	where.And(f.Group != "", `EXISTS (SELECT 1 FROM json_each(users.groups) WHERE value = ?)`, f.Group)
	where.And(f.Text != "", `(instr(lower(username), lower(?)) OR instr(lower(email), lower(?)) OR instr(lower(name), lower(?)))`, f.Text)
	where.And(f.Active != nil, `active = ?`, f.Active)
	return ` FROM users WHERE id > $1` + where.Conditions, where.Args
}

// ListGroups implements [storage.UserSearch].
func (s *Store) ListGroups(ctx context.Context, after string, n int) ([]*storage.Group, error) {
	return readAll(ctx, s, "list groups", func(r scanner) (*storage.Group, error) {
		g := new(storage.Group)
		return g, r.Scan(&g.Name, &g.Users)
	}, `
		SELECT name, sum(members) FROM (
			SELECT value AS name, 1 AS members FROM users, json_each(users.groups) UNION ALL SELECT name, 0 FROM provisioned_groups
		) WHERE name > ? GROUP BY name ORDER BY name LIMIT ?`, after, limit(n))
}

// UpdateUser implements [storage.Users].
func (s *Store) UpdateUser(ctx context.Context, id int64, change storage.UserChange, now time.Time, audit *storage.AuditEvent) error {
	if change.Username != nil {
		err := s.changeUser(ctx, "update user", id, storage.ProvisionedChange{UserChange: change, Now: now}, audit)
		if change.Was != nil && errors.Is(err, storage.ErrNotFound) {
			err = interpret("update user", storage.ErrConflict)
		}
		return err
	}
	columns := row.UserChange(&change, &now)
	var set []string
	for _, c := range columns {
		set = append(set, c.Name+` = ?`)
	}
	where, args, missing := `id = ?`, append(row.Fields(field, columns), id), storage.ErrNotFound
	if change.Was != nil {
		missing = storage.ErrConflict
		was := row.UserState(change.Was)
		for _, c := range was {
			where += ` AND ` + c.Name + ` IS ?`
		}
		args = append(args, row.Fields(field, was)...)
	}
	return s.write(ctx, "update user", func(t *tx) {
		t.execOr(missing, `UPDATE users SET `+strings.Join(set, ", ")+` WHERE `+where, args...)
		t.audit(audit)
	})
}

// raiseEpoch is the SQL of an epoch that is raised at a time; it exceeds the old one even if the clock was set back.
const raiseEpoch = `max(auth_epoch + 1, ?)`

// forget removes what is kept of a user who was removed. A foreign key removes the consents.
func (t *tx) forget(id int64) {
	t.exec(`DELETE FROM device_codes WHERE user_id = ?`, id)
	t.exec(`DELETE FROM browser_sessions WHERE user_id = ?`, id)
	t.exec(`UPDATE authorization_codes SET claims = '' WHERE user_id = ?`, id)
	t.exec(`UPDATE grants SET address = '', user_agent = '', claims = '' WHERE user_id = ?`, id)
}

// RemoveUser implements [storage.Users].
func (s *Store) RemoveUser(ctx context.Context, id int64, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return s.write(ctx, "remove user", func(t *tx) {
		t.execOr(storage.ErrNotFound, `DELETE FROM users WHERE id = ?`, id)
		t.forget(id)
		t.notices(notices)
		t.audit(audit)
	})
}

// BeginLogin implements [storage.Users].
func (s *Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	var check storage.LoginCheck
	begin := func(t *tx) {
		check.KnownNetwork = t.known(a.Known, a.Now)
		buckets := a.Always
		if !check.KnownNetwork {
			buckets = append(buckets[:len(buckets):len(buckets)], a.Untrusted...)
		}
		check.RetryAfter = t.take(a.Now, buckets)
		statement := userByName
		if a.Names != (storage.LoginNames{}) {
			statement = `SELECT ` + userColumns + ` FROM users WHERE id = (` + row.FindLogin(a.Names, "email", "?1") + `)`
		}
		if check.User, _ = find(t, row.User, statement, a.Username); check.User != nil {
			t.row(`SELECT EXISTS (SELECT 1 FROM factors WHERE user_id = ? AND `+row.SecondFactor+`)`, []any{check.User.ID}, &check.SecondFactor)
		}
	}
	do := s.write
	if len(a.Always)+len(a.Untrusted) == 0 {
		do = s.read
	}
	if err := do(ctx, "begin login", begin); err != nil {
		return nil, err
	}
	return &check, nil
}

// AmbiguousLogins implements [storage.Users].
func (s *Store) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (n int, err error) {
	err = s.read(ctx, "count ambiguous logins", func(t *tx) { t.row(row.CountAmbiguous(names, "email"), nil, &n) })
	return n, err
}

// login writes what a successful password check changes.
func (t *tx) login(l *storage.Login, now time.Time) {
	if l == nil {
		return
	}
	t.giveBack(now, l.GiveBack)
	t.remember(l.Known, l.KnownUntil)
	if l.SetLastLogin.IsZero() && l.NewHash == "" {
		return
	}
	t.exec(`
		UPDATE users SET
			last_login = coalesce(?, last_login),
			password_hash = CASE WHEN ? <> '' AND password_hash = ? THEN ? ELSE password_hash END
		WHERE id = ?`,
		micros(l.SetLastLogin), l.NewHash, row.Plain(l.OldHash), row.Plain(l.NewHash), l.UserID)
}
