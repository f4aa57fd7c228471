package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

const consentColumns = `user_id, client_id, scope, audience, fingerprint, created_at, updated_at`

// joinedConsent are the columns of a consent k that may not be there.
const joinedConsent = `k.user_id, k.client_id, coalesce(k.scope, ''), coalesce(k.audience, ''), k.fingerprint, k.created_at, k.updated_at`

// consentDest reads joinedConsent.
type consentDest storage.Consent

func (k *consentDest) fields() []any {
	return []any{
		(*zeronull.Int8)(&k.UserID), (*zeronull.Text)(&k.ClientID), (*wordsTo)(&k.Scope), (*wordsTo)(&k.Audience), (*digestTo)(&k.Fingerprint),
		(*instant)(&k.CreatedAt), (*instant)(&k.UpdatedAt),
	}
}

func (k *consentDest) consent() *storage.Consent {
	if k.UserID == 0 {
		return nil
	}
	return (*storage.Consent)(k)
}

// GrantConsent implements storage.Consents. Who waits for the row's lock adds to the row as it is then. That the user and the
// client are there is the foreign keys' to watch.
func (s *Store) GrantConsent(ctx context.Context, k *storage.Consent, audit *storage.AuditEvent) error {
	if !keyed(k.ClientID) {
		return fmt.Errorf("grant consent: %w", storage.ErrNotFound)
	}
	encoded, err := events(audit)
	if err != nil {
		return err
	}
	statement := `
		WITH log AS (` + insertAudit + `)
		INSERT INTO consents AS k (` + consentColumns + `) VALUES ($2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, client_id) DO UPDATE SET scope = ` + joined("scope") + `, audience = ` + joined("audience") + `,
			fingerprint = excluded.fingerprint, updated_at = excluded.updated_at`
	return s.do(ctx, "grant consent", func(ctx context.Context) error {
		_, err := s.pool.Exec(ctx, statement, encoded, k.UserID, k.ClientID, plain(strings.Join(k.Scope, " ")),
			plain(strings.Join(k.Audience, " ")), digest(k.Fingerprint), at(k.CreatedAt), at(k.UpdatedAt))
		return err
	})
}

// joined is the SQL of a list of a consent with what is new in the excluded one, in the order in which it came; or of the
// excluded one alone, when the fingerprint is another.
func joined(column string) string {
	return strings.ReplaceAll(`
		CASE WHEN k.fingerprint IS DISTINCT FROM excluded.fingerprint THEN excluded.COLUMN ELSE (
			SELECT coalesce(string_agg(word, ' ' ORDER BY place), '') FROM (
				SELECT word, min(place) AS place
				FROM string_to_table(k.COLUMN || ' ' || excluded.COLUMN, ' ') WITH ORDINALITY AS w (word, place)
				WHERE word <> '' GROUP BY word
			) AS words
		) END`, "COLUMN", column)
}

// ListConsents implements storage.Consents.
func (s *Store) ListConsents(ctx context.Context, userID int64, limit int) (list []*storage.Consent, err error) {
	err = s.do(ctx, "list consents", func(ctx context.Context) error {
		rows, err := s.pool.Query(ctx, `SELECT `+consentColumns+` FROM consents WHERE user_id = $1 ORDER BY client_id LIMIT $2`, userID, max(limit, 0))
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (*storage.Consent, error) {
			var k consentDest
			err := row.Scan(k.fields()...)
			return k.consent(), err
		})
		return err
	})
	return list, err
}

// RevokeConsent implements storage.Consents.
//
// The codes go first, in a statement of its own: it waits for those that are being redeemed, and the other one sees
// their grants.
func (s *Store) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (ended bool, err error) {
	if !keyed(e.ClientID) {
		return false, nil
	}
	encoded, err := events(audit)
	if err != nil {
		return false, err
	}
	err = s.do(ctx, "revoke consent", func(ctx context.Context) error {
		b := &pgx.Batch{}
		b.Queue(removeCodes+` AND client_id = $2`+inOrder, e.UserID, e.ClientID)
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
			SELECT ended FROM verdict`, encoded, e.UserID, at(e.Now), e.ClientID, plain(e.Reason),
		).QueryRow(func(row pgx.Row) error { return row.Scan(&ended) })
		return s.batch(ctx, b)
	})
	return err == nil && ended, err
}
