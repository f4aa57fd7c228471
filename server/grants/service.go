package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/server/users"
	"latchkey/storage"
)

// batch is how many rows are written at a time.
const batch = 500

// Reason is the revoke reason of sessions that an operator ended.
const Reason = "operator"

// Store is what a Service uses of storage.Store.
type Store interface {
	storage.Grants
	audit.Store
	RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (bool, error)
	ListUsers(ctx context.Context, after int64, limit int) ([]*storage.User, error)
	RaiseUserEpoch(ctx context.Context, id int64, now time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error
	RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *storage.AuditEvent) error
}

// Service ends sessions in the operator's name.
type Service struct {
	Store Store
	Users *users.Service
	Now   func() time.Time
	// Changed, unless nil, makes this process see at once that the epoch of a client was raised; of every client for an empty ID. Tokens
	// that it issues with the old epoch would be dead.
	Changed func(clientID string)
	// Progress, unless nil, shows how far long work has come.
	Progress func(done int)
}

// End ends one session, and reports whether this call ended it. storage.ErrNotFound.
func (s *Service) End(ctx context.Context, id storage.ID) (bool, error) {
	g, err := s.Store.Grant(ctx, id)
	if err != nil {
		return false, fmt.Errorf("find session %s: %w", id, err)
	}
	e := s.event(ctx, "session_revoked")
	e.GrantID, e.UserID, e.ClientID = id, g.UserID, g.ClientID
	ended, err := s.Store.RevokeGrant(ctx, id, Reason, e.At, e)
	if err != nil {
		return false, fmt.Errorf("end session %s: %w", id, err)
	}
	return ended, nil
}

// EndOfUserAtClient ends the sessions of a user with a client, and returns how many ended.
func (s *Service) EndOfUserAtClient(ctx context.Context, userID int64, clientID string) (int, error) {
	filter := storage.GrantFilter{UserID: userID, ClientID: clientID, LiveAt: s.now(), Limit: batch}
	for ended := 0; ; {
		e := s.event(ctx, "sessions_revoked")
		e.UserID, e.ClientID = userID, clientID
		n, err := s.Store.RevokeGrants(ctx, filter, Reason, e.At, e)
		ended += n
		s.progress(ended)
		if err != nil {
			return ended, fmt.Errorf("end sessions: %w", err)
		}
		if n < batch {
			return ended, nil
		}
	}
}

// EndConsent takes back what a user has allowed a client and ends the user's sessions there. It reports whether there was a consent or a
// live session.
func (s *Service) EndConsent(ctx context.Context, userID int64, clientID string) (bool, error) {
	e := s.event(ctx, "consent_revoked")
	e.UserID, e.ClientID = userID, clientID
	ended, err := s.Store.RevokeConsent(ctx, storage.ConsentEnd{UserID: userID, ClientID: clientID, Reason: Reason, Now: e.At}, e)
	if err != nil {
		return false, fmt.Errorf("end consent: %w", err)
	}
	return ended, nil
}

// EndOfUser ends every session of a user by raising their epoch: browsers are signed out, and logins in progress fail. storage.ErrNotFound.
func (s *Service) EndOfUser(ctx context.Context, userID int64) error {
	return s.Users.EndSessions(ctx, userID)
}

// EndOfClient ends every session of a client by raising its epoch, its tokens of client_credentials too. storage.ErrNotFound.
func (s *Service) EndOfClient(ctx context.Context, clientID string) error {
	e := s.event(ctx, "client_sessions_ended")
	e.ClientID = clientID
	if err := s.Store.RaiseClientEpoch(ctx, clientID, e.At, e); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	if s.Changed != nil {
		s.Changed(clientID)
	}
	return nil
}

// EndAll ends every session and every token of client_credentials, and signs everyone out: a browser that stayed signed in would get new
// tokens at once. One audit event covers all of it.
func (s *Service) EndAll(ctx context.Context) error {
	if err := s.EndOfClient(ctx, ""); err != nil {
		return err
	}
	done := 0
	for u, err := range storage.Pages(
		func(u *storage.User) int64 { return u.ID },
		func(after int64) ([]*storage.User, error) { return s.Store.ListUsers(ctx, after, storage.PageSize) },
	) {
		if err != nil {
			return fmt.Errorf("sign out everyone: %w", err)
		}
		signOut := func(notices ...*storage.LogoutNotice) error {
			return s.Store.RaiseUserEpoch(ctx, u.ID, s.now(), nil, notices...)
		}
		if err := s.Users.Ending(ctx, u.ID, signOut); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("sign out user %d: %w", u.ID, err)
		}
		done++
		s.progress(done)
	}
	return nil
}

func (s *Service) progress(done int) {
	if s.Progress != nil {
		s.Progress(done)
	}
}

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) event(ctx context.Context, action string) *storage.AuditEvent {
	return audit.EventAt(ctx, action, "operator", s.now())
}
