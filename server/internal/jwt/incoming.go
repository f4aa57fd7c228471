package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"

	"github.com/go-jose/go-jose/v4"
)

// Incoming is a JWT that another party signed: a client assertion, a DPoP proof, a request object. Nothing in it is verified until
// SignedWith reports true.
type Incoming struct {
	Header, Claims Object
	// Alg and KID are of the header.
	Alg, KID string

	typ       string
	signed    *jose.JSONWebSignature
	input     []byte // what was signed
	signature []byte
}

// IncomingAlgs returns the algorithms that others may sign with. RFC 9864 renames EdDSA with this curve to Ed25519, and libraries have
// begun to write that.
func IncomingAlgs() []string { return []string{"ES256", "EdDSA", "Ed25519", "RS256", "PS256"} }

// SameAlg reports whether two names mean the same algorithm.
func SameAlg(a, b string) bool { return a == b || edwards(a) && edwards(b) }

func edwards(alg string) bool { return alg == "EdDSA" || alg == "Ed25519" }

// The bounds of the RSA keys of others.
const (
	minRSA      = 2048 // bits: RFC 7518 §3.3
	maxRSA      = 8192
	maxExponent = 1<<16 + 1 // a large one makes RSA slow
)

// ReadIncoming takes a JWT in the compact form apart; nil if it is none, or if its header or payload is not a JSON object without repeated
// members. The algorithm is not judged.
func ReadIncoming(raw string) *Incoming {
	parts, ok := Split(raw)
	if !ok {
		return nil
	}
	f := &Incoming{
		Header: DecodeObject(parts.Header), Claims: DecodeObject(parts.Payload), input: []byte(parts.Input), signature: parts.Signature,
	}
	if f.Header == nil || f.Claims == nil || !f.Header.Strings(map[string]*string{"alg": &f.Alg, "kid": &f.KID, "typ": &f.typ}) {
		return nil
	}
	// A failure shows in SignedWith.
	f.signed, _ = jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(f.Alg)})
	return f
}

// Typ returns the typ of the header; empty if there is none.
func (f *Incoming) Typ() string { return f.typ }

// SignedWith reports whether the JWT was signed with key, which must be for this algorithm: the key decides, not the header
// (RFC 8725 §3.1).
func (f *Incoming) SignedWith(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && !SameAlg(key.Algorithm, f.Alg) || !fitsAlg(key.Key, f.Alg) {
		return false
	}
	if public, ok := key.Key.(ed25519.PublicKey); ok { // go-jose knows one of its two names only
		return ed25519.Verify(public, f.input, f.signature)
	}
	if f.signed == nil {
		return false
	}
	_, err := f.signed.Verify(key.Key)
	return err == nil
}

func fitsAlg(key any, alg string) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return edwards(alg)
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return (alg == "RS256" || alg == "PS256") && bits >= minRSA && bits <= maxRSA && key.E <= maxExponent
	}
	return false
}
