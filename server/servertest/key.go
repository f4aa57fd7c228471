package servertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Key is a key of a client, for assertions, DPoP proofs and request objects.
type Key struct {
	Private *ecdsa.PrivateKey
	// JWK is the public key; Thumbprint is its RFC 7638 hash.
	JWK        jose.JSONWebKey
	Thumbprint string

	t testing.TB
}

// NewKey draws a key for ES256.
func NewKey(t testing.TB) *Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := &Key{Private: private, JWK: jose.JSONWebKey{Key: private.Public()}, t: t}
	sum, err := k.JWK.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	k.Thumbprint = base64.RawURLEncoding.EncodeToString(sum)
	return k
}

// Set gives the JWK set of the key.
func (k *Key) Set() json.RawMessage {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.JWK}})
	if err != nil {
		k.t.Fatal(err)
	}
	return set
}

// Members are the members of a JSON object; nil leaves one out.
type Members map[string]any

func (m Members) with(changes Members) Members {
	all := maps.Clone(m)
	for name, value := range changes {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	return all
}

// Sign writes a JWT with the header alg ES256 and what else is given.
func (k *Key) Sign(header, claims Members) string {
	k.t.Helper()
	input := k.part(Members{"alg": "ES256"}.with(header)) + "." + k.part(claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.Private, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature[:])
}

func (k *Key) part(m Members) string {
	text, err := json.Marshal(m)
	if err != nil {
		k.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Proof writes a DPoP proof (RFC 9449 §4.2) for a request to a path of the server, with the changes.
func (k *Key) Proof(s *Server, method, path string, header, claims Members) string {
	k.t.Helper()
	head := Members{"typ": "dpop+jwt", "jwk": k.JWK}
	body := Members{"jti": rand.Text(), "htm": method, "htu": s.URL + path, "iat": s.Clock.Now().Unix()}
	return k.Sign(head.with(header), body.with(claims))
}

// DPoP puts a fresh proof for the token endpoint into a request, with the changes of its claims.
func (k *Key) DPoP(s *Server, claims ...Members) Edit {
	var changes Members
	if len(claims) > 0 {
		changes = claims[0]
	}
	return Header("DPoP", k.Proof(s, "POST", "/oauth2/token", nil, changes))
}

// Assertion gives the parameters of private_key_jwt (RFC 7523) for a client.
func (k *Key) Assertion(s *Server, clientID string) []string {
	now := s.Clock.Now()
	return []string{
		"client_id", clientID, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", k.Sign(nil, Members{
			"iss": clientID, "sub": clientID, "aud": s.URL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}),
	}
}
