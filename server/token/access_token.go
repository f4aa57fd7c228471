package token

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"latchkey/storage"
)

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
	AuthTime  int64    `json:"auth_time,omitempty"`
	// SessionID is the grant.
	SessionID string `json:"sid,omitempty"`
	// ClientEpoch is the client's epoch where there is no grant to keep it.
	ClientEpoch int64 `json:"client_epoch,omitempty"`
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

func hexID(id storage.TokenID) string { return hex.EncodeToString(id[:]) }

func joinScope(scope []string) string { return strings.Join(scope, " ") }

// defaultAlg signs access tokens unless the client says otherwise: small and fast; RS256 costs twenty times the CPU.
const defaultAlg = "ES256"

// typAccess is the type of access tokens: RFC 9068 §2.1.
const typAccess = "at+jwt"

// readAccess gives the claims of an authentic access token of ours in the form of RFC 9068, expired or not, or the reason
// why it is none.
func (s *Service) readAccess(ctx context.Context, raw string) (*accessClaims, Reason, error) {
	claims := new(accessClaims)
	reason, err := s.readJWT(ctx, raw, typAccess, claims)
	if err != nil || reason != ReasonNone {
		return nil, reason, err
	}
	if claims.Issuer != s.issuer {
		return nil, ReasonMalformed, nil
	}
	return claims, ReasonNone, nil
}

// The opaque form: the prefix, then base64url without padding of a version, a nonce and the sealed claims. The client
// sees nothing of them, and nothing is stored.
const (
	opaquePrefix  = "lk_at_"
	opaqueVersion = "\x01"
)

// sealAccess writes an opaque access token.
func (s *Service) sealAccess(claims *accessClaims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b := s.opaque.seal([]byte(opaqueVersion), opaqueVersion, payload)
	return opaquePrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

// openAccess gives the claims of an opaque access token, or the reason why it is none.
func (s *Service) openAccess(raw string) (*accessClaims, Reason) {
	text, ok := strings.CutPrefix(raw, opaquePrefix)
	if !ok || len(raw) > maxToken {
		return nil, ReasonMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	sealed, ok := strings.CutPrefix(string(b), opaqueVersion)
	if err != nil || !ok {
		return nil, ReasonMalformed
	}
	payload, err := s.opaque.open([]byte(sealed), opaqueVersion)
	if err != nil {
		return nil, ReasonBadSignature
	}
	claims := new(accessClaims)
	if json.Unmarshal(payload, claims) != nil || claims.Issuer != s.issuer {
		return nil, ReasonMalformed // of another issuer on the same database, as readAccess has it
	}
	return claims, ReasonNone
}
