package scim

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"latchkey/storage"
)

func (a *API) createUser(w http.ResponseWriter, q *query) error {
	o, err := q.resource(userSchema)
	if err != nil {
		return err
	}
	n, p, err := newUser(o)
	if err != nil {
		return err
	}
	u, err := a.Users.AddProvisioned(q.ctx(), n, q.access.Client.ID, p)
	if err != nil {
		return err
	}
	return a.answerUser(w, q, http.StatusCreated, u)
}

// resource reads the resource of a request.
func (q *query) resource(s *schema) (object, error) {
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

// person is a user with what is kept beside them, and how the client sees both.
type person struct {
	*storage.User
	beside *storage.ProvisionedUser
	shown  object
}

// user returns the user of the address.
func (a *API) user(q *query) (person, error) {
	id, err := userID(q.id())
	if err != nil {
		return person{}, err
	}
	u, err := a.Store.User(q.ctx(), id)
	if err != nil {
		return person{}, err
	}
	return a.person(q, u)
}

// unchangedUser returns the user of the address, if it is the version that the request is about.
func (a *API) unchangedUser(q *query) (person, error) {
	p, err := a.user(q)
	if err == nil {
		err = q.unchanged(p.shown)
	}
	return p, err
}

func (a *API) person(q *query, u *storage.User) (person, error) {
	list, err := a.persons(q, []*storage.User{u})
	if err != nil {
		return person{}, err
	}
	return list[0], nil
}

// showUsers returns users as the client sees them.
func (a *API) showUsers(q *query, list []*storage.User) ([]object, error) {
	all, err := a.persons(q, list)
	shown := make([]object, 0, len(all))
	for _, p := range all {
		shown = append(shown, p.shown)
	}
	return shown, err
}

// persons returns users with what is kept beside them. Groups that have no id yet get one.
func (a *API) persons(q *query, list []*storage.User) ([]person, error) {
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
	kept, err := a.Store.ProvisionedUsers(q.ctx(), q.access.Client.ID, ids)
	if err != nil {
		return nil, err
	}
	beside := map[int64]*storage.ProvisionedUser{}
	for _, p := range kept {
		beside[p.UserID] = p
	}
	all := make([]person, 0, len(list))
	for _, u := range list {
		p := person{User: u, beside: beside[u.ID]}
		if p.beside == nil {
			p.beside = &storage.ProvisionedUser{UserID: u.ID}
		}
		if p.shown, err = showUser(q.base, u, p.beside, groups); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// identify fills in the IDs of the groups with these names.
func (a *API) identify(ctx context.Context, groups map[string]storage.ID) error {
	missing := slices.Collect(maps.Keys(groups))
	for _, adopt := range []bool{false, true} {
		if len(missing) == 0 {
			return nil
		}
		if adopt {
			if err := a.Store.AdoptGroups(ctx, missing, a.now()); err != nil {
				return err
			}
		}
		found, err := a.Store.SearchProvisionedGroups(ctx, storage.ProvisionedGroupFilter{Names: missing})
		if err != nil {
			return err
		}
		for _, g := range found {
			groups[g.Name] = g.ID
		}
		missing = slices.DeleteFunc(missing, func(name string) bool { return !groups[name].IsZero() })
	}
	return nil
}

func (a *API) answerUser(w http.ResponseWriter, q *query, status int, u *storage.User) error {
	p, err := a.person(q, u)
	if err != nil {
		return err
	}
	return a.answer(w, q, userSchema, status, p.shown)
}

func (a *API) getUser(w http.ResponseWriter, q *query) error {
	p, err := a.user(q)
	if err != nil {
		return err
	}
	return a.answer(w, q, userSchema, http.StatusOK, p.shown)
}

// becomes returns what a request makes of a resource: what its operations do, or the one that it has. Then the externalId stays unless there is a
// new one: clients leave it out.
func (q *query) becomes(s *schema, was object) (object, error) {
	if q.Method == http.MethodPut {
		o, err := q.resource(s)
		if err == nil && o["externalId"] == nil {
			put(o, "externalId", textOf(was, "externalId"))
		}
		return o, err
	}
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

// changeUser makes of a user what the request says.
func (a *API) changeUser(w http.ResponseWriter, q *query) error {
	p, err := a.unchangedUser(q)
	if err != nil {
		return err
	}
	o, err := q.becomes(userSchema, p.shown)
	if err != nil {
		return err
	}
	c, err := changeOf(p.User, p.shown, o)
	if err != nil {
		return err
	}
	if q.conditional() {
		c.Was, c.WasProvisioned = p.User, p.beside
	}
	u, err := a.apply(q, p.User, c)
	if err != nil {
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
	p, err := a.unchangedUser(q)
	if err != nil {
		return err
	}
	if err := a.Users.Remove(q.ctx(), p.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
