package clients_test

import (
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/storage"
)

// Statement 34: of ten thousand secrets and ids none comes twice, each character can be anything, and nothing about one follows from the one
// before. Every secret says its kind and has a checksum, so that scanners find it and a typing error costs no look-up.
func TestStatement34SecretsAreRandom(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for name, c := range map[string]struct {
		random int // how many characters are random
		make   func() string
	}{
		"secrets": {43, func() string { return strings.TrimPrefix(clients.NewSecret("lk_cs_").Reveal(), "lk_cs_") }},
		"ids":     {22, clients.NewID},
	} {
		seen, previous, rising := make(map[string]bool, n), "", 0
		ends := map[byte]int{}
		for range n {
			text := c.make()
			if seen[text] || len(text) < c.random {
				t.Fatalf("%s: %q", name, text)
			}
			seen[text] = true
			if text > previous {
				rising++
			}
			previous = text
			ends[text[c.random-1]]++
		}
		// Half of them, with a deviation of 50.
		if rising < n/2-500 || rising > n/2+500 {
			t.Errorf("%s: %d of %d are above the one before", name, rising, n)
		}
		// 161 of each character, with a deviation of 13.
		for digit, count := range ends {
			if count < 60 || count > 300 {
				t.Errorf("%s: %d end with %c", name, count, digit)
			}
		}
		if len(ends) != 62 {
			t.Errorf("%s: %d different characters", name, len(ends))
		}
	}
	good := clients.NewSecret("lk_cs_").Reveal()
	for i := range good {
		other := byte('a')
		if good[i] == other {
			other = 'b'
		}
		if clients.IsSecret("lk_cs_", storage.Secret(good[:i]+string(other)+good[i+1:])) {
			t.Errorf("with another character at %d it has the form of a secret", i)
		}
	}
	if !clients.IsSecret("lk_cs_", storage.Secret(good)) || clients.IsSecret("lk_rt_", storage.Secret(good)) || clients.IsSecret("lk_cs_", storage.Secret(good+"0")) {
		t.Error("the form is not checked")
	}
}
