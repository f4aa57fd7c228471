package clients

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// maxJWKS bounds a client's own key set, in bytes.
const maxJWKS = 16 << 10

// checkKeys checks jwks_uri and jwks (RFC 7591 §2): one of the two, and public keys only.
func checkKeys(r *Registration) *MetadataError {
	switch {
	case r.JWKSURI != "" && r.JWKS != nil:
		return Invalid("jwks", "jwks and jwks_uri exclude each other")
	case strings.HasPrefix(r.JWKSURI, "http:"):
		return Invalid("jwks_uri", "use https") // keys that an attacker on the way can replace prove nothing
	case r.JWKS == nil:
		return nil
	}
	set, err := publicKeySet(r.JWKS)
	if err != nil {
		return Invalid("jwks", "%v", err)
	}
	r.JWKS = set
	return nil
}

// readable returns why a key of a kind that assertions are signed with can't be used: an EC coordinate that is a byte short
// (RFC 7518 §6.2.1.2), for example, which some libraries write occasionally. Developers learn of it at registration.
func readable(key map[string]any) error {
	switch [2]any{key["kty"], key["crv"]} {
	case [2]any{"RSA", nil}, [2]any{"EC", "P-256"}, [2]any{"OKP", "Ed25519"}:
		raw, err := json.Marshal(key)
		if err != nil {
			return err
		}
		return new(jose.JSONWebKey).UnmarshalJSON(raw)
	}
	return nil
}

// publicKeySet checks the form of a key set (RFC 7517 §5) and returns its canonical form, whatever a database made of it:
// members in order, no broken text, no number that is out of range. Keys of other kinds pass: a client may have keys for
// other servers too.
func publicKeySet(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > maxJWKS {
		return nil, errors.New("it is longer than 16 KiB")
	}
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return nil, errors.New("NUL is not allowed") // no database stores it in JSON
	}
	// A map, since a struct would take KEYS, which is to be ignored (RFC 7517 §5), for keys.
	var members map[string]json.RawMessage
	var list []map[string]any
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(members["keys"], &list) != nil || list == nil {
		return nil, errors.New("it is not a JWK set, an object with an array named keys")
	}
	for i, key := range list {
		if _, ok := key["kty"]; !ok {
			return nil, errors.New("a key has no kty")
		}
		// RFC 7518 §6.2.2, §6.3.2, §6.4.1: the members of private and symmetric keys.
		for member := range key {
			if slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}, member) {
				return nil, errors.New("a key is not a public one: it has the member " + member)
			}
		}
		if err := readable(key); err != nil {
			return nil, fmt.Errorf("key %d can't be used: %v", i+1, err)
		}
	}
	return json.Marshal(map[string]any{"keys": list})
}
