package main

import (
	"context"
	"encoding/json"

	"latchkey/admin"
	"latchkey/server/users"
	"latchkey/storage"
)

// remoteUsers changes users through the API.
type remoteUsers struct{ api *admin.API }

// userOf returns a user as the services have it.
func userOf(u admin.User) (*storage.User, error) {
	out := &storage.User{
		ID: u.ID, Subject: u.Subject, Username: u.Username, Email: u.Email, Active: u.Active, Staff: u.Staff, CreatedAt: u.CreatedAt,
		UserProfile: storage.UserProfile{
			EmailVerified: u.EmailVerified, Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Picture: u.Picture, Locale: u.Locale,
			ZoneInfo: u.ZoneInfo, Groups: u.Groups, Attributes: u.Attributes, UpdatedAt: u.UpdatedAt,
		},
	}
	if u.LastLogin != nil {
		out.LastLogin = *u.LastLogin
	}
	return out, nil
}

func userOrError(u *admin.User, err error) (*storage.User, error) {
	if err != nil {
		return nil, explainRemoteUser(err)
	}
	return userOf(*u)
}

func (r remoteUsers) Find(ctx context.Context, username string) (*storage.User, error) {
	for u, err := range r.api.Users(ctx, admin.UserFilter{Username: username}) {
		if err != nil {
			return nil, explainRemoteUser(err)
		}
		return userOf(u)
	}
	return nil, storage.ErrNotFound
}

func (r remoteUsers) Add(ctx context.Context, n users.NewUser) (*storage.User, error) {
	p := n.Profile
	body := admin.NewUser{
		ID: n.ID, Subject: n.Subject, Username: n.Username, Email: n.Email, EmailVerified: p.EmailVerified, Name: p.Name, GivenName: p.GivenName,
		FamilyName: p.FamilyName, Picture: p.Picture, Locale: p.Locale, ZoneInfo: p.ZoneInfo, Groups: p.Groups, Attributes: p.Attributes,
		Inactive: !n.Active, Staff: n.Staff, PasswordHash: n.PasswordHash,
	}
	if n.Password != nil {
		body.Password = new(n.Password.Reveal())
	}
	return userOrError(r.api.AddUser(ctx, body))
}

func (r remoteUsers) Update(ctx context.Context, id int64, c storage.UserChange) (*storage.User, error) {
	body := admin.UserChange{
		Username: c.Username, Email: c.Email, EmailVerified: c.EmailVerified, Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName,
		Picture: c.Picture, Locale: c.Locale, ZoneInfo: c.ZoneInfo, Groups: c.Groups, Staff: c.Staff,
	}
	if c.Attributes != nil {
		if body.Attributes = *c.Attributes; len(body.Attributes) == 0 {
			body.Attributes = json.RawMessage("{}")
		}
	}
	return userOrError(r.api.UpdateUser(ctx, id, body))
}

// only returns the error of a call.
func only(_ *admin.User, err error) error { return explainRemoteUser(err) }

func (r remoteUsers) Disable(ctx context.Context, id int64) error {
	return only(r.api.DisableUser(ctx, id, confirmed))
}

func (r remoteUsers) Enable(ctx context.Context, id int64) error {
	return only(r.api.EnableUser(ctx, id))
}

func (r remoteUsers) Remove(ctx context.Context, id int64) error {
	return only(r.api.RemoveUser(ctx, id, confirmed))
}

func (r remoteUsers) SetPassword(ctx context.Context, id int64, secret storage.Secret) error {
	return only(r.api.SetPassword(ctx, id, admin.Password{Password: new(secret.Reveal())}, confirmed))
}

func (r remoteUsers) SetPasswordHash(ctx context.Context, id int64, encoded string) error {
	return only(r.api.SetPassword(ctx, id, admin.Password{PasswordHash: encoded}, confirmed))
}
