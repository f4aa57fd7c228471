package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"latchkey/server/internal/audit"
	"latchkey/server/users"
	"latchkey/storage"
)

// showGroup returns the resource of a group (RFC 7643 §4.2); without members if they were not read, and then without a version, which depends on them.
func showGroup(base string, g *storage.ProvisionedGroup, members []*storage.GroupMember, read bool) object {
	o := object{"displayName": g.Name}
	var list []any
	for _, m := range members {
		list = append(list, object{"value": strconv.FormatInt(m.UserID, 10), "display": m.Username, "type": "User"})
	}
	if list != nil {
		o["members"] = list
	}
	o = finish(o, groupSchema, base, g.ID.String(), g.ExternalID, g.CreatedAt, g.UpdatedAt, func() {
		for _, m := range list {
			m := m.(object)
			m["$ref"] = base + userSchema.endpoint + "/" + m["value"].(string)
		}
	})
	if !read {
		delete(o["meta"].(object), "version")
	}
	return o
}

// showGroups returns groups as the client sees them.
func (a *API) showGroups(q *query, list []*storage.ProvisionedGroup, members bool) ([]object, error) {
	var names []string
	for _, g := range list {
		names = append(names, g.Name)
	}
	in := map[string][]*storage.GroupMember{}
	if members && len(names) > 0 {
		all, err := a.Store.GroupMembers(q.ctx(), names)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			in[m.Group] = append(in[m.Group], m)
		}
	}
	var shown []object
	for _, g := range list {
		shown = append(shown, showGroup(q.base, g, in[g.Name], members))
	}
	return shown, nil
}

// group returns the group of the address, and how the client sees it.
func (a *API) group(q *query, members bool) (*storage.ProvisionedGroup, object, error) {
	id, err := storage.ParseID(q.id())
	if err != nil || id.IsZero() || id.String() != q.id() {
		return nil, nil, fmt.Errorf("read the id of a group: %w", storage.ErrNotFound)
	}
	return a.groupOf(q, id, members)
}

// unchangedGroup returns the group of the address, if it is the version that the request is about.
func (a *API) unchangedGroup(q *query) (*storage.ProvisionedGroup, object, error) {
	g, o, err := a.group(q, true)
	if err == nil {
		err = q.unchanged(o)
	}
	return g, o, err
}

func (a *API) groupOf(q *query, id storage.ID, members bool) (*storage.ProvisionedGroup, object, error) {
	found, err := a.Store.SearchProvisionedGroups(q.ctx(), storage.ProvisionedGroupFilter{ClientID: q.access.Client.ID, ID: id})
	if err != nil {
		return nil, nil, err
	}
	if len(found) == 0 {
		return nil, nil, fmt.Errorf("read group: %w", storage.ErrNotFound)
	}
	shown, err := a.showGroups(q, found, members)
	if err != nil {
		return nil, nil, err
	}
	return found[0], shown[0], nil
}

func (a *API) getGroup(w http.ResponseWriter, q *query) error {
	view, err := q.projection(groupSchema)
	if err != nil {
		return err
	}
	_, o, err := a.group(q, view.shows("members"))
	if err != nil {
		return err
	}
	return a.answer(w, q, groupSchema, http.StatusOK, o)
}

// checkName refuses what can't be the name of a group, as for users' groups everywhere.
func (a *API) checkName(name string) error {
	if name == "" {
		return bad(invalidValue, "The displayName is missing or empty.")
	}
	_, err := a.Users.Prepare(users.NewUser{Username: "x", Profile: storage.UserProfile{Groups: []string{name}}})
	return err
}

// membersOf reads the members of a resource.
func membersOf(o object) (ids []int64, err error) {
	for _, element := range elements(o["members"]) {
		m, _ := element.(object)
		id, err := userID(textOf(m, "value"))
		if err != nil {
			return nil, bad(invalidValue, "%s is not the id of a user: groups have users as members.", quoted(textOf(m, "value")))
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// joining checks that users are there and can have one more group: tokens have room for so many.
func (a *API) joining(ctx context.Context, name string, ids []int64) error {
	for _, id := range ids {
		u, err := a.Store.User(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			return bad(invalidValue, "There is no user with the id %d.", id)
		}
		if err != nil {
			return err
		}
		if _, err := a.Users.Prepare(users.NewUser{Username: "x", Profile: storage.UserProfile{Groups: append(u.Groups, name)}}); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) createGroup(w http.ResponseWriter, q *query) error {
	o, err := q.resource(groupSchema)
	if err != nil {
		return err
	}
	name := textOf(o, "displayName")
	if err := a.checkName(name); err != nil {
		return err
	}
	ids, err := membersOf(o)
	if err != nil {
		return err
	}
	switch err := a.joining(q.ctx(), name, ids); {
	case err != nil:
		return err
	case a.protects(q, name):
		return errProtected()
	}
	now := a.now()
	// A group that users are in already is there: it must not get more members than the request says.
	if err := a.Store.AdoptGroups(q.ctx(), []string{name}, now); err != nil {
		return err
	}
	g := &storage.ProvisionedGroup{ID: storage.NewID(now), Name: name, CreatedAt: now, UpdatedAt: now, ExternalID: textOf(o, "externalId")}
	events := a.events(q.ctx(), "group_added", g, ids, nil)
	if err := a.Store.CreateProvisionedGroup(q.ctx(), g, q.access.Client.ID, ids, events...); err != nil {
		return err
	}
	a.written(events)
	_, shown, err := a.groupOf(q, g.ID, true)
	if err != nil {
		return err
	}
	return a.answer(w, q, groupSchema, http.StatusCreated, shown)
}

// events returns the audit events of a change of a group: one of the group, and one of each user who joins or leaves it.
func (a *API) events(ctx context.Context, action string, g *storage.ProvisionedGroup, join, leave []int64) []*storage.AuditEvent {
	e := a.Audit.Event(ctx, action, "operator")
	e.Details = audit.Details(struct {
		Group string `json:"group"`
		ID    string `json:"id"`
		Join  int    `json:"joined"`
		Leave int    `json:"left"`
	}{g.Name, g.ID.String(), len(join), len(leave)})
	list := []*storage.AuditEvent{e}
	for _, id := range slices.Concat(join, leave) {
		e := a.Audit.Event(ctx, "user_updated", "operator")
		e.UserID, e.Details = id, audit.Details(map[string]any{"fields": []string{"groups"}})
		list = append(list, e)
	}
	return list
}

// written counts events that were written together with their change.
func (a *API) written(events []*storage.AuditEvent) {
	for _, e := range events {
		a.Audit.Written(e)
	}
}

// changeGroup makes of a group what the request says, all at once.
func (a *API) changeGroup(w http.ResponseWriter, q *query) error {
	g, was, err := a.unchangedGroup(q)
	if err != nil {
		return err
	}
	o, err := q.becomes(groupSchema, was)
	if err != nil {
		return err
	}
	c, err := a.groupChange(q, g, was, o)
	if err != nil {
		return err
	}
	if c.Name != nil || c.ExternalID != nil || len(c.Add)+len(c.Remove) > 0 {
		events := a.events(q.ctx(), "group_updated", g, c.Add, c.Remove)
		if err := a.Store.ChangeGroup(q.ctx(), c, events...); err != nil {
			return err
		}
		a.written(events)
	}
	_, shown, err := a.groupOf(q, g.ID, true)
	if err != nil {
		return err
	}
	return a.answer(w, q, groupSchema, http.StatusOK, shown)
}

// expected returns what a group must still be when it is changed: what it was when its version was compared with If-Match.
func (q *query) expected(g *storage.ProvisionedGroup, members []int64) *storage.GroupState {
	if !q.conditional() {
		return nil
	}
	return &storage.GroupState{Name: g.Name, ClientID: q.access.Client.ID, ExternalID: g.ExternalID, Members: members}
}

// groupChange returns what changes if a group becomes a resource.
func (a *API) groupChange(q *query, g *storage.ProvisionedGroup, was, o object) (c storage.GroupChange, err error) {
	before, err := membersOf(was)
	if err != nil {
		return c, err
	}
	c = storage.GroupChange{ID: g.ID, ClientID: q.access.Client.ID, Now: a.now(), Was: q.expected(g, before)}
	name := textOf(o, "displayName")
	after, err := membersOf(o)
	if err != nil {
		return c, err
	}
	c.Add, c.Remove = without(after, before), without(before, after)
	if text := textOf(o, "externalId"); text != g.ExternalID {
		c.ExternalID = &text
	}
	if err := checkExternalID(o); err != nil {
		return c, err
	}
	if name != g.Name {
		if err := a.checkName(name); err != nil {
			return c, err
		}
		if err := a.Store.AdoptGroups(q.ctx(), []string{name}, c.Now); err != nil {
			return c, err
		}
		c.Name = &name
	}
	if (c.Name != nil || len(c.Add)+len(c.Remove) > 0) && a.protects(q, g.Name, name) {
		return c, errProtected()
	}
	return c, a.joining(q.ctx(), name, c.Add)
}

// without returns the sorted list without what is in another.
func without(list, other []int64) (left []int64) {
	for _, id := range list {
		if _, found := slices.BinarySearch(other, id); !found {
			left = append(left, id)
		}
	}
	return left
}

func (a *API) deleteGroup(w http.ResponseWriter, q *query) error {
	g, o, err := a.unchangedGroup(q)
	if err != nil {
		return err
	}
	if a.protects(q, g.Name) {
		return errProtected()
	}
	ids, err := membersOf(o)
	if err != nil {
		return err
	}
	events := a.events(q.ctx(), "group_removed", g, nil, ids)
	if err := a.Store.RemoveProvisionedGroup(q.ctx(), g.ID, q.expected(g, ids), a.now(), events...); err != nil {
		return err
	}
	a.written(events)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
