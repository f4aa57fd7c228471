package jwt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"latchkey/server/internal/jwt"
)

// Assertions, proofs and request objects are read by ReadIncoming: whatever it accepts has three parts and was signed by nobody's key.
func FuzzReadIncoming(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImp3ayI6e319.e30.AAAA")
	f.Fuzz(func(t *testing.T, raw string) {
		read := jwt.ReadIncoming(raw)
		if read == nil {
			return
		}
		if strings.Count(raw, ".") != 2 {
			t.Errorf("%q was read", raw)
		}
		if read.SignedWith(jose.JSONWebKey{Key: &key.PublicKey}) {
			t.Errorf("%q is signed", raw)
		}
		_ = read.Typ()
	})
}
