package pyjson

import (
	"math/big"
	"strings"
	"unicode"
)

// IsSpace is Python's notion of white space (str.isspace), which has four control characters more than Go's.
func IsSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

// Strip is Python's str.strip().
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// ParseInt is Python's int(text): white space around, a sign, decimal digits of any script, single underscores between
// them.
func ParseInt(text string) (*big.Int, bool) {
	text = Strip(text)
	digits := strings.TrimPrefix(text, "-")
	negative := len(digits) != len(text)
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	var b strings.Builder
	underscore := true // none at the front
	for _, r := range digits {
		if r == '_' {
			if underscore {
				return nil, false
			}
			underscore = true
			continue
		}
		d, ok := decimal(r)
		if !ok {
			return nil, false
		}
		b.WriteByte('0' + d)
		underscore = false
	}
	if underscore || b.Len() > maxDigits {
		return nil, false
	}
	n, ok := new(big.Int).SetString(b.String(), 10)
	if ok && negative {
		n.Neg(n)
	}
	return n, ok
}

// decimal is the value of a decimal digit of any script. Unicode keeps each script's ten in one row, from nought.
func decimal(r rune) (byte, bool) {
	if '0' <= r && r <= '9' {
		return byte(r - '0'), true
	}
	for _, row := range unicode.Nd.R16 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return byte((r - rune(row.Lo)) % 10), true
		}
	}
	for _, row := range unicode.Nd.R32 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return byte((r - rune(row.Lo)) % 10), true
		}
	}
	return 0, false
}
