package simplejwt

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"time"

	"latchkey/server/internal/mac"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
)

// sealer makes and checks the seal of refresh tokens. Django has the key that signs them, and so has every reader of its settings; only
// Latchkey has the key of the seal. Django copies all claims of a token that it writes anew, the seal too, but then jti and exp are others.
type sealer struct{ keys []*mac.Key }

// sealSize is the length of a seal in bytes. It is checked on-line only, and a wrong one costs a session at most what the key that signs
// could do to it anyway.
const sealSize = 8

func (s sealer) seal(key *mac.Key, family storage.ID, generation int64, parent, id storage.TokenID, expires time.Time) [sealSize]byte {
	b := make([]byte, 0, 64)
	b = append(b, family[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(generation))
	b = append(b, parent[:]...)
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(expires.Unix()))
	sum := key.Sum(b)
	return [sealSize]byte(sum[:sealSize])
}

// of returns the seal of a token that is written.
func (s sealer) of(r *codec.Refresh) string {
	var parent storage.TokenID
	if r.Generation > 0 { // otherwise the token has no such claim
		parent = r.Parent
	}
	seal := s.seal(s.keys[0], r.Family, r.Generation, parent, r.ID, r.ExpiresAt)
	return base64.RawURLEncoding.EncodeToString(seal[:])
}

// check reports whether a token of a family has a seal that fits, and whether it was made with the current key.
func (s sealer) check(t *codec.Token, family storage.ID) (sealed, current bool) {
	given, err := base64.RawURLEncoding.Strict().DecodeString(t.Seal())
	generation, ok := t.Generation()
	if err != nil || !ok {
		return false, false
	}
	for i, key := range s.keys {
		if own := s.seal(key, family, generation, t.Parent(), t.ID(), t.Expires()); hmac.Equal(own[:], given) {
			return true, i == 0
		}
	}
	return false, false
}
