package token

import (
	"context"
	"errors"
	"fmt"

	"latchkey/clients"
	"latchkey/server/internal/legacyjwt"
	"latchkey/storage"
)

// legacyReason says in our words why the codec refused a token.
func legacyReason(invalid *legacyjwt.Invalid) Reason {
	switch invalid.Kind {
	case legacyjwt.Expired:
		return ReasonExpired
	case legacyjwt.BadSignature:
		return ReasonBadSignature
	case legacyjwt.WrongType:
		return ReasonWrongType
	default:
		return ReasonMalformed
	}
}

// VerifySimpleJWT tells whether a token of any type, in simplejwt's form, is good: authentic, unexpired, and its session
// alive. simplejwt itself looks at the session only under BLACKLIST_AFTER_ROTATION.
//
// The error is an *Error, which wraps a *legacyjwt.Invalid where the token itself is at fault, or an outage.
func (s *Service) VerifySimpleJWT(ctx context.Context, raw string) error {
	now := s.now()
	legacy, err := s.readLegacy(ctx, storage.Secret(raw), "", now)
	if err != nil {
		return err
	}
	var t *refreshToken
	grant, _ := legacy.Session()
	if legacy.Type() == "refresh" {
		if t, err = s.fromLegacy(legacy); err != nil {
			return err
		}
		grant = t.Grant
	}
	if grant.IsZero() {
		return nil // an access token that Django signed
	}
	live, err := s.store.Grant(ctx, grant)
	_, ours := legacy.Family()
	switch {
	case errors.Is(err, storage.ErrNotFound) && t != nil && !ours:
		return nil // in flight, not yet used here
	case errors.Is(err, storage.ErrNotFound):
		return invalidGrant(ReasonUnknownGrant)
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	}
	client, err := s.clients.Client(ctx, live.ClientID)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	p := s.policyOf(client)
	if reason := ended(live, p, now); reason != ReasonNone {
		return invalidGrant(reason)
	}
	if t != nil && p.rotation != clients.RotationReissue {
		if at := locate(&live.Grant, t, p, now); at.reuse() {
			return invalidGrant(at.reason())
		}
	}
	return nil
}

// BlacklistSimpleJWT ends the session of a refresh token in simplejwt's form.
//
// A token that was used before, or whose session has ended, is an *Error of that reason, as in simplejwt.
func (s *Service) BlacklistSimpleJWT(ctx context.Context, raw string) error {
	now := s.now()
	legacy, err := s.readLegacy(ctx, storage.Secret(raw), "refresh", now)
	if err != nil {
		return err
	}
	client, err := s.clients.Client(ctx, clients.SimpleJWTID)
	if err != nil {
		return fmt.Errorf("blacklist: %w", err)
	}
	t, err := s.fromLegacy(legacy)
	if err != nil {
		return err
	}
	x := &exchange{s: s, client: client, policy: s.policyOf(client), now: now, presented: t, legacy: legacy}
	if err := x.find(ctx); err != nil {
		return err
	}
	event := s.event(ctx, "token_revoked", "client", now)
	event.UserID, event.ClientID, event.GrantID = x.grant.UserID, client.ID, t.Grant
	event.Outcome, event.Reason = "success", "blacklist"
	// A retired token ends the session too: whoever asks for that has held it.
	if _, err := s.store.RevokeGrant(ctx, t.Grant, "blacklisted", now, event); err != nil {
		return fmt.Errorf("blacklist: %w", err)
	}
	if x.isReuse() {
		return invalidGrant(x.at.reason())
	}
	return nil
}
