package scim

import (
	"context"
	"net/http"

	"latchkey/storage"
)

func (a *API) createUser(w http.ResponseWriter, q *query) error {
	o, err := a.readResource(q, userSchema)
	if err != nil {
		return err
	}
	n, err := newUser(o)
	if err != nil {
		return err
	}
	u, err := a.Users.AddProvisioned(q.ctx(), n, q.access.Client.ID, textOf(o, "externalId"))
	if err != nil {
		return err
	}
	return a.answerUser(w, q, http.StatusCreated, u)
}

// readResource reads the resource of a request.
func (a *API) readResource(q *query, s *schema) (object, error) {
	body, err := readBody(q.Request)
	if err != nil {
		return nil, err
	}
	if err := requireSchema(body, s.id); err != nil {
		return nil, err
	}
	o, err := s.coerce(body)
	if err != nil {
		return nil, err
	}
	return o, checkExternalID(o)
}

// user returns the user of the address, and how the client sees them.
func (a *API) user(q *query) (*storage.User, object, error) {
	id, err := userID(q.id())
	if err != nil {
		return nil, nil, err
	}
	u, err := a.Store.User(q.ctx(), id)
	if err != nil {
		return nil, nil, err
	}
	o, err := a.show(q, u)
	return u, o, err
}

// show returns a user as the client sees them.
func (a *API) show(q *query, u *storage.User) (object, error) {
	list, err := a.showUsers(q, []*storage.User{u})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// showUsers returns users as the client sees them. Groups that have no id yet get one.
func (a *API) showUsers(q *query, list []*storage.User) ([]object, error) {
	var ids []int64
	groups := map[string]storage.ID{}
	for _, u := range list {
		ids = append(ids, u.ID)
		for _, g := range u.Groups {
			groups[g] = storage.ID{}
		}
	}
	if err := a.identify(q.ctx(), groups); err != nil {
		return nil, err
	}
	external, err := a.Store.ExternalIDs(q.ctx(), q.access.Client.ID, ids)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, e := range external {
		names[e.UserID] = e.ExternalID
	}
	shown := make([]object, 0, len(list))
	for _, u := range list {
		shown = append(shown, showUser(q.base, u, names[u.ID], groups))
	}
	return shown, nil
}

// identify fills in the IDs of the groups with these names.
func (a *API) identify(ctx context.Context, groups map[string]storage.ID) error {
	missing := func() (names []string) {
		for name, id := range groups {
			if id.IsZero() {
				names = append(names, name)
			}
		}
		return names
	}
	read := func(names []string) error {
		found, err := a.Store.SearchProvisionedGroups(ctx, storage.ProvisionedGroupFilter{Names: names})
		for _, g := range found {
			groups[g.Name] = g.ID
		}
		return err
	}
	for _, adopt := range []bool{false, true} {
		names := missing()
		if len(names) == 0 {
			return nil
		}
		if adopt {
			if err := a.Store.AdoptGroups(ctx, names, a.now()); err != nil {
				return err
			}
		}
		if err := read(names); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) answerUser(w http.ResponseWriter, q *query, status int, u *storage.User) error {
	o, err := a.show(q, u)
	if err != nil {
		return err
	}
	return a.answer(w, q, userSchema, status, o)
}

func (a *API) getUser(w http.ResponseWriter, q *query) error {
	_, o, err := a.user(q)
	if err != nil {
		return err
	}
	return a.answer(w, q, userSchema, http.StatusOK, o)
}

func (a *API) replaceUser(w http.ResponseWriter, q *query) error {
	return a.changeUser(w, q, func(was object) (object, error) { return a.replaced(q, userSchema, was) })
}

func (a *API) patchUser(w http.ResponseWriter, q *query) error {
	return a.changeUser(w, q, func(was object) (object, error) { return patched(q, userSchema, was) })
}

// replaced returns the resource of a request in place of another one, whose externalId stays unless there is a new one: clients leave it out.
func (a *API) replaced(q *query, s *schema, was object) (object, error) {
	o, err := a.readResource(q, s)
	if err == nil && o["externalId"] == nil {
		put(o, "externalId", textOf(was, "externalId"))
	}
	return o, err
}

// patched returns what the operations of a request make of a resource.
func patched(q *query, s *schema, was object) (object, error) {
	body, err := readBody(q.Request)
	if err != nil {
		return nil, err
	}
	all, err := operations(body)
	if err != nil {
		return nil, err
	}
	return s.patch(was, all)
}

// changeUser makes of a user what become says.
func (a *API) changeUser(w http.ResponseWriter, q *query, become func(was object) (object, error)) error {
	u, was, err := a.user(q)
	if err != nil {
		return err
	}
	if err := q.unchanged(was); err != nil {
		return err
	}
	o, err := become(was)
	if err != nil {
		return err
	}
	c, err := changeOf(u, was, o)
	if err != nil {
		return err
	}
	if q.conditional() {
		c.Was = u
	}
	if u, err = a.apply(q, u, c); err != nil {
		return err
	}
	return a.answerUser(w, q, http.StatusOK, u)
}

// apply makes a change of a user, all of it or nothing, as the commands and the API for operators would.
func (a *API) apply(q *query, u *storage.User, c userChange) (*storage.User, error) {
	ctx := q.ctx()
	if (c.Username != nil || c.Email != nil || c.password != nil) && a.protects(q, u.Groups...) {
		return nil, errProtected()
	}
	c.ClientID = q.access.Client.ID
	if err := a.Users.ChangeProvisioned(ctx, u.ID, c.ProvisionedChange, c.password); err != nil {
		return nil, err
	}
	return a.Store.User(ctx, u.ID)
}

// deleteUser removes a user as the command does: their sessions end, and their clients are notified.
func (a *API) deleteUser(w http.ResponseWriter, q *query) error {
	u, o, err := a.user(q)
	if err != nil {
		return err
	}
	if err := q.unchanged(o); err != nil {
		return err
	}
	if err := a.Users.Remove(q.ctx(), u.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
