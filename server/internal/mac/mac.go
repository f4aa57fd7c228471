package mac

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
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

// Key is a key that is used at many requests: what depends on the key alone is computed once, by Sum each time.
type Key struct{ hashes sync.Pool }

// Keys returns a Key for each of the keys, in their order.
func Keys(keys [][]byte) []*Key {
	list := make([]*Key, len(keys))
	for i, key := range keys {
		list[i] = &Key{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
	}
	return list
}

// Sum returns the same as the function Sum with this key.
func (k *Key) Sum(parts ...[]byte) (sum [Size]byte) {
	h := k.hashes.Get().(hash.Hash)
	defer k.hashes.Put(h)
	h.Reset()
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// Verify reports whether sum is the MAC of message under one of the keys. The time it takes does not depend on where sum
// differs.
func Verify(keys []*Key, message, sum []byte) bool {
	for _, key := range keys {
		if own := key.Sum(message); hmac.Equal(own[:], sum) {
			return true
		}
	}
	return false
}
