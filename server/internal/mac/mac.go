package mac

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Size is the length of a MAC in bytes.
const Size = sha256.Size

// Sum returns the MAC of the parts one after another. Where a part has no fixed length, another list of parts may have the same
// MAC; use SumFramed there.
func Sum[T string | []byte](key []byte, parts ...T) [Size]byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write([]byte(part))
	}
	return [Size]byte(h.Sum(nil))
}

// SumFramed returns the MAC of the parts, each after its length as a big-endian uint64. No two lists have the same MAC.
func SumFramed(key []byte, parts ...string) [Size]byte {
	framed := make([]string, 0, 2*len(parts))
	for _, part := range parts {
		framed = append(framed, string(binary.BigEndian.AppendUint64(nil, uint64(len(part)))), part)
	}
	return Sum(key, framed...)
}

// Verify reports whether sum is the MAC of message under one of the keys. The time it takes does not depend on where sum
// differs.
func Verify(keys [][]byte, message, sum []byte) bool {
	for _, key := range keys {
		if own := Sum(key, message); hmac.Equal(own[:], sum) {
			return true
		}
	}
	return false
}
