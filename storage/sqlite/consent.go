package sqlite

import (
	"context"
	"slices"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var consentColumns = row.Names("", row.Consent)

// GrantConsent implements [storage.Consents].
func (s *Store) GrantConsent(ctx context.Context, k *storage.Consent, audit *storage.AuditEvent) error {
	if !keyed(k.ClientID) {
		return interpret("grant consent", storage.ErrNotFound)
	}
	return s.write(ctx, "grant consent", func(t *tx) {
		merged := k.Single()
		before, found := find(t, row.Consent, `SELECT `+consentColumns+` FROM consents WHERE user_id = ? AND client_id = ?`, k.UserID, k.ClientID)
		if found && before.Fingerprint == k.Fingerprint {
			merged.Scope, merged.Audience = union(before.Scope, k.Scope), union(before.Audience, k.Audience)
			if before.AtFingerprint == k.Fingerprint {
				for resource, scope := range before.At {
					merged.At[resource] = union(scope, merged.At[resource])
				}
			}
		}
		t.exec(`
			INSERT INTO consents (`+consentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, audience = excluded.audience,
				fingerprint = excluded.fingerprint, updated_at = excluded.updated_at,
				resources = excluded.resources, resources_fingerprint = excluded.resources_fingerprint`, row.Fields(field, row.Consent(merged))...)
		t.audit(audit)
	})
}

// union returns list followed by the members of other that it does not have.
func union(list, other []string) []string {
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
	return readAll(ctx, s, "list consents", scan(row.Consent),
		`SELECT `+consentColumns+` FROM consents WHERE user_id = ? ORDER BY client_id LIMIT ?`, userID, max(limit, 0))
}

// SearchConsents implements [storage.Consents].
func (s *Store) SearchConsents(ctx context.Context, f storage.ConsentFilter) ([]*storage.Consent, error) {
	return readAll(ctx, s, "search consents", scan(row.Consent), `
		SELECT `+consentColumns+` FROM consents
		WHERE (?1 = 0 OR user_id = ?1) AND (?2 = '' OR client_id = ?2) AND (user_id, client_id) > (?3, ?4)
		ORDER BY user_id, client_id LIMIT ?5`, f.UserID, f.ClientID, f.AfterUser, f.AfterClient, max(f.Limit, 0))
}

// RevokeConsent implements [storage.Consents].
func (s *Store) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (bool, error) {
	var ended bool
	err := s.write(ctx, "revoke consent", func(t *tx) {
		t.exec(`DELETE FROM authorization_codes WHERE user_id = ? AND client_id = ? AND redeemed_at IS NULL`, e.UserID, e.ClientID)
		t.exec(`DELETE FROM device_codes WHERE user_id = ? AND client_id = ? AND redeemed_at IS NULL`, e.UserID, e.ClientID)
		n := t.exec(`DELETE FROM consents WHERE user_id = ? AND client_id = ?`, e.UserID, e.ClientID)
		var lived bool
		t.row(`SELECT EXISTS (SELECT 1 FROM grants AS g WHERE g.user_id = ? AND g.client_id = ? AND `+alive+`)`,
			[]any{e.UserID, e.ClientID, e.Now.UnixMicro()}, &lived)
		t.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE user_id = ? AND client_id = ? AND revoked_at IS NULL`,
			e.Now.UnixMicro(), plain(e.Reason), e.UserID, e.ClientID)
		if ended = n > 0 || lived; ended {
			t.audit(audit)
		}
	})
	return err == nil && ended, err
}
