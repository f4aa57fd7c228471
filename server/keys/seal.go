package keys

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/x509"
	"errors"
	"fmt"
)

// sealPurpose is the purpose of the keys that seal signing keys; see [Root.Derive].
const sealPurpose = "signing keys"

// sealVersion is the first byte of a sealed key: AES-256-GCM over PKCS #8 (RFC 5958), with a random nonce in front.
const sealVersion = 1

// ErrUnsealed means that a signing key in the database was sealed with a root secret that this process does not have.
var ErrUnsealed = errors.New("the signing key can't be unsealed: LATCHKEY_SECRET is not the root secret that it was made with; " +
	"set LATCHKEY_SECRET to that one, or name it in LATCHKEY_SECRET_PREVIOUS (or, when it is lost, give the key up with: latchkey key retire)")

// seal encrypts a private key. The key's name and algorithm are bound to it, so that a sealed key that is moved to
// another row does not open.
func (r *Root) seal(private crypto.Signer, kid, alg string) ([]byte, error) {
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	gcm, err := newGCM(r.Derive(sealPurpose)[0])
	if err != nil {
		return nil, err
	}
	return gcm.Seal([]byte{sealVersion}, nil, plain, sealedFor(kid, alg)), nil
}

// unseal decrypts a sealed key with the current root secret or a retired one, and returns the index of that secret (0 is the
// current one).
func (r *Root) unseal(sealed []byte, kid, alg string) (private crypto.Signer, secret int, err error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, 0, fmt.Errorf("%w (unknown form)", ErrUnsealed)
	}
	for i, derived := range r.Derive(sealPurpose) {
		gcm, err := newGCM(derived)
		if err != nil {
			return nil, 0, err
		}
		plain, err := gcm.Open(nil, nil, sealed[1:], sealedFor(kid, alg))
		if err != nil {
			continue
		}
		parsed, err := x509.ParsePKCS8PrivateKey(plain)
		if err != nil {
			return nil, 0, fmt.Errorf("sealed key: %w", err)
		}
		private, ok := parsed.(crypto.Signer)
		if !ok || !fits(alg, private.Public()) {
			return nil, 0, fmt.Errorf("sealed key: %w", ErrAlgorithm)
		}
		return private, i, nil
	}
	return nil, 0, ErrUnsealed
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func sealedFor(kid, alg string) []byte { return []byte(kid + "\x00" + alg) }
