package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

// BeginLogin implements storage.Users.
func (s *Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (check *storage.LoginCheck, err error) {
	always, stranger := arrange(a.Always), arrange(a.Stranger)
	username := &a.Username
	if !keyed(a.Username) {
		username = nil // Nobody has such a name; the attempt counts all the same.
	}
	err = s.do(ctx, "begin login", func(ctx context.Context) error {
		var u storage.User
		var wait int64
		check = &storage.LoginCheck{}
		err := s.pool.QueryRow(ctx, `
			WITH place AS (
				SELECT EXISTS (SELECT FROM throttles WHERE key = $9 AND at > $1) AS known
			), asked AS (
				SELECT key, max(tolerance) * interval '1 microsecond' AS tolerance, max(step) * interval '1 microsecond' AS step
				FROM (
					SELECT * FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) AS u (key, tolerance, step)
					UNION ALL
					SELECT u.* FROM place, unnest($5::bytea[], $6::bigint[], $7::bigint[]) AS u (key, tolerance, step) WHERE NOT place.known
				) AS u GROUP BY key
			), `+takeAttempts+`
			SELECT place.known, ceil(extract(epoch FROM verdict.wait) * 1000000)::bigint,
				u.id, u.username, u.email, u.password_hash, coalesce(u.active, false), coalesce(u.staff, false),
				u.auth_epoch, u.created_at, u.last_login
			FROM place, verdict LEFT JOIN users u ON u.username = $8`,
			at(a.Now), always.keys, always.tolerance, always.step, stranger.keys, stranger.tolerance, stranger.step,
			username, digest(a.Known),
		).Scan(&check.KnownPlace, &wait,
			(*zeronull.Int8)(&u.ID), (*zeronull.Text)(&u.Username), (*zeronull.Text)(&u.Email), (*zeronull.Text)(&u.PasswordHash),
			&u.Active, &u.Staff, (*zeronull.Int8)(&u.AuthEpoch), (*instant)(&u.CreatedAt), (*instant)(&u.LastLogin))
		if err != nil {
			return err
		}
		check.RetryAfter = time.Duration(wait) * time.Microsecond
		if u.ID != 0 {
			check.User = &u
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return check, nil
}

// finishLogin queues what a successful login changes. Locks are taken in the order buckets, known place, user:
// the same in every process.
func finishLogin(b *pgx.Batch, login *storage.Login) {
	if len(login.GiveBack) > 0 {
		giveBack(b, login.GiveBack)
	}
	if !login.Known.IsZero() && !login.KnownUntil.IsZero() {
		b.Queue(`
			INSERT INTO throttles (key, at, expires_at) VALUES ($1, $2, $2)
			ON CONFLICT (key) DO UPDATE SET at = excluded.at, expires_at = excluded.expires_at`,
			digest(login.Known), at(login.KnownUntil))
	}
	if !login.SetLastLogin.IsZero() || login.NewHash != "" {
		b.Queue(`
			UPDATE users SET last_login = coalesce($2, last_login),
				password_hash = CASE WHEN $4 <> '' AND password_hash = $3 THEN $4 ELSE password_hash END
			WHERE id = $1`,
			login.UserID, at(login.SetLastLogin), plain(login.OldHash), plain(login.NewHash))
	}
}
