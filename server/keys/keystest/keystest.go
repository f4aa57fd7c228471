// Package keystest makes the signing keys of test servers.
package keystest

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"sync"
	"testing"
)

// rsaKeys are the RSA keys that this process has made: making one takes longer than most tests. Each test draws them from the first
// one on, so that none of its servers gets one twice, whichever database they share.
var rsaKeys struct {
	mu    sync.Mutex
	made  []*rsa.PrivateKey
	drawn map[string]int // by the name of the test
}

// RSA returns what makes the RSA keys of a test's servers.
func RSA(t testing.TB) func() (*rsa.PrivateKey, error) {
	test, _, _ := strings.Cut(t.Name(), "/")
	return func() (*rsa.PrivateKey, error) {
		k := &rsaKeys
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.drawn == nil {
			k.drawn = make(map[string]int)
		}
		n := k.drawn[test]
		if n == len(k.made) {
			private, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return nil, err
			}
			k.made = append(k.made, private)
		}
		k.drawn[test]++
		return k.made[n], nil
	}
}
