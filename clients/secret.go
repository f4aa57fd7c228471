package clients

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"math/big"
	"strings"

	"latchkey/storage"
)

// What secrets begin with, so that scanners of source code can tell one.
const (
	secretPrefix             = "lk_cs_"
	registrationAccessPrefix = "lk_rat_"
	initialAccessPrefix      = "lk_iat_"
)

// Lengths of base62 text: of 32 bytes, of 16 bytes, of a CRC-32.
const (
	secretDigits   = 43
	idDigits       = 22
	checksumDigits = 6
)

// NewSecret draws a secret of 256 random bits. All that the server draws look alike, clients' and others'.
func NewSecret(prefix string) storage.Secret {
	var b [32]byte
	rand.Read(b[:])
	return writeSecret(prefix, b[:])
}

// writeSecret writes a secret of 32 bytes: the prefix, the bytes, and a checksum over those, which tells a secret from
// what merely looks like one, without asking anybody.
func writeSecret(prefix string, b []byte) storage.Secret {
	text := base62(b, secretDigits)
	return storage.Secret(prefix + text + checksum(text))
}

func checksum(text string) string {
	sum := new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text))))
	return base62(sum.Bytes(), checksumDigits)
}

// IsSecret reports whether text has the form of a secret with that prefix: what has not, nobody need look for.
func IsSecret(prefix string, secret storage.Secret) bool {
	text, ok := strings.CutPrefix(secret.Reveal(), prefix)
	return ok && len(text) == secretDigits+checksumDigits && text[secretDigits:] == checksum(text[:secretDigits])
}

// newID draws a client_id.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return base62(b[:], idDigits)
}

// base62 writes a number with digits and letters, filled up with zeros.
func base62(b []byte, digits int) string {
	s := new(big.Int).SetBytes(b).Text(62)
	return strings.Repeat("0", max(0, digits-len(s))) + s
}

// secretMAC is what is kept of a secret. It is fast, since nobody can guess 256 random bits however fast they try; the
// client's name is in it, so that equal secrets do not show and rows can't be swapped.
func secretMAC(key []byte, id string, secret storage.Secret) (mac storage.Digest) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id))
	h.Write([]byte{0})
	h.Write([]byte(secret.Reveal()))
	h.Sum(mac[:0])
	return mac
}

// CheckSecret reports whether a secret is one of those that are good for the client now. A client without a secret, an
// empty secret and a nil client (one that is not there) never pass, after the same work.
func (r *Registry) CheckSecret(c *Client, secret storage.Secret) bool {
	known := c != nil && secret != ""
	if c == nil {
		c = &Client{}
	}
	var previous storage.Digest
	if c.previous != nil && r.cfg.Now().Before(c.previous.expiresAt) {
		previous = c.previous.mac
	}
	good := 0
	for _, key := range r.cfg.MACKeys {
		mac := secretMAC(key, c.ID, secret) // never all zeros, as a MAC that is not there
		good |= subtle.ConstantTimeCompare(mac[:], c.secretMAC[:])
		good |= subtle.ConstantTimeCompare(mac[:], previous[:])
	}
	return good == 1 && known && c.hasSecret()
}
