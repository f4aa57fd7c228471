package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/internal/audit"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// IntrospectRequest is an introspection request (RFC 7662 §2.1).
type IntrospectRequest struct {
	Client clientauth.Credentials
	Token  storage.Secret
}

// Introspection is the answer to an IntrospectRequest. When Active is false everything else is zero: RFC 7662 §2.2.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"` // "Bearer", "DPoP", or "refresh_token" for a refresh token
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	JTI       string   `json:"jti,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	Login
	// Confirmation is the key that an access token is bound to (RFC 9449 §6.2).
	Confirmation *bound `json:"cnf,omitempty"`

	// UserClaims are those about the user that the operator wants in access tokens, which RFC 7662 §2.2 allows beside its own.
	UserClaims map[string]any `json:"-"`
}

// MarshalJSON implements [json.Marshaler]. What RFC 7662 says of a member is never replaced.
func (a *Introspection) MarshalJSON() ([]byte, error) {
	type plain Introspection
	delete(a.UserClaims, "username")
	return withClaims(context.Background(), (*plain)(a), a.UserClaims)
}

// read returns any authentic token that the server has ever written, expired or not where the format allows that. The database is
// not asked. The error is a *protocol.Error or an outage.
func (s *Service) read(ctx context.Context, raw storage.Secret) (*Token, error) {
	t, err := s.native.Read(ctx, raw, s.now())
	var refused *protocol.Error
	if !errors.As(err, &refused) || refused.Reason != reasons.WrongType {
		return t, err
	}
	for _, format := range s.formats {
		if t, err = format.Read(ctx, raw, s.now()); err == nil {
			break
		}
	}
	return t, err
}

// Introspect answers an introspection request (RFC 7662 §2). The client must be confidential. It sees tokens that were issued to it
// and tokens whose audience is one of its resources; with introspect_all every token. The answer never says why a token is not active.
//
// The error is a *protocol.Error or an outage: an outage is never an inactive token.
func (s *Service) Introspect(ctx context.Context, req *IntrospectRequest) (*Introspection, error) {
	client, err := s.auth.AuthenticateConfidential(ctx, req.Client)
	if err != nil {
		return nil, err
	}
	if req.Token == "" {
		return nil, protocol.InvalidRequest("The parameter token is missing.")
	}
	inactive := &Introspection{}
	t, err := s.read(ctx, req.Token)
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return inactive, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.now()
	if t.ExpiresAt <= now.Unix() {
		return inactive, nil
	}
	answer := &Introspection{
		Active: true, TokenType: typeBearer, Scope: t.Scope, ClientID: t.ClientID, Subject: t.Subject,
		Audience: t.Audience, Issuer: s.issuer, Expires: t.ExpiresAt, IssuedAt: t.IssuedAt, JTI: t.JTI,
	}
	if t.Key != "" {
		answer.TokenType, answer.Confirmation = typeDPoP, confirmation(t.Key)
	}
	alive, err := s.alive(ctx, t, answer)
	if err != nil {
		return nil, err
	}
	if !alive {
		return inactive, nil
	}
	if !sees(client, answer) {
		r := audit.Refusal{ClientID: client.ID, Known: true, Error: "token_not_visible"}
		r.Details.Description = "The token was issued to another client, for an audience that is none of this client's resources."
		r.Details.Audience = answer.Audience[:min(len(answer.Audience), 5)]
		s.audit.Refused(ctx, r)
		return inactive, nil
	}
	return answer, nil
}

// sees reports whether a client may know of a token.
func sees(client *clients.Client, a *Introspection) bool {
	return client.IntrospectAll || client.ID == a.ClientID ||
		slices.ContainsFunc(a.Audience, func(aud string) bool {
			return slices.ContainsFunc(client.Policy.Resources, func(own string) bool { return sameResource(own, aud) })
		})
}

// alive reports whether the token is alive, by one round trip, and adds to the answer what only the database knows.
func (s *Service) alive(ctx context.Context, t *Token, answer *Introspection) (bool, error) {
	switch {
	case !t.Grant.IsZero():
		return s.grantAlive(ctx, t, answer)
	case t.Owner != nil:
		return ownerAlive(ctx, t, answer)
	}
	state, err := s.store.TokenState(ctx, t.JTI, t.ClientID)
	if err != nil {
		return false, fmt.Errorf("introspect: %w", err)
	}
	return !state.Revoked && state.ClientExists && !state.ClientDisabled && state.ClientAuthEpoch == t.ClientEpoch, nil
}

// ownerAlive judges a token that another issuer wrote and that has no session here: it has only a user.
func ownerAlive(ctx context.Context, t *Token, answer *Introspection) (bool, error) {
	user, err := t.Owner(ctx)
	if err != nil || user == nil {
		return false, err
	}
	answer.Subject, answer.Username = user.Sub(), user.Username
	return true, nil
}

func (s *Service) grantAlive(ctx context.Context, t *Token, answer *Introspection) (bool, error) {
	read := s.store.Grant
	if len(s.claims.In(claims.AccessToken)) > 0 {
		read = s.store.GrantWithProfile
	}
	live, client, reason, err := s.liveGrant(ctx, read, t.Grant)
	switch {
	case err != nil:
		return false, err
	case reason == reasons.UnknownGrant && t.Owner != nil: // not used here yet
		return ownerAlive(ctx, t, answer)
	case reason != reasons.None:
		return false, nil
	}
	answer.ClientID, answer.Username = live.ClientID, live.User.Username
	answer.Subject, answer.SessionID = live.User.Sub(), live.ID.String()
	answer.Login = loginOf(&live.Grant)
	if t.Kind == KindAccess {
		answer.UserClaims = named(client, s.claims.Of(seenBy(client, live.User), claims.AccessToken, strings.Fields(t.Scope)))
	}
	if t.Kind == KindRefresh {
		answer.TokenType, answer.Scope, answer.Audience = "refresh_token", joinScope(live.Scope), live.Audience
	}
	if t.Refresh != nil {
		if t.Refresh.OfUser != nil && !t.Refresh.OfUser(live.User) {
			return false, nil
		}
		return s.Dead(live, t.Refresh, s.PolicyOf(client)) == reasons.None, nil
	}
	return true, nil
}
