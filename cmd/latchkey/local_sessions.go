package main

import (
	"context"

	"latchkey/admin"
	"latchkey/server/grants"
	"latchkey/storage"
)

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
