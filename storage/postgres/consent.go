package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var addConsent = `
	WITH log AS (` + insertAudit + `)
	INSERT INTO consents AS k (` + row.Names("", row.Consent) + `) VALUES (` + values(2, row.Consent) + `)
	ON CONFLICT (user_id, client_id) DO UPDATE SET scope = ` + union("scope") + `, audience = ` + union("audience") + `,
		fingerprint = excluded.fingerprint, updated_at = excluded.updated_at,
		resources = ` + mergedResources + `, resources_fingerprint = excluded.resources_fingerprint`

// mergedResources adds the scopes of each resource of the excluded row to those of the row.
const mergedResources = `
	CASE WHEN k.resources_fingerprint IS DISTINCT FROM excluded.resources_fingerprint
		OR k.fingerprint IS DISTINCT FROM excluded.fingerprint OR k.resources IS NULL
	THEN excluded.resources ELSE (
		SELECT jsonb_object_agg(resource, coalesce((
			SELECT jsonb_agg(word ORDER BY ordinal) FROM (
				SELECT word, min(ordinal) AS ordinal
				FROM jsonb_array_elements_text(coalesce(k.resources -> resource, '[]') || coalesce(excluded.resources -> resource, '[]'))
					WITH ORDINALITY AS w (word, ordinal)
				GROUP BY word
			) AS words
		), '[]')) FROM jsonb_object_keys(k.resources || excluded.resources) AS resource
	) END`

// GrantConsent implements storage.Consents. A caller that waits for the row's lock adds to the row as it is then. The foreign keys
// check that the user and the client exist.
func (s *Store) GrantConsent(ctx context.Context, k *storage.Consent, audit *storage.AuditEvent) error {
	if !keyed(k.ClientID) {
		return fmt.Errorf("grant consent: %w", storage.ErrNotFound)
	}
	return s.exec(ctx, "grant consent", addConsent, append([]any{events(audit)}, row.Fields(arg, row.Consent(k.Single()))...)...)
}

// union is the SQL of a list of a consent followed by the new members of the excluded row's list, or of the latter alone if the
// fingerprint differs.
func union(column string) string {
	return strings.ReplaceAll(`
		CASE WHEN k.fingerprint IS DISTINCT FROM excluded.fingerprint THEN excluded.COLUMN ELSE (
			SELECT coalesce(string_agg(word, ' ' ORDER BY ordinal), '') FROM (
				SELECT word, min(ordinal) AS ordinal
				FROM string_to_table(k.COLUMN || ' ' || excluded.COLUMN, ' ') WITH ORDINALITY AS w (word, ordinal)
				WHERE word <> '' GROUP BY word
			) AS words
		) END`, "COLUMN", column)
}

// RevokeConsent implements storage.Consents.
//
// The codes are removed first, in a statement of its own: it waits for those that are being redeemed, and the other statement sees
// their grants.
func (s *Store) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (ended bool, err error) {
	if !keyed(e.ClientID) {
		return false, nil
	}
	b := &pgx.Batch{}
	b.Queue(removeCodes+` AND client_id = $2`+inOrder, e.UserID, e.ClientID)
	b.Queue(removeDeviceCodes, e.UserID, e.ClientID)
	b.Queue(`
		WITH consent AS (
			DELETE FROM consents WHERE user_id = $2 AND client_id = $4 RETURNING user_id
		), target AS (
			SELECT g.id, (`+live+`) AS lived FROM grants g
			WHERE g.user_id = $2 AND g.client_id = $4 AND g.revoked_at IS NULL ORDER BY g.id FOR UPDATE OF g
		), revoked AS (
			UPDATE grants SET revoked_at = $3, revoke_reason = $5 FROM target
			WHERE grants.id = target.id AND grants.revoked_at IS NULL RETURNING target.lived
		), verdict AS (
			SELECT EXISTS (SELECT FROM consent) OR EXISTS (SELECT FROM revoked WHERE lived) AS ended
		), log AS (`+insertAudit+` WHERE (SELECT ended FROM verdict))
		SELECT ended FROM verdict`, events(audit), e.UserID, at(e.Now), e.ClientID, plain(e.Reason)).QueryRow(scanTo(&ended))
	err = s.batch(ctx, "revoke consent", b)
	if !ended {
		err = s.settled(ctx, "revoke consent", 0, err)
	}
	return err == nil && ended, err
}
