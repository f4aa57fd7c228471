package sqlite

import (
	"context"
	"slices"

	"latchkey/storage"
)

const (
	consentColumns = `k.user_id, k.client_id, k.scope, k.audience, k.fingerprint, k.created_at, k.updated_at`
	// joinedConsent are the columns of a consent k that may not be there.
	joinedConsent = `k.user_id IS NOT NULL, coalesce(k.user_id, 0), coalesce(k.client_id, ''), coalesce(k.scope, ''),
		coalesce(k.audience, ''), k.fingerprint, k.created_at, k.updated_at`
)

func consentFields(k *storage.Consent) []any {
	return []any{
		&k.UserID, &k.ClientID, wordsTo(&k.Scope), wordsTo(&k.Audience), bytesTo(k.Fingerprint[:]), timeTo(&k.CreatedAt), timeTo(&k.UpdatedAt),
	}
}

func scanConsent(row scanner) (*storage.Consent, error) {
	var k storage.Consent
	if err := row.Scan(consentFields(&k)...); err != nil {
		return nil, err
	}
	return &k, nil
}

// consentDest reads joinedConsent.
type consentDest struct {
	exists bool
	row    storage.Consent
}

func (d *consentDest) fields() []any { return append([]any{&d.exists}, consentFields(&d.row)...) }

func (d *consentDest) consent() *storage.Consent {
	if !d.exists {
		return nil
	}
	return &d.row
}

// GrantConsent implements [storage.Consents].
func (s *Store) GrantConsent(ctx context.Context, k *storage.Consent, audit *storage.AuditEvent) error {
	if !keyed(k.ClientID) {
		return interpret("grant consent", storage.ErrNotFound)
	}
	return s.write(ctx, "grant consent", func(c conn) error {
		before, err := one(c, scanConsent,
			`SELECT `+consentColumns+` FROM consents AS k WHERE k.user_id = ? AND k.client_id = ?`, k.UserID, k.ClientID)
		if err != nil && !isNoRow(err) {
			return err
		}
		scope, audience := k.Scope, k.Audience
		if before != nil && before.Fingerprint == k.Fingerprint {
			scope, audience = joined(before.Scope, scope), joined(before.Audience, audience)
		}
		_, err = c.exec(`
			INSERT INTO consents (user_id, client_id, scope, audience, fingerprint, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, audience = excluded.audience,
				fingerprint = excluded.fingerprint, updated_at = excluded.updated_at`,
			k.UserID, k.ClientID, plain(words(scope)), plain(words(audience)), digest(k.Fingerprint), micros(k.CreatedAt), micros(k.UpdatedAt))
		if err != nil {
			return err
		}
		return c.audit(audit)
	})
}

// joined is a list with what another has and it has not.
func joined(list, other []string) []string {
	list = slices.Clone(list)
	for _, word := range other {
		if !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

// ListConsents implements [storage.Consents].
func (s *Store) ListConsents(ctx context.Context, userID int64, limit int) ([]*storage.Consent, error) {
	list, err := all(s.reader(ctx), scanConsent,
		`SELECT `+consentColumns+` FROM consents AS k WHERE k.user_id = ? ORDER BY k.client_id LIMIT ?`, userID, max(limit, 0))
	return list, interpret("list consents", err)
}

// RevokeConsent implements [storage.Consents].
func (s *Store) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (bool, error) {
	var ended bool
	err := s.write(ctx, "revoke consent", func(c conn) error {
		_, err := c.exec(`DELETE FROM authorization_codes WHERE user_id = ? AND client_id = ? AND redeemed_at IS NULL`, e.UserID, e.ClientID)
		if err != nil {
			return err
		}
		n, err := c.exec(`DELETE FROM consents WHERE user_id = ? AND client_id = ?`, e.UserID, e.ClientID)
		if err != nil {
			return err
		}
		var lived bool
		err = c.row(`SELECT EXISTS (SELECT 1 FROM grants AS g WHERE g.user_id = ? AND g.client_id = ? AND `+alive+`)`,
			[]any{e.UserID, e.ClientID, e.Now.UnixMicro()}, &lived)
		if err != nil {
			return err
		}
		_, err = c.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE user_id = ? AND client_id = ? AND revoked_at IS NULL`,
			e.Now.UnixMicro(), plain(e.Reason), e.UserID, e.ClientID)
		if err != nil {
			return err
		}
		if ended = n > 0 || lived; !ended {
			return nil
		}
		return c.audit(audit)
	})
	return err == nil && ended, err
}
