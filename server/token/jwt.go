package token

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"latchkey/server/keys"
)

// maxToken bounds what is looked at.
const maxToken = 16 << 10

// jwtHeader is the header of every JWT that the service signs, base64url. An empty typ is left out.
func jwtHeader(alg, kid, typ string) string {
	header := `{"alg":"` + alg + `","kid":"` + kid + `"`
	if typ != "" {
		header += `,"typ":"` + typ + `"`
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header + "}"))
}

// sign writes a JWT with the key that signs now.
func (s *Service) sign(ctx context.Context, alg, typ string, claims any) (string, error) {
	signer, err := s.keys.Signer(ctx, alg)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	header := jwtHeader(signer.Algorithm, signer.KID, typ)
	b64 := base64.RawURLEncoding
	raw := make([]byte, 0, len(header)+b64.EncodedLen(len(payload))+2+b64.EncodedLen(256))
	raw = append(append(raw, header...), '.')
	raw = b64.AppendEncode(raw, payload)
	sig, err := signer.Sign(raw)
	if err != nil {
		return "", err
	}
	raw = b64.AppendEncode(append(raw, '.'), sig)
	return string(raw), nil
}

// readJWT reads what sign wrote, or gives the reason why it is not that. Only the header that we would write ourselves is
// accepted, so nothing in it can steer the check (RFC 8725 §3.1), and a token of one type is not taken for another (§3.11).
func (s *Service) readJWT(ctx context.Context, raw, typ string, claims any) (Reason, error) {
	if len(raw) > maxToken {
		return ReasonMalformed, nil
	}
	head, rest, ok1 := strings.Cut(raw, ".")
	body, sigText, ok2 := strings.Cut(rest, ".")
	b64 := base64.RawURLEncoding.Strict()
	headJSON, err := b64.DecodeString(head)
	if !ok1 || !ok2 || err != nil {
		return ReasonMalformed, nil
	}
	var header struct{ Alg, KID string }
	if json.Unmarshal(headJSON, &header) != nil || jwtHeader(header.Alg, header.KID, typ) != head {
		return ReasonWrongType, nil
	}
	sig, err := b64.DecodeString(sigText)
	if err != nil {
		return ReasonMalformed, nil
	}
	switch err := s.keys.VerifyContext(ctx, header.KID, header.Alg, []byte(raw[:len(head)+1+len(body)]), sig); {
	case errors.Is(err, keys.ErrUnknownKey) || errors.Is(err, keys.ErrSignature):
		return ReasonBadSignature, nil
	case err != nil:
		return ReasonNone, fmt.Errorf("verify a token: %w", err)
	}
	payload, err := b64.DecodeString(body)
	if err != nil || json.Unmarshal(payload, claims) != nil {
		return ReasonMalformed, nil
	}
	return ReasonNone, nil
}
