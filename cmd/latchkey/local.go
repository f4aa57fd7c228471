package main

import (
	"context"
	"iter"

	"latchkey/admin"
	"latchkey/server/grants"
	"latchkey/server/keys"
	"latchkey/server/users"
	"latchkey/storage"
)

// This file does on the database what an *admin.API asks a server to do.

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
	return describedUser(l.service.Add(ctx, users.NewUserOf(n)))
}

func (l localUsers) UpdateUser(ctx context.Context, id int64, c admin.UserChange, _ ...admin.Option) (*admin.User, error) {
	return describedUser(l.service.Update(ctx, id, users.ChangeOf(c)))
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

// localSessions ends sessions on the database.
type localSessions struct{ service *grants.Service }

func (l localSessions) EndSession(ctx context.Context, text string, _ ...admin.Option) (*admin.Ended, error) {
	id, err := storage.ParseID(text)
	if err != nil {
		return nil, err
	}
	out := &admin.Ended{}
	ended, err := l.service.End(ctx, id)
	if ended {
		out.Sessions = 1
	}
	return out, err
}

// EndSessions raises an epoch where it ends all of a user, of a client or of everyone: one statement, together with logins that are in
// progress, that does not count them.
func (l localSessions) EndSessions(ctx context.Context, which admin.SessionsEnd, _ ...admin.Option) (out *admin.Ended, err error) {
	out = &admin.Ended{}
	switch {
	case which.All:
		err = l.service.EndAll(ctx)
	case which.UserID != 0 && which.ClientID != "":
		out.Sessions, err = l.service.EndOfUserAtClient(ctx, which.UserID, which.ClientID)
	case which.UserID != 0:
		err = l.service.EndOfUser(ctx, which.UserID)
	default:
		err = l.service.EndOfClient(ctx, which.ClientID)
	}
	return out, err
}

// localKeys changes keys on the database.
type localKeys struct{ ring *keys.Ring }

func (l localKeys) Keys(context.Context) iter.Seq2[admin.Key, error] {
	return each(keysOf(l.ring.List()))
}

func (l localKeys) RotateKeys(ctx context.Context, r admin.KeyRotation) ([]admin.Key, error) {
	made, err := l.ring.RotateAll(ctx, r.Algorithm, r.Immediately)
	return keysOf(made), err
}

func (l localKeys) RetireKey(ctx context.Context, kid string, _ ...admin.Option) (*admin.Key, error) {
	return nil, l.ring.Retire(ctx, kid)
}

// keysOf returns keys as the API shows them.
func keysOf(all []keys.Key) []admin.Key {
	out := make([]admin.Key, len(all))
	for i, k := range all {
		out[i] = admin.Key{
			KID: k.KID, Algorithm: k.Algorithm, State: string(k.State), Sequence: k.Sequence, CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt,
			RetiresAt: k.RetiresAt, ExpiresAt: k.ExpiresAt, Public: k.Public, Unsealed: k.Unsealed, OldSecret: k.OldSecret,
		}
	}
	return out
}
