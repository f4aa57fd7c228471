package keys

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/storage"
)

// snapshot holds all keys as they were read at one instant. It never changes, except for the rendered key set.
type snapshot struct {
	keys  []*key // by algorithm and sequence
	byKID map[string]*key
	set   atomic.Pointer[keySet]
}

// keySet is the key set as it is from one time until another.
type keySet struct {
	body        []byte
	etag        string
	from, until time.Time // from ≤ now < until; zero = without bound
}

func (s *keySet) holds(now time.Time) bool {
	return !now.Before(s.from) && (s.until.IsZero() || now.Before(s.until))
}

// key is a signing key, ready for use.
type key struct {
	row    storage.SigningKey
	public crypto.PublicKey
	jwk    json.RawMessage // as in the key set
	// signer is nil if the key can't be unsealed here; then it can only verify.
	signer *Signer
	// oldSecret is true if the key is sealed with a retired root secret.
	oldSecret bool
}

// published reports whether the key belongs in the key set. A key is published as soon as it is known, even if the clock of
// the replica that created it is ahead.
func (k *key) published(now time.Time) bool {
	return k.row.ExpiresAt.IsZero() || now.Before(k.row.ExpiresAt)
}

// retired reports whether the key has stopped signing.
func (k *key) retired(now time.Time) bool {
	return !k.row.RetiresAt.IsZero() && !now.Before(k.row.RetiresAt)
}

// activated reports whether the key may sign now. A key that was created to sign at once does so even on a replica whose
// clock is behind.
func (k *key) activated(now time.Time) bool {
	return !k.row.ActivatesAt.After(k.row.CreatedAt) || !now.Before(k.row.ActivatesAt)
}

// signing returns the key that signs at the time now: the newest that is activated and not retired. If there is none (the
// clock was set back, or an operator retired the active key) it returns the next one.
func (s *snapshot) signing(alg string, now time.Time) *key {
	var best *key
	for _, k := range s.keys {
		if k.row.Algorithm != alg || k.signer == nil || k.retired(now) || !k.published(now) {
			continue
		}
		if best == nil || k.preferred(best, now) {
			best = k
		}
	}
	return best
}

// preferred reports whether k, which has a higher sequence than other, signs rather than other.
func (k *key) preferred(other *key, now time.Time) bool {
	switch {
	case k.activated(now):
		return true
	case other.activated(now):
		return false
	default:
		return k.row.ActivatesAt.Before(other.row.ActivatesAt)
	}
}

// newest returns the key with the highest sequence, or nil.
func (s *snapshot) newest(alg string) *key {
	var newest *key
	for _, k := range s.keys {
		if k.row.Algorithm == alg {
			newest = k
		}
	}
	return newest
}

// algorithms returns the algorithms that have keys.
func (s *snapshot) algorithms() []string {
	var algs []string
	for _, k := range s.keys {
		if len(algs) == 0 || algs[len(algs)-1] != k.row.Algorithm {
			algs = append(algs, k.row.Algorithm)
		}
	}
	return algs
}

// readSnapshot makes a snapshot of the rows; before is the last one. It returns a snapshot even with an error: ErrUnsealed when a key that may sign now or later
// can't be unsealed, others when a row makes no sense.
func readSnapshot(rows []*storage.SigningKey, before *snapshot, root *Root, now time.Time) (*snapshot, error) {
	next := &snapshot{byKID: make(map[string]*key, len(rows))}
	var faults []error
	for _, row := range rows {
		k, err := readKey(row, before.byKID[row.KID], root)
		if err != nil && (k == nil || !k.retired(now)) {
			faults = append(faults, fmt.Errorf("signing key %s (%s): %w", row.KID, row.Algorithm, err))
		}
		if k != nil {
			next.keys = append(next.keys, k)
			next.byKID[row.KID] = k
		}
	}
	return next, errors.Join(faults...)
}

// readKey converts a row; known is the same key as it was read before. A key whose private part can't be unsealed is returned
// together with the error. Without a key and an error, the algorithm is unknown, which a later release may have added.
func readKey(row *storage.SigningKey, known *key, root *Root) (*key, error) {
	if known != nil && known.signer != nil && bytes.Equal(known.row.Sealed, row.Sealed) && known.row.Algorithm == row.Algorithm {
		k := *known // unsealing and parsing again would not change it
		k.row = *row
		return &k, nil
	}
	if !supported(row.Algorithm) {
		return nil, nil
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(row.Public); err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	if !fits(row.Algorithm, jwk.Key) {
		return nil, errors.New("the type of the public key does not match the algorithm")
	}
	if kid, err := thumbprint(jwk.Key); err != nil || kid != row.KID {
		return nil, errors.New("the public key does not match the kid")
	}
	shown, err := publicJWK(jwk.Key, row.KID, row.Algorithm)
	if err != nil {
		return nil, err
	}
	k := &key{row: *row, public: jwk.Key, jwk: shown}
	private, secret, err := root.unseal(row.Sealed, row.KID, row.Algorithm)
	if err != nil {
		return k, err
	}
	if kid, err := thumbprint(private.Public()); err != nil || kid != row.KID {
		return nil, errors.New("the private key does not match the kid")
	}
	k.signer, k.oldSecret = newSigner(row.KID, row.Algorithm, private), secret > 0
	return k, nil
}
