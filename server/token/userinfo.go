package token

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/clients"
	"latchkey/storage"
)

// UserInfo is the answer of the userinfo endpoint (OpenID Connect Core §5.3.2).
type UserInfo struct {
	// Claims is an object with a sub.
	Claims map[string]any
	// JWT is the same, signed, for a client that is registered for that; empty otherwise.
	JWT storage.Secret
}

// UserInfo says what the access token may know of its user. The error is an *Error, with invalid_token or insufficient_scope
// (RFC 6750 §3.1), or an outage.
func (s *Service) UserInfo(ctx context.Context, bearer storage.Secret) (*UserInfo, error) {
	invalid := refuse("invalid_token", http.StatusUnauthorized, ReasonMalformed, "The access token is invalid, expired or revoked.")
	t, reason, err := s.inspect(ctx, bearer)
	if err != nil {
		return nil, err
	}
	now := s.now()
	switch {
	case reason != ReasonNone:
		invalid.Reason = reason
		return nil, invalid
	case t.kind != "access" || t.legacy != nil || t.grant.IsZero():
		invalid.Reason = ReasonWrongType
		return nil, invalid
	case t.claims.ExpiresAt <= now.Unix():
		invalid.Reason = ReasonExpired
		return nil, invalid
	case !slices.Contains(t.claims.Audience, s.issuer):
		// RFC 8707: a token for another resource server must not work here.
		invalid.Reason = ReasonWrongType
		return nil, invalid
	case !slices.Contains(strings.Fields(t.claims.Scope), scopeOpenID):
		return nil, refuse("insufficient_scope", http.StatusForbidden, ReasonBadRequest, "The access token lacks the scope openid.")
	}
	live, client, reason, err := s.liveGrant(ctx, t.grant, now)
	if err != nil {
		return nil, err
	}
	if reason != ReasonNone {
		invalid.Reason = reason
		return nil, invalid
	}
	info := &UserInfo{Claims: userInfoClaims(live, strings.Fields(t.claims.Scope))}
	if alg := client.UserinfoSignedResponseAlg; alg != "" {
		info.JWT, err = s.signUserInfo(ctx, client, alg, info.Claims)
	}
	return info, err
}

func userInfoClaims(live *storage.LiveGrant, scope []string) map[string]any {
	claims := map[string]any{"sub": strconv.FormatInt(live.UserID, 10)}
	add := func(name string) {
		if value, ok := userInfoClaim(live.User, name); ok {
			claims[name] = value
		}
	}
	for _, name := range scope {
		for _, claim := range claimsOfScope[name] {
			add(claim)
		}
	}
	for name := range keptClaims(live.Claims).UserInfo {
		add(name)
	}
	return claims
}

// signUserInfo: OpenID Connect Core §5.3.2 wants iss and aud in a signed answer.
func (s *Service) signUserInfo(ctx context.Context, client *clients.Client, alg string, claims map[string]any) (storage.Secret, error) {
	signed := map[string]any{"iss": s.issuer, "aud": client.ID, "iat": s.now().Unix()}
	for name, value := range claims {
		signed[name] = value
	}
	raw, err := s.sign(ctx, alg, typUserInfo, signed)
	return storage.Secret(raw), err
}
