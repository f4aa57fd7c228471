package sqlite

import (
	"context"
	"encoding/json"
	"strings"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// CreateProvisionedUser implements [storage.Provisioning].
func (s *Store) CreateProvisionedUser(ctx context.Context, u *storage.User, clientID string, p storage.ProvisionedUser, audit *storage.AuditEvent) error {
	return s.createUser(ctx, "create provisioned user", u, func(t *tx, id int64) {
		t.nameUser(clientID, id, p.ExternalID)
		t.keepAttributes(id, p.Attributes)
		if audit != nil {
			audit.UserID = id
		}
		t.audit(audit)
	}, clientID, p.ExternalID)
}

// free makes the operation fail if a user other than id has the name, whatever the case of its ASCII letters.
func (t *tx) free(username string, id int64) {
	t.check(!t.row(`SELECT id FROM users WHERE lower(username) = lower(?) AND id <> ?`, []any{username, id}, new(int64)), storage.ErrExists)
}

// nameUser keeps what a client calls a user.
func (t *tx) nameUser(clientID string, id int64, externalID string) {
	if externalID == "" {
		t.exec(`DELETE FROM user_external_ids WHERE client_id = ? AND user_id = ?`, clientID, id)
		return
	}
	t.exec(`INSERT INTO user_external_ids (client_id, user_id, external_id) VALUES (?, ?, ?)
		ON CONFLICT (client_id, user_id) DO UPDATE SET external_id = excluded.external_id`, clientID, id, externalID)
}

// keepAttributes keeps what clients have said of a user; an empty document is removed.
func (t *tx) keepAttributes(id int64, attributes json.RawMessage) {
	if len(attributes) == 0 {
		t.exec(`DELETE FROM provisioned_users WHERE user_id = ?`, id)
		return
	}
	t.exec(`INSERT INTO provisioned_users (user_id, attributes) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET attributes = excluded.attributes`,
		id, field(&attributes))
}

// expectProvisioned makes the operation fail if what a client sees beside a user is not as was, unless that is nil.
func (t *tx) expectProvisioned(clientID string, id int64, was *storage.ProvisionedUser) {
	t.check(was == nil || t.row(`SELECT id FROM users WHERE id = ?
			AND coalesce((SELECT external_id FROM user_external_ids WHERE client_id = ? AND user_id = users.id), '') = ?
			AND (SELECT attributes FROM provisioned_users WHERE user_id = users.id) IS ?`,
		[]any{id, clientID, was.ExternalID, field(&was.Attributes)}, new(int64)), storage.ErrConflict)
}

// ChangeProvisionedUser implements [storage.Provisioning].
func (s *Store) ChangeProvisionedUser(ctx context.Context, id int64, c storage.ProvisionedChange, audit ...*storage.AuditEvent) error {
	return s.changeUser(ctx, "change provisioned user", id, c, audit...)
}

// changeUser is ChangeProvisionedUser under a name for errors.
func (s *Store) changeUser(ctx context.Context, what string, id int64, c storage.ProvisionedChange, audit ...*storage.AuditEvent) error {
	columns := row.ProvisionedChange(&c)
	var set []string
	for _, c := range columns {
		set = append(set, c.Name+` = ?`)
	}
	args := row.Fields(field, columns)
	if c.EndsSessions() {
		set, args = append(set, `auth_epoch = `+raiseEpoch), append(args, c.Now.UnixMicro())
	}
	where, was := `id = ?`, []row.Column(nil)
	if c.Was != nil {
		was = row.ProvisionedState(c.Was)
		for _, c := range was {
			where += ` AND ` + c.Name + ` IS ?`
		}
	}
	whose := append([]any{id}, row.Fields(field, was)...)
	return s.write(ctx, what, func(t *tx) {
		t.check(c.Username == nil || keyed(*c.Username), row.ErrText)
		t.check(c.ExternalID == nil || keyed(*c.ExternalID, c.ClientID), row.ErrText)
		t.check(t.row(`SELECT id FROM users WHERE id = ?`, []any{id}, new(int64)), storage.ErrNotFound)
		t.check(t.row(`SELECT id FROM users WHERE `+where, whose, new(int64)), storage.ErrConflict)
		t.expectProvisioned(c.ClientID, id, c.WasProvisioned)
		if c.Username != nil {
			t.free(*c.Username, id)
		}
		if len(set) > 0 {
			t.exec(`UPDATE users SET `+strings.Join(set, ", ")+` WHERE id = ?`, append(args, id)...)
		}
		if c.Attributes != nil {
			t.keepAttributes(id, *c.Attributes)
		}
		if c.ExternalID != nil {
			t.nameUser(c.ClientID, id, *c.ExternalID)
		}
		t.notices(c.Notices)
		t.enqueue(c.Messages)
		t.audit(audit...)
	})
}
