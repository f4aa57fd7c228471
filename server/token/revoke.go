package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// Revoke answers a revocation request (RFC 7009 §2). Any authentic token of a session, a retired one too, ends the
// session with all of its tokens; an access token without a session is revoked by itself. A token that is unknown,
// forged or expired is no error: §2.2. One that was issued to another client is refused: §2.1.
//
// The error is an *Error or an outage.
func (s *Service) Revoke(ctx context.Context, req *RevokeRequest) error {
	client, err := s.authenticate(ctx, req.Client)
	if err != nil {
		return err
	}
	if req.Token == "" {
		return invalidRequest("The parameter token is missing.")
	}
	t, reason, err := s.inspect(ctx, req.Token)
	if err != nil {
		return err
	}
	now := s.now()
	if reason != ReasonNone || t.kind == "access" && t.claims.ExpiresAt <= now.Unix() {
		return nil
	}
	if owner := t.refresh; owner != nil && owner.client != tagOf(client.ID) || owner == nil && t.clientID != client.ID {
		return refuse("invalid_grant", http.StatusBadRequest, ReasonOtherClient, "The token was issued to another client.")
	}
	event := s.event(ctx, "token_revoked", "client", now)
	event.ClientID, event.GrantID, event.Outcome, event.Reason = client.ID, t.grant, "success", t.kind
	switch {
	case !t.grant.IsZero():
		return s.endSession(ctx, client, t, now, event)
	case t.legacy != nil:
		return nil // Django's access tokens can't be ended, only wait for their end
	}
	if err := s.store.RevokeToken(ctx, t.claims.JTI, time.Unix(t.claims.ExpiresAt, 0), event); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	s.audited(event)
	return nil
}

// endSession revokes the grant of a token. A token in flight gets its grant first, so that it can be ended.
func (s *Service) endSession(ctx context.Context, client *clients.Client, t *inspected, now time.Time, event *storage.AuditEvent) error {
	if t.legacy != nil && t.refresh != nil {
		if _, ours := named(t.legacy); !ours {
			x := &exchange{s: s, client: client, policy: s.policyOf(client), now: now, presented: t.refresh, legacy: t.legacy}
			var refused *Error
			if _, err := x.adopt(ctx); errors.As(err, &refused) {
				return nil // dead already
			} else if err != nil {
				return fmt.Errorf("revoke: %w", err)
			}
		}
	}
	return s.revoke(ctx, t.grant, "token_revoked", event)
}
