package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"latchkey/server/keys"
)

// MaxLength is the length in bytes of the longest token that is read.
const MaxLength = 16 << 10

// Errors of Read. Any other is an outage.
var (
	// ErrMalformed is returned for text that is no JWT, or whose claims are no JSON object of the wanted shape.
	ErrMalformed = errors.New("malformed JWT")
	// ErrType is returned for a JWT whose header is not one that Sign writes for the wanted type.
	ErrType = errors.New("JWT of another type")
	// ErrSignature is returned when the signature is wrong or its key is unknown.
	ErrSignature = errors.New("wrong signature of a JWT")
)

var strict = base64.RawURLEncoding.Strict()

// header returns the encoded header of every JWT that this server signs. An empty typ is left out.
func header(alg, kid, typ string) string {
	text := `{"alg":"` + alg + `","kid":"` + kid + `"`
	if typ != "" {
		text += `,"typ":"` + typ + `"`
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text + "}"))
}

// algAndKID finds the two in a header that the function header wrote. Of any other text it returns something with which that function
// does not write the same again.
func algAndKID(head string) (alg, kid string) {
	head = strings.TrimPrefix(head, `{"alg":"`)
	alg, head, _ = strings.Cut(head, `","kid":"`)
	kid, _, _ = strings.Cut(head, `"`)
	return alg, kid
}

// usualSignature is the length of an ES256 signature in base64url; room for it need not be made again.
const usualSignature = 86

// Sign writes a JWT in the compact form (RFC 7515 §7.1).
func Sign(signer *keys.Signer, typ string, claims any) (string, error) {
	payload, written := claims.(json.RawMessage)
	if !written {
		var err error
		if payload, err = json.Marshal(claims); err != nil {
			return "", fmt.Errorf("write a JWT: %w", err)
		}
	}
	head := header(signer.Algorithm, signer.KID, typ)
	token := make([]byte, 0, len(head)+1+base64.RawURLEncoding.EncodedLen(len(payload))+1+usualSignature)
	token = append(append(token, head...), '.')
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	signature, err := signer.Sign(token)
	if err != nil {
		return "", fmt.Errorf("sign a JWT: %w", err)
	}
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature)), nil
}

// Read returns the claims of a JWT that Sign wrote with the same typ, expired or not. Only the header that Sign would write is
// accepted, so nothing in it can steer the check (RFC 8725 §3.1), and a token of one type is not taken for another (§3.11). The claims
// are shared by those who read the same token, and must not be changed.
func Read[Claims any](ctx context.Context, ring *keys.Ring, raw, typ string) (*Claims, error) {
	parts, ok := Split(raw)
	if !ok {
		return nil, ErrMalformed
	}
	headJSON, err := strict.DecodeString(parts.Header)
	if err != nil {
		return nil, ErrMalformed
	}
	alg, kid := algAndKID(string(headJSON))
	if header(alg, kid, typ) != parts.Header {
		return nil, ErrType
	}
	verified, err := ring.VerifyContext(ctx, kid, alg, []byte(parts.Input), parts.Signature)
	switch {
	case errors.Is(err, keys.ErrUnknownKey) || errors.Is(err, keys.ErrSignature):
		return nil, ErrSignature
	case err != nil:
		return nil, fmt.Errorf("verify a JWT: %w", err)
	}
	content, err := verified.Content(func() (any, error) {
		claims := new(Claims)
		payload, err := strict.DecodeString(parts.Payload)
		if err != nil || json.Unmarshal(payload, claims) != nil {
			return nil, ErrMalformed
		}
		return claims, nil
	})
	claims, ok := content.(*Claims)
	if err != nil || !ok { // a typ has claims of one shape
		return nil, ErrMalformed
	}
	return claims, nil
}

// Parts are the parts of a JWT in the compact form.
type Parts struct {
	Header, Payload string // base64url
	Input           string // what the signature is over
	Signature       []byte
}

// Split takes a JWT apart; ok is false when it is too long, does not have three parts, or its signature is no base64url.
func Split(raw string) (p Parts, ok bool) {
	if len(raw) > MaxLength {
		return Parts{}, false
	}
	head, rest, ok1 := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || strings.ContainsRune(signature, '.') {
		return Parts{}, false
	}
	sig, err := strict.DecodeString(signature)
	if err != nil {
		return Parts{}, false
	}
	return Parts{Header: head, Payload: payload, Input: raw[:len(head)+1+len(payload)], Signature: sig}, true
}
