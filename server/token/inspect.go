package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/legacyjwt"
	"latchkey/storage"
)

// inspected is any authentic token, in the terms of RFC 7662.
type inspected struct {
	kind     string // "access", "refresh", or "sliding", which is both
	grant    storage.ID
	clientID string
	claims   accessClaims
	refresh  *refreshToken
	legacy   *legacyjwt.Token
}

// inspect reads any token that the server has ever written, expired or not where the form allows to tell, or gives
// the reason why it is none. The database is not asked.
func (s *Service) inspect(ctx context.Context, raw storage.Secret) (*inspected, Reason, error) {
	text := raw.Reveal()
	switch {
	case strings.HasPrefix(text, refreshPrefix):
		t, reason := s.refresh.decode(raw)
		if reason != ReasonNone {
			return nil, reason, nil
		}
		return &inspected{kind: "refresh", grant: t.Grant, refresh: t, claims: accessClaims{
			IssuedAt: t.IssuedAt.Unix(), ExpiresAt: t.ExpiresAt.Unix(), JTI: hexID(t.ID),
		}}, ReasonNone, nil
	case strings.HasPrefix(text, opaquePrefix):
		return inspectedAccess(s.openAccess(text))
	default:
		claims, reason, err := s.readAccess(ctx, text)
		if err != nil {
			return nil, ReasonNone, err
		}
		if reason == ReasonWrongType {
			return s.inspectLegacy(ctx, raw)
		}
		return inspectedAccess(claims, reason)
	}
}

func inspectedAccess(claims *accessClaims, reason Reason) (*inspected, Reason, error) {
	if reason != ReasonNone {
		return nil, reason, nil
	}
	grant, _ := storage.ParseID(claims.SessionID) // zero: client_credentials
	return &inspected{kind: "access", grant: grant, clientID: claims.ClientID, claims: *claims}, ReasonNone, nil
}

// inspectLegacy reads a token in simplejwt's form.
func (s *Service) inspectLegacy(ctx context.Context, raw storage.Secret) (*inspected, Reason, error) {
	legacy, err := s.readLegacy(ctx, raw, "", s.now())
	var refused *Error
	if errors.As(err, &refused) {
		return nil, refused.Reason, nil
	}
	if err != nil {
		return nil, ReasonNone, err
	}
	t := &inspected{kind: "access", clientID: clients.SimpleJWTID, legacy: legacy, claims: accessClaims{
		IssuedAt: legacy.IssuedAt().Unix(), ExpiresAt: legacy.Expires().Unix(), JTI: legacy.JTI(),
	}}
	switch legacy.Type() {
	case "refresh", "sliding":
		t.kind = legacy.Type()
		if t.refresh, err = s.fromLegacy(legacy); err != nil {
			return nil, ReasonUnknownGrant, nil
		}
		t.grant = t.refresh.Grant
	case "access":
		t.grant, _ = legacy.Session()
		if id, ok := legacy.Claim("client_id"); ok && json.Unmarshal([]byte(id), &t.clientID) != nil {
			return nil, ReasonMalformed, nil
		}
	default:
		return nil, ReasonWrongType, nil
	}
	return t, ReasonNone, nil
}

// Introspect answers an introspection request (RFC 7662 §2). The client must be confidential. It sees tokens that were
// issued to it and tokens whose audience is one of its resources; with introspect_all every token. Why a token is
// not active is never told.
//
// The error is an *Error or an outage: an outage is never an inactive token.
func (s *Service) Introspect(ctx context.Context, req *IntrospectRequest) (*Introspection, error) {
	client, err := s.authenticateConfidential(ctx, req.Client)
	if err != nil {
		return nil, err
	}
	if req.Token == "" {
		return nil, invalidRequest("The parameter token is missing.")
	}
	inactive := &Introspection{}
	t, reason, err := s.inspect(ctx, req.Token)
	if err != nil {
		return nil, err
	}
	now := s.now()
	if reason != ReasonNone || t.claims.ExpiresAt <= now.Unix() {
		return inactive, nil
	}
	answer := &Introspection{
		Active: true, TokenType: "Bearer", Scope: t.claims.Scope, ClientID: t.clientID, Subject: t.claims.Subject,
		Audience: t.claims.Audience, Issuer: s.issuer, Expires: t.claims.ExpiresAt, IssuedAt: t.claims.IssuedAt,
		JTI: t.claims.JTI, SessionID: t.claims.SessionID,
	}
	alive, err := s.alive(ctx, t, now, answer)
	if err != nil {
		return nil, err
	}
	if !alive || !sees(client, answer) {
		return inactive, nil
	}
	return answer, nil
}

func sees(client *clients.Client, a *Introspection) bool {
	return client.IntrospectAll || client.ID == a.ClientID ||
		slices.ContainsFunc(a.Audience, func(aud string) bool { return slices.Contains(client.Policy.Resources, aud) })
}

// alive asks the database, once, whether the token is alive, and completes the answer with what only it knows.
func (s *Service) alive(ctx context.Context, t *inspected, now time.Time, answer *Introspection) (bool, error) {
	switch {
	case !t.grant.IsZero():
		return s.grantAlive(ctx, t, now, answer)
	case t.legacy != nil:
		return s.foreignAlive(ctx, t, answer)
	}
	state, err := s.store.TokenState(ctx, t.claims.JTI, t.clientID)
	if err != nil {
		return false, fmt.Errorf("introspect: %w", err)
	}
	return !state.Revoked && state.ClientExists && !state.ClientDisabled && state.ClientAuthEpoch == t.claims.ClientEpoch, nil
}

func (s *Service) grantAlive(ctx context.Context, t *inspected, now time.Time, answer *Introspection) (bool, error) {
	live, client, reason, err := s.liveGrant(ctx, t.grant, now)
	switch {
	case err != nil:
		return false, err
	case reason == ReasonUnknownGrant && t.kind == "sliding":
		return s.foreignAlive(ctx, t, answer)
	case reason != ReasonNone:
		return false, nil
	}
	answer.ClientID, answer.Username = live.ClientID, live.User.Username
	answer.Subject, answer.SessionID = strconv.FormatInt(live.UserID, 10), live.ID.String()
	if t.kind == "refresh" {
		answer.TokenType, answer.Scope, answer.Audience = "refresh_token", joinScope(live.Scope), live.Audience
	}
	if t.refresh != nil {
		p := s.policyOf(client)
		at := locate(&live.Grant, t.refresh, p, now)
		return !at.reuse() || p.rotation == clients.RotationReissue, nil
	}
	return true, nil
}

// liveGrant reads a session with its client, or says why it is dead.
func (s *Service) liveGrant(ctx context.Context, id storage.ID, now time.Time) (*storage.LiveGrant, *clients.Client, Reason, error) {
	live, err := s.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, ReasonUnknownGrant, nil
	}
	if err != nil {
		return nil, nil, ReasonNone, fmt.Errorf("find the session: %w", err)
	}
	client, err := s.clients.Client(ctx, live.ClientID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, ReasonClientDisabled, nil
	}
	if err != nil {
		return nil, nil, ReasonNone, fmt.Errorf("find the session's client: %w", err)
	}
	return live, client, ended(live, s.policyOf(client), now), nil
}

// foreignAlive judges an access token that Django signed, or a sliding token that was not refreshed here yet: it has no
// session, only a user.
func (s *Service) foreignAlive(ctx context.Context, t *inspected, answer *Introspection) (bool, error) {
	_, id, ok := t.legacy.UserID()
	if _, ours := named(t.legacy); ours || !ok || !s.simplejwt.Adopt {
		return false, nil
	}
	user, err := s.store.User(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("introspect: %w", err)
	}
	answer.Subject, answer.Username = strconv.FormatInt(user.ID, 10), user.Username
	return user.Active && !endedSince(user.AuthEpoch, user.CreatedAt, t.legacy.IssuedAt()) && !passwordChanged(t.legacy, user), nil
}
