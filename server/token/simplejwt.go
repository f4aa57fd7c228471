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

// VerifySimpleJWT tells whether a token of any type, in simplejwt's form, is authentic and unexpired. As in simplejwt that is
// all, but for refresh and sliding tokens under a policy that retires tokens (BLACKLIST_AFTER_ROTATION): those must not be
// retired, nor their session revoked. What tells whether a session is alive in every respect is introspection.
//
// The error is an *Error, which wraps a *legacyjwt.Invalid where the token itself is at fault, or an outage.
func (s *Service) VerifySimpleJWT(ctx context.Context, raw string) error {
	now := s.now()
	legacy, err := s.readLegacy(ctx, storage.Secret(raw), "", now)
	if err != nil || legacy.Type() != "refresh" && legacy.Type() != "sliding" {
		return err
	}
	t, err := s.fromLegacy(legacy)
	if err != nil {
		return err
	}
	client, err := s.clients.Client(ctx, clients.SimpleJWTID)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	p := s.policyOf(client)
	if p.rotation == clients.RotationOff || p.rotation == clients.RotationReissue {
		return nil
	}
	live, err := s.store.Grant(ctx, t.Grant)
	_, ours := named(legacy)
	switch {
	case errors.Is(err, storage.ErrNotFound) && !ours:
		return nil // in flight, not yet used here
	case errors.Is(err, storage.ErrNotFound):
		return invalidGrant(ReasonUnknownGrant)
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case !live.RevokedAt.IsZero():
		return invalidGrant(ReasonSessionRevoked)
	}
	if at := locate(&live.Grant, t, p, now); at.reuse() {
		return invalidGrant(at.reason())
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
	if err := s.revoke(ctx, t.Grant, "blacklisted", event); err != nil {
		return err
	}
	if x.isReuse() {
		return invalidGrant(x.at.reason())
	}
	return nil
}
