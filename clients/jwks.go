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

// checkKeys holds jwks_uri and jwks to RFC 7591 §2: one of the two, and public keys only.
func checkKeys(m *Metadata, _ *Policy) *MetadataError {
	if bytes.Equal(bytes.TrimSpace(m.JWKS), []byte("null")) {
		m.JWKS = nil
	}
	if m.JWKSURI != "" && len(m.JWKS) > 0 {
		return invalid("jwks", "jwks and jwks_uri exclude each other")
	}
	if m.JWKSURI != "" {
		if err := checkWebURI(m.JWKSURI); err != nil {
			return invalid("jwks_uri", "%q: %v", shorten(m.JWKSURI), err)
		}
		if !strings.HasPrefix(m.JWKSURI, "https:") {
			return invalid("jwks_uri", "use https") // keys that anybody on the way may replace prove nothing
		}
	}
	if len(m.JWKS) == 0 {
		m.JWKS = nil
		return nil
	}
	set, err := publicKeySet(m.JWKS)
	if err != nil {
		return invalid("jwks", "%v", err)
	}
	m.JWKS = set
	return nil
}

// readable tells why a key of a kind that assertions are signed with is broken: an EC coordinate that is a byte short (RFC 7518
// §6.2.1.2), say, which some libraries write now and then. Whoever registers it had better learn so than be refused later.
func readable(key map[string]any) error {
	curve, _ := key["crv"].(string)
	switch key["kty"] {
	case "RSA":
	case "EC":
		if curve != "P-256" {
			return nil
		}
	case "OKP":
		if curve != "Ed25519" {
			return nil
		}
	default:
		return nil
	}
	raw, err := json.Marshal(key)
	if err != nil {
		return err
	}
	return new(jose.JSONWebKey).UnmarshalJSON(raw)
}

// publicKeySet checks the form of a key set (RFC 7517 §5) and writes it in one way, whatever a database made of it: members
// in order, no broken text, no number that is out of reach. Whether we can use a key shows when it is used: a client may
// have keys for others too.
func publicKeySet(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) > maxJWKS {
		return nil, errors.New("longer than 16 KiB")
	}
	if bytes.Contains(raw, []byte(`\u0000`)) {
		return nil, errors.New("NUL is not allowed") // no database keeps it in a JSON text
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || set.Keys == nil {
		return nil, errors.New("not a JWK set: an object with an array named keys is needed")
	}
	for i, key := range set.Keys {
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
	return json.Marshal(set)
}
