package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"latchkey/storage"
)

// refreshToken is what a refresh token says of itself, whichever form it was written in.
type refreshToken struct {
	Grant      storage.ID
	ID         storage.TokenID
	Parent     storage.TokenID // zero at generation 0
	Generation int64
	IssuedAt   time.Time // whole seconds
	ExpiresAt  time.Time // whole seconds
	// client is a tag of the client that it was issued to, so that another one's is refused without a look at the database.
	client clientTag
}

type clientTag [8]byte

func tagOf(clientID string) clientTag {
	sum := sha256.Sum256([]byte(clientID))
	return clientTag(sum[:8])
}

// The opaque form: the prefix, then base64url without padding of the fields below and a MAC over them.
// The prefix lets secret scanners find a leaked token.
const (
	refreshPrefix  = "lk_rt_"
	refreshVersion = 1
	refreshPayload = 1 + 16 + 16 + 16 + 8 + 8 + 8 + 8
	refreshLength  = refreshPayload + sha256.Size
)

// refreshCodec writes and reads opaque refresh tokens. Nothing in the database is needed to tell a forged one.
type refreshCodec struct {
	keys [][]byte // the first signs, all verify
}

func (c *refreshCodec) encode(t *refreshToken) storage.Secret {
	b := make([]byte, 0, refreshLength)
	b = append(b, refreshVersion)
	b = append(b, t.Grant[:]...)
	b = append(b, t.ID[:]...)
	b = append(b, t.Parent[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Generation))
	b = binary.BigEndian.AppendUint64(b, uint64(t.IssuedAt.Unix()))
	b = binary.BigEndian.AppendUint64(b, uint64(t.ExpiresAt.Unix()))
	b = append(b, t.client[:]...)
	b = append(b, mac(c.keys[0], b)...)
	return storage.Secret(refreshPrefix + base64.RawURLEncoding.EncodeToString(b))
}

// decode reads an authentic token, expired or not. Otherwise it says why not.
func (c *refreshCodec) decode(raw storage.Secret) (*refreshToken, Reason) {
	text, ok := strings.CutPrefix(raw.Reveal(), refreshPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(refreshLength) {
		return nil, ReasonMalformed
	}
	// Strict: a second spelling of the same token would be a second token to whoever compares text.
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || b[0] != refreshVersion {
		return nil, ReasonMalformed
	}
	payload, sum := b[:refreshPayload], b[refreshPayload:]
	if !verifyMAC(c.keys, payload, sum) {
		return nil, ReasonBadSignature
	}
	t := new(refreshToken)
	rest := payload[1:]
	rest = rest[copy(t.Grant[:], rest):]
	rest = rest[copy(t.ID[:], rest):]
	rest = rest[copy(t.Parent[:], rest):]
	t.Generation = int64(binary.BigEndian.Uint64(rest))
	t.IssuedAt = time.Unix(int64(binary.BigEndian.Uint64(rest[8:])), 0).UTC()
	t.ExpiresAt = time.Unix(int64(binary.BigEndian.Uint64(rest[16:])), 0).UTC()
	copy(t.client[:], rest[24:])
	return t, ReasonNone
}

func mac(key []byte, data ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, d := range data {
		h.Write(d)
	}
	return h.Sum(nil)
}

func verifyMAC(keys [][]byte, payload, sum []byte) bool {
	for _, key := range keys {
		if hmac.Equal(mac(key, payload), sum) {
			return true
		}
	}
	return false
}

// successorID derives the id of the token that follows the presented one: HMAC(key, presented id ‖ window). The same
// token presented again in the same window gets the same successor, and nothing has to be remembered for that.
func successorID(key []byte, presented storage.TokenID, window time.Time) storage.TokenID {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(window.UnixMicro()))
	return storage.TokenID(mac(key, presented[:], at[:])[:16])
}
