package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// joinMembers has the parameters group, users and time: the users who shall be in the group and are not.
const joinMembers = `
	UPDATE users SET groups = coalesce(groups, '[]') || to_jsonb(g.name), updated_at = $3 FROM provisioned_groups g
	WHERE g.id = $1 AND users.id = ANY($2) AND NOT coalesce(groups, '[]') ? g.name`

// leaveMembers has the same parameters: users who shall not be in the group and are.
const leaveMembers = `
	UPDATE users SET groups = nullif(groups - g.name, '[]'), updated_at = $3 FROM provisioned_groups g
	WHERE g.id = $1 AND users.id = ANY($2) AND groups ? g.name`

// renameMembers has the parameters group, name and time. A user may have a group of the new name already.
const renameMembers = `
	UPDATE users SET updated_at = $3, groups = (
		SELECT jsonb_agg(CASE WHEN m.name = g.name THEN $2::text ELSE m.name END ORDER BY m.n)
		FROM jsonb_array_elements_text(groups) WITH ORDINALITY AS m (name, n) WHERE m.name <> $2)
	FROM provisioned_groups g WHERE g.id = $1 AND g.name <> $2 AND groups ? g.name`

// lockGroup makes changes of one group run one at a time.
const lockGroup = `SELECT FROM provisioned_groups WHERE id = $1 FOR UPDATE`

// groupAudit writes the events of $1 if the group $2 is there.
const groupAudit = insertAudit + ` WHERE EXISTS (SELECT FROM provisioned_groups WHERE id = $2)`

// AdoptGroups implements storage.Provisioning.
func (s *Store) AdoptGroups(ctx context.Context, names []string, now time.Time) error {
	if names != nil && !keyed(names...) {
		return fmt.Errorf("adopt groups: %w", errText)
	}
	unknown, err := queryRows(ctx, s, "find groups without an id", pgx.RowToAddrOf[string], `
		SELECT DISTINCT member COLLATE "C" AS name FROM users, jsonb_array_elements_text(groups) AS member
		WHERE ($1::text[] IS NULL OR groups ?| $1 AND member = ANY($1))
			AND NOT EXISTS (SELECT FROM provisioned_groups g WHERE g.name = member COLLATE "C") ORDER BY 1`, pgtype.FlatArray[string](names))
	if err != nil || len(unknown) == 0 {
		return err
	}
	b := &pgx.Batch{}
	for _, name := range unknown {
		g := &storage.ProvisionedGroup{ID: storage.NewID(now), Name: *name, CreatedAt: now, UpdatedAt: now}
		b.Queue(insert("provisioned_groups", 1, row.ProvisionedGroup)+` ON CONFLICT DO NOTHING`, row.Fields(arg, row.ProvisionedGroup(g))...)
	}
	return s.batch(ctx, "adopt groups", b)
}

// CreateProvisionedGroup implements storage.Provisioning.
func (s *Store) CreateProvisionedGroup(
	ctx context.Context, g *storage.ProvisionedGroup, clientID string, members []int64, audit ...*storage.AuditEvent,
) error {
	if !keyed(g.Name, g.ExternalID, clientID) {
		return fmt.Errorf("create group: %w", errText)
	}
	b := &pgx.Batch{}
	b.Queue(insert("provisioned_groups", 1, row.ProvisionedGroup), row.Fields(arg, row.ProvisionedGroup(g))...)
	b.Queue(joinMembers, uuid(g.ID), members, at(g.CreatedAt))
	if g.ExternalID != "" {
		b.Queue(nameGroup, clientID, uuid(g.ID), g.ExternalID)
	}
	b.Queue(insertAudit, events(audit...))
	return s.batch(ctx, "create group", b)
}

// nameGroup has the parameters client, group and external ID.
const nameGroup = `INSERT INTO group_external_ids (client_id, group_id, external_id) VALUES ($1, $2, $3)
	ON CONFLICT (client_id, group_id) DO UPDATE SET external_id = excluded.external_id`

// ChangeGroup implements storage.Provisioning.
func (s *Store) ChangeGroup(ctx context.Context, c storage.GroupChange, audit ...*storage.AuditEvent) error {
	if c.Name != nil && !keyed(*c.Name) || c.ExternalID != nil && !keyed(*c.ExternalID, c.ClientID) {
		return fmt.Errorf("change group: %w", errText)
	}
	id, now, found := uuid(c.ID), at(c.Now), int64(0)
	b := &pgx.Batch{}
	b.Queue(lockGroup, id)
	b.Queue(leaveMembers, id, c.Remove, now)
	if c.Name != nil {
		b.Queue(renameMembers, id, *c.Name, now)
	}
	b.Queue(`WITH changed AS (UPDATE provisioned_groups SET name = coalesce($2, name), updated_at = $3 WHERE id = $1 RETURNING id)
		SELECT count(*) FROM changed`, id, c.Name, now).QueryRow(scanTo(&found))
	b.Queue(joinMembers, id, c.Add, now)
	switch {
	case c.ExternalID == nil:
	case *c.ExternalID == "":
		b.Queue(`DELETE FROM group_external_ids WHERE client_id = $1 AND group_id = $2`, c.ClientID, id)
	default:
		b.Queue(`INSERT INTO group_external_ids (client_id, group_id, external_id) SELECT $1, id, $3 FROM provisioned_groups WHERE id = $2
			ON CONFLICT (client_id, group_id) DO UPDATE SET external_id = excluded.external_id`, c.ClientID, id, *c.ExternalID)
	}
	b.Queue(groupAudit, events(audit...), id)
	return s.changeGroup(ctx, "change group", c.ID, c.Was, &found, b)
}

// changeGroup runs a batch that changes a group and counts it in found, unless the group is not as was.
func (s *Store) changeGroup(ctx context.Context, what string, id storage.ID, was *storage.GroupState, found *int64, b *pgx.Batch) error {
	missing, run := storage.ErrNotFound, s.batch
	if was != nil {
		missing = storage.ErrConflict
		run = func(ctx context.Context, what string, b *pgx.Batch) error {
			return s.batchIfGroupIs(ctx, what, id, was, b)
		}
	}
	err := run(ctx, what, b)
	if err = s.settled(ctx, what, *found, err); err == nil && *found == 0 {
		err = translate(what, missing)
	}
	return err
}

// groupIs has the parameters group, name, client, external ID and members.
const groupIs = `SELECT EXISTS (
	SELECT FROM provisioned_groups g WHERE id = $1 AND name = $2
		AND coalesce((SELECT external_id FROM group_external_ids e WHERE e.client_id = $3 AND e.group_id = g.id), '') = $4
		AND coalesce((SELECT array_agg(users.id ORDER BY users.id) FROM users WHERE groups ? g.name), '{}') = $5::bigint[])`

// batchIfGroupIs runs a batch, or nothing if a group is not as was. The lock comes first, in a statement of its own: what waited for it must see
// what was done under it.
func (s *Store) batchIfGroupIs(ctx context.Context, what string, id storage.ID, was *storage.GroupState, b *pgx.Batch) error {
	return s.do(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		if _, err := tx.Exec(ctx, lockGroup, uuid(id)); err != nil {
			return err
		}
		var same bool
		err = tx.QueryRow(ctx, s.text(groupIs), uuid(id), was.Name, was.ClientID, was.ExternalID, append([]int64{}, was.Members...)).Scan(&same)
		if err != nil || !same {
			return err
		}
		if err := s.send(ctx, tx, b); err != nil {
			return err
		}
		return tx.Commit(ctx)
	})
}

// RemoveProvisionedGroup implements storage.Provisioning.
func (s *Store) RemoveProvisionedGroup(
	ctx context.Context, id storage.ID, was *storage.GroupState, now time.Time, audit ...*storage.AuditEvent,
) error {
	var found int64
	b := &pgx.Batch{}
	b.Queue(lockGroup, uuid(id))
	b.Queue(`UPDATE users SET groups = nullif(groups - g.name, '[]'), updated_at = $2 FROM provisioned_groups g
		WHERE g.id = $1 AND groups ? g.name`, uuid(id), at(now))
	b.Queue(groupAudit, events(audit...), uuid(id))
	b.Queue(`WITH changed AS (DELETE FROM provisioned_groups WHERE id = $1 RETURNING id) SELECT count(*) FROM changed`, uuid(id)).QueryRow(scanTo(&found))
	return s.changeGroup(ctx, "remove group", id, was, &found, b)
}

// selectGroups has five parameters, see groupArgs.
const selectGroups = ` FROM provisioned_groups LEFT JOIN group_external_ids e ON e.group_id = id AND e.client_id = $1
	WHERE ($2::uuid IS NULL OR id = $2) AND ($3::text[] IS NULL OR name = ANY($3)) AND ($4::text IS NULL OR external_id = $4)`

func groupArgs(f storage.ProvisionedGroupFilter) []any {
	return []any{f.ClientID, uuid(f.ID), pgtype.FlatArray[string](f.Names), zeronull.Text(f.ExternalID)}
}

// selectable reports whether there can be groups with the texts of a filter.
func selectable(f storage.ProvisionedGroupFilter) bool {
	return keyed(f.ClientID, f.ExternalID) && keyed(f.Names...)
}

// SearchProvisionedGroups implements storage.Provisioning.
func (s *Store) SearchProvisionedGroups(ctx context.Context, f storage.ProvisionedGroupFilter) ([]*storage.ProvisionedGroup, error) {
	if !selectable(f) {
		return nil, nil
	}
	return queryRows(ctx, s, "search groups", func(r pgx.CollectableRow) (*storage.ProvisionedGroup, error) {
		g := new(storage.ProvisionedGroup)
		return g, r.Scan(append(row.Fields(target, row.ProvisionedGroup(g)), target(&g.ExternalID))...)
	}, `SELECT `+row.Names("", row.ProvisionedGroup)+`, external_id`+selectGroups+` ORDER BY id LIMIT $5 OFFSET $6`,
		append(groupArgs(f), limited(f.Limit), int64(max(f.Offset, 0)))...)
}

// CountProvisionedGroups implements storage.Provisioning.
func (s *Store) CountProvisionedGroups(ctx context.Context, f storage.ProvisionedGroupFilter) (int, error) {
	if !selectable(f) {
		return 0, nil
	}
	n, err := s.count(ctx, "count groups", `SELECT count(*)`+selectGroups, groupArgs(f)...)
	return int(n), err
}

// GroupMembers implements storage.Provisioning.
func (s *Store) GroupMembers(ctx context.Context, names []string) ([]*storage.GroupMember, error) {
	if !keyed(names...) || len(names) == 0 {
		return nil, nil
	}
	return queryRows(ctx, s, "list members", func(r pgx.CollectableRow) (*storage.GroupMember, error) {
		m := new(storage.GroupMember)
		return m, r.Scan(&m.Group, &m.UserID, &m.Username)
	}, `SELECT DISTINCT member COLLATE "C", id, username FROM users, jsonb_array_elements_text(groups) AS member
		WHERE groups ?| $1 AND member = ANY($1) ORDER BY id, 1`, names)
}

// ProvisionedUsers implements storage.Provisioning.
func (s *Store) ProvisionedUsers(ctx context.Context, clientID string, users []int64) ([]*storage.ProvisionedUser, error) {
	if !keyed(clientID) {
		return nil, nil
	}
	return queryRows(ctx, s, "read provisioned users", func(r pgx.CollectableRow) (*storage.ProvisionedUser, error) {
		p := new(storage.ProvisionedUser)
		return p, r.Scan(&p.UserID, target((*row.NullText)(&p.ExternalID)), target(&p.Attributes))
	}, `SELECT asked.id, external_id, attributes FROM unnest($2::bigint[]) AS asked (id)
		LEFT JOIN user_external_ids e ON e.user_id = asked.id AND e.client_id = $1 LEFT JOIN provisioned_users p ON p.user_id = asked.id
		WHERE e.user_id IS NOT NULL OR p.user_id IS NOT NULL ORDER BY asked.id`, clientID, users)
}
