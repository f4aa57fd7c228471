package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// errNameTaken: what creates and changes users finds out under lockSubjects. No index says it, since an import may store users whose names
// differ in case only.
var errNameTaken = fmt.Errorf("another user has the username, or one that differs in case only: %w", storage.ErrExists)

// nameChanged is the CTE that keeps what a client calls the user of the CTE changed; an empty external ID is removed.
func nameChanged(args *arguments, clientID, externalID string) string {
	client := args.add(clientID)
	if externalID == "" {
		return `, named AS (DELETE FROM user_external_ids USING changed WHERE client_id = ` + client + ` AND user_id = changed.id)`
	}
	return `, named AS (
		INSERT INTO user_external_ids (client_id, user_id, external_id) SELECT ` + client + `, id, ` + args.add(externalID) + ` FROM changed
		ON CONFLICT (client_id, user_id) DO UPDATE SET external_id = excluded.external_id)`
}

// attributesChanged is the CTE that keeps the attributes of the user of the CTE changed; an empty document is removed.
func attributesChanged(args *arguments, attributes json.RawMessage) string {
	if len(attributes) == 0 {
		return `, attributed AS (DELETE FROM provisioned_users USING changed WHERE user_id = changed.id)`
	}
	return `, attributed AS (
		INSERT INTO provisioned_users (user_id, attributes) SELECT id, ` + args.add(document(attributes)) + `::jsonb FROM changed
		ON CONFLICT (user_id) DO UPDATE SET attributes = excluded.attributes)`
}

// CreateProvisionedUser implements storage.Provisioning.
func (s *Store) CreateProvisionedUser(ctx context.Context, u *storage.User, clientID string, p storage.ProvisionedUser, audit *storage.AuditEvent) error {
	const what = "create provisioned user"
	if !keyed(u.Username, u.Subject, clientID, p.ExternalID) {
		return translate(what, errText)
	}
	err := s.createUser(ctx, what, u, func(args *arguments) (with string) {
		if p.ExternalID != "" {
			with = nameChanged(args, clientID, p.ExternalID)
		}
		if len(p.Attributes) > 0 {
			with += attributesChanged(args, p.Attributes)
		}
		log := strings.Replace(strings.Replace(insertAudit, "$1", args.add(events(audit)), 1), "e.user_id", "changed.id", 1)
		return with + `, log AS (` + log + `, changed)`
	})
	if err == nil && audit != nil {
		audit.UserID = u.ID
	}
	return err
}

// ChangeProvisionedUser implements storage.Provisioning.
func (s *Store) ChangeProvisionedUser(ctx context.Context, id int64, c storage.ProvisionedChange, audit ...*storage.AuditEvent) error {
	return s.changeUser(ctx, "change provisioned user", id, c, audit...)
}

// changeUser is ChangeProvisionedUser under a name for errors.
func (s *Store) changeUser(ctx context.Context, what string, id int64, c storage.ProvisionedChange, audit ...*storage.AuditEvent) error {
	if c.Username != nil && !keyed(*c.Username) || c.ExternalID != nil && !keyed(*c.ExternalID, c.ClientID) {
		return translate(what, errText)
	}
	args := arguments{events(audit...), id}
	free := `true`
	b := &pgx.Batch{}
	if c.Username != nil {
		b.Queue(lockSubjects)
		free = `NOT EXISTS (SELECT FROM users AS other WHERE lower(other.username) = ` + args.add(storage.FoldASCII(*c.Username)) + ` AND other.id <> $2)`
	}
	where := `users.id = $2 AND ` + free
	if c.Was != nil {
		for _, column := range row.ProvisionedState(c.Was) {
			where += ` AND ` + column.Name + ` IS NOT DISTINCT FROM ` + args.add(arg(column.Field))
		}
	}
	if was := c.WasProvisioned; was != nil {
		// What is beside the row changes under its lock only. A statement that has waited for that sees what was beside the row before.
		b.Queue(`SELECT FROM users WHERE id = $1 FOR UPDATE`, id)
		where += ` AND coalesce((SELECT external_id FROM user_external_ids WHERE client_id = ` + args.add(c.ClientID) + ` AND user_id = $2), '') = ` + args.add(was.ExternalID) +
			` AND (SELECT attributes FROM provisioned_users WHERE user_id = $2) IS NOT DISTINCT FROM ` + args.add(document(was.Attributes)) + `::jsonb`
	}
	var set []string
	for _, column := range row.ProvisionedChange(&c) {
		set = append(set, column.Name+` = `+args.add(arg(column.Field)))
	}
	if c.EndsSessions() {
		set = append(set, `auth_epoch = greatest(auth_epoch + 1, `+args.add(c.Now.UnixMicro())+`)`)
	}
	statement := `WITH changed AS (UPDATE users SET ` + strings.Join(set, ", ") + ` WHERE ` + where + ` RETURNING users.id)`
	if len(set) == 0 {
		statement = `WITH changed AS (SELECT users.id FROM users WHERE ` + where + ` FOR UPDATE)`
	}
	if c.Attributes != nil {
		statement += attributesChanged(&args, *c.Attributes)
	}
	if c.ExternalID != nil {
		statement += nameChanged(&args, c.ClientID, *c.ExternalID)
	}
	if len(c.Notices) > 0 {
		statement += withNotices(args.add(logoutNotices(c.Notices)))
	}
	if len(c.Messages) > 0 {
		args.add(outboxMessages(c.Messages))
		statement += withMessages(len(args))
	}
	statement += `, log AS (` + insertAudit + ` WHERE EXISTS (SELECT FROM changed))
		SELECT (SELECT count(*) FROM changed), EXISTS (SELECT FROM users WHERE id = $2), ` + free
	var done int64
	var known, isFree bool
	b.Queue(statement, args...).QueryRow(func(r pgx.Row) error { return r.Scan(&done, &known, &isFree) })
	err := s.batch(ctx, what, b)
	switch err = s.settled(ctx, what, done, err); {
	case err != nil || done > 0:
	case !known:
		err = translate(what, storage.ErrNotFound)
	case !isFree:
		err = translate(what, errNameTaken)
	default:
		err = translate(what, storage.ErrConflict)
	}
	return err
}
