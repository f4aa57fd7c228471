package token

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

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
	opaqueVersion = 1
)

type opaqueCodec struct{ aeads []cipher.AEAD }

func newOpaqueCodec(keys [][]byte) (*opaqueCodec, error) {
	c := new(opaqueCodec)
	for _, key := range keys {
		// XChaCha20 for its long nonce: random ones of 96 bits must not be drawn more often than 2^32 times.
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, err
		}
		c.aeads = append(c.aeads, aead)
	}
	return c, nil
}

func (c *opaqueCodec) seal(claims *accessClaims) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b := make([]byte, 1+chacha20poly1305.NonceSizeX, 1+chacha20poly1305.NonceSizeX+len(payload)+chacha20poly1305.Overhead)
	b[0] = opaqueVersion
	rand.Read(b[1:])
	b = c.aeads[0].Seal(b, b[1:], payload, b[:1])
	return opaquePrefix + base64.RawURLEncoding.EncodeToString(b), nil
}

func (c *opaqueCodec) open(raw string) (*accessClaims, Reason) {
	text, ok := strings.CutPrefix(raw, opaquePrefix)
	if !ok || len(raw) > maxToken {
		return nil, ReasonMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) <= 1+chacha20poly1305.NonceSizeX || b[0] != opaqueVersion {
		return nil, ReasonMalformed
	}
	nonce, sealed := b[1:1+chacha20poly1305.NonceSizeX], b[1+chacha20poly1305.NonceSizeX:]
	for _, aead := range c.aeads {
		payload, err := aead.Open(nil, nonce, sealed, b[:1])
		if err != nil {
			continue
		}
		claims := new(accessClaims)
		if json.Unmarshal(payload, claims) != nil {
			return nil, ReasonMalformed
		}
		return claims, ReasonNone
	}
	return nil, ReasonBadSignature
}
