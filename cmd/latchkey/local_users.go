package main

import (
	"context"
	"iter"

	"latchkey/admin"
	"latchkey/server/users"
	"latchkey/storage"
)

// localUsers changes users on the database.
type localUsers struct{ service *users.Service }

func describedUser(u *storage.User, err error) (*admin.User, error) {
	if err != nil {
		return nil, err
	}
	return new(users.Describe(u)), nil
}

// Users lists all users, or the one with a name.
func (l localUsers) Users(ctx context.Context, f admin.UserFilter) iter.Seq2[admin.User, error] {
	read := func(after int64) ([]*storage.User, error) { return l.service.List(ctx, after, storage.PageSize) }
	if f.Username != "" {
		read = func(int64) ([]*storage.User, error) {
			u, err := l.service.Find(ctx, f.Username)
			return []*storage.User{u}, err
		}
	}
	return mapped(storage.Pages(func(u *storage.User) int64 { return u.ID }, read), func(u *storage.User) (admin.User, error) { return users.Describe(u), nil })
}

func (l localUsers) AddUser(ctx context.Context, n admin.NewUser, _ ...admin.Option) (*admin.User, error) {
	in := users.NewUser{
		ID: n.ID, Subject: n.Subject, Username: n.Username, Email: n.Email, PasswordHash: n.PasswordHash, Active: !n.Inactive, Staff: n.Staff,
		Profile: storage.UserProfile{
			EmailVerified: n.EmailVerified, Name: n.Name, GivenName: n.GivenName, FamilyName: n.FamilyName, Picture: n.Picture, Locale: n.Locale,
			ZoneInfo: n.ZoneInfo, Groups: n.Groups, Attributes: n.Attributes,
		},
	}
	if n.Password != nil {
		in.Password = new(storage.Secret(*n.Password))
	}
	return describedUser(l.service.Add(ctx, in))
}

func (l localUsers) UpdateUser(ctx context.Context, id int64, c admin.UserChange, _ ...admin.Option) (*admin.User, error) {
	change := storage.UserChange{
		Username: c.Username, Email: c.Email, EmailVerified: c.EmailVerified, Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName,
		Picture: c.Picture, Locale: c.Locale, ZoneInfo: c.ZoneInfo, Groups: c.Groups, Staff: c.Staff,
	}
	if c.Attributes != nil {
		change.Attributes = &c.Attributes
	}
	return describedUser(l.service.Update(ctx, id, change))
}

func (l localUsers) DisableUser(ctx context.Context, id int64, _ ...admin.Option) (*admin.User, error) {
	return nil, l.service.Disable(ctx, id)
}

func (l localUsers) EnableUser(ctx context.Context, id int64, _ ...admin.Option) (*admin.User, error) {
	return nil, l.service.Enable(ctx, id)
}

func (l localUsers) SetPassword(ctx context.Context, id int64, p admin.Password, _ ...admin.Option) (*admin.User, error) {
	if p.Password != nil {
		return nil, l.service.SetPassword(ctx, id, storage.Secret(*p.Password))
	}
	return nil, l.service.SetPasswordHash(ctx, id, p.PasswordHash)
}

func (l localUsers) RemoveUser(ctx context.Context, id int64, _ ...admin.Option) (*admin.User, error) {
	return nil, l.service.Remove(ctx, id)
}
