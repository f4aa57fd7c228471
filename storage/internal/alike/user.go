package alike

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// User implements storage.Users.
func (m Methods) User(ctx context.Context, id int64) (*storage.User, error) {
	return one(ctx, m.db, "read user", row.User, `FROM users WHERE id = $1`, id)
}

// UserByUsername implements storage.Users.
func (m Methods) UserByUsername(ctx context.Context, username string) (*storage.User, error) {
	return one(ctx, m.db, "read user", row.User, `FROM users WHERE username = $1`, username)
}

// ListUsers implements storage.Users.
func (m Methods) ListUsers(ctx context.Context, after int64, limit int) ([]*storage.User, error) {
	return list(ctx, m.db, "list users", row.User, `FROM users WHERE id > $1 ORDER BY id LIMIT $2`, after, max(limit, 0))
}

// UsersByExternalID implements storage.Provisioning.
func (m Methods) UsersByExternalID(ctx context.Context, clientID, externalID string, limit int) ([]*storage.User, error) {
	return list(ctx, m.db, "read users", row.User, `
		FROM users WHERE id IN (SELECT user_id FROM user_external_ids WHERE client_id = $1 AND external_id = $2) ORDER BY id LIMIT $3`,
		clientID, externalID, max(limit, 0))
}

// ListConsents implements storage.Consents.
func (m Methods) ListConsents(ctx context.Context, userID int64, limit int) ([]*storage.Consent, error) {
	return list(ctx, m.db, "list consents", row.Consent, `FROM consents WHERE user_id = $1 ORDER BY client_id LIMIT $2`, userID, max(limit, 0))
}

// SearchConsents implements storage.Consents.
func (m Methods) SearchConsents(ctx context.Context, f storage.ConsentFilter) ([]*storage.Consent, error) {
	where := row.Where{Args: []any{f.AfterUser, f.AfterClient, max(f.Limit, 0)}}
	where.And(f.UserID != 0, `user_id = ?`, f.UserID)
	where.And(f.ClientID != "", `client_id = ?`, f.ClientID)
	return list(ctx, m.db, "search consents", row.Consent,
		`FROM consents WHERE (user_id, client_id) > ($1, $2)`+where.Conditions+` ORDER BY user_id, client_id LIMIT $3`, where.Args...)
}

// ListFactors implements storage.Factors.
func (m Methods) ListFactors(ctx context.Context, userID int64) ([]*storage.Factor, error) {
	return list(ctx, m.db, "list factors", row.Factor, `FROM factors WHERE user_id = $1 ORDER BY id`, userID)
}

// FactorByLookup implements storage.Factors.
func (m Methods) FactorByLookup(ctx context.Context, kind storage.FactorKind, lookup storage.Digest) (*storage.Factor, error) {
	return one(ctx, m.db, "read factor", row.Factor, `FROM factors WHERE kind = $1 AND lookup = $2`, string(kind), &lookup)
}

// UseFactor implements storage.Factors.
func (m Methods) UseFactor(ctx context.Context, u storage.FactorUse, audit *storage.AuditEvent) error {
	if u.Spend {
		return change(ctx, m.db, Change{What: "use factor", Missing: storage.ErrConflict, Audit: audit}, `DELETE FROM factors WHERE id = $1 AND user_id = $2`, &u.ID, u.UserID)
	}
	return change(ctx, m.db, Change{What: "use factor", Missing: storage.ErrConflict, Audit: audit}, `
		UPDATE factors SET counter = $3, last_used_at = $4, data = coalesce($5, data)
		WHERE id = $1 AND user_id = $2 AND (counter < $3 OR counter = 0 AND $3 = 0)`, &u.ID, u.UserID, u.Counter, &u.Now, u.Data)
}

// RenameFactor implements storage.Factors.
func (m Methods) RenameFactor(ctx context.Context, userID int64, id storage.ID, name string, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "rename factor", Missing: storage.ErrNotFound, Audit: audit}, `UPDATE factors SET name = $1 WHERE id = $2 AND user_id = $3`, &name, &id, userID)
}

// ListAccountTokens implements storage.AccountTokens.
func (m Methods) ListAccountTokens(ctx context.Context, purpose string, after storage.ID, now time.Time, limit int) ([]*storage.AccountToken, error) {
	return list(ctx, m.db, "list account tokens", row.AccountToken, `
		FROM account_tokens WHERE purpose = $1 AND user_id IS NULL AND expires_at > $2 AND request_id > $3 ORDER BY request_id LIMIT $4`,
		purpose, &now, (*row.Token)(&after), max(limit, 0))
}

// RemoveAccountTokens implements storage.AccountTokens.
func (m Methods) RemoveAccountTokens(ctx context.Context, purpose string, requestID storage.ID, now time.Time, audit *storage.AuditEvent) error {
	return change(ctx, m.db, Change{What: "remove account tokens", Missing: storage.ErrNotFound, Audit: audit},
		`DELETE FROM account_tokens WHERE request_id = $1 AND purpose = $2 AND expires_at > $3`, &requestID, purpose, &now)
}

// raised is the SQL of the epoch that is raised at the time $1, in microseconds; it exceeds the old one even if the clock was set back.
const raised = `CASE WHEN auth_epoch < $1 THEN $1 ELSE auth_epoch + 1 END`

// SetUserActive implements storage.Users.
func (m Methods) SetUserActive(ctx context.Context, id int64, active bool, now time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return change(ctx, m.db, Change{What: "set user active", Missing: storage.ErrNotFound, Notices: notices, Audit: audit},
		`UPDATE users SET auth_epoch = CASE WHEN $2 THEN auth_epoch ELSE `+raised+` END, active = $2 WHERE id = $3`, now.UnixMicro(), active, id)
}

// SetUserPassword implements storage.Users.
func (m Methods) SetUserPassword(ctx context.Context, c storage.PasswordChange, audit *storage.AuditEvent) error {
	was := row.Where{Args: []any{c.Now.UnixMicro(), &c.Hash, c.UserID}}
	was.And(c.Was != nil, `password_hash = ?`, c.Was)
	err := change(ctx, m.db, Change{What: "set user password", Missing: storage.ErrNotFound, Notices: c.Notices, Messages: c.Messages, Audit: audit},
		`UPDATE users SET auth_epoch = `+raised+`, password_hash = $2 WHERE id = $3`+was.Conditions, was.Args...)
	if c.Was != nil && errors.Is(err, storage.ErrNotFound) {
		err = fmt.Errorf("set user password: %w", storage.ErrConflict)
	}
	return err
}

// RaiseUserEpoch implements storage.Users.
func (m Methods) RaiseUserEpoch(ctx context.Context, id int64, now time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return change(ctx, m.db, Change{What: "raise user epoch", Missing: storage.ErrNotFound, Notices: notices, Audit: audit},
		`UPDATE users SET auth_epoch = `+raised+` WHERE id = $2`, now.UnixMicro(), id)
}
