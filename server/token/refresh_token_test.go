package token

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/storage"
)

func testKeys(n ...byte) [][]byte {
	keys := make([][]byte, len(n))
	for i, b := range n {
		keys[i] = bytes.Repeat([]byte{b}, 32)
	}
	return keys
}

func testToken() *refreshToken {
	now := time.Unix(1_795_375_016, 0).UTC()
	return &refreshToken{
		Grant: storage.NewID(now), ID: newTokenID(), Parent: newTokenID(), Generation: 7,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour), client: tagOf("app"),
	}
}

func TestRefreshTokenReadsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	c := &refreshCodec{keys: testKeys(1)}
	want := testToken()
	raw := c.encode(want)
	if !strings.HasPrefix(raw.Reveal(), "lk_rt_") {
		t.Errorf("%q lacks the prefix that secret scanners look for", raw.Reveal())
	}
	got, reason := c.decode(raw)
	if reason != ReasonNone {
		t.Fatalf("refused: %s", reason)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(refreshToken{})); diff != "" {
		t.Error(diff)
	}
	if c.encode(want) != raw {
		t.Error("the same token was written in two ways")
	}
}

func TestRefreshTokenOfARetiredSecretIsGood(t *testing.T) {
	t.Parallel()
	raw := (&refreshCodec{keys: testKeys(1)}).encode(testToken())
	if _, reason := (&refreshCodec{keys: testKeys(2, 1)}).decode(raw); reason != ReasonNone {
		t.Errorf("refused: %s", reason)
	}
	if _, reason := (&refreshCodec{keys: testKeys(2)}).decode(raw); reason != ReasonBadSignature {
		t.Errorf("a secret that is gone: %q, want %q", reason, ReasonBadSignature)
	}
}

func TestRefreshTokenWithAnyBitChangedIsRefused(t *testing.T) {
	t.Parallel()
	c := &refreshCodec{keys: testKeys(1)}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.encode(testToken()).Reveal(), refreshPrefix))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		changed := bytes.Clone(b)
		changed[i/8] ^= 1 << (i % 8)
		raw := storage.Secret(refreshPrefix + base64.RawURLEncoding.EncodeToString(changed))
		if _, reason := c.decode(raw); reason == ReasonNone {
			t.Fatalf("bit %d changed, and accepted", i)
		}
	}
}

func FuzzRefreshToken(f *testing.F) {
	c := &refreshCodec{keys: testKeys(1)}
	good := c.encode(testToken())
	f.Add(good.Reveal())
	f.Add("")
	f.Add(refreshPrefix)
	f.Add(good.Reveal()[:40])
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := c.decode(storage.Secret(raw))
		if (got == nil) == (reason == ReasonNone) {
			t.Fatal("neither a token nor a reason")
		}
		if got != nil && c.encode(got).Reveal() != raw {
			t.Fatal("a second spelling of a token was accepted")
		}
	})
}

func FuzzOpaqueAccessToken(f *testing.F) {
	sealing, err := newSealer(testKeys(1))
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{opaque: sealing, issuer: "http://localhost:8000"}
	good, err := s.sealAccess(&accessClaims{Issuer: "http://localhost:8000", ClientID: "app", Audience: audience{"a", "b"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(opaquePrefix)
	f.Fuzz(func(t *testing.T, raw string) {
		claims, reason := s.openAccess(raw)
		if (claims == nil) == (reason == ReasonNone) {
			t.Fatal("neither claims nor a reason")
		}
		// Each process of the fuzzer seals the seed anew, so that what it opens tells by its claims that it was written.
		if claims != nil && claims.ClientID != "app" {
			t.Fatal("a token that was never written was opened")
		}
	})
}
