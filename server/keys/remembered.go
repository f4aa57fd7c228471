package keys

import (
	"crypto/sha256"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"
)

// rememberedMost bounds the texts that are remembered; with what they say they take about four megabytes.
const rememberedMost = 4096

// Verified is a signed text that a Ring has found to be good. As long as it is remembered, the same text brings the same Verified.
type Verified struct {
	content atomic.Pointer[any]
}

// Content returns what read made of the text the first time. It is shared, and must not be changed.
func (v *Verified) Content(read func() (any, error)) (any, error) {
	if known := v.content.Load(); known != nil {
		return *known, nil
	}
	content, err := read()
	if err == nil {
		v.content.Store(&content)
	}
	return content, err
}

// remembered are texts whose signatures were found to be good. A resource server asks about the same access token with each of its
// requests, and verifying an ES256 signature takes longer than the rest of an introspection; reading the claims takes a tenth of it.
//
// Whether the key may still be used is not remembered: that is checked each time.
type remembered struct {
	*lru.Cache[[sha256.Size]byte, *Verified]
}

func newRemembered() remembered {
	cache, _ := lru.New[[sha256.Size]byte, *Verified](rememberedMost) // fails for sizes below one only
	return remembered{cache}
}

// verify checks a signature, or finds that it did so before. It returns nil for a wrong one.
func (m remembered) verify(kid, alg string, k *key, signingInput, signature []byte) *Verified {
	// None of the parts has a NUL but the last.
	h := sha256.New()
	for _, part := range [][]byte{[]byte(kid), {0}, signingInput, {0}, signature} {
		h.Write(part)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if known, ok := m.Get(sum); ok {
		return known
	}
	if !verify(alg, k.public, signingInput, signature) {
		return nil
	}
	v := &Verified{}
	m.Add(sum, v)
	return v
}
