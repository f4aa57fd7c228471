package outage

import (
	"context"
	"time"

	"latchkey/storage"
)

// Grants is the part of the database that token requests begin and go on with.
type Grants interface {
	Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error)
	GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error)
	AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error)
	MoveGrant(ctx context.Context, m storage.GrantMove, event *storage.AuditEvent) (*storage.LiveGrant, error)
	CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, events ...*storage.AuditEvent) error
	RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, events ...*storage.AuditEvent) error
	RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, events ...*storage.AuditEvent) error
}

// Watched passes on what is asked of Grants, and notes the outages that show by it.
type Watched struct {
	Grants Grants
	Log    *Log
}

func (w Watched) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := w.Grants.Grant(ctx, id)
	w.Log.Note(ctx, err)
	return live, err
}

func (w Watched) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	live, err := w.Grants.GrantWithProfile(ctx, id)
	w.Log.Note(ctx, err)
	return live, err
}

func (w Watched) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	moved, which, err := w.Grants.AttemptGrant(ctx, a)
	return moved, which, w.Log.tried(ctx, err)
}

func (w Watched) MoveGrant(ctx context.Context, m storage.GrantMove, event *storage.AuditEvent) (*storage.LiveGrant, error) {
	moved, err := w.Grants.MoveGrant(ctx, m, event)
	return moved, w.Log.tried(ctx, err)
}

func (w Watched) CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, events ...*storage.AuditEvent) error {
	return w.Log.tried(ctx, w.Grants.CreateGrant(ctx, g, login, events...))
}

func (w Watched) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, events ...*storage.AuditEvent) error {
	return w.Log.tried(ctx, w.Grants.RedeemAuthorizationCode(ctx, hash, g, events...))
}

func (w Watched) RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, events ...*storage.AuditEvent) error {
	return w.Log.tried(ctx, w.Grants.RedeemDeviceCode(ctx, hash, g, until, events...))
}
