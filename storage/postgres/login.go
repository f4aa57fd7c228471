package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// email is the column in the collation that it is compared and indexed in.
const email = `email COLLATE "C"`

// hasSecondFactor is whether the user u has one.
const hasSecondFactor = `EXISTS (SELECT FROM factors WHERE factors.user_id = u.id AND ` + row.SecondFactor + `)`

// beginLogin reads the user by the exact username. For other names see BeginLogin.
var beginLogin = `
	WITH network AS (
		SELECT EXISTS (SELECT FROM throttles WHERE key = $9 AND at > $1) AS known
	), asked AS (
		SELECT key, max(tolerance) * interval '1 microsecond' AS tolerance, max(step) * interval '1 microsecond' AS step
		FROM (
			SELECT * FROM unnest($2::bytea[], $3::bigint[], $4::bigint[]) AS u (key, tolerance, step)
			UNION ALL
			SELECT u.* FROM network, unnest($5::bytea[], $6::bigint[], $7::bigint[]) AS u (key, tolerance, step) WHERE NOT network.known
		) AS u GROUP BY key
	), ` + takeAttempts + `
	SELECT network.known, ceil(extract(epoch FROM verdict.wait) * 1000000)::bigint, ` + hasSecondFactor + `, ` + row.Names("u.", row.User) + `
	FROM network, verdict LEFT JOIN users u ON u.username = $8`

// readLogin is beginLogin for an attempt without buckets, which writes nothing. It has the same parameters.
var readLogin = `
	WITH unused AS (SELECT $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bigint[])
	SELECT EXISTS (SELECT FROM throttles WHERE key = $9 AND at > $1), 0::bigint, ` + hasSecondFactor + `, ` + row.Names("u.", row.User) + `
	FROM (SELECT) AS one LEFT JOIN users u ON u.username = $8`

// BeginLogin implements storage.Users.
func (s *Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	always, untrusted := arrange(a.Always), arrange(a.Untrusted)
	username := &a.Username
	if !keyed(a.Username) {
		username = nil // no user can have such a name; the attempt counts all the same
	}
	statement := beginLogin
	if len(a.Always)+len(a.Untrusted) == 0 {
		statement = readLogin
	}
	if a.Names != (storage.LoginNames{}) {
		statement = strings.Replace(statement, `u.username = $8`, `u.id = (`+row.FindLogin(a.Names, email, "$8::text")+`)`, 1)
	}
	return queryRow(ctx, s, "begin login", func(r pgx.CollectableRow) (*storage.LoginCheck, error) {
		var check storage.LoginCheck
		var wait int64
		var u storage.User
		err := r.Scan(append([]any{&check.KnownNetwork, &wait, &check.SecondFactor}, row.Fields(target, row.User(&u))...)...)
		check.RetryAfter, check.User = time.Duration(wait)*time.Microsecond, found(&u)
		return &check, err
	}, statement, at(a.Now), always.keys, always.tolerance, always.step, untrusted.keys, untrusted.tolerance, untrusted.step,
		username, digest(a.Known))
}

// AmbiguousLogins implements storage.Users.
func (s *Store) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (int, error) {
	n, err := s.count(ctx, "count ambiguous logins", row.CountAmbiguous(names, email))
	return int(n), err
}

// finishLogin queues what a successful login changes. Locks are taken in the order buckets, known network, user,
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
