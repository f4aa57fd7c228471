package keys

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/storage"
)

func testRoot(t *testing.T, letters ...string) *Root {
	t.Helper()
	var secrets []storage.Secret
	for _, letter := range letters {
		secrets = append(secrets, storage.Secret(strings.Repeat(letter, MinSecret)))
	}
	root, err := NewRoot(secrets[0], secrets[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestSealedKeyOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	private, err := generate(ES256, nil)
	if err != nil {
		t.Fatal(err)
	}
	root := testRoot(t, "a")
	sealed, err := root.seal(private, "kid", ES256)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := root.seal(private, "kid", ES256); bytes.Equal(again, sealed) {
		t.Error("sealing twice gives the same bytes")
	}
	opened, secret, err := testRoot(t, "b", "c", "a").unseal(sealed, "kid", ES256)
	if err != nil || secret != 2 {
		t.Fatalf("secret %d: %v", secret, err)
	}
	if !private.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(opened.Public()) {
		t.Error("another key came out")
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	cases := map[string]struct {
		root     *Root
		sealed   []byte
		kid, alg string
	}{
		"another secret":    {testRoot(t, "b"), sealed, "kid", ES256},
		"another row":       {root, sealed, "other", ES256},
		"another algorithm": {root, sealed, "kid", EdDSA},
		"changed":           {root, flipped, "kid", ES256},
		"cut":               {root, sealed[:5], "kid", ES256},
		"another version":   {root, append([]byte{9}, sealed[1:]...), "kid", ES256},
		"empty":             {root, nil, "kid", ES256},
	}
	for name, c := range cases {
		if _, _, err := c.root.unseal(c.sealed, c.kid, c.alg); !errors.Is(err, ErrUnsealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A row whose public key is not the one that its kid names must not verify anything.
func TestRowWithAForeignPublicKeyIsRefused(t *testing.T) {
	t.Parallel()
	mine, _ := generate(ES256, nil)
	foreign, _ := generate(ES256, nil)
	root := testRoot(t, "a")
	kid, _ := thumbprint(mine.Public())
	sealed, _ := root.seal(mine, kid, ES256)
	public, _ := publicJWK(foreign.Public(), kid, ES256)
	r := NewRing(RingConfig{Root: root, Now: nowForTest})
	row := &storage.SigningKey{KID: kid, Algorithm: ES256, Sequence: 1, Sealed: sealed, Public: public}
	s, err := readSnapshot([]*storage.SigningKey{row}, &snapshot{}, r.cfg.Root, r.cfg.Now())
	if err == nil || len(s.keys) != 0 {
		t.Errorf("%d keys, %v", len(s.keys), err)
	}
	row.Algorithm = "ML-DSA-65" // of a later version
	if s, err := readSnapshot([]*storage.SigningKey{row}, &snapshot{}, r.cfg.Root, r.cfg.Now()); err != nil || len(s.keys) != 0 {
		t.Errorf("%d keys, %v", len(s.keys), err)
	}
}

func TestFixedLengthOfShortIntegers(t *testing.T) {
	t.Parallel()
	// r = 1, s = 0x80…: a short integer and one that DER writes with a zero in front.
	der := append([]byte{0x30, 38, 0x02, 1, 1, 0x02, 33, 0, 0x80}, make([]byte, 31)...)
	got, err := fixedLength(der, 32)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 64)
	want[31], want[32] = 1, 0x80
	if !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
	if back := derOf(got); !bytes.Equal(back, der) {
		t.Errorf("%x", back)
	}
}

func FuzzSignatureForms(f *testing.F) {
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		if fixed, err := fixedLength(b, 32); err == nil && len(fixed) != 64 {
			t.Errorf("%d bytes", len(fixed))
		}
		if len(b) == 64 {
			if back, err := fixedLength(derOf(b), 32); err != nil || !bytes.Equal(back, b) {
				t.Errorf("%x became %x: %v", b, back, err)
			}
		}
	})
}

func nowForTest() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }
