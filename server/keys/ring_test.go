package keys_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/server/keys"
	"latchkey/storage"
)

func algorithms() []string {
	return []string{keys.ES256, keys.EdDSA, keys.RS256, keys.RS384, keys.RS512}
}

// What we sign is what another implementation verifies with the key set, and the other way round is Verify's own.
func TestSignaturesAreThoseOfRFC7518(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms() {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := b.loaded()
			for range 20 { // each signs another input, and the DER form of ES256 has another length
				signed := b.sign(r, alg)
				if err := signed.verify(r); err != nil {
					t.Fatalf("verify: %v", err)
				}
				signed.sign[len(signed.sign)/2] ^= 1
				if err := signed.verify(r); !errors.Is(err, keys.ErrSignature) {
					t.Fatalf("verify a changed signature: %v", err)
				}
			}
			verifyWithJOSE(t, r, b.signer(r, alg))
			// A random number that repeats would reveal an ECDSA key, so there is none: RFC 8725 §3.2.
			s, input := b.signer(r, alg), []byte("header.payload")
			first, err := s.Sign(input)
			again, err2 := s.Sign(input)
			if err != nil || err2 != nil || !bytes.Equal(first, again) {
				t.Errorf("two signatures of one input: %x (%v), %x (%v)", first, err, again, err2)
			}
		})
	}
}

func verifyWithJOSE(t *testing.T, r *keys.Ring, s *keys.Signer) {
	t.Helper()
	header := b64(`{"alg":"` + s.Algorithm + `","kid":"` + s.KID + `"}`)
	input := header + "." + b64(`{"sub":"1"}`)
	signature, err := s.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSignedCompact(input+"."+b64(string(signature)), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.Algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	set := keySet(t, r)
	if got := set.Key(s.KID); len(got) != 1 || got[0].Use != "sig" || got[0].Algorithm != s.Algorithm || !got[0].IsPublic() {
		t.Fatalf("key set has %+v", got)
	}
	if _, err := jws.Verify(set); err != nil {
		t.Fatalf("go-jose: %v", err)
	}
}

// RFC 8725 §3.1: the key decides the algorithm, never the token.
func TestAlgorithmOfTokenMustBeTheKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	signed := b.sign(r, keys.ES256)
	b.sign(r, keys.RS256)
	for _, alg := range []string{"none", "", "HS256", "RS256", "EdDSA", "es256", "ES384"} {
		if _, err := r.Verify(signed.kid, alg, signed.input, signed.sign); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("alg %q: %v", alg, err)
		}
	}
	for _, signature := range [][]byte{nil, {}, make([]byte, 64), make([]byte, 63), signed.sign[:63], append(slices.Clone(signed.sign), 0)} {
		if _, err := r.Verify(signed.kid, signed.alg, signed.input, signature); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("signature of %d bytes: %v", len(signature), err)
		}
	}
	if _, err := r.Verify("nobody", signed.alg, signed.input, signed.sign); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("unknown kid: %v", err)
	}
}

func TestNoKeyForOtherAlgorithms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	for _, alg := range []string{"none", "HS256", "PS256", ""} {
		if _, err := r.Signer(t.Context(), alg); !errors.Is(err, keys.ErrAlgorithm) {
			t.Errorf("%q: %v", alg, err)
		}
	}
	if rows := b.rows(); len(rows) != 0 {
		t.Errorf("%d keys", len(rows))
	}
}

func TestFirstUseInParallelMakesOneKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	start := make(chan struct{})
	kids := make(chan string, 60)
	var wg sync.WaitGroup
	for range 3 {
		r := b.ring() // a replica
		for range 20 {
			wg.Go(func() {
				<-start
				s, err := r.Signer(t.Context(), keys.ES256)
				if err != nil {
					t.Error(err)
					return
				}
				kids <- s.KID
			})
		}
	}
	close(start)
	wg.Wait()
	close(kids)
	rows := b.rows()
	if len(rows) != 1 {
		t.Fatalf("%d keys, want 1", len(rows))
	}
	for kid := range kids {
		if kid != rows[0].KID {
			t.Errorf("a caller got %s, the key is %s", kid, rows[0].KID)
		}
	}
	if got := b.audit(); !slices.Equal(got, []string{"signing_key_created"}) {
		t.Errorf("audit %v", got)
	}
}

func TestKeysOutliveTheProcess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signed := b.sign(b.loaded(), keys.EdDSA)
	again := b.loaded()
	if err := signed.verify(again); err != nil {
		t.Errorf("verify after a restart: %v", err)
	}
	if s := b.signer(again, keys.EdDSA); s.KID != signed.kid {
		t.Errorf("another key signs after a restart")
	}
}

func TestWrongSecretIsToldAtStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signed := b.sign(b.loaded(), keys.ES256)

	stranger := b.ring(secret("b"))
	err := stranger.Load(t.Context())
	if !errors.Is(err, keys.ErrUnsealed) {
		t.Fatalf("load: %v", err)
	}
	for _, word := range []string{"LATCHKEY_SECRET", "LATCHKEY_SECRET_PREVIOUS", signed.kid} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %s", err, word)
		}
	}
	if _, err := stranger.Signer(t.Context(), keys.ES256); !errors.Is(err, keys.ErrUnsealed) {
		t.Errorf("signer: %v", err)
	}
	if _, err := stranger.Rotate(t.Context(), keys.ES256, true); !errors.Is(err, keys.ErrUnsealed) {
		t.Errorf("rotate: %v", err)
	}
	if err := stranger.Maintain(t.Context()); !errors.Is(err, keys.ErrUnsealed) {
		t.Errorf("maintain: %v", err)
	}
	if rows := b.rows(); len(rows) != 1 {
		t.Errorf("the stranger made keys: %d", len(rows))
	}
	if err := signed.verify(stranger); err != nil {
		t.Errorf("the public half needs no secret: %v", err)
	}
}

// The root secret is replaced: both are known for a while, then the old one is forgotten.
func TestRetiredSecretCanBeForgottenAfterRotation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	signed := b.sign(b.loaded(), keys.ES256)

	r := b.loaded(secret("b"), secret("a"))
	if s := b.signer(r, keys.ES256); s.KID != signed.kid {
		t.Fatal("the old key does not sign any more")
	}
	if list := r.List(); !list[0].OldSecret || !list[0].Unsealed {
		t.Fatalf("list says %+v", list[0])
	}
	for range 3 { // once is enough
		if err := r.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list := r.List(); len(list) != 2 || list[1].OldSecret {
		t.Fatalf("list says %+v", list)
	}
	if err := b.ring(secret("b")).Load(t.Context()); !errors.Is(err, keys.ErrUnsealed) {
		t.Errorf("the old key still signs, but its secret can be forgotten: %v", err)
	}
	b.clock.Advance(overlap)
	r = b.loaded(secret("b"))
	if err := signed.verify(r); err != nil {
		t.Errorf("a token of before: %v", err)
	}
	b.sign(r, keys.ES256)
}

// During a rolling change of the root secret a replica meets a key that it can't open.
func TestReplicaWithTheOldSecretGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.loaded()
	signed := b.sign(old, keys.ES256)
	updated := b.loaded(secret("b"), secret("a"))
	if err := updated.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := old.Load(t.Context()); !errors.Is(err, keys.ErrUnsealed) {
		t.Fatalf("load: %v", err)
	}
	if s := b.signer(old, keys.ES256); s.KID != signed.kid {
		t.Errorf("another key signs")
	}
	if n := len(keySet(t, old).Keys); n != 2 {
		t.Errorf("%d keys in the set, want 2", n)
	}
}

func TestUnknownKeyIsLookedUpNowAndThen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	other := b.loaded()
	signed := b.sign(other, keys.ES256)
	if err := signed.verify(r); !errors.Is(err, keys.ErrUnknownKey) {
		t.Fatalf("verify: %v", err)
	}
	if _, err := r.VerifyContext(t.Context(), signed.kid, signed.alg, signed.input, signed.sign); err != nil {
		t.Fatalf("a key that another replica has just made: %v", err)
	}

	before := b.store.lists.Load()
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			kid := strings.Repeat("A", 40) + string(rune('a'+i%26)) + "xx"
			if _, err := r.VerifyContext(t.Context(), kid, keys.ES256, signed.input, signed.sign); !errors.Is(err, keys.ErrUnknownKey) {
				t.Errorf("made-up kid: %v", err)
			}
		})
	}
	wg.Wait()
	if n := b.store.lists.Load() - before; n != 0 {
		t.Errorf("%d reads within 5 s of the last", n)
	}
	b.clock.Advance(6 * time.Second)
	for range 10 {
		_, _ = r.VerifyContext(t.Context(), strings.Repeat("B", 43), keys.ES256, nil, nil)
		_, _ = r.VerifyContext(t.Context(), "not a thumbprint", keys.ES256, nil, nil)
	}
	if n := b.store.lists.Load() - before; n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	signed := b.sign(r, keys.ES256)
	b.store.away.Store(true)
	if err := signed.verify(r); err != nil {
		t.Errorf("verify from memory: %v", err)
	}
	b.sign(r, keys.ES256)
	if err := r.Load(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("load: %v", err)
	}
	b.sign(r, keys.ES256) // what was in memory is still there
	for range 2 {
		// A token whose key is not known yet may be good: 503, not "invalid token".
		_, err := r.VerifyContext(t.Context(), strings.Repeat("A", 43), keys.ES256, nil, nil)
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("unknown key: %v", err)
		}
	}
	if _, err := r.Signer(t.Context(), keys.EdDSA); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("first use: %v", err)
	}
}

func TestHotPathAllocatesLittle(t *testing.T) { // testing.AllocsPerRun forbids parallel tests
	b := setup(t)
	r := b.loaded()
	signed := b.sign(r, keys.ES256)
	r.JWKS()
	ctx := t.Context()
	for name, f := range map[string]struct {
		most float64
		do   func()
	}{
		"signer": {0, func() { _, _ = r.Signer(ctx, keys.ES256) }},
		"jwks":   {0, func() { r.JWKS() }},
		"verify": {12, func() { _ = signed.verify(r) }},
	} {
		if got := testing.AllocsPerRun(200, f.do); got > f.most {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
