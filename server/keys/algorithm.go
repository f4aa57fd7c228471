package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
)

// The JWS algorithms (RFC 7518 §3.1, RFC 8037 §3.1) of signing keys.
const (
	ES256 = "ES256"
	ES384 = "ES384"
	ES512 = "ES512"
	EdDSA = "EdDSA"
	RS256 = "RS256"
	RS384 = "RS384"
	RS512 = "RS512"
)

// ErrAlgorithm means that signing keys do not support the JWS algorithm, such as "none" or an HMAC algorithm.
var ErrAlgorithm = errors.New("not a supported signing algorithm")

// rsaBits is the size of new RSA keys. RFC 7518 §3.3: 2048 bits or more.
const rsaBits = 2048

// supported reports whether keys of the algorithm can be generated and used.
func supported(alg string) bool { return curve(alg) != nil || alg == EdDSA || rsaHash(alg) != 0 }

// curve returns the curve of an ECDSA algorithm (RFC 7518 §3.4), or nil for other algorithms.
func curve(alg string) elliptic.Curve {
	switch alg {
	case ES256:
		return elliptic.P256()
	case ES384:
		return elliptic.P384()
	case ES512:
		return elliptic.P521()
	}
	return nil
}

// generateNamed returns a new key pair and its kid, which doesn't begin with "-": one in 64 would, and a command line takes that for a
// flag.
func generateNamed(alg string, newRSA func() (*rsa.PrivateKey, error)) (private crypto.Signer, kid string, err error) {
	for kid == "" || kid[0] == '-' {
		if private, err = generate(alg, newRSA); err != nil {
			return nil, "", err
		}
		if kid, err = thumbprint(private.Public()); err != nil {
			return nil, "", err
		}
	}
	return private, kid, nil
}

// generate returns a new key pair for an algorithm.
func generate(alg string, newRSA func() (*rsa.PrivateKey, error)) (crypto.Signer, error) {
	switch alg {
	case ES256, ES384, ES512:
		return ecdsa.GenerateKey(curve(alg), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256, RS384, RS512:
		return newRSA()
	}
	return nil, fmt.Errorf("%w: %q", ErrAlgorithm, alg)
}

func generateRSA() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }

// fits reports whether a public key has the type that the algorithm needs.
func fits(alg string, public crypto.PublicKey) bool {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		return curve(alg) != nil && p.Curve == curve(alg)
	case ed25519.PublicKey:
		return alg == EdDSA
	case *rsa.PublicKey:
		return rsaHash(alg) != 0 && p.N.BitLen() >= rsaBits
	}
	return false
}

// rsaHash returns the hash of an RSASSA-PKCS1-v1_5 algorithm, or zero for other algorithms.
func rsaHash(alg string) crypto.Hash {
	if strings.HasPrefix(alg, "RS") {
		return hashOf(alg)
	}
	return 0
}

// hashOf returns the hash of an ECDSA or RSA algorithm, or zero for others.
func hashOf(alg string) crypto.Hash {
	switch alg {
	case ES256, RS256:
		return crypto.SHA256
	case ES384, RS384:
		return crypto.SHA384
	case ES512, RS512:
		return crypto.SHA512
	}
	return 0
}

// sign returns the signature bytes of a JWS (RFC 7515 §5.1, step 5).
func sign(alg string, private crypto.Signer, input []byte) ([]byte, error) {
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		var space [sha512.Size]byte
		// Without randomness: RFC 6979, as RFC 8725 §3.2 wants it of JWTs.
		der, err := key.Sign(nil, digestOf(alg, input, &space), hashOf(alg))
		if err != nil {
			return nil, err
		}
		return fixedLength(der, half(key.Curve))
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		var space [sha512.Size]byte
		return rsa.SignPKCS1v15(nil, key, hashOf(alg), digestOf(alg, input, &space))
	}
	return nil, fmt.Errorf("%w: %q", ErrAlgorithm, alg)
}

// verify reports whether a signature is valid. alg must be the key's own algorithm, never one taken from the token.
func verify(alg string, public crypto.PublicKey, input, signature []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		var space [sha512.Size]byte
		return len(signature) == 2*half(key.Curve) && ecdsa.VerifyASN1(key, digestOf(alg, input, &space), derOf(signature))
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, signature)
	case *rsa.PublicKey:
		var space [sha512.Size]byte
		return rsa.VerifyPKCS1v15(key, hashOf(alg), digestOf(alg, input, &space), signature) == nil
	}
	return false
}

// half returns how many bytes each of the two numbers of a signature has (RFC 7518 §3.4).
func half(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }

// digestOf writes the digest that an algorithm signs to space, which its caller has on the stack.
func digestOf(alg string, input []byte, space *[sha512.Size]byte) []byte {
	switch hashOf(alg) {
	case crypto.SHA256:
		sum := sha256.Sum256(input)
		return append(space[:0], sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return append(space[:0], sum[:]...)
	}
	*space = sha512.Sum512(input)
	return space[:]
}

// Signer signs with one key. It stays good for as long as it is held, but ask the ring for each token.
type Signer struct {
	KID       string
	Algorithm string
	sign      func(input []byte) ([]byte, error)
}

// Sign returns the signature bytes of a JWS (RFC 7515 §5.1) over its signing input: for ES256 r ‖ s of 32 bytes each.
func (s *Signer) Sign(signingInput []byte) ([]byte, error) { return s.sign(signingInput) }

func newSigner(kid, alg string, private crypto.Signer) *Signer {
	return &Signer{KID: kid, Algorithm: alg, sign: func(input []byte) ([]byte, error) { return sign(alg, private, input) }}
}
