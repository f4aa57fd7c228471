package oauth_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"

	"latchkey/server/users"
)

func jsonInto(text string, v any) error { return json.Unmarshal([]byte(text), v) }

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

func newUser(name string) users.NewUser { return users.NewUser{Username: name, Active: true} }

// hashOf is at_hash: OpenID Connect Core §3.1.3.6.
func hashOf(alg, token string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
