package sqlite

import (
	"context"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var accountTokenColumns = row.Names("", row.AccountToken)

// selectAccountToken reads a token that lives.
var selectAccountToken = `SELECT ` + accountTokenColumns + ` FROM account_tokens t
	WHERE t.hash = ? AND t.purpose = ? AND t.expires_at > ?
	AND (t.user_id IS NULL OR EXISTS (SELECT 1 FROM users u WHERE u.id = t.user_id AND u.auth_epoch = t.user_epoch AND u.active))`

// CreateAccountTokens implements [storage.AccountTokens].
func (s *Store) CreateAccountTokens(ctx context.Context, alone bool, tokens ...*storage.AccountToken) error {
	return s.write(ctx, "create account tokens", func(t *tx) {
		for i, token := range tokens {
			if alone && i == 0 {
				t.exec(`DELETE FROM account_tokens WHERE user_id = ? AND purpose = ?`, token.UserID, token.Purpose)
			}
			t.insert("account_tokens", row.AccountToken(token))
		}
	})
}

// AccountToken implements [storage.AccountTokens].
func (s *Store) AccountToken(ctx context.Context, hash storage.Digest, purpose string, now time.Time) (*storage.AccountToken, error) {
	return readOne(ctx, s, "read account token", scan(row.AccountToken), selectAccountToken, hash[:], purpose, now.UnixMicro())
}

// UseAccountToken implements [storage.AccountTokens].
func (s *Store) UseAccountToken(ctx context.Context, use storage.AccountTokenUse, audit *storage.AuditEvent) error {
	created, err := writeFor(ctx, s, "use account token", func(t *tx) (created *storage.User) {
		t.check(use.User == nil || keyed(use.User.Username, use.User.Subject), row.ErrText)
		token, found := find(t, row.AccountToken, selectAccountToken, use.Hash[:], use.Purpose, use.Now.UnixMicro())
		if !found {
			t.fail(storage.ErrNotFound)
			return nil
		}
		t.exec(`DELETE FROM account_tokens WHERE request_id = ? OR purpose = ? AND user_id = ?`, token.RequestID[:], token.Purpose, token.UserID)
		switch {
		case use.User != nil:
			created = t.createNew(use.User)
		case use.Email != "":
			t.execOr(storage.ErrNotFound, `UPDATE users SET email = ?, email_verified = 1, updated_at = ? WHERE id = ?`,
				row.Plain(use.Email), use.Now.UnixMicro(), token.UserID)
		default:
			t.execOr(storage.ErrNotFound, `UPDATE users SET password_hash = ?, auth_epoch = `+raiseEpoch+` WHERE id = ?`,
				row.Plain(use.PasswordHash), use.Now.UnixMicro(), token.UserID)
		}
		t.notices(use.Notices)
		t.enqueue(use.Messages)
		t.audit(audit)
		return created
	})
	if created != nil {
		use.User.ID, use.User.AuthEpoch = created.ID, created.AuthEpoch
	}
	return err
}
