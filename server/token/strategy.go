package token

import (
	"context"
	"fmt"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"latchkey/clients"
	"latchkey/server/internal/legacyjwt"
	"latchkey/storage"
)

// strategy writes and reads tokens for fosite. What they say is settled in the exchange.
type strategy struct{ s *Service }

var (
	_ oauth2.AccessTokenStrategy  = strategy{}
	_ oauth2.RefreshTokenStrategy = strategy{}
)

// RefreshTokenSignature names the presented token, or gives "" for one that is not authentic: fosite looks for reuse
// before it validates, so a name must be given to authentic tokens only.
func (st strategy) RefreshTokenSignature(ctx context.Context, raw string) string {
	x := exchangeOf(ctx)
	if x.presented != nil {
		return x.presented.Grant.String()
	}
	if err := x.present(ctx, storage.Secret(raw)); err != nil {
		x.refusal = err
		return ""
	}
	return x.presented.Grant.String()
}

// ValidateRefreshToken has nothing left to check: see exchange.find.
func (strategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error { return nil }

func (st strategy) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (string, string, error) {
	x := exchangeOf(ctx)
	if x.next == nil {
		return "", "", nil
	}
	raw, err := x.writeRefresh(ctx)
	return raw.Reveal(), "", err
}

// writeRefresh writes the next refresh token in the client's form.
func (x *exchange) writeRefresh(ctx context.Context) (storage.Secret, error) {
	if x.client.ID != clients.SimpleJWTID {
		return x.s.refresh.encode(x.next), nil
	}
	claims := legacyjwt.Refresh{
		UserID: x.grant.UserID, ID: x.next.ID, Parent: x.next.Parent, Family: x.next.Grant, Generation: x.next.Generation,
		IssuedAt: x.next.IssuedAt, ExpiresAt: x.next.ExpiresAt, Extra: x.extraClaims(),
	}
	var raw string
	var err error
	if x.legacy == nil {
		raw, err = x.s.codec.NewRefresh(ctx, claims)
	} else {
		raw, err = x.s.codec.Rotated(ctx, x.legacy, claims)
	}
	if err != nil {
		return "", fmt.Errorf("write a refresh token: %w", err)
	}
	return storage.Secret(raw), nil
}

// AccessTokenSignature is not used: access tokens are not stored.
func (strategy) AccessTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken is not used: see Service.Introspect.
func (strategy) ValidateAccessToken(context.Context, fosite.Requester, string) error { return nil }

func (st strategy) GenerateAccessToken(ctx context.Context, r fosite.Requester) (string, string, error) {
	x := exchangeOf(ctx)
	raw, err := x.writeAccess(ctx, r.GetSession().GetSubject())
	if err != nil {
		return "", "", fmt.Errorf("write an access token: %w", err)
	}
	return raw, "", nil
}

// writeAccess writes the access token in the client's format.
func (x *exchange) writeAccess(ctx context.Context, subject string) (string, error) {
	if x.sliding {
		return x.writeSliding(ctx)
	}
	jti := newTokenID()
	if x.policy.format == clients.FormatSimpleJWT && x.grant != nil {
		claims := legacyjwt.Access{
			UserID: x.grant.UserID, JTI: jti, Session: x.grant.ID, IssuedAt: x.now, ExpiresAt: x.accessExpiry(),
			Extra: x.extraClaims(),
		}
		if x.client.ID != clients.SimpleJWTID {
			claims.Extra = append(claims.Extra, legacyjwt.StringClaim("client_id", x.client.ID))
		}
		return x.s.codec.Access(ctx, x.legacy, claims)
	}
	claims := &accessClaims{
		Issuer: x.s.issuer, Subject: subject, Audience: x.audience, ClientID: x.client.ID, JTI: hexID(jti),
		IssuedAt: x.now.Unix(), ExpiresAt: x.accessExpiry().Unix(), Scope: joinScope(x.scope),
	}
	if len(claims.Audience) == 0 {
		claims.Audience = audience{x.s.issuer}
	}
	if x.grant != nil {
		claims.AuthTime, claims.SessionID = x.grant.AuthTime.Unix(), x.grant.ID.String()
	} else {
		claims.ClientEpoch = x.client.AuthEpoch
	}
	if x.policy.format == clients.FormatOpaque {
		return x.s.sealAccess(claims)
	}
	return x.s.sign(ctx, x.policy.alg, typAccess, claims)
}

// writeSliding writes the session's sliding token: its id is the grant's current one, for good.
func (x *exchange) writeSliding(ctx context.Context) (string, error) {
	claims := legacyjwt.Sliding{
		UserID: x.grant.UserID, JTI: x.grant.Current, Session: x.grant.ID,
		IssuedAt: x.now, ExpiresAt: x.accessExpiry(), RefreshUntil: x.policy.refreshExpiry(x.grant, x.now),
		Extra: x.extraClaims(),
	}
	if x.legacy == nil {
		return x.s.codec.NewSliding(ctx, claims)
	}
	return x.s.codec.Slid(ctx, x.legacy, claims)
}
