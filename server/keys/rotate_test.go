package keys_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"latchkey/server/keys"
	"latchkey/storage"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func keySet(t *testing.T, r *keys.Ring) *jose.JSONWebKeySet {
	t.Helper()
	body, _, _ := r.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return &set
}

func (b *bundle) rotate(r *keys.Ring, alg string, immediately bool) *keys.Key {
	b.Helper()
	k, err := r.Rotate(b.Context(), alg, immediately)
	if err != nil {
		b.Fatalf("rotate: %v", err)
	}
	return k
}

func (b *bundle) in(r *keys.Ring, kid string) bool {
	b.Helper()
	return len(keySet(b.T, r).Key(kid)) == 1
}

// Who has cached the key set for as long as it may be verifies every token through a rotation.
func TestRotationPublishesBeforeUseAndKeepsUntilTheLastTokenEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	old := b.sign(r, keys.ES256)
	_, etag, maxAge := r.JWKS()

	b.clock.Advance(time.Second) // events of one millisecond have no order
	next := b.rotate(r, keys.ES256, false)
	if next.State != keys.StatePublished || !next.ActivatesAt.Equal(b.clock.Now().Add(overlap)) {
		t.Fatalf("new key: %+v", next)
	}
	if maxAge <= 0 || maxAge >= overlap {
		t.Errorf("the set may be cached for %s, the overlap is %s", maxAge, overlap)
	}
	if _, changed, _ := r.JWKS(); changed == etag {
		t.Error("the set changed, its ETag did not")
	}
	if !b.in(r, next.KID) || b.signer(r, keys.ES256).KID != old.kid {
		t.Fatal("the new key must be published and not sign")
	}
	b.clock.Advance(overlap - time.Microsecond)
	last := b.sign(r, keys.ES256)
	if last.kid != old.kid {
		t.Fatal("the new key signs too early")
	}
	b.clock.Advance(time.Microsecond)
	if got := b.signer(r, keys.ES256).KID; got != next.KID {
		t.Fatal("the new key does not sign after the overlap")
	}
	if diff := cmp.Diff(states(r), map[string]keys.KeyState{old.kid: keys.StateRetired, next.KID: keys.StateActive}); diff != "" {
		t.Error(diff)
	}
	b.clock.Advance(maxTokenTTL)
	if err := last.verify(r); err != nil || !b.in(r, old.kid) {
		t.Errorf("the last token of the old key at its end: %v", err)
	}
	b.clock.Advance(skew)
	if err := last.verify(r); !errors.Is(err, keys.ErrUnknownKey) || b.in(r, old.kid) {
		t.Errorf("the old key has not left the set: %v", err)
	}
	if err := r.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := b.rows(); len(rows) != 1 || rows[0].KID != next.KID {
		t.Errorf("the expired key is kept: %d rows", len(rows))
	}
	want := []string{"signing_key_created", "signing_key_rotated", "signing_key_removed"}
	if got := b.audit(); !slices.Equal(got, want) {
		t.Errorf("audit %v", got)
	}
}

func TestImmediateRotationSignsAtOnceEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, behind := b.loaded(), b.loaded()
	old := b.sign(r, keys.ES256)
	b.rotate(r, keys.ES256, false)
	now := b.rotate(r, keys.ES256, true)
	if got := b.signer(r, keys.ES256).KID; got != now.KID || now.State != keys.StateActive {
		t.Fatalf("the new key does not sign: %+v", now)
	}
	if err := old.verify(r); err != nil {
		t.Errorf("tokens of before live on: %v", err)
	}
	b.clock.Advance(-2 * time.Second) // a replica whose clock is behind
	if err := behind.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.signer(behind, keys.ES256).KID; got != now.KID {
		t.Error("a replica whose clock is behind signs with the old key")
	}
	b.clock.Advance(2 * overlap) // the key that was to come never signs
	if got := b.signer(r, keys.ES256).KID; got != now.KID {
		t.Error("an older key signs")
	}
}

func TestRetireActiveKey(t *testing.T) {
	t.Parallel()
	for _, pending := range []bool{false, true} {
		b := setup(t)
		r, replica := b.loaded(), b.loaded()
		bad := b.sign(r, keys.ES256)
		var next *keys.Key
		if pending {
			next = b.rotate(r, keys.ES256, false)
		}
		if err := r.Retire(t.Context(), bad.kid); err != nil {
			t.Fatal(err)
		}
		if err := replica.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, r := range []*keys.Ring{r, replica} {
			if err := bad.verify(r); !errors.Is(err, keys.ErrUnknownKey) || b.in(r, bad.kid) {
				t.Errorf("the tokens of a retired key live: %v", err)
			}
			signs := b.signer(r, keys.ES256).KID
			if signs == bad.kid || pending && signs != next.KID {
				t.Errorf("%s signs", signs)
			}
		}
		if n := len(b.rows()); n != 1 {
			t.Errorf("%d keys, want the successor", n)
		}
		b.clock.Advance(-time.Hour)
		if err := bad.verify(r); err == nil {
			t.Error("a clock that is set back brings the key back")
		}
		b.clock.Advance(2 * time.Hour)
		b.sign(r, keys.ES256)
		got := b.audit()
		if !slices.Contains(got, "signing_key_retired") || !slices.Contains(got, "signing_key_rotated") {
			t.Errorf("audit %v", got)
		}
		if err := r.Retire(t.Context(), bad.kid); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
	}
}

func TestRetirePublishedKeyKeepsTheActiveOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	active := b.signer(r, keys.ES256).KID
	next := b.rotate(r, keys.ES256, false)
	b.clock.Advance(overlap / 2)
	if err := r.Retire(t.Context(), next.KID); err != nil {
		t.Fatal(err)
	}
	if b.in(r, next.KID) {
		t.Error("it is still in the set")
	}
	b.clock.Advance(overlap - time.Second) // the time at which the retired one was to begin is over
	last := b.sign(r, keys.ES256)
	if last.kid != active {
		t.Error("the successor was not published for the whole overlap")
	}
	b.clock.Advance(time.Second)
	if got := b.signer(r, keys.ES256).KID; got == active || got == next.KID {
		t.Error("the successor does not sign")
	}
	b.clock.Advance(maxTokenTTL)
	if err := last.verify(r); err != nil {
		t.Errorf("the last token of the active key: %v", err)
	}
}

// The way on for who has lost the root secret.
func TestRetireKeyThatCannotBeUnsealed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost := b.sign(b.loaded(), keys.ES256)
	r := b.ring(secret("b"))
	if err := r.Retire(t.Context(), lost.kid); err != nil {
		t.Fatal(err)
	}
	r = b.loaded(secret("b"))
	b.sign(r, keys.ES256)
	if err := lost.verify(r); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("a token of the lost key: %v", err)
	}
}

func TestMaintainRotatesByAgeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replicas := []*keys.Ring{b.loaded(), b.loaded(), b.loaded()}
	first := b.signer(replicas[0], keys.ES256).KID
	b.signer(replicas[0], keys.EdDSA)
	b.clock.Advance(rotateEvery - time.Second)
	b.maintain(replicas)
	if n := len(b.rows()); n != 2 {
		t.Fatalf("%d keys before their time", n)
	}
	b.clock.Advance(time.Second)
	b.maintain(replicas)
	b.maintain(replicas)
	if n := len(b.rows()); n != 4 {
		t.Fatalf("%d keys, want 2 of each algorithm", n)
	}
	for _, r := range replicas {
		if err := r.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.signer(r, keys.ES256).KID != first {
			t.Error("the new key signs too early")
		}
	}
	b.clock.Advance(overlap)
	second := b.signer(replicas[0], keys.ES256).KID
	for _, r := range replicas {
		if got := b.signer(r, keys.ES256).KID; got == first || got != second {
			t.Error("replicas sign with different keys")
		}
	}
}

// maintain runs Maintain in all replicas at the same time.
func (b *bundle) maintain(replicas []*keys.Ring) {
	b.Helper()
	var wg sync.WaitGroup
	for _, r := range replicas {
		wg.Go(func() {
			if err := r.Maintain(b.Context()); err != nil {
				b.Errorf("maintain: %v", err)
			}
		})
	}
	wg.Wait()
}

// The life of tokens was made longer between a rotation and the moment at which the old key stops.
func TestMaintainProlongsForLongerTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	b.sign(r, keys.ES256)
	b.rotate(r, keys.ES256, false)
	b.ttl.Store(int64(7 * 24 * time.Hour))
	if err := r.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(overlap - time.Second)
	last := b.sign(r, keys.ES256)
	b.clock.Advance(7 * 24 * time.Hour)
	if err := last.verify(r); err != nil {
		t.Errorf("the last token: %v", err)
	}
}

func TestClockSetBackLeavesASigner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.loaded()
	first := b.signer(r, keys.ES256).KID
	b.clock.Advance(time.Hour)
	b.rotate(r, keys.ES256, false)
	for _, back := range []time.Duration{time.Hour, 365 * 24 * time.Hour} {
		b.clock.Advance(-back)
		if s := b.sign(r, keys.ES256); s.kid != first {
			t.Errorf("%s back: not the key that everybody knows", back)
		} else if err := s.verify(r); err != nil {
			t.Errorf("%s back: %v", back, err)
		}
	}
	if n := len(b.rows()); n != 2 {
		t.Errorf("%d keys", n)
	}
	// The first one is gone: the published one signs before its time rather than nobody.
	b.clock.Advance(366 * 24 * time.Hour)
	b = setup(t)
	r = b.loaded()
	first = b.signer(r, keys.ES256).KID
	next := b.rotate(r, keys.ES256, false)
	if err := r.Retire(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(-24 * time.Hour)
	if got := b.signer(r, keys.ES256).KID; got != next.KID {
		t.Error("not the published key")
	}
	b.clock.Advance(24 * time.Hour)
	b.clock.Advance(overlap / 2)
	b.rotate(r, keys.ES256, false)
	if got := b.signer(r, keys.ES256).KID; got != next.KID {
		t.Error("of two published keys not the one that is published longer")
	}
}

func TestTenRotationsWhileTokensAreSignedAndVerified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.loaded()
	b.signer(first, keys.ES256)
	replicas := []*keys.Ring{first, b.loaded()}
	var running atomic.Bool
	running.Store(true)
	defer running.Store(false)
	var verified atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		signs, verifies := replicas[i%2], replicas[(i+1)%2]
		wg.Go(func() {
			var held token
			for running.Load() {
				s, err := signs.Signer(t.Context(), keys.ES256)
				if err != nil {
					t.Errorf("signer: %v", err)
					return
				}
				input := []byte("header.payload")
				signature, err := s.Sign(input)
				fresh := token{s.KID, s.Algorithm, input, signature}
				if err := errors.Join(err, fresh.verify(verifies)); err != nil {
					t.Errorf("a fresh token: %v", err)
					return
				}
				if held.kid != "" && held.verify(verifies) != nil {
					t.Errorf("a token of the round before: %v", held.verify(verifies))
					return
				}
				verified.Add(1)
				held = fresh // lives until the next round, far below maxTokenTTL
			}
		})
	}
	seen := map[string]bool{}
	for range 10 {
		seen[b.rotate(replicas[0], keys.ES256, false).KID] = true
		if err := replicas[1].Load(t.Context()); err != nil { // within a second of the change, by Watch
			t.Fatal(err)
		}
		for range 12 {
			b.clock.Advance(overlap / 10)
			for target := verified.Load() + 8; verified.Load() < target && !t.Failed(); {
				time.Sleep(100 * time.Microsecond)
			}
		}
		if err := replicas[1].Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	running.Store(false)
	wg.Wait()
	if !seen[b.signer(replicas[1], keys.ES256).KID] || len(seen) != 10 {
		t.Errorf("%d rotations", len(seen))
	}
	t.Logf("%d tokens signed and verified", verified.Load())
}
