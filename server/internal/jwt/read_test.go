package jwt_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/server/internal/jwt"
	"latchkey/server/keys"
	"latchkey/storage/sqlite/sqlitetest"
)

type claims struct {
	Subject string   `json:"sub"`
	Groups  []string `json:"groups"`
}

func ring(t *testing.T) (*keys.Ring, *keys.Signer) {
	t.Helper()
	root, err := keys.NewRoot("a secret of thirty-two characters")
	if err != nil {
		t.Fatal(err)
	}
	r := keys.NewRing(keys.RingConfig{
		Store: sqlitetest.SQLite(t), Root: root, Now: time.Now,
		MaxTokenTTL: func() time.Duration { return time.Hour }, RotateEvery: 24 * time.Hour, Overlap: time.Hour,
	})
	signer, err := r.Signer(t.Context(), keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return r, signer
}

// The claims of a token are decoded once, but whether its signature and its key are good is asked each time.
func TestClaimsAreDecodedOnce(t *testing.T) {
	t.Parallel()
	r, signer := ring(t)
	raw, err := jwt.Sign(signer, "at+jwt", claims{Subject: "alice", Groups: []string{"staff"}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := jwt.Read[claims](t.Context(), r, raw, "at+jwt")
	if err != nil || first.Subject != "alice" || len(first.Groups) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := jwt.Read[claims](t.Context(), r, raw, "at+jwt")
	if err != nil || again != first {
		t.Errorf("the second time: %p, %v; the first time %p", again, err, first)
	}
	other, err := jwt.Sign(signer, "at+jwt", claims{Subject: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if read, err := jwt.Read[claims](t.Context(), r, other, "at+jwt"); err != nil || read.Subject != "bob" {
		t.Errorf("another token: %+v, %v", read, err)
	}
	if _, err := jwt.Read[claims](t.Context(), r, raw, "JWT"); !errors.Is(err, jwt.ErrType) {
		t.Errorf("as another type: %v", err)
	}
	// The payload of one token with the signature of the other.
	parts, others := strings.Split(raw, "."), strings.Split(other, ".")
	if _, err := jwt.Read[claims](t.Context(), r, parts[0]+"."+others[1]+"."+parts[2], "at+jwt"); !errors.Is(err, jwt.ErrSignature) {
		t.Errorf("with the payload of another: %v", err)
	}
	if err := r.Retire(t.Context(), signer.KID); err != nil {
		t.Fatal(err)
	}
	if _, err := jwt.Read[claims](t.Context(), r, raw, "at+jwt"); !errors.Is(err, jwt.ErrSignature) {
		t.Errorf("after its key was retired: %v", err)
	}
}

// What was signed and has other claims than those that are wanted stays refused.
func TestClaimsOfAnotherShapeAreRefused(t *testing.T) {
	t.Parallel()
	r, signer := ring(t)
	raw, err := jwt.Sign(signer, "at+jwt", json.RawMessage(`{"sub":7}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if read, err := jwt.Read[claims](t.Context(), r, raw, "at+jwt"); read != nil || !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("%+v, %v", read, err)
		}
	}
}
