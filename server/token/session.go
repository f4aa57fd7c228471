package token

import (
	"context"
	"errors"
	"fmt"

	"latchkey/clients"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// readGrant is how a session is read from the database: Store.Grant, or Store.GrantWithProfile.
type readGrant func(ctx context.Context, id storage.ID) (*storage.LiveGrant, error)

// liveGrant returns a session with its client, or the reason why it is dead.
func (s *Service) liveGrant(ctx context.Context, read readGrant, id storage.ID) (*storage.LiveGrant, *clients.Client, reasons.Reason, error) {
	live, err := read(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, reasons.UnknownGrant, nil
	}
	if err != nil {
		return nil, nil, reasons.None, fmt.Errorf("find the session: %w", err)
	}
	client, err := s.clients.Client(ctx, live.ClientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, reasons.ClientDisabled, nil
	}
	if err != nil {
		return nil, nil, reasons.None, fmt.Errorf("find the session's client: %w", err)
	}
	return live, client, ended(live, s.PolicyOf(client)), nil
}

// ended returns why a session is dead, or reasons.None. The state of the user and of the client is that of the database at this
// moment, so ending all sessions of one of them is one write.
func ended(live *storage.LiveGrant, p *Policy) reasons.Reason {
	if reason := endedFor(live.User, live.UserEpoch); reason != reasons.None {
		return reason
	}
	switch {
	case !live.ClientExists || live.ClientDisabled:
		return reasons.ClientDisabled
	case live.ClientAuthEpoch != live.ClientEpoch:
		return reasons.ClientSessions
	case !live.RevokedAt.IsZero():
		return reasons.SessionRevoked
	case !live.ExpiresAt.After(live.Now):
		return reasons.SessionExpired
	case p.idle(&live.Grant, live.Now):
		return reasons.SessionIdle
	}
	return reasons.None
}

// endedFor returns why nothing that was granted to a user in an epoch holds any more, or reasons.None.
func endedFor(u *storage.User, epoch int64) reasons.Reason {
	switch {
	case u == nil:
		return reasons.UserRemoved
	case !u.Active:
		return reasons.UserInactive
	case u.AuthEpoch != epoch:
		return reasons.UserSessions
	}
	return reasons.None
}
