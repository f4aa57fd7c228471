package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// RevokeRequest is a revocation request (RFC 7009 §2.1). It has no token_type_hint: a token shows its type itself.
type RevokeRequest struct {
	Client clientauth.Credentials
	Token  storage.Secret
}

// Revoke answers a revocation request (RFC 7009 §2). Any authentic token of a session, a retired one too, ends the session with all of
// its tokens; an access token without a session is revoked by itself. A token that is unknown, forged or expired is no error: §2.2.
// One that was issued to another client is refused: §2.1.
//
// The error is a *protocol.Error or an outage.
func (s *Service) Revoke(ctx context.Context, req *RevokeRequest) error {
	client, err := s.auth.Authenticate(ctx, req.Client)
	if err != nil {
		return err
	}
	if req.Token == "" {
		return protocol.InvalidRequest("The parameter token is missing.")
	}
	t, err := s.read(ctx, req.Token)
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return nil
	}
	if err != nil {
		return err
	}
	now := s.now()
	if t.Kind == KindAccess && t.ExpiresAt <= now.Unix() {
		return nil
	}
	if r := t.Refresh; r != nil && r.Client != TagOf(client.ID) || r == nil && t.ClientID != client.ID {
		return protocol.Refuse("invalid_grant", reasons.OtherClient, "The token was issued to another client.")
	}
	event := s.audit.Event(ctx, "token_revoked", "client")
	event.ClientID, event.GrantID, event.Outcome, event.Reason = client.ID, t.Grant, "success", t.Kind
	switch {
	case !t.Grant.IsZero():
		return s.endSession(ctx, client, t, now, event)
	case t.Owner != nil:
		return nil // an access token of another issuer can't be ended
	}
	if err := s.auth.AllowRow(ctx, client); err != nil {
		return err
	}
	event = s.audit.Limited(ctx, event) // a client can get and revoke as many tokens as it likes
	if err := s.store.RevokeToken(ctx, t.JTI, time.Unix(t.ExpiresAt, 0), event); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	s.audit.Written(event)
	return nil
}

// endSession revokes the grant of a token. A token of another issuer gets its grant first, so that it can be ended.
func (s *Service) endSession(ctx context.Context, client *clients.Client, t *Token, now time.Time, event *storage.AuditEvent) error {
	if t.Refresh != nil && t.Refresh.Adopt != nil {
		_, err := t.Refresh.Adopt(ctx, client, s.PolicyOf(client), now)
		var refused *protocol.Error
		if errors.As(err, &refused) {
			return nil // dead already
		}
		if err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
	}
	return s.revoke(ctx, t.Grant, "token_revoked", event)
}

// Blacklist ends the session of a refresh token of the client. Unlike Revoke it refuses a token whose session has ended. It also
// refuses a token that was used before, but ends its session all the same: the caller has held the token.
func (s *Service) Blacklist(ctx context.Context, c *clients.Client, t *RefreshToken) error {
	now, p := s.now(), s.PolicyOf(c)
	live, err := s.findSession(ctx, c, p, t, now)
	if err != nil {
		return err
	}
	if reason := ended(live, p); reason != reasons.None {
		return protocol.InvalidGrant(reason)
	}
	event := s.audit.Event(ctx, "token_revoked", "client")
	event.UserID, event.ClientID, event.GrantID = live.UserID, c.ID, live.ID
	event.Outcome, event.Reason = "success", "blacklist"
	if err := s.revoke(ctx, live.ID, "blacklisted", event); err != nil {
		return err
	}
	if reason := s.Dead(live, t, p); reason != reasons.None {
		return protocol.InvalidGrant(reason)
	}
	return nil
}

// revoke ends a grant; the event is stored if this is what ended it.
func (s *Service) revoke(ctx context.Context, grant storage.ID, reason string, e *storage.AuditEvent) error {
	ended, err := s.store.RevokeGrant(ctx, grant, reason, e.At, e)
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	if ended {
		s.audit.Written(e)
	}
	return nil
}
