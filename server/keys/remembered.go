package keys

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// rememberedMost bounds the signatures that are remembered; they take about a megabyte.
const rememberedMost = 8192

// remembered are signatures that were found to be good. A resource server asks about the same access token with each of its requests,
// and verifying an ES256 signature takes longer than the rest of an introspection.
//
// Whether the key may still be used is not remembered: that is checked each time.
type remembered struct {
	*lru.Cache[[sha256.Size]byte, struct{}]
}

func newRemembered() remembered {
	cache, _ := lru.New[[sha256.Size]byte, struct{}](rememberedMost) // fails for sizes below one only
	return remembered{cache}
}

// verify checks a signature, or finds that it did so before.
func (m remembered) verify(kid, alg string, k *key, signingInput, signature []byte) bool {
	// None of the parts has a NUL but the last.
	h := sha256.New()
	for _, part := range [][]byte{[]byte(kid), {0}, signingInput, {0}, signature} {
		h.Write(part)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if _, known := m.Get(sum); known {
		return true
	}
	if !verify(alg, k.public, signingInput, signature) {
		return false
	}
	m.Add(sum, struct{}{})
	return true
}
