package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
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
func generateNamed(alg string) (private crypto.Signer, kid string, err error) {
	for kid == "" || kid[0] == '-' {
		if private, err = generate(alg); err != nil {
			return nil, "", err
		}
		if kid, err = thumbprint(private.Public()); err != nil {
			return nil, "", err
		}
	}
	return private, kid, nil
}

// generate returns a new key pair.
func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case ES256, ES384, ES512:
		return ecdsa.GenerateKey(curve(alg), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256, RS384, RS512:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("%w: %q", ErrAlgorithm, alg)
}

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
	switch alg {
	case RS256:
		return crypto.SHA256
	case RS384:
		return crypto.SHA384
	case RS512:
		return crypto.SHA512
	}
	return 0
}

// sign returns the signature bytes of a JWS (RFC 7515 §5.1, step 5).
func sign(alg string, private crypto.Signer, input []byte) ([]byte, error) {
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		if alg != ES256 {
			return signECDSA(alg, key, input)
		}
		digest := sha256.Sum256(input)
		der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		return fixedLength(der)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		hash := rsaHash(alg)
		return rsa.SignPKCS1v15(nil, key, hash, digestOf(hash, input))
	}
	return nil, fmt.Errorf("%w: %q", ErrAlgorithm, alg)
}

// verify reports whether a signature is valid. alg must be the key's own algorithm, never one taken from the token.
func verify(alg string, public crypto.PublicKey, input, signature []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if alg != ES256 {
			return verifyECDSA(alg, key, input, signature)
		}
		if len(signature) != 64 {
			return false
		}
		digest := sha256.Sum256(input)
		return ecdsa.VerifyASN1(key, digest[:], derOf(signature))
	case ed25519.PublicKey:
		return ed25519.Verify(key, input, signature)
	case *rsa.PublicKey:
		hash := rsaHash(alg)
		return rsa.VerifyPKCS1v15(key, hash, digestOf(hash, input), signature) == nil
	}
	return false
}

// ecdsaHash returns the hash of the ECDSA algorithms with the longer curves.
func ecdsaHash(alg string) crypto.Hash {
	if alg == ES384 {
		return crypto.SHA384
	}
	return crypto.SHA512
}

// signECDSA returns r ‖ s in the length of the curve (RFC 7518 §3.4).
func signECDSA(alg string, key *ecdsa.PrivateKey, input []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, key, digestOf(ecdsaHash(alg), input))
	if err != nil {
		return nil, err
	}
	half := (key.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*half)
	r.FillBytes(out[:half])
	s.FillBytes(out[half:])
	return out, nil
}

func verifyECDSA(alg string, key *ecdsa.PublicKey, input, signature []byte) bool {
	half := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*half {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	return ecdsa.Verify(key, digestOf(ecdsaHash(alg), input), r, s)
}

func digestOf(hash crypto.Hash, input []byte) []byte {
	h := hash.New()
	h.Write(input)
	return h.Sum(nil)
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
