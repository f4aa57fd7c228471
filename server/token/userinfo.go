package token

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/storage"
)

// UserInfo is the answer of the userinfo endpoint (OpenID Connect Core §5.3.2).
type UserInfo struct {
	// Claims is an object with a sub.
	Claims map[string]any
	// JWT is the same, signed, for a client that is registered for that; empty otherwise.
	JWT storage.Secret
}

// UserInfo returns the claims that an access token may read: its session was granted the scope openid, and it has that scope itself or
// is for this server. The error is a *protocol.Error, with invalid_token or insufficient_scope (RFC 6750 §3.1), or an outage.
func (s *Service) UserInfo(ctx context.Context, bearer storage.Secret) (*UserInfo, error) {
	t, err := s.read(ctx, bearer)
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return nil, invalidToken(refused.Reason)
	}
	if err != nil {
		return nil, err
	}
	now, scope := s.now(), strings.Fields(t.Scope)
	own, openID := slices.Contains(t.Audience, s.issuer), slices.Contains(scope, claims.ScopeOpenID)
	switch {
	// RFC 8707: a token for another resource server must not work here, unless the client asked for openid as well; see
	// docs/divergences.md. A token of another form has no audience.
	case t.Kind != KindAccess || t.Grant.IsZero() || len(t.Audience) == 0 || !own && !openID:
		return nil, invalidToken(protocol.ReasonWrongType)
	case t.ExpiresAt <= now.Unix():
		return nil, invalidToken(protocol.ReasonExpired)
	}
	live, client, reason, err := s.liveGrant(ctx, s.store.GrantWithProfile, t.Grant)
	switch {
	case err != nil:
		return nil, err
	case reason != protocol.ReasonNone:
		return nil, invalidToken(reason)
	case !slices.Contains(live.Scope, claims.ScopeOpenID):
		e := protocol.Refuse("insufficient_scope", protocol.ReasonBadRequest, "The access token lacks the scope openid.")
		e.Status = http.StatusForbidden
		return nil, e
	}
	info := &UserInfo{Claims: s.userInfoClaims(live, scope)}
	if alg := client.UserinfoSignedResponseAlg; alg != "" {
		info.JWT, err = s.signUserInfo(ctx, client, alg, info.Claims)
	}
	return info, err
}

func invalidToken(reason protocol.Reason) *protocol.Error {
	return protocol.InvalidToken(reason, "The access token is invalid, expired or revoked.")
}

func (s *Service) userInfoClaims(live *storage.LiveGrant, scope []string) map[string]any {
	values := s.claims.Of(live.User, claims.UserInfo, scope)
	maps.Copy(values, s.claims.Asked(live.User, claims.UserInfo, claims.ParseStored(live.Claims).UserInfo))
	values["sub"] = live.User.Sub()
	return values
}

// signUserInfo signs an answer, with the iss and aud that OpenID Connect Core §5.3.2 wants in it.
func (s *Service) signUserInfo(ctx context.Context, client *clients.Client, alg string, values map[string]any) (storage.Secret, error) {
	signed := map[string]any{"iss": s.issuer, "aud": client.ID, "iat": s.now().Unix()}
	for name, value := range values {
		signed[name] = value
	}
	raw, err := s.sign(ctx, alg, typUserInfo, signed)
	return storage.Secret(raw), err
}
