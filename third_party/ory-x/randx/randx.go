// Package randx draws random text from an alphabet.
package randx

import (
	"crypto/rand"
	"math/big"
)

// AlphaUpper is the alphabet A to Z.
var AlphaUpper = []rune("ABCDEFGHIJKLMNOPQRSTUVWXYZ")

// RuneSequence draws n runes from alphabet, each with the same probability.
func RuneSequence(n int, alphabet []rune) ([]rune, error) {
	size := big.NewInt(int64(len(alphabet)))
	drawn := make([]rune, n)
	for i := range drawn {
		k, err := rand.Int(rand.Reader, size)
		if err != nil {
			return nil, err
		}
		drawn[i] = alphabet[k.Int64()]
	}
	return drawn, nil
}
