package keys

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"latchkey/storage"
)

// MinSecret is the minimum length of a root secret, in bytes.
const MinSecret = 32

// Root is the root secret with its retired predecessors, from which every symmetric key is derived (HKDF, RFC 5869).
type Root struct {
	secrets []storage.Secret // the current one first
}

// ErrShortSecret means that a root secret has fewer than MinSecret bytes.
var ErrShortSecret = errors.New("the root secret is shorter than 32 bytes")

// NewRoot returns a Root of the current secret and the retired ones, which still verify and unseal.
func NewRoot(current storage.Secret, previous ...storage.Secret) (*Root, error) {
	r := &Root{secrets: append([]storage.Secret{current}, previous...)}
	for i, s := range r.secrets {
		if len(s) < MinSecret {
			return nil, fmt.Errorf("secret %d: %w", i+1, ErrShortSecret)
		}
	}
	return r, nil
}

// Derive returns the 32-byte keys for a purpose: first that of the current secret, which signs and seals, then those of the
// retired ones, which only verify and unseal. Each purpose has different keys.
func (r *Root) Derive(purpose string) [][]byte {
	derived := make([][]byte, len(r.secrets))
	for i, s := range r.secrets {
		key, err := hkdf.Key(sha256.New, []byte(s.Reveal()), nil, "latchkey "+purpose, 32)
		if err != nil {
			panic(err) // only for excessive lengths
		}
		derived[i] = key
	}
	return derived
}
