package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
)

const userColumns = `id, username, email, password_hash, active, staff, auth_epoch, created_at, last_login`

func scanUser(row scanner) (*storage.User, error) {
	var u storage.User
	err := row.Scan(&u.ID, &u.Username, &u.Email, &u.PasswordHash, &u.Active, &u.Staff, &u.AuthEpoch,
		timeTo(&u.CreatedAt), timeTo(&u.LastLogin))
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// joinedUser are the columns of a user u who may not be there, without the hash.
const joinedUser = `u.id IS NOT NULL, coalesce(u.id, 0), coalesce(u.username, ''), coalesce(u.email, ''), coalesce(u.active, 0),
	coalesce(u.staff, 0), coalesce(u.auth_epoch, 0), u.created_at, u.last_login`

// userDest reads joinedUser.
type userDest struct {
	exists bool
	row    storage.User
}

func (d *userDest) fields() []any {
	return []any{
		&d.exists, &d.row.ID, &d.row.Username, &d.row.Email, &d.row.Active, &d.row.Staff, &d.row.AuthEpoch,
		timeTo(&d.row.CreatedAt), timeTo(&d.row.LastLogin),
	}
}

func (d *userDest) user() *storage.User {
	if !d.exists {
		return nil
	}
	return &d.row
}

// CreateUser implements [storage.Users].
func (s *Store) CreateUser(ctx context.Context, u *storage.User) error {
	if !keyed(u.Username) {
		return interpret("create user", errText)
	}
	epoch := u.CreatedAt.UnixMicro()
	var given any // NULL draws
	if u.ID != 0 {
		given = u.ID
	}
	var drawn int64
	err := s.write(ctx, "create user", func(c conn) error {
		return c.row(`
			INSERT INTO users (id, username, email, password_hash, active, staff, auth_epoch, created_at, last_login)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			[]any{given, u.Username, plain(u.Email), plain(u.PasswordHash), u.Active, u.Staff, epoch, micros(u.CreatedAt), micros(u.LastLogin)},
			&drawn)
	})
	if err != nil {
		return err
	}
	u.ID, u.AuthEpoch = drawn, epoch
	return nil
}

// User implements [storage.Users].
func (s *Store) User(ctx context.Context, id int64) (*storage.User, error) {
	u, err := one(s.reader(ctx), scanUser, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
	return u, interpret("read user", err)
}

const userByUsername = `SELECT ` + userColumns + ` FROM users WHERE username = ?`

// UserByUsername implements [storage.Users].
func (s *Store) UserByUsername(ctx context.Context, username string) (*storage.User, error) {
	u, err := one(s.reader(ctx), scanUser, userByUsername, username)
	return u, interpret("read user", err)
}

// ListUsers implements [storage.Users].
func (s *Store) ListUsers(ctx context.Context, after int64, limit int) ([]*storage.User, error) {
	list, err := all(s.reader(ctx), scanUser, `SELECT `+userColumns+` FROM users WHERE id > ? ORDER BY id LIMIT ?`,
		after, max(limit, 0))
	return list, interpret("list users", err)
}

// raiseEpoch is the SQL of an epoch that is raised at a time: above the old one even when the clock went back.
const raiseEpoch = `max(auth_epoch + 1, ?)`

// SetUserActive implements [storage.Users].
func (s *Store) SetUserActive(ctx context.Context, id int64, active bool, now time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "set user active", func(c conn) error {
		if active {
			return c.must(audit, `UPDATE users SET active = 1 WHERE id = ?`, id)
		}
		return c.must(audit, `UPDATE users SET active = 0, auth_epoch = `+raiseEpoch+` WHERE id = ?`, now.UnixMicro(), id)
	})
}

// SetUserPassword implements [storage.Users].
func (s *Store) SetUserPassword(ctx context.Context, id int64, hash string, now time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "set user password", func(c conn) error {
		return c.must(audit, `UPDATE users SET password_hash = ?, auth_epoch = `+raiseEpoch+` WHERE id = ?`,
			plain(hash), now.UnixMicro(), id)
	})
}

// RaiseUserEpoch implements [storage.Users].
func (s *Store) RaiseUserEpoch(ctx context.Context, id int64, now time.Time, audit *storage.AuditEvent) error {
	return s.write(ctx, "raise user epoch", func(c conn) error {
		return c.must(audit, `UPDATE users SET auth_epoch = `+raiseEpoch+` WHERE id = ?`, now.UnixMicro(), id)
	})
}

// RemoveUser implements [storage.Users].
func (s *Store) RemoveUser(ctx context.Context, id int64, audit *storage.AuditEvent) error {
	return s.write(ctx, "remove user", func(c conn) error {
		if err := c.must(audit, `DELETE FROM users WHERE id = ?`, id); err != nil {
			return err
		}
		_, err := c.exec(`DELETE FROM browser_sessions WHERE user_id = ?`, id)
		return err
	})
}

// must runs a statement that writes a row, and notes it. It fails with ErrNotFound when there was no row.
func (c conn) must(audit *storage.AuditEvent, query string, args ...any) error {
	n, err := c.exec(query, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return storage.ErrNotFound
	}
	return c.audit(audit)
}

// BeginLogin implements [storage.Users].
func (s *Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	var check storage.LoginCheck
	begin := func(c conn) (err error) {
		if check.KnownPlace, err = c.known(a.Known, a.Now); err != nil {
			return err
		}
		buckets := a.Always
		if !check.KnownPlace {
			buckets = append(buckets[:len(buckets):len(buckets)], a.Stranger...)
		}
		if check.RetryAfter, err = c.take(a.Now, buckets); err != nil {
			return err
		}
		check.User, err = one(c, scanUser, userByUsername, a.Username)
		if isNoRow(err) {
			return nil
		}
		return err
	}
	var err error
	if len(a.Always)+len(a.Stranger) == 0 {
		err = interpret("begin login", begin(s.reader(ctx)))
	} else {
		err = s.write(ctx, "begin login", begin)
	}
	if err != nil {
		return nil, err
	}
	return &check, nil
}

// login writes what a successful password check changes.
func (c conn) login(l *storage.Login, now time.Time) error {
	if l == nil {
		return nil
	}
	if err := c.giveBack(now, l.GiveBack); err != nil {
		return err
	}
	if err := c.remember(l.Known, l.KnownUntil); err != nil {
		return err
	}
	if l.SetLastLogin.IsZero() && l.NewHash == "" {
		return nil
	}
	_, err := c.exec(`
		UPDATE users SET
			last_login = coalesce(?, last_login),
			password_hash = CASE WHEN ? <> '' AND password_hash = ? THEN ? ELSE password_hash END
		WHERE id = ?`,
		micros(l.SetLastLogin), l.NewHash, plain(l.OldHash), plain(l.NewHash), l.UserID)
	return err
}
