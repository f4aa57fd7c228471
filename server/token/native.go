package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/internal/jwt"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// native is the service's own format: opaque refresh tokens, and access tokens that are JWTs (RFC 9068) or opaque.
type native struct {
	issuer      string
	keys        *keys.Ring
	refreshKeys []*mac.Key   // the first signs, all verify
	opaque      *seal.Sealer // of opaque access tokens
	claims      *claims.Catalog
}

func (*native) Policy(deployment Policy, c *clients.Client) *Policy { return deployment.Of(c) }

func (n *native) ReadRefresh(_ context.Context, raw storage.Secret, _ time.Time) (*RefreshToken, error) {
	t, reason := n.decodeRefresh(raw)
	if reason != reasons.None {
		return nil, protocol.InvalidGrant(reason)
	}
	return t, nil
}

func (n *native) WriteRefresh(_ context.Context, c *Content) (storage.Secret, error) {
	return n.encodeRefresh(c.Next), nil
}

// The opaque form of refresh tokens: the prefix, then base64url without padding of the fields below and a MAC over them. The prefix
// lets secret scanners find a leaked token. Nothing in the database is needed to recognise a forged one.
const (
	refreshPrefix  = "lk_rt_"
	refreshVersion = 1
	refreshPayload = 1 + 16 + 16 + 16 + 8 + 8 + 8 + 8
	refreshLength  = refreshPayload + sha256.Size
)

func (n *native) encodeRefresh(t *RefreshToken) storage.Secret {
	b := make([]byte, 0, refreshLength)
	b = append(b, refreshVersion)
	b = append(b, t.Grant[:]...)
	b = append(b, t.ID[:]...)
	b = append(b, t.Parent[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Generation))
	b = binary.BigEndian.AppendUint64(b, uint64(t.IssuedAt.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.ExpiresAt.Unix()))
	b = append(b, t.Client[:]...)
	sum := n.refreshKeys[0].Sum(b)
	b = append(b, sum[:]...)
	return storage.Secret(refreshPrefix + base64.RawURLEncoding.EncodeToString(b))
}

// decodeRefresh reads an authentic token, expired or not, or returns the reason why it is none.
func (n *native) decodeRefresh(raw storage.Secret) (*RefreshToken, reasons.Reason) {
	text, ok := strings.CutPrefix(raw.Reveal(), refreshPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(refreshLength) {
		return nil, reasons.Malformed
	}
	// Strict: a second spelling of the same token would be a second token wherever text is compared.
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || b[0] != refreshVersion {
		return nil, reasons.Malformed
	}
	payload, sum := b[:refreshPayload], b[refreshPayload:]
	t := &RefreshToken{Sealed: true, CurrentKey: mac.Verify(n.refreshKeys[:1], payload, sum)}
	if !t.CurrentKey && !mac.Verify(n.refreshKeys[1:], payload, sum) {
		return nil, reasons.BadSignature
	}
	rest := payload[1:]
	rest = rest[copy(t.Grant[:], rest):]
	rest = rest[copy(t.ID[:], rest):]
	rest = rest[copy(t.Parent[:], rest):]
	t.Generation = int64(binary.BigEndian.Uint64(rest))
	t.IssuedAt = time.Unix(int64(binary.BigEndian.Uint64(rest[8:])), 0).UTC()
	t.ExpiresAt = time.Unix(int64(binary.BigEndian.Uint64(rest[16:])), 0).UTC()
	copy(t.Client[:], rest[24:])
	return t, reasons.None
}

// accessClaims are the claims of an access token: those of RFC 9068 §2.2 and two of our own.
type accessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	ClientID  string   `json:"client_id"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
	JTI       string   `json:"jti"`
	Scope     string   `json:"scope,omitempty"`
	Login
	// SessionID is the grant.
	SessionID string `json:"sid,omitempty"`
	// ClientEpoch is the client's epoch where there is no grant to keep it.
	ClientEpoch int64 `json:"client_epoch,omitempty"`
	// Confirmation is the key that the token is bound to.
	Confirmation *bound `json:"cnf,omitempty"`
}

// Login is the one that a session came from (RFC 9068 §2.2.1, RFC 9470 §6.2). A refresh never changes it.
type Login struct {
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
}

// loginOf returns the login that a session came from; empty where it is not known, as of one that began in Django: the time
// of its adoption would pass for that of a fresh login.
func loginOf(g *storage.Grant) Login {
	if len(g.AMR) == 0 {
		return Login{}
	}
	return Login{AuthTime: g.AuthTime.Unix(), ACR: claims.ReportedACR(g.AMR, g.Claims), AMR: g.AMR}
}

// audience is a single string where there is one: RFC 7519 §4.1.3.
type audience []string

func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

func (a *audience) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*a = make(audience, 1)
		return json.Unmarshal(b, &(*a)[0])
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// typAccess is the type of access tokens: RFC 9068 §2.1.
const typAccess = "at+jwt"

func (n *native) WriteAccess(ctx context.Context, c *Content) (string, error) {
	own := &accessClaims{
		Issuer: n.issuer, Subject: c.Client.Subject(), Audience: c.Audience, ClientID: c.Client.ID, JTI: hexID(NewTokenID()),
		IssuedAt: c.IssuedAt.Unix(), ExpiresAt: c.ExpiresAt.Unix(), Scope: joinScope(c.Scope),
		Confirmation: confirmation(c.Key),
	}
	if len(own.Audience) == 0 {
		own.Audience = audience{n.issuer}
	}
	if c.Grant != nil {
		own.Subject = c.User.Sub()
		own.SessionID = c.Grant.ID.String()
	} else {
		own.ClientEpoch = c.Client.AuthEpoch
	}
	if c.Policy.AccessFormat == clients.FormatOpaque {
		return n.sealAccess(own) // introspection reads acr and amr from the session
	}
	if c.Grant != nil {
		own.Login = loginOf(c.Grant)
	}
	var told map[string]any
	if c.User != nil {
		told = named(c.Client, n.claims.Of(c.User, claims.AccessToken, c.Scope))
	}
	payload, err := withClaims(ctx, own, told)
	if err != nil {
		return "", err
	}
	signer, err := n.keys.Signer(ctx, c.Policy.AccessAlg)
	if err != nil {
		return "", err
	}
	return jwt.Sign(signer, typAccess, payload)
}

// The opaque form of access tokens: the prefix, then base64url without padding of a version, a nonce and the sealed claims. The
// client can't read them, and nothing is stored.
const (
	opaquePrefix  = "lk_at_"
	opaqueVersion = "\x01"
)

func (n *native) sealAccess(claims *accessClaims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b := n.opaque.Seal([]byte(opaqueVersion), opaqueVersion, payload)
	return opaquePrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

func (n *native) openAccess(raw string) (*accessClaims, reasons.Reason) {
	text := strings.TrimPrefix(raw, opaquePrefix)
	if len(raw) > jwt.MaxLength {
		return nil, reasons.Malformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	sealed, ok := strings.CutPrefix(string(b), opaqueVersion)
	if err != nil || !ok {
		return nil, reasons.Malformed
	}
	payload, err := n.opaque.Open([]byte(sealed), opaqueVersion)
	if err != nil {
		return nil, reasons.BadSignature
	}
	claims := &accessClaims{}
	if json.Unmarshal(payload, claims) != nil {
		return nil, reasons.Malformed
	}
	return claims, reasons.None
}

// Read returns a refresh token, expired or not, or an access token, expired or not.
func (n *native) Read(ctx context.Context, raw storage.Secret, _ time.Time) (*Token, error) {
	text := raw.Reveal()
	if strings.HasPrefix(text, refreshPrefix) {
		t, reason := n.decodeRefresh(raw)
		if reason != reasons.None {
			return nil, protocol.InvalidGrant(reason)
		}
		return &Token{
			Kind: KindRefresh, Grant: t.Grant, Refresh: t,
			IssuedAt: t.IssuedAt.Unix(), ExpiresAt: t.ExpiresAt.Unix(), JTI: hexID(t.ID),
		}, nil
	}
	var claims *accessClaims
	reason := reasons.None
	if strings.HasPrefix(text, opaquePrefix) {
		claims, reason = n.openAccess(text)
	} else {
		var err error
		if claims, err = jwt.Read[accessClaims](ctx, n.keys, text, typAccess); err != nil {
			if reason = jwtReason(err); reason == reasons.None {
				return nil, err
			}
		}
	}
	if reason == reasons.None && claims.Issuer != n.issuer {
		reason = reasons.Malformed // of another issuer on the same database
	}
	if reason != reasons.None {
		return nil, protocol.InvalidGrant(reason)
	}
	grant, _ := storage.ParseID(claims.SessionID) // zero: client_credentials
	return &Token{
		Kind: KindAccess, Grant: grant, ClientID: claims.ClientID, JTI: claims.JTI, Subject: claims.Subject, Scope: claims.Scope,
		Audience: claims.Audience, IssuedAt: claims.IssuedAt, ExpiresAt: claims.ExpiresAt, ClientEpoch: claims.ClientEpoch, Key: claims.Confirmation.key(),
	}, nil
}

// jwtReason returns why a JWT was refused; reasons.None for an outage.
func jwtReason(err error) reasons.Reason {
	switch {
	case errors.Is(err, jwt.ErrMalformed):
		return reasons.Malformed
	case errors.Is(err, jwt.ErrType):
		return reasons.WrongType
	case errors.Is(err, jwt.ErrSignature):
		return reasons.BadSignature
	}
	return reasons.None
}

func hexID(id storage.TokenID) string { return hex.EncodeToString(id[:]) }

func joinScope(scope []string) string { return strings.Join(scope, " ") }

// maxUserClaims is the size in bytes of what one token says about its user: tokens travel in headers, which proxies limit to 8 or 16
// KiB, and jwt.MaxLength is what is read back.
const maxUserClaims = 8 << 10

// withClaims returns the JSON of a token's own claims with those about its user, whose names differ from them. More than maxUserClaims
// are left out, which the log says: the client asks at userinfo, and an application that finds no groups grants nothing.
func withClaims(ctx context.Context, own any, user map[string]any) (json.RawMessage, error) {
	payload, err := json.Marshal(own)
	if err != nil || len(user) == 0 {
		return payload, err
	}
	more, err := json.Marshal(user)
	if err != nil {
		return nil, fmt.Errorf("claims about the user: %w", err)
	}
	if len(more) > maxUserClaims {
		request.From(ctx).Event.Add(slog.Int("user_claims_left_out_bytes", len(more)))
		return payload, nil
	}
	return append(append(payload[:len(payload)-1], ','), more[1:]...), nil
}

// bound is the claim cnf of a token that is bound to a key (RFC 7800 §3.1, RFC 9449 §6.1).
type bound struct {
	// Key is the JWK thumbprint.
	Key string `json:"jkt"`
}

// confirmation returns the claim; nil for a bearer token.
func confirmation(key string) *bound {
	if key == "" {
		return nil
	}
	return &bound{key}
}

// key returns the thumbprint; empty for a bearer token.
func (c *bound) key() string {
	if c == nil {
		return ""
	}
	return c.Key
}
