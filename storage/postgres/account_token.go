package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var accountTokenColumns = row.Names("", row.AccountToken)

// liveToken is the condition of the token t that lives at a time, given as the parameters of its hash, purpose and time.
const liveToken = `t.hash = $HASH AND t.purpose = $PURPOSE AND t.expires_at > $NOW
	AND (t.user_id IS NULL OR EXISTS (SELECT FROM users u WHERE u.id = t.user_id AND u.auth_epoch = t.user_epoch AND u.active))`

// tokenParameters puts the numbers of the three parameters, from first on, into a statement.
func tokenParameters(statement string, first int) string {
	n := func(i int) string { return "$" + strconv.Itoa(first+i) }
	return strings.NewReplacer("$HASH", n(0), "$PURPOSE", n(1), "$NOW", n(2)).Replace(statement)
}

// useToken removes a token that lives, with those that go with it. Of parallel statements all but one find it gone. They lock the tokens in
// one order: who used the link and the code of a letter at the same time would otherwise wait for each other until Postgres ended one.
const useToken = `used AS (
		DELETE FROM account_tokens USING (
			SELECT together.hash FROM account_tokens t JOIN account_tokens together
				ON together.request_id = t.request_id OR together.purpose = t.purpose AND together.user_id = t.user_id
			WHERE ` + liveToken + ` ORDER BY together.hash FOR UPDATE OF together
		) AS locked
		WHERE account_tokens.hash = locked.hash
		RETURNING account_tokens.hash, account_tokens.user_id, account_tokens.user_epoch
	), theirs AS (SELECT user_id, user_epoch FROM used WHERE hash = $HASH)`

// CreateAccountTokens implements storage.AccountTokens.
func (s *Store) CreateAccountTokens(ctx context.Context, alone bool, tokens ...*storage.AccountToken) error {
	b := &pgx.Batch{}
	for i, t := range tokens {
		if alone && i == 0 {
			b.Queue(`DELETE FROM account_tokens WHERE user_id = $1 AND purpose = $2`, t.UserID, plain(t.Purpose))
		}
		b.Queue(insert("account_tokens", 1, row.AccountToken), row.Fields(arg, row.AccountToken(t))...)
	}
	return s.batch(ctx, "create account tokens", b)
}

// AccountToken implements storage.AccountTokens.
func (s *Store) AccountToken(ctx context.Context, hash storage.Digest, purpose string, now time.Time) (*storage.AccountToken, error) {
	return queryRow(ctx, s, "read account token", scan(row.AccountToken),
		tokenParameters(`SELECT `+accountTokenColumns+` FROM account_tokens t WHERE `+liveToken, 1), digest(hash), plain(purpose), at(now))
}

// UseAccountToken implements storage.AccountTokens.
func (s *Store) UseAccountToken(ctx context.Context, use storage.AccountTokenUse, audit *storage.AuditEvent) error {
	const what = "use account token"
	if use.User != nil {
		return s.useForNewUser(ctx, what, &use, audit)
	}
	set, value := `password_hash = $6, auth_epoch = greatest(auth_epoch + 1, $7)`, plain(use.PasswordHash)
	if use.Email != "" {
		set, value = `email = $6, email_verified = true, updated_at = to_timestamp($7::bigint / 1000000.0)`, plain(use.Email)
	}
	return s.execOne(ctx, what, tokenParameters(`WITH `+useToken+`,
		changed AS (
			UPDATE users SET `+set+` FROM theirs WHERE users.id = theirs.user_id AND auth_epoch = theirs.user_epoch AND active RETURNING id
		)`+withMessages(5)+withNotices("$8")+logChanged, 2),
		events(audit), digest(use.Hash), plain(use.Purpose), at(use.Now), outboxMessages(use.Messages), value, use.Now.UnixMicro(), logoutNotices(use.Notices))
}

// useForNewUser creates a user as CreateUser does.
func (s *Store) useForNewUser(ctx context.Context, what string, use *storage.AccountTokenUse, audit *storage.AuditEvent) error {
	if !keyed(use.User.Username) || !keyed(use.User.Subject) {
		return translate(what, errText)
	}
	stored := *use.User
	stored.AuthEpoch = stored.CreatedAt.UnixMicro()
	args := row.Fields(arg, row.User(&stored))
	create := strings.Replace(createUser, "WHERE NOT EXISTS", "WHERE EXISTS (SELECT FROM theirs) AND NOT EXISTS", 1)
	used := strings.Replace(useToken, liveToken, liveToken+` AND `+freeName, 1) // while the name is taken the token lives on
	first := len(args) + 1
	var free bool
	statement := tokenParameters(`WITH `+used+`, changed AS (`+create+`)`+withMessages(first+3)+`, log AS (`+insertAuditOf(first+4)+` WHERE EXISTS (SELECT FROM changed))
		SELECT coalesce((SELECT id FROM changed), 0), `+freeName, first)
	b := &pgx.Batch{}
	b.Queue(lockSubjects)
	b.Queue(statement, append(args, digest(use.Hash), plain(use.Purpose), at(use.Now), outboxMessages(use.Messages), events(audit))...).
		QueryRow(func(r pgx.Row) error { return r.Scan(&stored.ID, &free) })
	err := s.batch(ctx, what, b)
	switch {
	case err != nil:
		return err
	case !free:
		return translate(what, errNameTaken)
	case stored.ID == 0:
		return translate(what, storage.ErrNotFound)
	}
	use.User.ID, use.User.AuthEpoch = stored.ID, stored.AuthEpoch
	return nil
}
