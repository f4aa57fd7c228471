package keys

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// thumbprint returns the kid of a key (RFC 7638 §3, SHA-256).
func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// publicJWK returns a key as JSON for the key set (RFC 7517 §4).
func publicJWK(public crypto.PublicKey, kid, alg string) (json.RawMessage, error) {
	jwk := jose.JSONWebKey{Key: public, KeyID: kid, Algorithm: alg, Use: "sig"}
	if !jwk.IsPublic() {
		return nil, errors.New("not a public key")
	}
	return jwk.MarshalJSON()
}
