package token

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"maps"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/internal/jwt"
	"latchkey/server/keys"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// idTokenTTL is how long an ID token may be presented to the client that it is for. The session may end sooner or later.
const idTokenTTL = time.Hour

// The types of JWTs. ID tokens have none: OpenID Connect Core names none, and clients stumble over one.
const (
	typIDToken  = ""
	typLogout   = "logout+jwt"
	typUserInfo = "JWT"
)

// IDTokenAlgs returns the algorithms that ID tokens and userinfo answers can be signed with. The first is the default (OpenID Connect
// Core §3.1.3.7).
func IDTokenAlgs() []string { return []string{keys.RS256, keys.ES256, keys.EdDSA} }

// idTokenClaims are the claims of OpenID Connect Core §2 and of Back-Channel Logout §2.4.
type idTokenClaims struct {
	Issuer    string         `json:"iss"`
	Subject   string         `json:"sub,omitempty"`
	Audience  string         `json:"aud"`
	ExpiresAt int64          `json:"exp"`
	IssuedAt  int64          `json:"iat"`
	AuthTime  int64          `json:"auth_time,omitempty"`
	Nonce     string         `json:"nonce,omitempty"`
	AMR       []string       `json:"amr,omitempty"`
	ACR       string         `json:"acr,omitempty"`
	AtHash    string         `json:"at_hash,omitempty"`
	SessionID string         `json:"sid,omitempty"`
	JTI       string         `json:"jti,omitempty"`
	Events    map[string]any `json:"events,omitempty"`
}

// sign writes a JWT with the key that signs now.
func (s *Service) sign(ctx context.Context, alg, typ string, claims any) (string, error) {
	signer, err := s.keys.Signer(ctx, alg)
	if err != nil {
		return "", fmt.Errorf("sign a JWT: %w", err)
	}
	return jwt.Sign(signer, typ, claims)
}

// writeIDToken writes the ID token that goes with an access token.
func (s *Service) writeIDToken(ctx context.Context, c *Content, access string) (storage.Secret, error) {
	g, alg := c.Grant, idTokenAlg(c.Client)
	t := &idTokenClaims{
		Issuer: s.issuer, Subject: c.User.Sub(), Audience: c.Client.ID,
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.IssuedAt.Add(idTokenTTL).Unix(),
		AuthTime: g.AuthTime.Unix(), AMR: g.AMR, ACR: claims.ReportedACR(g.AMR, g.Claims), Nonce: c.Nonce, AtHash: accessTokenHash(alg, access),
	}
	if !g.SessionID.IsZero() {
		t.SessionID = g.SessionID.String()
	}
	payload, err := withClaims(ctx, t, s.idTokenClaims(c))
	if err != nil {
		return "", err
	}
	raw, err := s.sign(ctx, alg, typIDToken, payload)
	return storage.Secret(raw), err
}

// idTokenClaims returns what an ID token says about the user: what the scopes bring, unless the client is not to have it there
// (OpenID Connect Core §5.4 leaves it to userinfo where there is an access token; most applications never ask there), and what the claims
// parameter asks for.
func (s *Service) idTokenClaims(c *Content) map[string]any {
	told := map[string]any{}
	if c.Grant.Claims != "" {
		told = s.claims.Asked(c.User, claims.IDToken, c.Grant.Claims, mayBring(c.Client))
	}
	if c.Client.ClaimsInIDToken() {
		maps.Copy(told, s.claims.Of(c.User, claims.IDToken, c.Scope))
	}
	return named(c.Client, told)
}

func idTokenAlg(c *clients.Client) string {
	if c.IDTokenSignedResponseAlg == "" {
		return IDTokenAlgs()[0]
	}
	return c.IDTokenSignedResponseAlg
}

// accessTokenHash is at_hash: the left half of the hash that goes with the algorithm (Core §3.1.3.6). Ed25519 hashes with
// SHA-512 (RFC 8032 §5.1).
func accessTokenHash(alg, access string) string {
	if alg == keys.EdDSA {
		sum := sha512.Sum512([]byte(access))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// IDTokenHint is the content of an ID token of this server (OpenID Connect RP-Initiated Logout §2).
type IDTokenHint struct {
	Subject  string
	ClientID string
	// SessionID is the browser session; zero when there was none.
	SessionID storage.ID
}

// IDTokenHint reads an ID token that this issuer has written, expired or not. The error is a *protocol.Error or an outage.
func (s *Service) IDTokenHint(ctx context.Context, raw storage.Secret) (*IDTokenHint, error) {
	c, err := jwt.Read[idTokenClaims](ctx, s.keys, raw.Reveal(), typIDToken)
	if err != nil && jwtReason(err) == reasons.None {
		return nil, err
	}
	if err != nil || c.Issuer != s.issuer || c.Subject == "" || c.Audience == "" {
		return nil, protocol.InvalidRequest("The id_token_hint is not an ID token of this issuer.")
	}
	hint := &IDTokenHint{Subject: c.Subject, ClientID: c.Audience}
	hint.SessionID, _ = storage.ParseID(c.SessionID)
	return hint, nil
}

// logoutTokenTTL: OpenID Connect Back-Channel Logout §4 recommends two minutes at most.
const logoutTokenTTL = 2 * time.Minute

// LogoutToken writes the token that notifies a client of the end of a browser session (OpenID Connect Back-Channel Logout §2.4).
func (s *Service) LogoutToken(ctx context.Context, c *clients.Client, subject string, session storage.ID) (storage.Secret, error) {
	now, id := s.now(), NewTokenID()
	raw, err := s.sign(ctx, idTokenAlg(c), typLogout, &idTokenClaims{
		Issuer: s.issuer, Subject: subject, Audience: c.ID,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutTokenTTL).Unix(), JTI: hexID(id),
		SessionID: session.String(),
		Events:    map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	})
	return storage.Secret(raw), err
}
