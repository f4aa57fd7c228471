package keys_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/server/keys"
	"latchkey/storage/sqlite/sqlitetest"
)

func benchRing(b *testing.B) *keys.Ring {
	b.Helper()
	root, err := keys.NewRoot(secret("a"))
	if err != nil {
		b.Fatal(err)
	}
	return keys.NewRing(keys.RingConfig{
		Store: sqlitetest.SQLite(b), Root: root, Now: time.Now, MaxTokenTTL: func() time.Duration { return maxTokenTTL },
	})
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range []string{keys.ES256, keys.EdDSA, keys.RS256} {
		b.Run(alg, func(b *testing.B) {
			r, input := benchRing(b), []byte(strings.Repeat("x", 600))
			b.ReportAllocs()
			for b.Loop() {
				s, err := r.Signer(b.Context(), alg)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Sign(input); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{keys.ES256, keys.EdDSA, keys.RS256} {
		b.Run(alg, func(b *testing.B) {
			r, input := benchRing(b), []byte(strings.Repeat("x", 600))
			s, err := r.Signer(b.Context(), alg)
			if err != nil {
				b.Fatal(err)
			}
			signature, err := s.Sign(input)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Verify(s.KID, alg, input, signature); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJWKS(b *testing.B) {
	r := benchRing(b)
	if _, err := r.Signer(b.Context(), keys.ES256); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.JWKS()
	}
}
