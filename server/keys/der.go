package keys

import (
	"errors"
)

var errDER = errors.New("malformed ECDSA signature")

// fixedLength converts the DER form of a P-256 signature to r ‖ s of 32 bytes each (RFC 7518 §3.4).
// The standard library returns only the DER form unless one uses big integers.
func fixedLength(der []byte) ([]byte, error) {
	// SEQUENCE { INTEGER r, INTEGER s }; both lengths are below 128, so one byte each.
	if len(der) < 2 || der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return nil, errDER
	}
	out, rest := make([]byte, 64), der[2:]
	for half := range 2 {
		if len(rest) < 2 || rest[0] != 0x02 || int(rest[1]) > len(rest)-2 {
			return nil, errDER
		}
		n := rest[2 : 2+int(rest[1])]
		rest = rest[2+len(n):]
		if len(n) == 33 && n[0] == 0 {
			n = n[1:] // the sign of a number whose highest bit is set
		}
		if len(n) > 32 {
			return nil, errDER
		}
		copy(out[32*(half+1)-len(n):], n)
	}
	if len(rest) != 0 {
		return nil, errDER
	}
	return out, nil
}

// derOf is the inverse of fixedLength for 64 bytes.
func derOf(signature []byte) []byte {
	der := make([]byte, 2, 72)
	for _, n := range [2][]byte{signature[:32], signature[32:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if n[0]&0x80 != 0 {
			der = append(append(der, 0x02, byte(len(n)+1), 0), n...)
		} else {
			der = append(append(der, 0x02, byte(len(n))), n...)
		}
	}
	der[0], der[1] = 0x30, byte(len(der)-2)
	return der
}
