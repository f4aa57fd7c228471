package token

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"latchkey/clients"
	"latchkey/server/keys"
	"latchkey/storage"
)

// idTokenTTL is how long an ID token may be presented to the client that it is for. It says nothing of the session.
const idTokenTTL = time.Hour

// DefaultIDTokenAlg is what OpenID Connect Core §3.1.3.7 makes the default.
const DefaultIDTokenAlg = keys.RS256

// The types of JWTs. ID tokens have none: OpenID Connect Core names none, and clients stumble over one.
const (
	typIDToken  = ""
	typLogout   = "logout+jwt"
	typUserInfo = "JWT"
)

// IDTokenAlgs are the algorithms that ID tokens and signed userinfo answers can be had in.
func IDTokenAlgs() []string { return []string{keys.RS256, keys.ES256, keys.EdDSA} }

// idTokenClaims are the claims of OpenID Connect Core §2 and of Back-Channel Logout §2.4.
type idTokenClaims struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub,omitempty"`
	Audience  string          `json:"aud"`
	ExpiresAt int64           `json:"exp"`
	IssuedAt  int64           `json:"iat"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	Nonce     string          `json:"nonce,omitempty"`
	AMR       []string        `json:"amr,omitempty"`
	AtHash    string          `json:"at_hash,omitempty"`
	SessionID string          `json:"sid,omitempty"`
	JTI       string          `json:"jti,omitempty"`
	Events    map[string]any  `json:"events,omitempty"`
	Name      string          `json:"name,omitempty"`
	Username  string          `json:"preferred_username,omitempty"`
	Email     string          `json:"email,omitempty"`
	Verified  json.RawMessage `json:"email_verified,omitempty"`
}

// idTokenStrategy writes ID tokens for fosite.
type idTokenStrategy struct{ s *Service }

var _ openid.OpenIDConnectTokenStrategy = idTokenStrategy{}

// GenerateIDToken is called by fosite's handlers once there is an access token.
func (st idTokenStrategy) GenerateIDToken(ctx context.Context, _ time.Duration, _ fosite.Requester) (string, error) {
	x := exchangeOf(ctx)
	g, alg := x.grant, idTokenAlg(x.client)
	claims := &idTokenClaims{
		Issuer: st.s.issuer, Subject: strconv.FormatInt(g.UserID, 10), Audience: x.client.ID,
		IssuedAt: x.now.Unix(), ExpiresAt: x.now.Add(idTokenTTL).Unix(),
		AuthTime: g.AuthTime.Unix(), AMR: g.AMR, AtHash: accessTokenHash(alg, x.access),
	}
	if !g.SessionID.IsZero() {
		claims.SessionID = g.SessionID.String()
	}
	if x.code != nil {
		claims.Nonce = x.code.Nonce // Core §12.2: only the first one has it
	}
	claims.addUser(x.user, keptClaims(g.Claims))
	return st.s.sign(ctx, alg, typIDToken, claims)
}

// addUser adds what the claims parameter asks for in the ID token. What scopes ask for is had from userinfo: Core §5.4.
func (c *idTokenClaims) addUser(u *storage.User, asked *requestedClaims) {
	for name := range asked.IDToken {
		switch name {
		case "name":
			c.Name = u.Username
		case "preferred_username":
			c.Username = u.Username
		case "email":
			c.Email = u.Email
		case "email_verified":
			if u.Email != "" {
				c.Verified = json.RawMessage("false")
			}
		}
	}
}

func idTokenAlg(c *clients.Client) string {
	if c.IDTokenSignedResponseAlg == "" {
		return DefaultIDTokenAlg
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

// IDTokenHint is what an ID token of ours says of whom it is about (OpenID Connect RP-Initiated Logout §2).
type IDTokenHint struct {
	Subject  string
	ClientID string
	// SessionID is the browser session; zero when there was none.
	SessionID storage.ID
}

// IDTokenHint reads an ID token that this issuer has written, expired or not. The error is an *Error or an outage.
func (s *Service) IDTokenHint(ctx context.Context, raw storage.Secret) (*IDTokenHint, error) {
	var claims idTokenClaims
	reason, err := s.readJWT(ctx, raw.Reveal(), typIDToken, &claims)
	if err != nil {
		return nil, err
	}
	if reason != ReasonNone || claims.Issuer != s.issuer || claims.Subject == "" || claims.Audience == "" {
		return nil, invalidRequest("The id_token_hint is not an ID token of this issuer.")
	}
	hint := &IDTokenHint{Subject: claims.Subject, ClientID: claims.Audience}
	hint.SessionID, _ = storage.ParseID(claims.SessionID)
	return hint, nil
}

// logoutTokenTTL: OpenID Connect Back-Channel Logout §4 recommends two minutes at most.
const logoutTokenTTL = 2 * time.Minute

// LogoutToken writes the token that tells a client of the end of a browser session (OpenID Connect Back-Channel Logout §2.4).
func (s *Service) LogoutToken(ctx context.Context, c *clients.Client, userID int64, session storage.ID) (storage.Secret, error) {
	now, id := s.now(), newTokenID()
	raw, err := s.sign(ctx, idTokenAlg(c), typLogout, &idTokenClaims{
		Issuer: s.issuer, Subject: strconv.FormatInt(userID, 10), Audience: c.ID,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutTokenTTL).Unix(), JTI: hexID(id),
		SessionID: session.String(),
		Events:    map[string]any{"http://schemas.openid.net/event/backchannel-logout": struct{}{}},
	})
	return storage.Secret(raw), err
}

// codeSession is what fosite carries along of an authorization request.
type codeSession struct {
	fosite.DefaultSession
	claims *jwt.IDTokenClaims
}

var _ openid.Session = (*codeSession)(nil)

func (s *codeSession) IDTokenClaims() *jwt.IDTokenClaims { return s.claims }
func (s *codeSession) IDTokenHeaders() *jwt.Headers      { return &jwt.Headers{} }
func (s *codeSession) Clone() fosite.Session             { return &codeSession{claims: s.claims} }

func newIDTokenClaims(userID int64) *jwt.IDTokenClaims {
	return &jwt.IDTokenClaims{Subject: strconv.FormatInt(userID, 10)}
}

// openIDGrant has fosite's OpenID handler behind that of the grant: it writes the ID token once there is an access token.
type openIDGrant struct {
	grant fosite.TokenEndpointHandler
	// more are asked, in their order, after the grant's own handler.
	more []fosite.TokenEndpointHandler
}

func (h *openIDGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if err := h.grant.HandleTokenEndpointRequest(ctx, r); err != nil {
		return err
	}
	for _, next := range h.more {
		if err := next.HandleTokenEndpointRequest(ctx, r); err != nil && !errors.Is(err, fosite.ErrUnknownRequest) {
			return err
		}
	}
	return nil
}

func (h *openIDGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, resp fosite.AccessResponder) error {
	if err := h.grant.PopulateTokenEndpointResponse(ctx, r, resp); err != nil {
		return err
	}
	exchangeOf(ctx).access = resp.GetAccessToken()
	if !slices.Contains(r.GetGrantedScopes(), scopeOpenID) {
		return nil
	}
	for _, next := range h.more {
		if err := next.PopulateTokenEndpointResponse(ctx, r, resp); err != nil && !errors.Is(err, fosite.ErrUnknownRequest) {
			return err
		}
	}
	return nil
}

func (h *openIDGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (h *openIDGrant) CanHandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) bool {
	return h.grant.CanHandleTokenEndpointRequest(ctx, r)
}
