package keys

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var errDER = errors.New("malformed ECDSA signature")

// fixedLength converts the DER form of a signature, SEQUENCE { INTEGER r, INTEGER s }, to r ‖ s of half as many bytes each (RFC 7518 §3.4).
// The standard library returns only the DER form unless one uses big integers.
func fixedLength(der []byte, half int) ([]byte, error) {
	out, rest := make([]byte, 2*half), cryptobyte.String(der)
	whole := rest
	if !whole.ReadASN1(&rest, asn1.SEQUENCE) || !whole.Empty() {
		return nil, errDER
	}
	for end := half; end <= 2*half; end += half {
		var n cryptobyte.String
		if !rest.ReadASN1(&n, asn1.INTEGER) {
			return nil, errDER
		}
		if len(n) == half+1 && n[0] == 0 {
			n = n[1:] // the sign of a number whose highest bit is set
		}
		if len(n) > half {
			return nil, errDER
		}
		copy(out[end-len(n):], n)
	}
	if !rest.Empty() {
		return nil, errDER
	}
	return out, nil
}

// derOf is the inverse of fixedLength.
func derOf(signature []byte) []byte {
	half := len(signature) / 2
	der := make([]byte, 3, len(signature)+9) // SEQUENCE with a length of two bytes, and twice INTEGER with a length and a sign
	for _, n := range [2][]byte{signature[:half], signature[half:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0]&0x80 != 0 {
			der = append(append(der, 0x02, byte(len(n)+1), 0), n...)
		} else {
			der = append(append(der, 0x02, byte(len(n))), n...)
		}
	}
	if size := byte(len(der) - 3); size < 0x80 {
		der = der[1:]
		der[0], der[1] = 0x30, size
	} else {
		der[0], der[1], der[2] = 0x30, 0x81, size
	}
	return der
}
