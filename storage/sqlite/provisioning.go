package sqlite

import (
	"context"
	"encoding/json"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// list returns values as the JSON array that json_each reads.
func list[T any](values []T) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // numbers and text
	}
	return string(text)
}

// group reads a group; the operation fails if there is none.
func (t *tx) group(id storage.ID) *storage.ProvisionedGroup {
	g, found := find(t, row.ProvisionedGroup, `SELECT `+row.Names("", row.ProvisionedGroup)+` FROM provisioned_groups WHERE id = ?`, id[:])
	if !found {
		t.fail(storage.ErrNotFound)
		return &storage.ProvisionedGroup{}
	}
	return g
}

// inGroup is the condition that a user is in the group of a name.
const inGroup = `EXISTS (SELECT 1 FROM json_each(users.groups) WHERE value = ?)`

// withoutGroup is the list of a user's groups without one of them.
const withoutGroup = `nullif((SELECT json_group_array(value ORDER BY key) FROM json_each(users.groups) WHERE value <> ?), '[]')`

// join puts users into a group.
func (t *tx) join(name string, members []int64, now time.Time) {
	t.exec(`UPDATE users SET groups = json_insert(coalesce(groups, '[]'), '$[#]', ?), updated_at = ?
		WHERE id IN (SELECT value FROM json_each(?)) AND NOT `+inGroup, name, micros(now), list(members), name)
}

// leave takes users out of a group; all of them if members is nil.
func (t *tx) leave(name string, members []int64, now time.Time) {
	who, args := ``, []any{name, micros(now), name}
	if members != nil {
		who, args = ` AND id IN (SELECT value FROM json_each(?))`, append(args, list(members))
	}
	t.exec(`UPDATE users SET groups = `+withoutGroup+`, updated_at = ? WHERE `+inGroup+who, args...)
}

// AdoptGroups implements [storage.Provisioning].
func (s *Store) AdoptGroups(ctx context.Context, names []string, now time.Time) error {
	if !keyed(names...) {
		return interpret("adopt groups", row.ErrText)
	}
	who, args := ``, []any(nil)
	if names != nil {
		who, args = ` AND m.value IN (SELECT value FROM json_each(?))`, []any{list(names)}
	}
	unknown, err := readAll(ctx, s, "find groups without an id", value[string], `
		SELECT DISTINCT m.value FROM users, json_each(users.groups) AS m
		WHERE NOT EXISTS (SELECT 1 FROM provisioned_groups WHERE name = m.value)`+who+` ORDER BY 1`, args...)
	if err != nil || len(unknown) == 0 {
		return err
	}
	return s.write(ctx, "adopt groups", func(t *tx) {
		for _, name := range unknown {
			id := storage.NewID(now)
			t.exec(`INSERT INTO provisioned_groups (id, name, created_at, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				id[:], name, micros(now), micros(now))
		}
	})
}

// CreateProvisionedGroup implements [storage.Provisioning].
func (s *Store) CreateProvisionedGroup(
	ctx context.Context, g *storage.ProvisionedGroup, clientID string, members []int64, audit ...*storage.AuditEvent,
) error {
	return s.write(ctx, "create group", func(t *tx) {
		t.check(keyed(g.Name, g.ExternalID, clientID), row.ErrText)
		t.insert("provisioned_groups", row.ProvisionedGroup(g))
		t.join(g.Name, members, g.CreatedAt)
		if g.ExternalID != "" {
			t.nameGroup(clientID, g.ID, g.ExternalID)
		}
		t.audit(audit...)
	})
}

// nameGroup keeps what a client calls a group.
func (t *tx) nameGroup(clientID string, id storage.ID, externalID string) {
	t.exec(`DELETE FROM group_external_ids WHERE client_id = ? AND group_id = ?`, clientID, id[:])
	if externalID != "" {
		t.exec(`INSERT INTO group_external_ids (client_id, group_id, external_id) VALUES (?, ?, ?)`, clientID, id[:], externalID)
	}
}

// ChangeGroup implements [storage.Provisioning].
func (s *Store) ChangeGroup(ctx context.Context, c storage.GroupChange, audit ...*storage.AuditEvent) error {
	return s.write(ctx, "change group", func(t *tx) {
		t.check(c.Name == nil || keyed(*c.Name), row.ErrText)
		t.check(c.ExternalID == nil || keyed(*c.ExternalID, c.ClientID), row.ErrText)
		t.expectGroup(c.ID, c.Was)
		g := t.group(c.ID)
		t.leave(g.Name, append([]int64{}, c.Remove...), c.Now)
		name := g.Name
		if c.Name != nil && *c.Name != g.Name {
			name = *c.Name
			t.exec(`UPDATE users SET updated_at = ?1, groups = (
					SELECT json_group_array(CASE WHEN value = ?3 THEN ?2 ELSE value END ORDER BY key) FROM json_each(users.groups) WHERE value <> ?2)
				WHERE EXISTS (SELECT 1 FROM json_each(users.groups) WHERE value = ?3)`, micros(c.Now), name, g.Name)
		}
		t.exec(`UPDATE provisioned_groups SET name = ?, updated_at = ? WHERE id = ?`, name, micros(c.Now), c.ID[:])
		t.join(name, c.Add, c.Now)
		if c.ExternalID != nil {
			t.nameGroup(c.ClientID, c.ID, *c.ExternalID)
		}
		t.audit(audit...)
	})
}

// expectGroup makes the operation fail if a group is not as was, unless that is nil.
func (t *tx) expectGroup(id storage.ID, was *storage.GroupState) {
	t.check(was == nil || t.row(`SELECT id FROM provisioned_groups g WHERE id = ? AND name = ?
			AND coalesce((SELECT external_id FROM group_external_ids e WHERE e.client_id = ? AND e.group_id = g.id), '') = ?
			AND (SELECT json_group_array(users.id ORDER BY users.id) FROM users WHERE EXISTS (SELECT 1 FROM json_each(users.groups) WHERE value = g.name)) = ?`,
		[]any{id[:], was.Name, was.ClientID, was.ExternalID, list(append([]int64{}, was.Members...))}, new([]byte)), storage.ErrConflict)
}

// RemoveProvisionedGroup implements [storage.Provisioning].
func (s *Store) RemoveProvisionedGroup(
	ctx context.Context, id storage.ID, was *storage.GroupState, now time.Time, audit ...*storage.AuditEvent,
) error {
	return s.write(ctx, "remove group", func(t *tx) {
		t.expectGroup(id, was)
		t.leave(t.group(id).Name, nil, now)
		t.exec(`DELETE FROM provisioned_groups WHERE id = ?`, id[:])
		t.audit(audit...)
	})
}

// selectGroups returns what follows the columns of a query of groups.
func selectGroups(f storage.ProvisionedGroupFilter) (string, []any) {
	where := row.Where{Args: []any{f.ClientID}}
	where.And(!f.ID.IsZero(), `id = ?`, f.ID[:])
	where.And(f.Names != nil, `name IN (SELECT value FROM json_each(?))`, list(f.Names))
	where.And(f.ExternalID != "", `external_id = ?`, f.ExternalID)
	return ` FROM provisioned_groups LEFT JOIN group_external_ids e ON e.group_id = id AND e.client_id = $1 WHERE true` + where.Conditions, where.Args
}

// SearchProvisionedGroups implements [storage.Provisioning].
func (s *Store) SearchProvisionedGroups(ctx context.Context, f storage.ProvisionedGroupFilter) ([]*storage.ProvisionedGroup, error) {
	if !keyed(f.Names...) {
		return nil, nil
	}
	where, args := selectGroups(f)
	return readAll(ctx, s, "search groups", func(r scanner) (*storage.ProvisionedGroup, error) {
		g := new(storage.ProvisionedGroup)
		return g, r.Scan(append(row.Fields(field, row.ProvisionedGroup(g)), field((*row.NullText)(&g.ExternalID)))...)
	}, `SELECT `+row.Names("", row.ProvisionedGroup)+`, external_id`+where+` ORDER BY id LIMIT ? OFFSET ?`,
		append(args, limit(f.Limit), max(f.Offset, 0))...)
}

// CountProvisionedGroups implements [storage.Provisioning].
func (s *Store) CountProvisionedGroups(ctx context.Context, f storage.ProvisionedGroupFilter) (int, error) {
	if !keyed(f.Names...) {
		return 0, nil
	}
	where, args := selectGroups(f)
	return readOne(ctx, s, "count groups", value[int], `SELECT count(*)`+where, args...)
}

// GroupMembers implements [storage.Provisioning].
func (s *Store) GroupMembers(ctx context.Context, names []string) ([]*storage.GroupMember, error) {
	if !keyed(names...) {
		return nil, nil
	}
	return readAll(ctx, s, "list members", func(r scanner) (*storage.GroupMember, error) {
		m := new(storage.GroupMember)
		return m, r.Scan(&m.Group, &m.UserID, &m.Username)
	}, `SELECT DISTINCT m.value, users.id, username FROM users, json_each(users.groups) AS m
		WHERE m.value IN (SELECT value FROM json_each(?)) ORDER BY users.id, m.value`, list(names))
}

// ProvisionedUsers implements [storage.Provisioning].
func (s *Store) ProvisionedUsers(ctx context.Context, clientID string, users []int64) ([]*storage.ProvisionedUser, error) {
	return readAll(ctx, s, "read provisioned users", func(r scanner) (*storage.ProvisionedUser, error) {
		p := new(storage.ProvisionedUser)
		return p, r.Scan(&p.UserID, field((*row.NullText)(&p.ExternalID)), field(&p.Attributes))
	}, `SELECT asked.value, external_id, attributes FROM json_each(?) AS asked
		LEFT JOIN user_external_ids e ON e.user_id = asked.value AND e.client_id = ? LEFT JOIN provisioned_users p ON p.user_id = asked.value
		WHERE e.user_id IS NOT NULL OR p.user_id IS NOT NULL ORDER BY asked.value`, list(users), clientID)
}
