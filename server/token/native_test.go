package token

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/server/internal/mac"
	"latchkey/server/internal/seal"
	"latchkey/server/reasons"
	"latchkey/storage"
)

func testKeys(n ...byte) []*mac.Key {
	keys := make([][]byte, len(n))
	for i, b := range n {
		keys[i] = bytes.Repeat([]byte{b}, 32)
	}
	return mac.Keys(keys)
}

func testToken() *RefreshToken {
	now := time.Unix(1_795_375_016, 0).UTC()
	return &RefreshToken{
		Grant: storage.NewID(now), ID: NewTokenID(), Parent: NewTokenID(), Generation: 7,
		IssuedAt: now, ExpiresAt: now.Add(time.Hour), Client: TagOf("app"), Sealed: true, CurrentKey: true,
	}
}

func TestRefreshTokenReadsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	c := &native{refreshKeys: testKeys(1)}
	want := testToken()
	raw := c.encodeRefresh(want)
	if !strings.HasPrefix(raw.Reveal(), "lk_rt_") {
		t.Errorf("%q lacks the prefix that secret scanners look for", raw.Reveal())
	}
	got, reason := c.decodeRefresh(raw)
	if reason != reasons.None {
		t.Fatalf("refused: %s", reason)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c.encodeRefresh(want) != raw {
		t.Error("the same token was written in two ways")
	}
}

func TestRefreshTokenOfARetiredSecretIsGood(t *testing.T) {
	t.Parallel()
	raw := (&native{refreshKeys: testKeys(1)}).encodeRefresh(testToken())
	got, reason := (&native{refreshKeys: testKeys(2, 1)}).decodeRefresh(raw)
	if reason != reasons.None || got.CurrentKey {
		t.Errorf("refused: %q, taken for one of the current secret: %v", reason, got != nil && got.CurrentKey)
	}
	if _, reason := (&native{refreshKeys: testKeys(2)}).decodeRefresh(raw); reason != reasons.BadSignature {
		t.Errorf("a secret that is gone: %q, want %q", reason, reasons.BadSignature)
	}
}

func TestRefreshTokenWithAnyBitChangedIsRefused(t *testing.T) {
	t.Parallel()
	c := &native{refreshKeys: testKeys(1)}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(c.encodeRefresh(testToken()).Reveal(), refreshPrefix))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) * 8 {
		changed := bytes.Clone(b)
		changed[i/8] ^= 1 << (i % 8)
		raw := storage.Secret(refreshPrefix + base64.RawURLEncoding.EncodeToString(changed))
		if _, reason := c.decodeRefresh(raw); reason == reasons.None {
			t.Fatalf("bit %d changed, and accepted", i)
		}
	}
}

func FuzzRefreshToken(f *testing.F) {
	c := &native{refreshKeys: testKeys(1)}
	good := c.encodeRefresh(testToken())
	f.Add(good.Reveal())
	f.Add("")
	f.Add(refreshPrefix)
	f.Add(good.Reveal()[:40])
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := c.decodeRefresh(storage.Secret(raw))
		if (got == nil) == (reason == reasons.None) {
			t.Fatal("neither a token nor a reason")
		}
		if got != nil && c.encodeRefresh(got).Reveal() != raw {
			t.Fatal("a second spelling of a token was accepted")
		}
	})
}

func FuzzOpaqueAccessToken(f *testing.F) {
	sealing, err := seal.New([][]byte{bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		f.Fatal(err)
	}
	n := &native{opaque: sealing, issuer: "http://localhost:8000"}
	good, err := n.sealAccess(&accessClaims{Issuer: "http://localhost:8000", ClientID: "app", Audience: audience{"a", "b"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(opaquePrefix)
	f.Fuzz(func(t *testing.T, raw string) {
		claims, reason := n.openAccess(raw)
		// Each process of the fuzzer seals the seed anew, so that what it opens tells by its claims that it was written.
		if reason == reasons.None && claims.ClientID != "app" {
			t.Fatal("a token that was never written was opened")
		}
	})
}
