package clients

import (
	"crypto/rand"
	"hash/crc32"
	"math/big"
	"strings"

	"latchkey/storage"
)

// Lengths of base62 text: of 32 bytes, of 16 bytes, of a CRC-32.
const (
	secretDigits   = 43
	idDigits       = 22
	checksumDigits = 6
)

// NewSecret returns a secret of 256 random bits. Every secret of the server has this form, not only those of clients.
func NewSecret(prefix string) storage.Secret {
	var b [32]byte
	rand.Read(b[:])
	return FormatSecret(prefix, b[:])
}

// FormatSecret returns a secret of 32 bytes as text: the prefix, by which scanners of source code recognise it, the bytes, and a
// checksum of these, so that other texts are refused without a look-up.
func FormatSecret(prefix string, b []byte) storage.Secret {
	text := base62(b, secretDigits)
	return storage.Secret(prefix + text + checksum(text))
}

func checksum(text string) string {
	sum := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text))))
	return base62(sum.Bytes(), checksumDigits)
}

// IsSecret reports whether text has the form of a secret with that prefix.
func IsSecret(prefix string, secret storage.Secret) bool {
	text, ok := strings.CutPrefix(secret.Reveal(), prefix)
	return ok && len(text) == secretDigits+checksumDigits && text[secretDigits:] == checksum(text[:secretDigits])
}

// NewID returns a random client_id.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return base62(b[:], idDigits)
}

// base62 returns a number in digits and letters, padded with zeros.
func base62(b []byte, digits int) string {
	s := new(big.Int).SetBytes(b).Text(62)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}
