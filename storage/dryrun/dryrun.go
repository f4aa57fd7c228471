// Package dryrun lets requests be answered without effects.
//
// A Store reads what another one has, which should be open for reading only, and pretends to write: within one run, which is marked in
// the context, a grant that was created or moved is found as it would be then. Nothing else is remembered, and nothing is stored. What it
// does not pretend goes to the other store, whose database refuses it.
//
// Changes checks what an operator wants to change, as the other store would, and changes nothing.
package dryrun

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"latchkey/storage"
)

// Store is a storage.Store whose writes on the way of a token request have no effect.
type Store struct{ storage.Store }

// run is what one request would have written.
type run struct {
	grants map[storage.ID]*storage.Grant
	users  map[int64]*storage.User
	notYet map[string]bool
	reason string
}

type key struct{}

// With returns a context for one request, which is handled by one goroutine at a time. The tokens with the jtis notYet are taken
// for not ended by themselves: the request that is judged after the fact was what ended them.
func With(ctx context.Context, notYet ...string) context.Context {
	r := newRun()
	for _, jti := range notYet {
		r.notYet[jti] = true
	}
	return context.WithValue(ctx, key{}, r)
}

func from(ctx context.Context) *run {
	if r, ok := ctx.Value(key{}).(*run); ok {
		return r
	}
	return newRun()
}

func newRun() *run {
	return &run{grants: map[storage.ID]*storage.Grant{}, users: map[int64]*storage.User{}, notYet: map[string]bool{}}
}

// Ping asks for the time, since the other store's Ping wants a database that accepts writes.
func (s Store) Ping(ctx context.Context) error {
	_, err := s.Clock(ctx)
	return err
}

// EnterUser pretends to store what is kept of a user whose account is in another database.
func (s Store) EnterUser(ctx context.Context, e storage.UserEntry) (*storage.User, error) {
	u, err := s.Store.UserBySubject(ctx, e.Sub())
	switch {
	case errors.Is(err, storage.ErrNotFound):
		u = &storage.User{ID: e.ID, Subject: e.Subject, Active: true, CreatedAt: e.Now, AuthEpoch: e.Now.UnixMicro()}
		if u.ID == 0 {
			sum := fnv.New64a()
			sum.Write([]byte(e.Subject))
			u.ID = int64(sum.Sum64()>>4 | 1<<60) // which is no user's
		}
	case err != nil:
		return nil, err
	case u.PasswordHash != e.PasswordHash && !e.SamePassword:
		u.AuthEpoch = max(u.AuthEpoch+1, e.Now.UnixMicro())
	}
	u.PasswordHash = e.PasswordHash
	kept := *u
	from(ctx).users[u.ID] = &kept
	return u, nil
}

// User implements storage.Users.
func (s Store) User(ctx context.Context, id int64) (*storage.User, error) {
	if kept := from(ctx).users[id]; kept != nil {
		u := *kept
		return &u, nil
	}
	return s.Store.User(ctx, id)
}

// UserBySubject implements storage.Users.
func (s Store) UserBySubject(ctx context.Context, subject string) (*storage.User, error) {
	for _, kept := range from(ctx).users {
		if kept.Sub() == subject {
			u := *kept
			return &u, nil
		}
	}
	return s.Store.UserBySubject(ctx, subject)
}

// CreateGrant pretends to store g. The login and the events are dropped.
func (s Store) CreateGrant(ctx context.Context, g *storage.Grant, _ *storage.Login, _ ...*storage.AuditEvent) error {
	kept := *g
	from(ctx).grants[g.ID] = &kept
	return nil
}

// Grant implements storage.Grants.
func (s Store) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return s.grant(ctx, id, s.Store.Grant)
}

// GrantWithProfile implements storage.Grants.
func (s Store) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return s.grant(ctx, id, s.Store.GrantWithProfile)
}

func (s Store) grant(ctx context.Context, id storage.ID, read func(context.Context, storage.ID) (*storage.LiveGrant, error)) (*storage.LiveGrant, error) {
	kept, ok := from(ctx).grants[id]
	if !ok {
		return read(ctx, id)
	}
	live := &storage.LiveGrant{Grant: *kept}
	if stored, err := read(ctx, id); err == nil { // moved
		*live = *stored
		live.Grant = *kept
		return live, nil
	}
	user, err := s.User(ctx, kept.UserID)
	if err != nil {
		return nil, fmt.Errorf("read the user of a pretended grant: %w", err)
	}
	state, err := s.Store.TokenState(ctx, "", kept.ClientID)
	if err != nil {
		return nil, fmt.Errorf("read the client of a pretended grant: %w", err)
	}
	live.User, live.Now = user, kept.CreatedAt
	live.ClientExists, live.ClientDisabled, live.ClientAuthEpoch = state.ClientExists, state.ClientDisabled, state.ClientAuthEpoch
	return live, nil
}

// AttemptGrant finds that no guard holds, so that the caller reads the grant and judges it.
func (s Store) AttemptGrant(context.Context, storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	return nil, 0, storage.ErrConflict
}

// MoveGrant returns the grant as it would be after the move.
func (s Store) MoveGrant(ctx context.Context, m storage.GrantMove, _ *storage.AuditEvent) (*storage.LiveGrant, error) {
	live, err := s.GrantWithProfile(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	if live.Current != m.From || live.Sharing != m.Was {
		return nil, storage.ErrConflict
	}
	if m.NotRevoked != "" {
		state, err := s.TokenState(ctx, m.NotRevoked, live.ClientID)
		if err != nil {
			return nil, err
		}
		if state.Revoked {
			return nil, storage.ErrConflict
		}
	}
	g := &live.Grant
	g.LastUsedAt, g.Sharing = live.Now, m.Sharing
	switch {
	case m.To != (storage.TokenID{}):
		g.Previous, g.PreviousRetiredAt = m.From, live.Now
		if m.Retired != (storage.TokenID{}) {
			g.Previous = m.Retired
		}
		g.Current, g.Generation, g.CurrentExpiresAt, g.WindowAt, g.Windows = m.To, m.Generation, m.CurrentExpiresAt, live.Now, 1
	case g.WindowAt.IsZero() || !g.WindowAt.Add(m.Window).After(live.Now):
		g.WindowAt = live.Now
		g.Windows++
	}
	kept := *g
	from(ctx).grants[g.ID] = &kept
	return live, nil
}

// RevokeGrant pretends to end a grant.
func (s Store) RevokeGrant(context.Context, storage.ID, string, time.Time, *storage.AuditEvent) (bool, error) {
	return true, nil
}

// RevokeGrants pretends to end none.
func (s Store) RevokeGrants(context.Context, storage.GrantFilter, string, time.Time, *storage.AuditEvent) (int, error) {
	return 0, nil
}

// RecordIssuedTokens records nothing.
func (s Store) RecordIssuedTokens(context.Context, []storage.IssuedToken, *storage.RetiredTokens) error {
	return nil
}

// TokenState implements storage.RevokedTokens.
func (s Store) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	state, err := s.Store.TokenState(ctx, jti, clientID)
	if err == nil && from(ctx).notYet[jti] {
		state.Revoked = false
	}
	return state, err
}

// RevokeToken pretends to end a token.
func (s Store) RevokeToken(context.Context, string, time.Time, *storage.AuditEvent) error { return nil }

// BeginLogin reads the user and takes no attempt: what is judged here was not a login of its own.
func (s Store) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	a.Always, a.Untrusted = nil, nil
	return s.Store.BeginLogin(ctx, a)
}

// TakeAttempts takes none.
func (s Store) TakeAttempts(context.Context, time.Time, ...storage.Bucket) (time.Duration, error) {
	return 0, nil
}

// GiveBackAttempts returns none.
func (s Store) GiveBackAttempts(context.Context, time.Time, ...storage.Bucket) error { return nil }

// AppendAudit drops the events.
func (s Store) AppendAudit(context.Context, ...*storage.AuditEvent) error { return nil }
