package mac_test

import (
	"encoding/hex"
	"testing"

	"latchkey/server/internal/mac"
)

// RFC 4231 §4.3, test case 2.
func TestSumIsHMACSHA256(t *testing.T) {
	t.Parallel()
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	whole := mac.Sum([]byte("Jefe"), "what do ya want for nothing?")
	inParts := mac.Sum([]byte("Jefe"), []byte("what do ya want "), []byte("for nothing?"))
	if got := hex.EncodeToString(whole[:]); got != want || inParts != whole {
		t.Errorf("got %s and %x, want %s", got, inParts, want)
	}
	key := mac.Keys([][]byte{[]byte("Jefe")})[0]
	for range 3 { // the second one is computed with what the first one has left
		if got := key.Sum([]byte("what do ya want "), []byte("for nothing?")); got != whole {
			t.Errorf("of a Key: %x", got)
		}
	}
}

func TestFramedPartsAreNotConfused(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	seen := make(map[[mac.Size]byte][]string)
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"ab", ""}, {"", "ab"}} {
		sum := mac.SumFramed(key, parts...)
		if other, ok := seen[sum]; ok {
			t.Errorf("%q and %q have the same MAC", parts, other)
		}
		seen[sum] = parts
	}
	// The keys of buckets in the database: a change would forget what they count.
	if mac.SumFramed(key, "a", "bc") != mac.Sum(key, "\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x00\x00\x00\x00\x02bc") {
		t.Error("the framing has changed")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	current, old := []byte("current"), []byte("old")
	sum := mac.Sum(old, "message")
	for _, c := range []struct {
		name         string
		keys         [][]byte
		message, sum string
		want         bool
	}{
		{"an older key", [][]byte{current, old}, "message", string(sum[:]), true},
		{"another key", [][]byte{current}, "message", string(sum[:]), false},
		{"no key", nil, "message", string(sum[:]), false},
		{"another message", [][]byte{old}, "massage", string(sum[:]), false},
		{"a shorter MAC", [][]byte{old}, "message", string(sum[:16]), false},
		{"no MAC", [][]byte{old}, "message", "", false},
	} {
		if got := mac.Verify(mac.Keys(c.keys), []byte(c.message), []byte(c.sum)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
