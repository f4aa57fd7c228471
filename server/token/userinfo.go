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
	"latchkey/server/dpop"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// UserInfo is the answer of the userinfo endpoint (OpenID Connect Core §5.3.2).
type UserInfo struct {
	// Claims is an object with a sub.
	Claims map[string]any
	// JWT is the same, signed, for a client that is registered for that; empty otherwise.
	JWT storage.Secret
}

// UserInfoRequest is a request for claims with an access token.
type UserInfoRequest struct {
	Token storage.Secret
	// DPoP is set for the scheme DPoP, which needs a Proof (RFC 9449 §7.1).
	DPoP  bool
	Proof dpop.Presented
}

// UserInfo returns the claims that an access token may read: its session was granted the scope openid, and it has that scope itself or
// is for this server. The error is a *protocol.Error, with invalid_token or insufficient_scope (RFC 6750 §3.1), or an outage.
func (s *Service) UserInfo(ctx context.Context, req *UserInfoRequest) (*UserInfo, error) {
	t, err := s.read(ctx, req.Token)
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
		return nil, invalidToken(reasons.WrongType)
	case t.ExpiresAt <= now.Unix():
		return nil, invalidToken(reasons.Expired)
	}
	proof, err := s.proofOf(req, t)
	if err != nil {
		return nil, err
	}
	live, client, reason, err := s.liveGrant(ctx, s.store.GrantWithProfile, t.Grant)
	switch {
	case err != nil:
		return nil, err
	case reason != reasons.None:
		return nil, invalidToken(reason)
	case !slices.Contains(live.Scope, claims.ScopeOpenID):
		e := protocol.Refuse("insufficient_scope", reasons.BadRequest, "The access token lacks the scope openid.")
		e.Status = http.StatusForbidden
		return nil, e
	}
	if proof != nil {
		if err := s.auth.AllowRow(ctx, client); err != nil {
			return nil, err
		}
		if err := s.proofs.Use(ctx, client.ID, proof); err != nil {
			return nil, unauthorized(err)
		}
	}
	info := &UserInfo{Claims: s.userInfoClaims(client, live, scope, openID)}
	if alg := client.UserinfoSignedResponseAlg; alg != "" {
		info.JWT, err = s.signUserInfo(ctx, client, alg, info.Claims)
	}
	return info, err
}

// proofOf returns the proof of the key that an access token is bound to; nil for a bearer token. A bound token is never a bearer token, nor
// the other way round (RFC 9449 §7.1, §7.2).
func (s *Service) proofOf(req *UserInfoRequest, t *Token) (*dpop.Proof, error) {
	switch {
	case t.Key == "" && !req.DPoP:
		return nil, nil
	case t.Key == "":
		return nil, protocol.InvalidToken(reasons.OtherKey, "The access token is not bound to a key: send it with the scheme Bearer.")
	case !req.DPoP:
		return nil, protocol.InvalidToken(reasons.OtherKey, "The access token is bound to a key: send it with the scheme DPoP and a proof.")
	case req.Proof.None():
		return nil, unauthorized(dpop.Invalid("it is missing: the scheme DPoP needs a DPoP header."))
	}
	proof, err := s.proofs.Read(req.Proof)
	if err == nil {
		err = proof.Proves(req.Token)
	}
	switch {
	case err != nil:
		return nil, unauthorized(err)
	case proof.Key != t.Key:
		return nil, protocol.InvalidToken(reasons.OtherKey, "The access token is bound to another key than that of the DPoP proof.")
	}
	return proof, nil
}

// unauthorized sets the status that the refusal of a proof has where a token is presented.
func unauthorized(err error) error {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		refused.Status = http.StatusUnauthorized
	}
	return err
}

func invalidToken(reason reasons.Reason) *protocol.Error {
	return protocol.InvalidToken(reason, "The access token is invalid, expired or revoked.")
}

// userInfoClaims returns what the scopes of the token bring, and what the claims parameter of its session asks for unless the client has left
// openid out of the token, as it does before it hands it on.
func (s *Service) userInfoClaims(client *clients.Client, live *storage.LiveGrant, scope []string, openID bool) map[string]any {
	user := seenBy(client, live.User)
	values := s.claims.Of(user, claims.UserInfo, scope)
	if openID && live.Claims != "" {
		maps.Copy(values, s.claims.Asked(user, claims.UserInfo, live.Claims, mayBring(client)))
	}
	values = named(client, values)
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
