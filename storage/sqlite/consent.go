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
	return s.write(ctx, "grant consent", func(t *tx) {
		t.check(keyed(k.ClientID), storage.ErrNotFound)
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
			`+row.Insert("consents", row.Consent(merged))+`
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

// RevokeConsent implements [storage.Consents].
func (s *Store) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (bool, error) {
	return writeFor(ctx, s, "revoke consent", func(t *tx) bool {
		t.exec(`DELETE FROM authorization_codes WHERE user_id = ? AND client_id = ? AND redeemed_at IS NULL`, e.UserID, e.ClientID)
		t.exec(`DELETE FROM device_codes WHERE user_id = ? AND client_id = ? AND redeemed_at IS NULL`, e.UserID, e.ClientID)
		n := t.exec(`DELETE FROM consents WHERE user_id = ? AND client_id = ?`, e.UserID, e.ClientID)
		var lived bool
		t.row(`SELECT EXISTS (SELECT 1 FROM grants AS g WHERE g.user_id = ? AND g.client_id = ? AND `+alive+`)`,
			[]any{e.UserID, e.ClientID, e.Now.UnixMicro()}, &lived)
		t.exec(`UPDATE grants SET revoked_at = ?, revoke_reason = ? WHERE user_id = ? AND client_id = ? AND revoked_at IS NULL`,
			e.Now.UnixMicro(), row.Plain(e.Reason), e.UserID, e.ClientID)
		ended := n > 0 || lived
		if ended {
			t.audit(audit)
		}
		return ended
	})
}
