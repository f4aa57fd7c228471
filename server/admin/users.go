package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	wire "latchkey/admin"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// UserPath is the parameter that names a user.
type UserPath struct {
	ID int64 `path:"id" minimum:"1" doc:"The id of the user."`
}

// shownUser is the answer with one user.
type shownUser = tagged[wire.User]

// UserFilters are the parameters that select users.
type UserFilters struct {
	Username string `query:"username" maxLength:"255" doc:"The user with exactly this name."`
	Email    string `query:"email" maxLength:"254" doc:"Users with exactly this address."`
	Subject  string `query:"subject" maxLength:"255" doc:"The user whose id in tokens this is."`
	Group    string `query:"group" maxLength:"255" doc:"Members of this group."`
	Search   string `query:"search" maxLength:"255" doc:"Users whose name or address contains this."`
	Active   string `query:"active" enum:"true,false" doc:"Whether they can log in."`
}

// userRoutes declares the operations on users and groups.
func (a *API) userRoutes() {
	const one = "/users/{id}"
	register(a, op("list-users", http.MethodGet, "/users", scopeUsersRead, "List users"), a.listUsers)
	register(a, creation("add-user", "/users", scopeUsersWrite, "Add a user"), a.addUser)
	register(a, op("show-user", http.MethodGet, one, scopeUsersRead, "Show a user", http.StatusNotFound), a.showUser)
	update := change("update-user", http.MethodPatch, one, scopeUsersWrite, "Change what is known of a user")
	update.Description = "Members that are absent stay as they are. Sessions go on."
	register(a, update, a.updateUser)
	register(a, change("remove-user", http.MethodDelete, one, scopeUsersWrite, "Remove a user and end their sessions"), a.removeUser)
	register(a, change("disable-user", http.MethodPost, one+"/disable", scopeUsersWrite, "Disable a user and end their sessions"), a.disableUser)
	register(a, change("enable-user", http.MethodPost, one+"/enable", scopeUsersWrite, "Enable a user, who can then log in again"), a.enableUser)
	register(a, change("set-password", http.MethodPut, one+"/password", scopeUsersWrite, "Replace a user's password and end their sessions"), a.setPassword)
	link := op("send-password-link", http.MethodPost, one+"/password-link", scopeUsersWrite, "Send a user the link with which a password is chosen",
		http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests)
	link.Description = "Also a user who has no password yet, as a directory provisions them: that link lives a day, others half an hour."
	link.DefaultStatus = http.StatusAccepted
	register(a, link, a.sendPasswordLink)
	register(a, op("list-groups", http.MethodGet, "/groups", scopeUsersRead, "List the groups, with how many users each has"), a.listGroups)
}

func answerUser(u *storage.User, err error) (*shownUser, error) {
	if err != nil {
		return nil, err
	}
	body := users.Describe(u)
	return &shownUser{etagOfUser(body), body}, nil
}

// etagOfUser leaves out what changes at each login.
func etagOfUser(u wire.User) string {
	u.LastLogin = nil
	return etag(u)
}

func (a *API) listUsers(ctx context.Context, in *struct {
	UserFilters
	Paging
},
) (*listed[wire.User], error) {
	f := storage.UserFilter{Username: in.Username, Email: in.Email, Subject: in.Subject, Group: in.Group, Text: in.Search}
	if in.Active != "" {
		f.Active = new(in.Active == "true")
	}
	read := func(after int64, limit int) ([]*storage.User, error) {
		f.After, f.Limit = after, limit
		return a.Store.SearchUsers(ctx, f)
	}
	return list(a, in.Paging, in.UserFilters, read,
		func(u *storage.User) int64 { return u.ID }, plain(users.Describe))
}

func (a *API) addUser(ctx context.Context, in *adding[wire.NewUser]) (*created[wire.User], error) {
	n := users.NewUserOf(in.Body)
	n.Profile.Attributes = given(n.Profile.Attributes)
	return maker[wire.User]{
		kind: "user", noun: "user", path: "/users/", tag: etagOfUser,
		id: func(u wire.User) string { return strconv.FormatInt(u.ID, 10) },
		create: func(ctx context.Context) (wire.User, error) {
			u, err := a.users(in.DryRun).Add(ctx, n)
			if err != nil {
				return wire.User{}, err
			}
			return users.Describe(u), nil
		},
		read: func(ctx context.Context, id string) (wire.User, error) {
			n, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				return wire.User{}, err
			}
			u, err := a.Store.User(ctx, n)
			if err != nil {
				return wire.User{}, err
			}
			return users.Describe(u), nil
		},
	}.do(ctx, a, in.Creation, in.Body)
}

// given returns attributes; the null of a merge patch (RFC 7396) is none.
func given(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (a *API) user(ctx context.Context, id int64) (*storage.User, error) {
	u, err := a.Store.User(ctx, id)
	return u, orNotFound(err, "user")
}

func (a *API) showUser(ctx context.Context, in *struct{ UserPath }) (*shownUser, error) {
	return answerUser(a.user(ctx, in.ID))
}

// found returns the user of a conditional request.
func (a *API) found(ctx context.Context, id int64, c Conditional) (*storage.User, error) {
	u, err := a.user(ctx, id)
	if err != nil {
		return nil, err
	}
	return u, c.check(etagOfUser(users.Describe(u)))
}

func (a *API) updateUser(ctx context.Context, in *struct {
	UserPath
	Conditional
	Body wire.UserChange
},
) (*shownUser, error) {
	u, err := a.found(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	change := users.ChangeOf(in.Body)
	if change.Attributes != nil {
		change.Attributes = new(given(*change.Attributes))
	}
	if !in.any() {
		change.Was = u
	}
	updated, err := a.users(in.DryRun).Update(ctx, u.ID, change)
	if isConflict(err) {
		return nil, errChanged()
	}
	return answerUser(updated, err)
}

// ChangeUser is a request to change a user and end their sessions.
type ChangeUser struct {
	UserPath
	Conditional
	Confirmed
}

// ending returns the user of a request that ends their sessions, once that is confirmed.
func (a *API) ending(ctx context.Context, in *ChangeUser) (*storage.User, error) {
	u, err := a.found(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	_, err = in.Confirmed.check(ctx, a, storage.GrantFilter{UserID: u.ID})
	return u, err
}

func (a *API) removeUser(ctx context.Context, in *ChangeUser) (*shownUser, error) {
	u, err := a.ending(ctx, in)
	if err != nil {
		return nil, err
	}
	return answerUser(u, a.users(in.DryRun).Remove(ctx, u.ID))
}

func (a *API) disableUser(ctx context.Context, in *ChangeUser) (*shownUser, error) {
	u, err := a.ending(ctx, in)
	if err != nil {
		return nil, err
	}
	u.Active = false
	return answerUser(u, a.users(in.DryRun).Disable(ctx, u.ID))
}

func (a *API) enableUser(ctx context.Context, in *struct {
	UserPath
	Conditional
},
) (*shownUser, error) {
	u, err := a.found(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	u.Active = true
	return answerUser(u, a.users(in.DryRun).Enable(ctx, u.ID))
}

func (a *API) sendPasswordLink(ctx context.Context, in *struct {
	UserPath
	Trial
},
) (*shownUser, error) {
	u, err := a.user(ctx, in.ID)
	switch {
	case err != nil:
		return nil, err
	case a.Letters == nil:
		return nil, errNoMail()
	case !in.DryRun:
		err = a.Letters.SendPasswordLink(ctx, u)
	}
	if errors.Is(err, proof.ErrNoAddress) {
		return nil, refusal(http.StatusConflict, "no-address", "The user has no e-mail address, or is disabled.")
	}
	return answerUser(u, orTooManyLetters(err))
}

func (a *API) setPassword(ctx context.Context, in *struct {
	ChangeUser
	Body wire.Password
},
) (*shownUser, error) {
	if in.Body.Password != nil && in.Body.PasswordHash != "" {
		return nil, &input.Error{Field: "password", Problem: "and password hash are both given"}
	}
	set := func(s *users.Service) error {
		if in.Body.Password != nil {
			return s.SetPassword(ctx, in.ID, storage.Secret(*in.Body.Password))
		}
		return s.SetPasswordHash(ctx, in.ID, in.Body.PasswordHash)
	}
	if err := set(a.DryUsers); err != nil { // what can't be set needs no confirmation
		return nil, err
	}
	u, err := a.ending(ctx, &in.ChangeUser)
	if err != nil {
		return nil, err
	}
	return answerUser(u, set(a.users(in.DryRun)))
}

func (a *API) listGroups(ctx context.Context, in *struct{ Paging }) (*listed[wire.Group], error) {
	read := func(after string, limit int) ([]*storage.Group, error) { return a.Store.ListGroups(ctx, after, limit) }
	return list(a, in.Paging, struct{ Groups bool }{}, read,
		func(g *storage.Group) string { return g.Name }, plain(func(g *storage.Group) wire.Group { return wire.Group(*g) }))
}
